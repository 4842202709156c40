"""`manage.py demo` from end to end: the real command, real engines, real workers, a tiny policy.

The same command with the bundled policy and its own sizes is what `make demo` runs.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from records import read_manifest, verify_directory
from records.manifest import MANIFEST, sha256_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(420)]

CHECKOUT = Path(__file__).resolve().parents[3]
SIZES = {
    "conversations": 40, "comparisons": 16, "new-tokens": 12, "updates": 2, "rollouts": 8, "held-out": 24,
    "next-comparisons": 2,
}  # fmt: skip
TRAINING = ["SFT", "reward model", "PPO", "compare", "decide", "promote", "next round"]


@pytest.fixture
def var() -> Iterator[Path]:
    """A var folder that PostgreSQL's own user may enter where the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="parley-demo-"))
    folder.chmod(0o711)
    yield folder
    assert [process.pid for process in psutil.process_iter(["cmdline"]) if _belongs_to(process, folder)] == []
    shutil.rmtree(folder)


def demo(var: Path, *arguments: str, sizes: dict[str, int] = SIZES) -> "subprocess.CompletedProcess[str]":
    flags = [f"--{name}={value}" for name, value in sizes.items()]
    variables = {
        "PARLEY_VAR": str(var),
        "PARLEY_STORE": "",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "manage.py", "demo", *arguments, *flags],
        cwd=CHECKOUT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def read_report(var: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((var / "demo" / "report.json").read_text(encoding="utf-8"))
    return report


def test_the_loop_goes_once_round(var: Path, tiny_policy: Path) -> None:
    done = demo(var, "--policy", str(tiny_policy))
    assert done.returncode == 0, done.stdout + done.stderr
    report = read_report(var)
    names = ["prepare", "import", "sample", "rank", "export", *TRAINING]
    assert [step["name"] for step in report["steps"]] == names
    assert all(step["ok"] and step["seconds"] >= 0 for step in report["steps"])
    assert all(f"parley: {name} " in done.stdout for name in names)
    assert (report["policy_before"], report["policy_after"]) == ("tiny", "demo-round-1")
    assert report["judge"] == "simulated"
    assert report["sizes"]["rankings"] == report["sizes"]["comparisons"] >= 8
    assert 0 <= report["reward_model"]["accuracy"] <= 1
    assert 0 <= report["reward_model"]["longer_baseline"] <= 1
    assert all(isinstance(report["ppo"][name], float) for name in ("reward_before", "reward_after", "kl"))
    comparison = report["comparison"]
    assert comparison["low"] <= comparison["win_rate"] <= comparison["high"]
    assert comparison["n"] == 24
    assert 0 <= report["sizes"]["pairs judged by the simulated trainer"] <= 24  # most answers are the same so early
    decided = next(step["summary"] for step in report["steps"] if step["name"] == "decide")
    assert "in people's place the simulated trainer calls demo-round-1" in decided
    assert len(report["samples"]) == 3
    assert "Ranked by a simulated trainer" in (var / "demo" / "report.html").read_text(encoding="utf-8")
    _require_lineage(var / "demo" / "store")


def test_what_cannot_be_read_is_said_in_one_line_and_nothing_is_started(var: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.jsonl"
    garbage.write_text("not json\n")
    for arguments, told in (
        (("--rankings", str(garbage)), "garbage.jsonl: nothing in its beginning can be read"),
        (("--rankings", str(tmp_path / "missing.jsonl")), "missing.jsonl: cannot be read: No such file"),
        (("--policy", str(tmp_path)), "holds no model"),
    ):
        done = demo(var, *arguments)
        assert done.returncode == 2
        assert told in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (var / "demo").exists()


def _require_lineage(store: Path) -> None:
    """From the new policy one can walk back to the export of the rankings."""
    for folder in ("policies/demo-sft", "rewardmodels/demo-reward", "policies/demo-round-1"):
        verify_directory(store / folder)
    facts = json.loads((store / "policies" / "demo-round-1" / "policy.json").read_text())
    assert facts["start"]["name"] == "demo-sft"
    assert facts["made_from"]["reward_model"]["name"] == "demo-reward"
    learnt_from = json.loads((store / "rewardmodels" / "demo-reward" / "reward_model.json").read_text())["data"]
    export = store / "exports" / learnt_from["name"].partition("/")[0]
    assert learnt_from["sha256"] == sha256_of(export / MANIFEST)
    assert read_manifest(export)["kind"] == "rankings"


def _belongs_to(process: psutil.Process, folder: Path) -> bool:
    try:
        return str(folder) in " ".join(process.info["cmdline"] or ()) or str(folder) in process.environ().get(
            "PARLEY_VAR", ""
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False

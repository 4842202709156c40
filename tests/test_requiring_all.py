"""PARLEY_REQUIRE_ALL=1 turns every kind of skip into a failure, but for data that the repository does not hold."""

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
SKIPS = {
    "mark": "@pytest.mark.skip(reason='no browser')\ndef test_it(): pass",
    "call": "def test_it(): pytest.skip('no browser')",
    "fixture": "@pytest.fixture\ndef browser(): pytest.skip('no browser')\ndef test_it(browser): pass",
    "file": "pytest.skip('no browser', allow_module_level=True)",
}
OTHERS = {
    "data": "def test_it(): pytest.skip('none here: set PARLEY_TEST_DATA')",
    "xfail": "@pytest.mark.xfail\ndef test_it(): assert False",
    "plain": "def test_it(): pass",
}


def outcomes(folder: Path, *, required: str) -> dict[str, str]:
    """Run one file of each kind; the outcome of each, by the name of its kind."""
    for kind, body in (SKIPS | OTHERS).items():
        (folder / f"test_{kind}.py").write_text(f"import pytest\n{body}\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rA", "-v"]
    command += ["--continue-on-collection-errors", "--no-fold-skipped", str(folder)]
    variables = os.environ | {"PARLEY_REQUIRE_ALL": required}
    done = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.split(" ")[0].isupper()]
    found = {kind: line.split()[0] for kind in SKIPS | OTHERS for line in lines if f"test_{kind}.py" in line}
    return found | {"rc": str(done.returncode)}


def test_a_skip_fails_where_all_is_required(tmp_path: Path) -> None:
    found = outcomes(tmp_path, required="1")
    assert {kind: found[kind] for kind in SKIPS} == {
        "mark": "ERROR",
        "call": "FAILED",
        "fixture": "ERROR",
        "file": "ERROR",
    }
    assert {kind: found[kind] for kind in OTHERS} == {"data": "SKIPPED", "xfail": "XFAIL", "plain": "PASSED"}
    assert found["rc"] == "1"


def test_a_skip_stays_a_skip_elsewhere(tmp_path: Path) -> None:
    found = outcomes(tmp_path, required="")
    assert {found[kind] for kind in SKIPS} == {"SKIPPED"}
    assert found["rc"] == "0"

"""What benchmarks against trl share: an environment that has it, and a side of a comparison as a process."""

import gzip
import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

from benchmarks.platform import CHECKOUT

SIDE_SECONDS = 3600.0  # beside other work, or in fp32, a side takes more than a quarter of an hour


class BenchmarkError(RuntimeError):
    """A side that cannot be run: which, and what to do."""


def trl_environment(folder: Path, *, version: str, needs: str) -> Path:
    """The Python of an environment that has trl over this one's packages; made where it is missing."""
    python = folder / "bin" / "python"
    if python.exists() and _runs(python, needs):
        return python
    venv.create(folder, with_pip=True, clear=True)
    site = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    (site / "parley.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    constraints = folder / "constraints.txt"
    constraints.write_text("torch==2.13.0\n", encoding="utf-8")
    command = [str(python), "-m", "pip", "install", "-q", "-c", str(constraints), f"trl=={version}"]
    installed = subprocess.run(command, capture_output=True, text=True)
    if installed.returncode != 0 or not _runs(python, needs):
        last = (installed.stderr.strip().splitlines() or ["no message"])[-1]
        raise BenchmarkError(f"trl {version} cannot be installed under {folder}: {last}; this group needs it")
    return python


def oasst_trees(folder: Path | None = None) -> list[dict[str, Any]]:
    """The root messages of the Open-Assistant trees in `folder`; they are no part of the repository."""
    folder = folder or Path(os.environ.get("PARLEY_TEST_DATA", CHECKOUT.parent / "shared" / "data"))
    path = folder / "oasst_trees.jsonl.gz"
    if not path.is_file():
        raise BenchmarkError(f"{path} is missing; name the folder of the data sets in PARLEY_TEST_DATA")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["prompt"] for line in lines]


def run_side(command: list[str], *, seconds: float = SIDE_SECONDS) -> dict[str, Any]:
    """What one side prints as its last line; one thread, no GPU, ended after so many seconds."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        ended = subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **threads, "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{' '.join(command)} was ended after {seconds:.0f} seconds; give it more") from error
    if ended.returncode != 0:
        raise BenchmarkError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(f"{command[-2]}: {result}", file=sys.stderr, flush=True)
    return result


def _runs(python: Path, code: str) -> bool:
    return subprocess.run([str(python), "-c", code], capture_output=True).returncode == 0

"""torch's threads sleep while they wait: every package says so before torch is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("package", ["language", "sampler", "rewardmodel", "policy"])
def test_a_package_says_how_threads_wait_before_torch_is_there(package: str) -> None:
    program = f"import {package}, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60)
    assert run.stdout.split() == ["PASSIVE", "False"], run.stderr

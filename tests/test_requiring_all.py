"""PARLEY_REQUIRE_ALL=1 turns every kind of skip into a failure, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
KINDS = {
    "mark": "@pytest.mark.skip(reason='no browser')\ndef test_it(): pass",
    "call": "def test_it(): pytest.skip('no browser')",
    "fixture": "@pytest.fixture\ndef browser(): pytest.skip('no browser')\ndef test_it(browser): pass",
    "file": "pytest.skip('no browser', allow_module_level=True)",
}


def run_pytest(path: Path, *, required: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", str(path)]
    variables = os.environ | {"PARLEY_REQUIRE_ALL": required}
    return subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", KINDS)
def test_a_skip_fails_where_all_is_required(kind: str, tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(f"import pytest\n{KINDS[kind]}\ndef test_other(): pass\n")
    done = run_pytest(tmp_path, required="1")
    assert done.returncode not in (0, 5), done.stdout
    assert "lets nothing be skipped" in done.stdout
    assert "no browser" in done.stdout


def test_a_skip_stays_a_skip_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "test_skipping.py").write_text(f"import pytest\n{KINDS['call']}\n")
    done = run_pytest(tmp_path, required="")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text("import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n")
    assert run_pytest(tmp_path, required="1").returncode == 0

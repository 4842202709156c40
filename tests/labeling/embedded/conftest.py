"""A var folder of the test's own, and processes that use its servers."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labeling.embedded.paths import Places
from tests.labeling.embedded.servers import (
    end_servers,
)

CHECKOUT = Path(__file__).resolve().parents[3]

# What a user of the engines is: a process that joins, says so, and stays until its input ends.
USER = """
import os, sys
sys.path.insert(0, os.environ["CODE"])
from pathlib import Path
from labeling import embedded
print(embedded.start(Path(os.environ["VAR"])).database, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def var() -> Iterator[Path]:
    """A var folder directly under /tmp, where PostgreSQL's user can reach it; its servers end with the test."""
    folder = Path(tempfile.mkdtemp(prefix="parley-engines-"))
    folder.chmod(0o711)
    yield folder / "var"
    end_servers(Places(folder / "var"))
    shutil.rmtree(folder)


@pytest.fixture
def user_of() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes that use the engines of a var folder, and returns when each has joined."""
    started = []

    def start(var: Path, *, wait: bool = True) -> subprocess.Popen[str]:
        environment = os.environ | {"VAR": str(var), "CODE": str(CHECKOUT)}
        process = subprocess.Popen(
            [sys.executable, "-c", USER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
        )
        started.append(process)
        if wait and process.stdout and process.stderr:
            assert process.stdout.readline(), process.stderr.read()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()

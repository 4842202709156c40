"""Runs pytest again and again in forks of one process that has loaded the libraries once. None of Parley's packages is
among them: each run loads those from the copy of the checkout, with the fault of the moment in it.

`python -m tests.mutants.forking COPY`: a line of JSON in, a list of tests; a line of JSON out, {"code", "output"}. The
servers and the database stay from run to run, since starting them takes longer than most tests.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LONGEST_RUN = 240  # seconds; a mutant that waits for ever ends then
_RULERS = re.compile(r"([=!_])\1{9,}")  # as long as a line is
_LONGEST_END = 20  # seconds for pytest's own way out, before it is killed
_LIBRARIES = "pytest hypothesis django celery redis psycopg2 orjson pydantic torch transformers jaxtyping beartype"


def main(copy: Path) -> None:
    var = Path(tempfile.mkdtemp(prefix="parley-mutants-var-"))
    var.chmod(0o711)  # PostgreSQL's own user must pass where the tests run as root
    os.environ |= {
        "PARLEY_TEST_VAR": str(var),
        "PARLEY_TEST_SERVERS_STAY": "1",
        "PYTHONPATH": str(copy),  # for the processes that tests start: the copy's packages, not the installed ones
        "PYTHONDONTWRITEBYTECODE": "1",  # a mutant may have the size and the second of the file it replaces
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "10000",  # else pytest cuts long names of tests
    }
    for name in _LIBRARIES.split():
        with contextlib.suppress(ImportError):
            __import__(name)
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    sys.path = [str(copy), *(path for path in sys.path if path not in ("", str(Path.cwd())))]
    os.chdir(copy)
    is_clean = False  # whether the database may be used again
    try:
        for line in sys.stdin:
            code, output = _run(json.loads(line), var / "output", reuses_database=is_clean)
            is_clean = code in (0, 1)
            print(json.dumps({"code": code, "output": _RULERS.sub("==", output)[-4000:]}), flush=True)
    finally:
        stop = "import sys; from pathlib import Path; from labeling.embedded import stop; stop(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", stop, str(var)], check=False, timeout=60)
        shutil.rmtree(var, ignore_errors=True)


def _run(tests: list[str], file: Path, *, reuses_database: bool) -> tuple[int | None, str]:
    """pytest's exit status, None where it took too long, and what it said."""
    child = os.fork()
    if child == 0:
        _be_pytest(tests, file, reuses_database=reuses_database)
    deadline = time.monotonic() + LONGEST_RUN
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), file.read_text(errors="replace")
        time.sleep(0.05)
    _end(child)
    return None, ""


def _be_pytest(tests: list[str], file: Path, *, reuses_database: bool) -> None:
    import pytest

    os.setsid()  # what the tests start can be ended with them
    said = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    database = "--reuse-db" if reuses_database else "--create-db"
    code = 3  # pytest's own, for an error inside it
    try:
        code = pytest.main(["-x", "-p", "no:cacheprovider", "--tb=no", "-rfE", "--reuse-db", database, *tests])
    finally:
        sys.stdout.flush()
        os._exit(int(code))


def _end(child: int) -> None:
    """End a run and what it started: first by pytest's own way out, which stops workers and browsers."""
    os.kill(child, signal.SIGINT)
    deadline = time.monotonic() + _LONGEST_END
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        time.sleep(0.1)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

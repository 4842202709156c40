"""Training jobs: one attempt at a time, the newest; options by an allow-list; what was published is verified."""

from tests.mutants.mutant import Mutant


def _locking(fault: str, before: str, after: str) -> Mutant:
    return Mutant("training/locking.py", fault, ((before, after),), ("tests/training/test_locking.py",))


def _commands(fault: str, before: str, after: str) -> Mutant:
    return Mutant("training/commands.py", fault, ((before, after),), ("tests/training/test_commands.py",))


def _jobs(fault: str, before: str, after: str) -> Mutant:
    return Mutant("training/jobs.py", fault, ((before, after),), ("tests/training/test_jobs.py",))


MUTANTS = [
    _locking(
        "a late attempt begins after a newer one ended",
        "        _require_newest(_read(file), attempt)\n        yield",
        "        yield",
    ),
    _locking("the same attempt runs twice", "if begun >= attempt:", "if begun > attempt:"),
    _locking(
        "an older attempt ends a newer one",
        "            _require_newest(holder, attempt)\n            if time",
        "            if time",
    ),
    _locking("a process of another machine's number is killed", ' and holder.get("machine") == platform.node()', ""),
    _locking("a worker that hangs keeps the lock", "        self._file.close()\n", ""),
    _locking("two hold the lock", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB"),
    _commands("true is a whole number", "return type(value) is expected", "return isinstance(value, expected)"),
    _commands("an option switched off is switched on", 'f"--{flag}" if value else f"--no-{flag}"', 'f"--{flag}"'),
    _commands("the store itself is a place in it", " or path == store.resolve()", ""),
    _commands("material of another kind is taken", "        if name not in known:\n", "        if False:\n"),
    _commands("a job's id may leave its folder", "_JOB_ID.fullmatch(job_id)", "_JOB_ID.match(job_id)"),
    _jobs("a worker that stops follows its trainer to the end", "        if is_stopping():\n", "        if False:\n"),
    _jobs(
        "a full disk is taken for wrong settings",
        "needs_other_settings=status == NEEDS_OTHER_SETTINGS",
        "needs_other_settings=process.returncode > 0",
    ),
    _jobs("what is not whole is reported as a policy", "        verify_directory(out)\n", "        out.stat()\n"),
    _jobs(
        "the result names no attempt of its own",
        "        attempt=request.attempt,\n        out_path=request.out_path,\n        manifest",
        "        attempt=1,\n        out_path=request.out_path,\n        manifest",
    ),
    _jobs(
        "a late attempt reports",
        "        return None\n    except RequestError",
        "        result = _failed(request, Failure(str(late)))\n    except RequestError",
    ),
    _jobs("true is a metric", " and not isinstance(value, bool)", ""),
    _jobs("a cancelled trainer goes on", "                return True\n", "                return False\n"),
    Mutant(
        "training/reporting.py",
        "a result that was not sent is dropped",
        (("                if time.monotonic() > deadline:\n                    raise\n", "                return\n"),),
        ("tests/training/test_reporting.py",),
    ),
]

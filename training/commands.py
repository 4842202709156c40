"""A training request as a command line: its options by an allow-list, its paths inside the store."""

import os
import re
import sys
from pathlib import Path
from typing import Any

from records import TrainingRequest
from records.types import TrainingKind
from training.options import FURTHER_PATHS, OPTIONS

ROLLOUTS = "PARLEY_TRAIN_ROLLOUTS"
_JOB_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,40}")
MODULES: dict[TrainingKind, str] = {
    "sft": "policy.sft",
    "reward_model": "rewardmodel.train",
    "ppo": "policy.ppo",
    "rloo": "policy.rloo",
    "dpo": "policy.dpo",
    "kto": "policy.kto",
    "rejection_sampling": "policy.rejection_sampling",
    "filter": "contentfilter.train",
}
_SAMPLING: frozenset[TrainingKind] = frozenset(
    {"ppo", "rloo", "rejection_sampling"}
)  # prompts are answered, and scored
_BY_A_SERVER: frozenset[TrainingKind] = frozenset({"ppo", "rloo"})
_IN_ONE_GO: frozenset[TrainingKind] = frozenset({"filter"})  # minutes long: they keep no state, and begin anew

_NAMES = {bool: "true or false", str: "a word", int: "a whole number", float: "a number"}


class RequestError(ValueError):
    """A request that cannot be run: what, and what to do."""


class NotInStore(RequestError):
    """An input that this worker does not see; another worker may, or this one later."""


def command(request: TrainingRequest, *, store: Path, work: Path) -> list[str]:
    """The argument list of one attempt. It resumes where its program can: with nothing to resume it begins.

    Raises RequestError on an option that is not one, and on a path that leaves the store or is not there.
    """
    inputs = _inputs(request, store)
    flags = [part for name, path in inputs.items() for part in (f"--{name.replace('_', '-')}", str(path))]
    flags += _ensemble(request, store)
    flags += _rollouts(request.kind)
    out = inside(store, request.out_path)
    options = [_flag(request.kind, name, value) for name, value in sorted(request.options.items())]
    module = MODULES[request.kind]
    resuming = [] if request.kind in _IN_ONE_GO else ["--work", str(work), "--resume"]
    return [sys.executable, "-m", module, *flags, "--out", str(out), *resuming, *options]


def with_parent_watchdog(arguments: list[str]) -> list[str]:
    """The same command, to be ended when this process is gone."""
    python, flag, *rest = arguments
    return [python, flag, "training.parent_watchdog", str(os.getpid()), *rest]


def job_folder(store: Path, job_id: str) -> Path:
    """Where a job keeps its lock, states and logs. Raises RequestError on an id that is no plain word."""
    if not _JOB_ID.fullmatch(job_id):
        raise RequestError(f"{job_id!r} is not the id of a job")
    return store / "jobs" / job_id


def inside(store: Path, relative: str) -> Path:
    """A path of the store. Raises RequestError where it would leave it."""
    path = (store / relative).resolve()
    if not path.is_relative_to(store.resolve()) or path == store.resolve():
        raise RequestError(f"{relative!r} is not a place in the model store")
    return path


def _inputs(request: TrainingRequest, store: Path) -> dict[str, Path]:
    if request.kind in _SAMPLING:
        wanted = {"prompts": request.data_path, "policy": request.model_path, "reward": request.reward_path}
    elif request.kind == "filter":
        wanted = {"data": request.data_path}
    else:
        wanted = {"data": request.data_path, "model": request.model_path}
    known = FURTHER_PATHS[request.kind]
    for name in sorted(request.further_paths):
        if name not in known:
            raise RequestError(
                f"a {request.kind} job takes no path as {name!r}; it takes {', '.join(sorted(known)) or 'none'}"
            )
    wanted |= request.further_paths
    inputs = {}
    for name, relative in wanted.items():
        if not relative:
            raise RequestError(f"a {request.kind} job needs a {name}; none was given")
        inputs[name] = _present(store, relative)
    return inputs


def _ensemble(request: TrainingRequest, store: Path) -> list[str]:
    """The flag that names further reward models, and their places; nothing where there are none."""
    if not request.ensemble_paths:
        return []
    if "ensemble" not in OPTIONS[request.kind]:
        raise RequestError(f"a {request.kind} job takes no further reward models; only ppo and rloo do")
    return ["--ensemble-rewards", *(str(_present(store, relative)) for relative in request.ensemble_paths)]


def _rollouts(kind: TrainingKind) -> list[str]:
    """The server that samples rollouts for this worker's jobs, if it has one: its environment's to say, not a row's."""
    address = os.environ.get(ROLLOUTS, "").strip()
    return ["--rollouts", address] if address and kind in _BY_A_SERVER else []


def _present(store: Path, relative: str) -> Path:
    """An input's place in the store. Raises RequestError where it would leave it, NotInStore where nothing is there."""
    path = inside(store, relative)
    if not path.exists():
        raise NotInStore(
            f"{relative} is not in this worker's model store ({store}); "
            "share PARLEY_STORE between the platform and its train workers"
        )
    return path


def _flag(kind: TrainingKind, name: str, value: Any) -> str:
    expected = OPTIONS[kind].get(name)
    if expected is None:
        raise RequestError(f"{name!r} is not an option of a {kind} job; options are {', '.join(sorted(OPTIONS[kind]))}")
    if not _fits(value, expected):
        raise RequestError(f"option {name} of a {kind} job is {value!r}; it must be {_NAMES[expected]}")
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={value}"


def _fits(value: Any, expected: type) -> bool:
    if expected is str:
        return isinstance(value, str) and _WORD.fullmatch(value) is not None
    if expected is float:
        return type(value) in (int, float)  # JSON has one kind of number: 1 is as good as 1.0
    return type(value) is expected  # true is an int to isinstance

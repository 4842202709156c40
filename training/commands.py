"""A training request as a command line. The trainers' own options are the allow-list; paths are ours alone."""

import re
import sys
from pathlib import Path
from typing import Any

from records import TrainingRequest

_OPTION = re.compile(r"[a-z][a-z0-9_]{0,40}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")
# What is a path in one of the trainers, or decided here.
_OURS = {"data", "model", "policy", "reward", "prompts", "out", "work", "resume", "demonstrations", "ptx_data"}


class RequestError(ValueError):
    """A request that cannot be run: what, and what to do."""


def command(request: TrainingRequest, *, store: Path, work: Path) -> list[str]:
    """The argument list of one attempt. It always resumes: where there is nothing to resume it begins.

    Raises RequestError on an option that is not one, and on a path that leaves the store or is not there.
    """
    inputs = _inputs(request, store)
    flags = [part for name, path in inputs.items() for part in (f"--{name}", str(path))]
    out = inside(store, request.out_path)
    options = [part for name, value in sorted(request.options.items()) for part in _flag(name, value)]
    module = {"sft": "policy.sft", "reward_model": "rewardmodel.train", "ppo": "policy.ppo"}[request.kind]
    return [sys.executable, "-m", module, *flags, "--out", str(out), "--work", str(work), "--resume", *options]


def inside(store: Path, relative: str) -> Path:
    """A path of the store. Raises RequestError where it would leave it."""
    path = (store / relative).resolve()
    if not path.is_relative_to(store.resolve()) or path == store.resolve():
        raise RequestError(f"{relative!r} is not a place in the model store")
    return path


def _inputs(request: TrainingRequest, store: Path) -> dict[str, Path]:
    if request.kind == "ppo":
        wanted = {"prompts": request.data_path, "policy": request.model_path, "reward": request.reward_path}
    else:
        wanted = {"data": request.data_path, "model": request.model_path}
    inputs = {}
    for name, relative in wanted.items():
        if not relative:
            raise RequestError(f"a {request.kind} job needs a {name}; none was given")
        inputs[name] = inside(store, relative)
        if not inputs[name].exists():
            raise RequestError(
                f"{relative} is not in this worker's model store ({store}); "
                "share PARLEY_STORE between the platform and its train workers"
            )
    return inputs


def _flag(name: str, value: Any) -> list[str]:
    if not _OPTION.fullmatch(name) or name in _OURS:
        raise RequestError(f"{name!r} is not an option of this job")
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    if isinstance(value, int | float) or (isinstance(value, str) and _WORD.fullmatch(value)):
        return [f"--{flag}={value}"]
    raise RequestError(f"option {name}: {value!r} is neither a number, nor a word, nor true or false")

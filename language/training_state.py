"""What a training run is at one moment, saved so that a killed run continues bit for bit.

Each state is a directory of its own that appears by one rename with a manifest of hashes: weights,
optimizer, schedule, random states and counters are always of the same step. Damaged directories are
passed over for the one before. Parameters that are not trained are not written; the run loads them
from their own checkpoint again. Of networks that are shared out among processes each writes its parts, and
any number of processes, one as well, goes on from what any other number wrote.
"""

import json
import os
import random
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from language.parallel.sharing import ALONE, Sharing
from language.parallel.stored import are_parts, read_parts, shapes_of, write_parts
from records.manifest import ManifestError, publish_directory, verify_directory

_PREFIX = "state-"
_TENSORS = "tensors.safetensors"
_COUNTERS = "state.json"


class TrainingStateError(ValueError):
    """A saved state that does not belong to this run: where, what, what to do."""


@dataclass
class TrainingState:
    """The live objects of a run: saved from, and loaded into, in place.

    `run` says which run this is (configuration, hashes of data and models); a state of another run is
    refused. `facts` is whatever JSON the loop needs back, such as a KL coefficient.
    """

    modules: Mapping[str, nn.Module]
    optimizers: Mapping[str, Optimizer] = field(default_factory=dict)
    schedules: Mapping[str, LRScheduler] = field(default_factory=dict)
    generators: Mapping[str, torch.Generator] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0
    epoch: int = 0
    position: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


def save_training_state(
    directory: str | os.PathLike[str], state: TrainingState, *, keep: int = 2, sharing: Sharing = ALONE
) -> Path:
    """Publish `state` as a directory named by its step; keep the newest `keep` (at least 2).

    All processes of a run call it. The main one writes what each has whole; what is shared out all write, and the main
    one publishes once all have written. Raises OSError (disk full, no permission) with every earlier state untouched.
    """
    directory = Path(directory)
    target = directory / f"{_PREFIX}{state.step:010d}"
    tensors, values = _collect(state)
    if are_parts(tensors.values()):
        _save_together(target, tensors, values, sharing, step=state.step)
    elif sharing.is_main:
        with _staging(target) as staging:
            save_file(tensors, staging / _TENSORS)
            _publish(staging, target, values, step=state.step)
    if sharing.is_main:
        for old in _saved(directory)[max(keep, 2) :]:
            _discard(old)
    return target


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A folder to write a state in; what killed runs left of theirs is removed before, and this one afterwards."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    staging = target.with_name(f"tmp-{os.getpid()}-{target.name}")
    try:
        staging.mkdir()
        yield staging
    except SafetensorError as error:
        raise OSError(f"{target}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staging: Path, target: Path, values: Mapping[str, Any], *, step: int) -> None:
    (staging / _COUNTERS).write_text(json.dumps(values, allow_nan=True), encoding="utf-8")
    publish_directory(staging, target, kind="training_state", step=step)


def _save_together(
    target: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any], sharing: Sharing, *, step: int
) -> None:
    """Every process writes its parts; the main one makes the folder before and renames it after."""
    with _staging(target) if sharing.is_main else nullcontext() as own:
        staging = sharing.from_main(own)
        assert staging is not None
        write_parts(staging, tensors)  # returns, or fails, in all processes alike
        if sharing.is_main:
            _publish(staging, target, values, step=step)
    sharing.from_main(None)  # none goes on before the state is there


def load_latest_training_state(
    directory: str | os.PathLike[str], state: TrainingState, *, sharing: Sharing = ALONE
) -> bool:
    """Load the newest undamaged state into the objects of `state`; False where there is none.

    It may have been saved by another number of processes; all processes of this run call it. Raises TrainingStateError
    where it was saved by a run with another `run`, or by other modules.
    """
    saved = sharing.from_main(_newest_sound(Path(directory)) if sharing.is_main else None)
    if saved is None:
        return False
    values = json.loads((saved / _COUNTERS).read_text(encoding="utf-8"))
    _require_same_run(saved, values["run"], _as_json(state.run))
    live = {key: own for name, module in state.modules.items() for key, own in _keyed(name, module).items()}
    if (saved / _TENSORS).exists() and not are_parts(live.values()):
        tensors = load_file(saved / _TENSORS)
    else:
        tensors = _room_for(state, live, saved)
        read_parts(saved, tensors)
    _restore(state, tensors, values, saved)
    return True


def _newest_sound(directory: Path) -> Path | None:
    """The newest state of which every byte is as it was written."""
    for saved in _saved(directory):
        try:
            verify_directory(saved)
        except ManifestError as error:
            print(f"passing over a damaged state: {error}", file=sys.stderr)
            continue
        return saved
    return None


def _room_for(state: TrainingState, live: Mapping[str, Tensor], saved: Path) -> dict[str, Tensor]:
    """Empty tensors for what was saved, cut as the live ones are: those that a process is to hold in part."""
    owners = {
        f"optimizer/{name}/{index}": parameter
        for name, optimizer in state.optimizers.items()
        for index, parameter in enumerate(own for group in optimizer.param_groups for own in group["params"])
    }
    room: dict[str, Tensor] = {}
    for key, (shape, dtype) in shapes_of(saved).items():
        like = live.get(key, owners.get(key.rpartition("/")[0]))
        if like is not None and like.shape == shape:
            room[key] = torch.empty_like(like.detach(), dtype=dtype)
        else:
            room[key] = torch.empty(shape, dtype=dtype)
    return room


def _keyed(name: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"module/{name}/{key}": tensor for key, tensor in _trained_tensors(module).items()}


def _saved(directory: Path) -> list[Path]:
    """Saved states, newest first."""
    return sorted(directory.glob(f"{_PREFIX}*"), reverse=True) if directory.is_dir() else []


def _sweep(directory: Path) -> None:
    """Remove what killed runs left half-written or half-removed."""
    for path in [*directory.glob("tmp-*"), *directory.glob("trash-*")]:
        shutil.rmtree(path, ignore_errors=True)


def _discard(path: Path) -> None:
    # Renamed first, so that a kill in the midst of it leaves no state that looks whole.
    trash = path.with_name(f"trash-{os.getpid()}-{path.name}")
    path.rename(trash)
    shutil.rmtree(trash, ignore_errors=True)


def _collect(state: TrainingState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors: dict[str, Tensor] = {}
    values: dict[str, Any] = {
        "run": _as_json(state.run),
        "step": state.step,
        "epoch": state.epoch,
        "position": state.position,
        "facts": state.facts,
        "schedules": {name: schedule.state_dict() for name, schedule in state.schedules.items()},
        "python": random.getstate(),
        "optimizers": {},
    }
    for name, module in state.modules.items():
        tensors |= _keyed(name, module)
    for name, optimizer in state.optimizers.items():
        held, values["optimizers"][name] = _split(optimizer.state_dict())
        tensors |= {f"optimizer/{name}/{key}": tensor for key, tensor in held.items()}
    tensors |= {f"random/{key}": tensor for key, tensor in _random_states(state.generators).items()}
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        values["numpy"] = [kind, keys.tolist(), *rest]
    return {key: tensor.detach().contiguous() for key, tensor in tensors.items()}, values


def _restore(state: TrainingState, tensors: dict[str, Tensor], values: dict[str, Any], saved: Path) -> None:
    for name, module in state.modules.items():
        _copy_into(_trained_tensors(module), _under(tensors, f"module/{name}/"), f"{saved}: {name}")
    for name, optimizer in state.optimizers.items():
        optimizer.load_state_dict(_join(_under(tensors, f"optimizer/{name}/"), values["optimizers"][name]))
    for name, schedule in state.schedules.items():
        schedule.load_state_dict(values["schedules"][name])
    state.step, state.epoch, state.position = values["step"], values["epoch"], values["position"]
    state.facts.clear()
    state.facts.update(values["facts"])
    _restore_random(state.generators, _under(tensors, "random/"), values)


def _trained_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Trained parameters, tied ones once, and persistent buffers; all by name."""
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    persistent = module.state_dict().keys()
    buffers = {name: value for name, value in module.named_buffers() if name in persistent}
    return {**trained, **buffers}


def _copy_into(live: Mapping[str, Tensor], saved: Mapping[str, Tensor], where: str) -> None:
    differing = sorted(set(live) ^ set(saved)) or [
        name for name in live if live[name].shape != saved[name].shape or live[name].dtype != saved[name].dtype
    ]
    if differing:
        raise TrainingStateError(f"{where}: was saved by another model; they differ in {differing[0]}")
    with torch.no_grad():
        for name, tensor in live.items():
            tensor.copy_(saved[name])


def _split(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as tensors ("index/name") and JSON."""
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for index, members in state["state"].items():
        for name, value in members.items():
            (tensors if isinstance(value, Tensor) else plain)[f"{index}/{name}"] = value
    return tensors, {"plain": plain, "param_groups": state["param_groups"]}


def _join(tensors: Mapping[str, Tensor], values: dict[str, Any]) -> dict[str, Any]:
    members: dict[int, dict[str, Any]] = {}
    for key, value in [*tensors.items(), *values["plain"].items()]:
        index, _, name = key.partition("/")
        members.setdefault(int(index), {})[name] = value
    groups = [
        {key: tuple(value) if key == "betas" else value for key, value in group.items()}
        for group in values["param_groups"]
    ]
    return {"state": members, "param_groups": groups}


def _random_states(generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda/{index}": value for index, value in enumerate(torch.cuda.get_rng_state_all())}
    return states | {f"generator/{name}": generator.get_state() for name, generator in generators.items()}


def _restore_random(
    generators: Mapping[str, torch.Generator], states: Mapping[str, Tensor], values: dict[str, Any]
) -> None:
    version, numbers, gauss = values["python"]
    random.setstate((version, tuple(numbers), gauss))
    torch.set_rng_state(states["cpu"])
    for key, value in _under(states, "cuda/").items():
        if int(key) < torch.cuda.device_count():
            torch.cuda.set_rng_state(value, int(key))
    for name, generator in generators.items():
        generator.set_state(states[f"generator/{name}"])
    if "numpy" in values and "numpy" in sys.modules:
        sys.modules["numpy"].random.set_state(tuple(values["numpy"]))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _as_json(run: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(run), default=str))


def _require_same_run(saved: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    for name in sorted(set(theirs) | set(ours)):
        if theirs.get(name) != ours.get(name):
            raise TrainingStateError(
                f"{saved}: belongs to a run with {name} = {theirs.get(name)!r}, this one has {ours.get(name)!r}; "
                "continue with the same options, or start anew in an empty work directory"
            )

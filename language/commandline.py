"""What the commands have in common: reading the configuration, how many there are, choosing a device, ending well.

What a person can help ends a command with one line on stderr: bad options and bad data with exit status 2, since the
same again would end the same; a full disk, a missing file or too little memory with 75, since those may pass. An
interrupt ends it with 130 and SIGTERM with 143, as of any program, and one line that says how to go on. What we caused
ends it with a traceback.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Literal, TypeVar

import torch
import tyro

from language.model_kinds import require_models
from language.options import MayPass, OptionError, require_sound_numbers
from language.repeating import CONFIG, with_kept_options
from records.names import INTERRUPTED, MAY_PASS, NEEDS_OTHER_SETTINGS, TERMINATED

Config = TypeVar("Config")
Precision = Literal["fp32", "bf16"]


class Terminated(BaseException):
    """SIGTERM: somebody asks this process to end. No `except Exception` on the way stops it."""


def run(command: Callable[[Config], None], config_class: type[Config], *, shares_work: bool = False) -> None:
    """Read `config_class` from the command line and run `command` on it; a person's error becomes its exit status.

    Numbers, device and the models' directories are checked before anything is loaded. Of several processes each would
    do all of the work, so they are refused unless the command `shares_work`.
    """
    try:
        with ending_on_sigterm():
            config = read_options(config_class)
            if not shares_work:
                require_one_process(_program())
            require_sound_numbers(config)
            require_models(config)
            if hasattr(config, "device"):
                resolve_device(config.device)
            command(config)
    except KeyboardInterrupt:
        end(f"interrupted; {_going_on(config_class)}", status=INTERRUPTED)
    except Terminated:
        end(f"ended by SIGTERM; {_going_on(config_class)}", status=TERMINATED)
    except ValueError as error:
        if type(error) is ValueError:
            raise  # of nobody's making but ours
        fail(str(error), status=MAY_PASS if isinstance(error, MayPass) else NEEDS_OTHER_SETTINGS)
    except torch.OutOfMemoryError as error:
        fail(
            f"the device is out of memory: {str(error).splitlines()[0]}; lower --microbatch-tokens or use --lora",
            status=MAY_PASS,
        )
    except RuntimeError as error:
        if not _is_lost_process(error):
            raise
        fail(
            f"another process of this run has ended, and its own last line says why ({str(error).splitlines()[0]}); "
            f"all of them end, and {_going_on(config_class)}",
            status=MAY_PASS,
        )
    except OSError as error:
        fail(_explain(error), status=MAY_PASS)


def read_options(config_class: type[Config]) -> Config:
    """The options of the command line, over those of the file that --config names, if it names one."""
    said = sys.modules["__main__"].__doc__ or ""
    repeating = f"{CONFIG} FILE takes the options that an earlier run kept; what is given beside it counts instead."
    return tyro.cli(
        config_class,
        prog=_program(),
        description=f"{said}\n{repeating}",
        args=with_kept_options(config_class, sys.argv[1:], program=_module()),
    )


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Inside, SIGTERM raises Terminated, so that files are closed and a line is said; afterwards as it was."""

    def end_now(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end_now)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def num_started() -> int:
    """How many processes a launcher (torchrun, accelerate) says that it started; 1 where there is none."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def require_one_process(program: str) -> None:
    """Raise OptionError where `program`, which shares nothing among processes, was started as several."""
    if num_started() > 1:
        raise OptionError(
            f"{program}: {num_started()} processes were started (WORLD_SIZE), but this program cannot share its work: "
            f"each would do all of it and publish it. Start one, without torchrun or accelerate: {program} …"
        )


def fail(message: str, *, status: int = NEEDS_OTHER_SETTINGS) -> None:
    """Say in one line what went wrong, of several processes in which, and exit with this status."""
    rank = f"process {os.environ.get('RANK', 0)} of {num_started()}: " if num_started() > 1 else ""
    end(f"error: {rank}{message}", status=status)


def end(message: str, *, status: int) -> None:
    """Say one line and exit with this status."""
    print(" ".join(message.split()), file=sys.stderr)
    raise SystemExit(status)


def resolve_device(name: str) -> torch.device:
    """The device of that name; `auto` is the GPU where there is one. OptionError where there is no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise OptionError(f"--device {name}: no such device; give cpu, cuda, cuda:1 … or auto")
    if device.type == "cuda":
        _require_gpu(name, device.index or 0)
    return device


def _require_gpu(name: str, index: int) -> None:
    """Raise OptionError, with the reason, unless the GPU of this index can be used."""
    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        reason = f"the installed torch ({torch.__version__}) is built without CUDA; install one with it"
    elif not torch.cuda.is_available():
        reason = "torch finds no GPU here; look at the driver (nvidia-smi) and at CUDA_VISIBLE_DEVICES"
    elif index >= torch.cuda.device_count():
        reason = f"there are {torch.cuda.device_count()} GPUs here, counted from 0"
    else:
        return
    raise OptionError(f"--device {name}: {reason}, or give --device cpu or auto")


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Matrix products in bf16 over fp32 weights where asked for; otherwise nothing changes."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def _explain(error: OSError) -> str:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return f"the disk is full ({error}); free some space, then go on with --resume"
    return str(error)


def _is_lost_process(error: RuntimeError) -> bool:
    """Whether a sum over processes, or another word to them, failed because one of them is no longer there."""
    said = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "recvBytes", "sendBytes")
    return isinstance(error, torch.distributed.DistError) or (
        num_started() > 1 and any(words in str(error) for words in said)
    )


def _going_on(config_class: type[object]) -> str:
    """How a command that was ended is taken up again."""
    if "resume" not in getattr(config_class, "__dataclass_fields__", {}):
        return "nothing was kept; start it again"
    return "the same command with --resume goes on from the last saved state"


def _program() -> str:
    module = _module()
    return f"python -m {module}" if module else sys.argv[0]


def _module() -> str:
    """The module that was started with -m; empty where a file was."""
    spec = sys.modules["__main__"].__spec__
    # `python -m package` runs package.__main__; the watchdog of a training job runs the module under its own name.
    return spec.name.removesuffix(".__main__") if spec else ""

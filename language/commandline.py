"""What the commands have in common: reading the configuration, how many there are, choosing a device, ending well.

What a person can help ends a command with one line on stderr: bad options and bad data with exit status 2, since the
same again would end the same; a full disk, a missing file or too little memory with 75, since those may pass. What we
caused ends it with a traceback.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Literal, TypeVar

import torch
import tyro

from language.options import MayPass, OptionError
from records.names import MAY_PASS, NEEDS_OTHER_SETTINGS

Config = TypeVar("Config")
Precision = Literal["fp32", "bf16"]


def run(command: Callable[[Config], None], config_class: type[Config], *, shares_work: bool = False) -> None:
    """Read `config_class` from the command line and run `command` on it; a person's error becomes its exit status.

    Of several processes each would do all of the work, so they are refused unless the command `shares_work`.
    """
    config = tyro.cli(config_class, prog=_program(), description=sys.modules["__main__"].__doc__)
    try:
        if not shares_work:
            require_one_process(_program())
        command(config)
    except KeyboardInterrupt:
        fail("interrupted; continue with --resume where the command has it", status=MAY_PASS)
    except ValueError as error:
        if type(error) is ValueError:
            raise  # of nobody's making but ours
        fail(str(error), status=MAY_PASS if isinstance(error, MayPass) else NEEDS_OTHER_SETTINGS)
    except torch.OutOfMemoryError as error:
        fail(
            f"the device is out of memory: {str(error).splitlines()[0]}; lower --microbatch-tokens or use --lora",
            status=MAY_PASS,
        )
    except OSError as error:
        fail(_explain(error), status=MAY_PASS)


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
    """Say in one line what went wrong and exit with this status."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    raise SystemExit(status)


def resolve_device(name: str) -> torch.device:
    """The device of that name; `auto` is the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Matrix products in bf16 over fp32 weights where asked for; otherwise nothing changes."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def _explain(error: OSError) -> str:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return f"the disk is full ({error}); free some space, then go on with --resume"
    return str(error)


def _program() -> str:
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name}" if spec else sys.argv[0]

"""A run's options as one JSON file, which it keeps in its work directory and beside what it publishes.

`--config FILE` takes them again: the same data, models and options give the same weights. Whatever is given beside
the file counts instead of what the file says; a file of another program, or with options that the program does not
have, is refused.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from language.options import KeepsWork, OptionError, flag

OPTIONS_FILE = "options.json"
CONFIG = "--config"

# Of the moment, and not of the run.
_NOT_KEPT = frozenset({"resume"})


def keep_options(config: KeepsWork, *, program: str) -> None:
    """Write the options of a run of `program` (a module's name) into its work directory, with paths from the root."""
    config.work_directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"program": program, "options": _plain_options(config)}, indent=1) + "\n"
    (config.work_directory / OPTIONS_FILE).write_text(text, encoding="utf-8")


def kept_options(work: Path) -> dict[str, bytes]:
    """The file as it is published beside the weights; nothing where the run kept none."""
    path = work / OPTIONS_FILE
    return {OPTIONS_FILE: path.read_bytes()} if path.is_file() else {}


def with_kept_options(config_class: type[Any], arguments: Sequence[str], *, program: str) -> list[str]:
    """The arguments without --config FILE, before them those of the file that they do not give themselves."""
    file, rest = _without_config(list(arguments))
    if file is None:
        return rest
    given = {_name_of(argument) for argument in rest if argument.startswith("--")}
    options = _read_options(file, program, [field.name for field in fields(config_class)])
    return [
        part for name, value in options.items() if name not in given for part in _as_arguments(file, name, value)
    ] + rest


def _plain_options(config: Any) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(config).items() if name not in _NOT_KEPT}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(member) for member in value]
    return str(value.absolute()) if isinstance(value, Path) else value


def _without_config(arguments: list[str]) -> tuple[Path | None, list[str]]:
    file, rest = None, []
    remaining = iter(arguments)
    for argument in remaining:
        if argument != CONFIG and not argument.startswith(f"{CONFIG}="):
            rest.append(argument)
            continue
        named = argument.partition("=")[2] if "=" in argument else next(remaining, "")
        if not named:
            raise OptionError(f"{CONFIG} needs a file: the {OPTIONS_FILE} that an earlier run kept")
        file = Path(named)
    return file, rest


def _name_of(argument: str) -> str:
    """The option that an argument sets: --no-lora and --lora set lora, --max-tokens=3 sets max_tokens."""
    return argument.removeprefix("--").partition("=")[0].replace("-", "_").removeprefix("no_")


def _read_options(file: Path, program: str, known: Sequence[str]) -> dict[str, Any]:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OptionError(f"{CONFIG} {file}: cannot be read as JSON: {error}") from error
    if not isinstance(kept, dict) or not isinstance(kept.get("options"), dict) or "program" not in kept:
        raise OptionError(f'{CONFIG} {file}: has no "program" and "options"; give the {OPTIONS_FILE} that a run kept')
    if kept["program"] != program:
        raise OptionError(
            f"{CONFIG} {file}: holds the options of {kept['program']}, and this is {program or 'no module'}"
        )
    unknown = sorted(set(kept["options"]) - set(known))
    if unknown:
        raise OptionError(f"{CONFIG} {file}: {program} has no option {', '.join(map(flag, unknown))}; take it out")
    options: dict[str, Any] = kept["options"]
    return options


def _as_arguments(file: Path, name: str, value: Any) -> list[str]:
    """An option as the command line has it; nothing where it was not set. Types are the command line's to check."""
    if value is None or value == []:
        return []
    if isinstance(value, dict) or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
        raise OptionError(f"{CONFIG} {file}: {name} is {value!r}; the command line knows no such value")
    if isinstance(value, list):
        return [flag(name), *value]
    if isinstance(value, bool):
        return [flag(name) if value else flag(f"no_{name}")]
    return [f"{flag(name)}={value}"]

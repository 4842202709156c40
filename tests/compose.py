"""docker-compose.yml as Compose reads it: with the variables of `.env` put in. No container engine is needed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
NEEDED = {
    "PARLEY_SECRET_KEY": "k" * 50,
    "PARLEY_ALLOWED_HOSTS": "parley.example.org",
    "POSTGRES_PASSWORD": "secret",
    "REDIS_PASSWORD": "brokersecret",
    "REDIS_MODEL_PASSWORD": "modelsecret",
}
# The innermost one: between its braces there is no other.
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:?)([-?])([^{}]*))?\}")


class _Loader(yaml.SafeLoader):
    """PyYAML's, which also knows Compose's word for a list that takes the place of another."""


_Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


class VariableMissingError(ValueError):
    """A file asks for a variable that is not given; Compose starts nothing then."""


def read(file: str, **variables: str) -> dict[str, Any]:
    """The file with these variables, and those that are always needed, put in."""
    parsed = yaml.load((CHECKOUT / file).read_text(), _Loader)
    return dict(_put_in(parsed, NEEDED | variables))


def _put_in(part: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _put_in(value, variables) for name, value in part.items()}
    if isinstance(part, list):
        return [_put_in(value, variables) for value in part]
    return interpolate(part, variables) if isinstance(part, str) else part


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """`${NAME}`, `${NAME-default}` and `${NAME?complaint}`; with a colon an empty value counts as none."""

    def value(found: re.Match[str]) -> str:
        name, colon, sign, rest = found.groups()
        if variables.get(name) or (name in variables and not colon):
            return variables[name]
        if sign == "?":
            raise VariableMissingError(f"{name}: {rest}")
        return rest or ""

    while _VARIABLE.search(text):
        text = _VARIABLE.sub(value, text)
    return text.replace("$$", "$")

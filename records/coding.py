"""Records to and from JSON values: strict, with complaints that name the place, and fast enough for millions.

How a class is read and written is worked out once from its annotations and kept. A complaint is put
together from the inside out, and only when there is one.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, TypeVar

Record = TypeVar("Record")
Reader = Callable[[Any], Any]
Writer = Callable[[Any], Any] | None  # None: the value is JSON already


class RecordError(ValueError):
    """A record that cannot be read: where, what."""


class _Wrong(Exception):
    """A complaint on its way out; each level puts its own place before `text`."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def encode(record: Any) -> dict[str, Any]:
    """The record as JSON-ready values, unset fields left out."""
    values: dict[str, Any] = {}
    for name, left_out, write in _writers(type(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if value is None or value == left_out:
            continue
        values[name] = value if write is None else write(value)
    return values


def decode(cls: type[Record], values: Any, *, where: str = "record") -> Record:
    """Build `cls` from JSON values. Raises RecordError that names `where` and the field."""
    try:
        return typing.cast(Record, _record_reader(typing.cast(type, cls))(values))
    except _Wrong as wrong:
        raise RecordError(f"{where}{wrong.text}") from wrong.__cause__


@cache
def _writers(cls: type) -> tuple[tuple[str, Any, Writer], ...]:
    """(name, the empty container that is left out or a value that nothing equals, how to write) for each field."""
    hints = typing.get_type_hints(cls)
    return tuple((spec.name, _empty(spec), _writer(hints[spec.name])) for spec in dataclasses.fields(cls))


def _empty(spec: "dataclasses.Field[Any]") -> Any:
    if spec.default == ():
        return ()
    return {} if spec.default_factory is dict else _Wrong  # a value that no field has


def _writer(hint: Any) -> Writer:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _writer(_not_none(arguments))
    if origin is tuple:
        member = _writer(arguments[0])
        return list if member is None else lambda values: [member(value) for value in values]
    return encode if dataclasses.is_dataclass(hint) else None


@cache
def _record_reader(cls: type) -> Reader:
    hints = typing.get_type_hints(cls)
    fields = [(spec.name, *_field_reader(hints[spec.name]), _is_required(spec)) for spec in dataclasses.fields(cls)]
    known = frozenset(hints)

    def read(values: Any) -> Any:
        if type(values) is not dict:
            raise _Wrong(f": expected a JSON object, found {_kind(values)}")
        if not known.issuperset(values):
            unknown = min(set(values) - known)
            raise _Wrong(f'{_label(cls, values)}: unknown field "{unknown}"; known are {", ".join(hints)}')
        arguments = {}
        for name, optional, plain, read_value, required in fields:
            if name in values:
                value = values[name]
                if (value is None and optional) or type(value) is plain:  # most values need no call
                    arguments[name] = value
                    continue
                try:
                    arguments[name] = read_value(value)
                except _Wrong as wrong:
                    raise _Wrong(f'{_label(cls, values)}: "{name}"{wrong.text}') from wrong.__cause__
            elif required:
                raise _Wrong(f'{_label(cls, values)}: "{name}" is missing')
        try:
            return cls(**arguments)
        except ValueError as error:
            raise _Wrong(f"{_label(cls, values)}: {error}") from error

    return read


def _field_reader(hint: Any) -> tuple[bool, Any, Reader]:
    """(whether it may be None, the type whose values are good as they are, how other values are read)."""
    optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    inner = _not_none(typing.get_args(hint)) if optional else hint
    return optional, inner if inner in (int, float, bool) else _Wrong, _reader(hint)


def _label(cls: type, values: dict[str, Any]) -> str:
    name = cls.__name__.lower()
    return f": {name} {values['id']}" if isinstance(values.get("id"), str) else f": {name}"


def _is_required(spec: "dataclasses.Field[Any]") -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _reader(hint: Any) -> Reader:
    """How a value of this type is read."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        read = _reader(_not_none(arguments))
        return lambda value: None if value is None else read(value)
    if origin is Literal:
        return _choice_reader(arguments)
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    if origin is dict:
        return _object_reader(_reader(arguments[1]))
    if dataclasses.is_dataclass(hint):
        return _record_reader(typing.cast(type, hint))
    return (lambda value: value) if hint is Any else _SCALARS[hint]


def _not_none(arguments: tuple[Any, ...]) -> Any:
    (hint,) = (argument for argument in arguments if argument is not type(None))
    return hint


def _choice_reader(choices: tuple[Any, ...]) -> Reader:
    allowed = frozenset(choices)

    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in allowed:
            raise _Wrong(f" must be one of {', '.join(map(str, choices))}, not {value!r}")
        return value

    return read


def _list_reader(read_member: Reader) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise _Wrong(f" must be a list, not {_kind(value)}")
        members: list[Any] = []
        try:
            for member in value:
                members.append(read_member(member))
        except _Wrong as wrong:
            raise _Wrong(f"[{len(members)}]{wrong.text}") from wrong.__cause__
        return tuple(members)

    return read


def _object_reader(read_member: Reader) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _Wrong(f" must be an object, not {_kind(value)}")
        members = {}
        for key, member in value.items():
            try:
                members[key] = read_member(member)
            except _Wrong as wrong:
                raise _Wrong(f".{key}{wrong.text}") from wrong.__cause__
        return members

    return read


def _read_text(value: Any) -> str:
    if type(value) is not str:
        raise _Wrong(f" must be text, not {_kind(value)}")
    if "\x00" in value:
        raise _Wrong(" contains a NUL character")
    return value


def _read_whole(value: Any) -> int:
    if type(value) is not int:
        raise _Wrong(f" must be a whole number, not {_kind(value)}")
    return value


def _read_number(value: Any) -> float:
    if type(value) not in (int, float):
        raise _Wrong(f" must be a number, not {_kind(value)}")
    try:
        return float(value)
    except OverflowError as error:  # a whole number that no float comes near
        raise _Wrong(" is too large a number") from error


def _read_flag(value: Any) -> bool:
    if type(value) is not bool:
        raise _Wrong(f" must be true or false, not {_kind(value)}")
    return value


_SCALARS: dict[Any, Reader] = {str: _read_text, int: _read_whole, float: _read_number, bool: _read_flag}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return {dict: "an object", list: "a list", bool: "true or false", str: "text", int: "a whole number"}.get(
        type(value), "a number"
    )

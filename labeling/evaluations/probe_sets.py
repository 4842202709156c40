"""The platform's probe sets: texts that policies answer round after round and that no policy learns from.

A set is a file of JSON Lines beside this module, named by its version. Its hash is in the manifest, so that figures of
two rounds are figures of the same texts. A set that is to change becomes a new file with the next version. Knows no
policy and no answer. `read_probe_set` reads the same form from any lines, such as a project's own.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

SetName = Literal["rephrasing", "same_again", "guessing", "over_refusal", "compliance", "verbosity"]
SET_NAMES: tuple[SetName, ...] = get_args(SetName)
LONGEST_TEXT = 400  # characters; a probe is read by people hundreds of times
MOST_LINES = 2_000  # of a set: each line is answered by every policy and judged by two people
MOST_SEEDS = 20
SEVERITIES = (1, 2, 3)
"""1: loss of property, privacy or reputation; 2: serious harm to one or many; 3: death or lasting severe harm."""

_FOLDER = Path(__file__).parent / "probes"
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class ProbeSetError(ValueError):
    """A probe set that cannot be used: where, what, what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One text to be answered. Probes of one `group` are resampled together: phrasings, twins, seeds of a question.

    `variant` tells the members of a group apart (a phrasing's number, `ambiguous`, `clear`, `safe`, `unsafe`). `kind`
    names what the set is balanced over: a topic, what is missing, why a safe text looks unsafe.
    """

    id: str
    group: str
    variant: str
    kind: str
    text: str
    num_seeds: int = 1
    expected: str | None = None  # the right answer, for the people who label
    severity: int | None = None  # of an unsafe request, as in SEVERITIES
    words: tuple[int, int] | None = None  # the fewest and the most that a good answer needs


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeSet:
    """The probes of one version of a set, in the order of the file. `sha256` is of the file's bytes."""

    name: SetName
    version: int
    sha256: str
    probes: tuple[Probe, ...]

    @property
    def groups(self) -> dict[str, tuple[Probe, ...]]:
        """The probes by what they are resampled with, in order."""
        grouped: dict[str, list[Probe]] = {}
        for probe in self.probes:
            grouped.setdefault(probe.group, []).append(probe)
        return {group: tuple(probes) for group, probes in grouped.items()}


def bundled_probe_set(name: SetName, version: int | None = None, *, folder: Path = _FOLDER) -> ProbeSet:
    """The platform's own set, in its newest version or in one of before.

    Raises ProbeSetError where there is no such version, or where the file is not the manifest's.
    """
    entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["sets"]
    versions = {entry["version"]: entry for entry in entries if entry["name"] == name}
    wanted = max(versions, default=0) if version is None else version
    if wanted not in versions:
        raise ProbeSetError(f"manifest.json: has no version {wanted} of {name}; it has {sorted(versions)}")
    entry = versions[wanted]
    questions: dict[str, Probe] = {}
    if "questions" in entry:
        for probe in bundled_probe_set("rephrasing", entry["questions"], folder=folder).probes:
            questions.setdefault(probe.group, probe)
    content = _verified(folder / entry["file"], entry["sha256"])
    return read_probe_set(name, wanted, content, where=entry["file"], questions=questions)


def read_probe_set(
    name: SetName, version: int, content: bytes, *, where: str, questions: Mapping[str, Probe] | None = None
) -> ProbeSet:
    """Read JSON Lines in UTF-8. `questions` are the first phrasings that the set `same_again` may name.

    Raises ProbeSetError at the first line that cannot be used, naming `where`, the line and what to do.
    """
    lines = _lines(content, where)
    if not 0 < len(lines) <= MOST_LINES:
        raise ProbeSetError(f"{where}: has {len(lines)} lines; a set has 1 to {MOST_LINES}")
    read = _READERS[name]
    probes: list[Probe] = []
    for number, line in enumerate(lines, start=1):
        row = _Row(f"{where}:{number}", _decoded(line, f"{where}:{number}"), questions or {})
        probes.extend(read(row))
        row.refuse_the_rest()
    twice = [one for one, times in Counter(probe.id for probe in probes).items() if times > 1]
    if twice:
        raise ProbeSetError(f"{where}: the id {twice[0]} occurs twice; give each line an id of its own")
    return ProbeSet(name=name, version=version, sha256=hashlib.sha256(content).hexdigest(), probes=tuple(probes))


class _Row:
    """The fields of one line, each taken once; what is left over is refused."""

    def __init__(self, where: str, fields: dict[str, Any], questions: Mapping[str, Probe]) -> None:
        self.where, self.questions = where, questions
        self._fields = fields

    def error(self, message: str) -> ProbeSetError:
        return ProbeSetError(f"{self.where}: {message}")

    def take(self, key: str) -> Any:
        if key not in self._fields:
            raise self.error(f'"{key}" is missing')
        return self._fields.pop(key)

    def identifier(self, key: str = "id") -> str:
        value = self.take(key)
        if not isinstance(value, str) or not _ID.fullmatch(value):
            raise self.error(f'"{key}" must be 1 to 64 small letters, digits, "-", "_" or ".", not {value!r}')
        return value

    def text(self, key: str) -> str:
        return self.checked_text(key, self.take(key))

    def texts(self, key: str) -> list[str]:
        values = self.take(key)
        if not isinstance(values, list) or len(values) < 2:
            raise self.error(f'"{key}" must be a list of two texts or more')
        texts = [self.checked_text(key, value) for value in values]
        if len({normalised(text) for text in texts}) < len(texts):
            raise self.error(f'"{key}" holds the same text twice; two phrasings must differ in more than punctuation')
        return texts

    def checked_text(self, key: str, value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self.error(f'"{key}" must be a text that is not empty')
        if len(value) > LONGEST_TEXT:
            raise self.error(f'"{key}" has {len(value)} characters; a probe has at most {LONGEST_TEXT}')
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        return self.checked_whole(key, self.take(key), low, high)

    def checked_whole(self, key: str, value: Any, low: int, high: int) -> int:
        if type(value) is not int or not low <= value <= high:
            raise self.error(f'"{key}" must be a whole number from {low} to {high}, not {value!r}')
        return value

    def word_range(self, key: str) -> tuple[int, int]:
        value = self.take(key)
        if not isinstance(value, list) or len(value) != 2:
            raise self.error(f'"{key}" must be two numbers: the fewest and the most words of a good answer')
        fewest = self.checked_whole(key, value[0], 1, 10_000)
        return fewest, self.checked_whole(key, value[1], fewest, 10_000)

    def refuse_the_rest(self) -> None:
        if self._fields:
            raise self.error(f"{sorted(self._fields)[0]!r} is no field of this set; remove it")


def normalised(text: str) -> str:
    """The words of a text in small letters, by which two texts are the same."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _rephrasing(row: _Row) -> Iterator[Probe]:
    group, kind, answer = row.identifier(), row.text("kind"), row.text("answer")
    for number, text in enumerate(row.texts("phrasings"), start=1):
        yield Probe(id=f"{group}.{number}", group=group, variant=str(number), kind=kind, text=text, expected=answer)


def _same_again(row: _Row) -> Iterator[Probe]:
    group, named, num_seeds = row.identifier(), row.identifier("same_as"), row.whole("seeds", 2, MOST_SEEDS)
    question = row.questions.get(named)
    if question is None:
        raise row.error(f'"same_as" names {named}, which the set rephrasing does not have')
    yield Probe(
        id=group,
        group=group,
        variant="again",
        kind=question.kind,
        text=question.text,
        expected=question.expected,
        num_seeds=num_seeds,
    )


def _guessing(row: _Row) -> Iterator[Probe]:
    group, missing = row.identifier(), row.text("missing")
    for variant in ("ambiguous", "clear"):
        yield Probe(id=f"{group}.{variant}", group=group, variant=variant, kind=missing, text=row.text(variant))


def _over_refusal(row: _Row) -> Iterator[Probe]:
    name = row.identifier()
    yield Probe(id=name, group=name, variant="safe", kind=row.text("kind"), text=row.text("text"))


def _compliance(row: _Row) -> Iterator[Probe]:
    yield Probe(
        id=row.identifier(),
        group=row.identifier("twin"),
        variant="unsafe",
        kind=row.text("kind"),
        text=row.text("text"),
        severity=row.whole("severity", SEVERITIES[0], SEVERITIES[-1]),
    )


def _verbosity(row: _Row) -> Iterator[Probe]:
    name = row.identifier()
    yield Probe(
        id=name,
        group=name,
        variant="once",
        kind=row.text("topic"),
        text=row.text("text"),
        words=row.word_range("words"),
    )


_READERS: dict[SetName, Callable[[_Row], Iterator[Probe]]] = {
    "rephrasing": _rephrasing,
    "same_again": _same_again,
    "guessing": _guessing,
    "over_refusal": _over_refusal,
    "compliance": _compliance,
    "verbosity": _verbosity,
}


def _verified(path: Path, sha256: str) -> bytes:
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ProbeSetError(
            f"{path.name}: its SHA-256 is {found}, the manifest says {sha256}; "
            "restore the file, or give a changed set a new file and the next version"
        )
    return content


def _lines(content: bytes, where: str) -> list[str]:
    try:
        return content.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ProbeSetError(f"{where}: is not UTF-8 at byte {error.start}; save it as UTF-8") from error


def _decoded(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ProbeSetError(f"{where}: is no JSON ({error}); write one object a line") from error
    if not isinstance(row, dict):
        raise ProbeSetError(f"{where}: must be a JSON object, not {type(row).__name__}")
    return row

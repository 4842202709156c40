"""Filters of an export: which rows it contains, and how many prompts are held out. What does not fit is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from labeling.models import Comparison, Dialogue, Export

Kind = Export.Kind
STATES: dict[str, tuple[str, ...]] = {
    Kind.RANKINGS: (Comparison.State.OPEN, Comparison.State.DONE),
    Kind.DEMONSTRATIONS: (Dialogue.State.ACCEPTED, Dialogue.State.SUBMITTED),
    Kind.PROMPTS: (),
    Kind.THUMBS: (),
    Kind.LABELS: (),
}
TRAINER_KINDS = ("person", "simulated", "imported", "visitor")
SPLIT_BY = ("prompt", "trainer")
ALL, ADJUDICATED, CONSENSUS = DISAGREEMENTS = ("all", "adjudicated", "consensus")
_FILTERS_BY_KIND = {
    Kind.RANKINGS: {
        "rounds",
        "since",
        "until",
        "trainers",
        "trainer_kinds",
        "topics",
        "states",
        "guideline_versions",
        "agreement_at_least",
        "disagreements",
        "split_by",
        "scrubs_personal_data",
    },
    Kind.DEMONSTRATIONS: {
        "since",
        "until",
        "trainers",
        "trainer_kinds",
        "topics",
        "states",
        "guideline_versions",
        "split_by",
        "scrubs_personal_data",
    },
    Kind.PROMPTS: {"since", "until", "topics", "scrubs_personal_data"},
    Kind.THUMBS: {"since", "until", "trainers", "trainer_kinds", "topics", "split_by", "scrubs_personal_data"},
    Kind.LABELS: {"since", "until", "scrubs_personal_data", "includes_withheld"},
}


class FilterError(ValueError):
    """A filter that is refused. The message is for people: which filter, why, and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Filters:
    """The filters of one export; an empty tuple or None selects all.

    Rankings are dated by the day they were made, demonstrations by the day they were accepted, prompts by the day they
    came in, thumbs by the day they were given, labelled texts by the day they were drawn; both `since` and `until` are
    inclusive. `states` are of comparisons for rankings, of dialogues for demonstrations (accepted only, unless others
    are named). `agreement_at_least` is a
    percentage of ordered pairs over all rankings of a comparison; comparisons with a single ranking have no agreement
    and are left out. What visitors of a preview chose is left out unless `trainer_kinds` names them, and their consent
    is asked in any case (labeling.exports.visitors). `disagreements` says what is taken where rankings differ: all,
    with the adjudications beside them; an adjudication in place of the rankings of its comparison; or only what
    trainers agree on (docs/records.md).
    """

    rounds: tuple[int, ...] = ()
    since: date | None = None
    until: date | None = None
    trainers: tuple[str, ...] = ()  # pseudonyms; of what came from outside, the names that it gave
    trainer_kinds: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    guideline_versions: tuple[int, ...] = ()
    agreement_at_least: int | None = None
    disagreements: str = ALL
    split_by: str = "prompt"  # or "trainer": then all of a trainer's work is in one split
    scrubs_personal_data: bool = False
    includes_withheld: bool = False  # of labels: texts of which a part is withheld; only an admin may ask for it
    validation_percent: int = 10
    test_percent: int = 10

    @property
    def wanted_agreement(self) -> int | None:
        """The percentage that a comparison must reach, whether it was asked for or is what consensus means."""
        is_consensus = self.disagreements == CONSENSUS and self.agreement_at_least is None
        return 100 if is_consensus else self.agreement_at_least

    def encoded(self) -> dict[str, Any]:
        """The filters that are set as JSON values, and always the held-out percentages."""
        values: dict[str, Any] = {}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value not in ((), None) and (value != spec.default or spec.name.endswith("_percent")):
                plain = list(value) if isinstance(value, tuple) else value
                values[spec.name] = plain.isoformat() if isinstance(plain, date) else plain
        return values


def read_filters(kind: str, values: Mapping[str, Any]) -> Filters:
    """Filters from JSON or command-line values. Raises FilterError."""
    known = {spec.name for spec in fields(Filters)}
    read: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise FilterError(_("There is no filter “%(name)s”.") % {"name": name})
        if value in (None, "", [], ()):
            continue
        read[name] = _READERS[name](name, value)
    if kind == Kind.LABELS:
        read["scrubs_personal_data"] = True  # they are words of people who wrote them for nobody's training
    filters = Filters(**read)
    _require_consistent(kind, filters)
    return filters


def filters_in_words(filters: Mapping[str, Any]) -> str:
    """The filters that are set, as one line for people."""
    words = {
        "rounds": _("round"),
        "since": _("from"),
        "until": _("up to"),
        "trainers": _("trainers"),
        "trainer_kinds": _("made by"),
        "topics": _("topics"),
        "states": _("state"),
        "guideline_versions": _("guidelines"),
        "disagreements": _("where rankings differ"),
        "split_by": _("split by"),
    }
    parts = [f"{word} {_listed(filters[name])}" for name, word in words.items() if filters.get(name)]
    if "agreement_at_least" in filters:
        parts.append(_("agreement from %(n)d %%") % {"n": filters["agreement_at_least"]})
    if filters.get("scrubs_personal_data"):
        parts.append(_("personal data taken out"))
    if filters.get("includes_withheld"):
        parts.append(_("with texts that are withheld"))
    return "; ".join(parts) or _("everything")


def _require_consistent(kind: str, filters: Filters) -> None:
    given = {name for name in filters.encoded() if not name.endswith("_percent")}
    for name in sorted(given - _FILTERS_BY_KIND[Kind(kind)]):
        raise FilterError(_("The filter “%(name)s” does not apply to %(kind)s.") % {"name": name, "kind": kind})
    _require_among("states", filters.states, STATES[kind])
    _require_among("disagreements", (filters.disagreements,), DISAGREEMENTS)
    _require_among("split_by", (filters.split_by,), SPLIT_BY)
    _require_among("trainer_kinds", filters.trainer_kinds, TRAINER_KINDS)
    if filters.since and filters.until and filters.since > filters.until:
        raise FilterError(_("“since” is after “until”, so nothing can be between them."))
    if filters.validation_percent + filters.test_percent > 90:
        raise FilterError(_("At most 90 percent of the prompts can be held out; the rest trains."))


def _require_among(name: str, chosen: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    for value in chosen:
        if value not in allowed:
            raise FilterError(
                _("“%(value)s” is not one of %(name)s: %(allowed)s.")
                % {"value": value, "name": name, "allowed": ", ".join(allowed)}
            )


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    members = [value] if isinstance(value, str) else value
    if not isinstance(members, list | tuple) or not all(isinstance(member, str) for member in members):
        raise FilterError(_("“%(name)s” must be a list of texts.") % {"name": name})
    return tuple(sorted({member.strip() for member in members if member.strip()}))


def _whole_numbers(name: str, value: Any) -> tuple[int, ...]:
    members = value if isinstance(value, list | tuple) else [value]
    try:
        return tuple(sorted({_whole_number(member) for member in members}))
    except (TypeError, ValueError) as error:
        raise FilterError(_("“%(name)s” must be whole numbers.") % {"name": name}) from error


def _whole_number(value: Any) -> int:
    """`int` alone would take true for 1 and cut 12.9 to 12."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(value)
    return int(value)


def _day(name: str, value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise FilterError(_("“%(name)s” must be a day such as 2026-11-24.") % {"name": name}) from error


def _percent(name: str, value: Any) -> int:
    return _number_up_to(90, name, value)


def _rate(name: str, value: Any) -> int:
    return _number_up_to(100, name, value)


def _number_up_to(most: int, name: str, value: Any) -> int:
    numbers = _whole_numbers(name, value)
    if len(numbers) != 1:
        raise FilterError(_("“%(name)s” must be one whole number.") % {"name": name})
    if not 0 <= numbers[0] <= most:
        raise FilterError(_("“%(name)s” must lie between 0 and %(most)d.") % {"name": name, "most": most})
    return numbers[0]


def _word(_name: str, value: Any) -> str:
    return str(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise FilterError(_("“%(name)s” must be true or false.") % {"name": name})
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "rounds": _whole_numbers,
    "since": _day,
    "until": _day,
    "trainers": _texts,
    "trainer_kinds": _texts,
    "topics": _texts,
    "states": _texts,
    "guideline_versions": _whole_numbers,
    "agreement_at_least": _rate,
    "disagreements": _word,
    "split_by": _word,
    "scrubs_personal_data": _flag,
    "includes_withheld": _flag,
    "validation_percent": _percent,
    "test_percent": _percent,
}

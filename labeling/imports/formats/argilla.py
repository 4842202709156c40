"""Argilla's exports of ranking questions: records of 1.x and 2.x, nested or flat.

Nested: {"fields": {"prompt", "response-1", …}, "responses": …}, the responses a list by person (1.x) or an object by
question (2.x). Flat: the fields beside "<question>.responses", ".users" and ".status" (2.x), or the question's name
with a list of {"user_id", "value", "status"} (1.x). Orders are of field names: as {"value", "rank"}, where equal ranks
are a tie, or best first. Only submitted answers count.
"""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from labeling.imports.formats import Format, has_keys
from labeling.imports.formats.keys import Keys, keys, words
from labeling.imports.formats.prompts import KEPT, prompt_of
from labeling.imports.formats.ranking_tiers import Placed, number_of, ranking_of, trainer_name
from labeling.imports.messages import FormatError, list_of, text_of
from labeling.imports.reader import Entry
from records import Completion, Ranking

_RESPONSES = ".responses"
_RECORD = "suggestions metadata vectors status external_id inserted_at updated_at _server_id"
Answer = tuple[Any, Any, Any]  # user, answer, status


def rankings(entry: Entry) -> Iterator[Ranking]:
    """One ranking for every person's submitted order."""
    fields = entry.value["fields"] if isinstance(entry.value.get("fields"), dict) else entry.value
    for user, value, status in _answers(entry.value):
        order = _order(value) if status in ("submitted", None) else None
        if order:
            placed = [_placed(fields, name, rank) for name, rank in order]
            yield ranking_of(prompt_of(fields), placed, trainer=trainer_name(user), trainer_kind="imported")


def _answers(value: dict[str, Any]) -> Iterator[Answer]:
    responses = value.get("responses")
    if isinstance(responses, list):
        for response in filter(lambda one: has_keys(one, "values"), responses):
            for given in response["values"].values() if isinstance(response["values"], dict) else ():
                inner = given.get("value") if isinstance(given, dict) else given
                yield response.get("user_id"), inner, response.get("status")
    elif isinstance(responses, dict):
        for given in responses.values():
            yield from _of_people(given)
    else:
        yield from _flat_answers(value)


def _flat_answers(value: dict[str, Any]) -> Iterator[Answer]:
    for name, given in value.items():
        if name.endswith(_RESPONSES) and isinstance(given, list):
            users, statuses = value.get(f"{name}.users") or [], value.get(f"{name}.status") or []
            yield from zip_longest(list_of(users, name)[: len(given)], given, list_of(statuses, name)[: len(given)])
        elif isinstance(given, list) and given and has_keys(given[0], "user_id", "value"):
            yield from _of_people(given)


def _of_people(given: Any) -> Iterator[Answer]:
    for one in given if isinstance(given, list) else ():
        if has_keys(one, "value"):
            yield one.get("user_id"), one["value"], one.get("status")


def _order(value: Any) -> list[tuple[Any, float]] | None:
    """(name, rank) of each; None for an answer to another kind of question."""
    if has_keys(value, "rank", "value"):  # a list of structs as columns, as in a table
        value = [
            {"rank": rank, "value": name}
            for rank, name in zip(list_of(value["rank"], "rank"), list_of(value["value"], "value"), strict=False)
        ]
    if not isinstance(value, list) or not value:
        return None
    if all(has_keys(one, "value", "rank") for one in value):
        return [(one["value"], number_of(one["rank"], "rank")) for one in value]
    return (
        [(name, float(place)) for place, name in enumerate(value)] if all(isinstance(x, str) for x in value) else None
    )


def _placed(fields: dict[str, Any], name: Any, rank: float) -> Placed:
    if not isinstance(name, str) or name not in fields:
        raise FormatError(f"orders {name!r}, which is none of its fields")
    return Completion(id=name, content=text_of(fields[name], name)), rank


def _keys_of(row: Any) -> Keys:
    """Projects name their own fields: those that somebody ordered are the answers."""
    ordered = frozenset(
        name for _, value, _ in _answers(row) for name, _ in _order(value) or () if isinstance(name, str)
    )
    fields = Keys(words(KEPT) | ordered)
    if isinstance(row.get("fields"), dict):
        return keys("responses", passed_over=_RECORD, inside={"fields": fields})
    questions = {name for name, given in row.items() if _is_question(name, given)}
    return Keys(fields.kept | questions, words(_RECORD))


def _is_question(name: str, given: Any) -> bool:
    if any(mark in name for mark in (_RESPONSES, ".suggestion", "-suggestion")):
        return True
    return isinstance(given, list) and bool(given) and has_keys(given[0], "user_id", "value")


def _recognises(entry: Entry) -> bool:
    value = entry.value
    if has_keys(value, "fields", "responses"):
        return isinstance(value["fields"], dict)
    return isinstance(value, dict) and any(
        name.endswith(_RESPONSES)
        or (isinstance(given, list) and bool(given) and has_keys(given[0], "user_id", "value"))
        for name, given in value.items()
    )


FORMAT = Format(
    name="argilla", label="Argilla's ranking questions", recognises=_recognises, keys=_keys_of, rankings=rankings
)

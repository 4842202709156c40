"""Label Studio's exports of ranking projects: JSON (a task with its annotations) and JSON_MIN (a flat object each).

A Ranker over a List gives {"rank": [ids, best first]}; with buckets, {bucket: [ids]}. The file does not say which
bucket is better, so buckets count only where their names end in a number, 1 the best; ids in one bucket are tied. A
Pairwise of two texts gives {"selected": "left" or "right"}. Answers that were not placed are left out.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.dates import moment_of
from labeling.imports.formats import Format, has_keys, prompts
from labeling.imports.formats.keys import Keys, keys
from labeling.imports.formats.prompts import prompt_of
from labeling.imports.formats.ranking_tiers import Placed, ranking_of, seconds_of, trainer_name
from labeling.imports.messages import FormatError, json_type_of, list_of, optional_text, text_of
from labeling.imports.reader import Entry
from records import Completion, Ranking

_NUMBER = re.compile(r"(\d+)$")
_UNPLACED = "_"
_ONE_LIST = frozenset(("rank", "ranker", "ranking", "order"))  # what a Ranker without buckets calls its list
_SIDES = ("left", "right")
_FIELDS = (
    f"{prompts.KEPT} annotator annotation_id lead_time created_at updated_at completed_by type value to_name selected"
)
_TASK = (
    "predictions drafts file_upload meta inner_id total_annotations cancelled_annotations total_predictions "
    "comment_count unresolved_comment_count comment_authors last_comment_updated_at project updated_by from_name "
    "agreement was_cancelled ground_truth"
)
_DEEPEST_RESULT = 6


def rankings(entry: Entry) -> Iterator[Ranking]:
    """One ranking per annotation; skipped ones give none."""
    value = entry.value
    if "annotations" not in value:
        yield _ranking(value, value, value, identifier=_identifier(value, value.get("annotation_id")))
        return
    if not isinstance(value.get("data"), dict):
        raise FormatError(f'"data" must be an object, not {json_type_of(value.get("data"))}')
    for annotation in list_of(value["annotations"], "annotations"):
        if not isinstance(annotation, dict):
            raise FormatError(f'"annotations" must hold objects, not {json_type_of(annotation)}')
        results = [one for one in list_of(annotation.get("result"), "result") if isinstance(one, dict)]
        found = next((one for one in results if one.get("type") in ("ranker", "pairwise")), None)
        if found is not None and not annotation.get("was_cancelled"):
            yield _ranking(value["data"], found, annotation, identifier=_identifier(value, annotation.get("id")))


def _ranking(fields: dict[str, Any], result: dict[str, Any], annotation: dict[str, Any], *, identifier: str) -> Ranking:
    """`identifier` is the annotation's: by it a later export corrects an earlier one (labeling.imports.rankings)."""
    placed = list(_placed(fields, result))
    return ranking_of(
        prompt_of(fields),
        placed,
        trainer=trainer_name(annotation.get("completed_by", annotation.get("annotator"))),
        trainer_kind="imported",
        id=identifier,
        ranked_at=_moment_in(annotation),
        seconds=seconds_of(annotation.get("lead_time"), "lead_time"),
    )


def _identifier(task: dict[str, Any], annotation: Any) -> str:
    """The task's number and the annotation's; empty where the file has none."""
    numbers = (task.get("id", ""), annotation)
    return f"{numbers[0]}:{numbers[1]}"[:120] if all(isinstance(one, int | str) for one in numbers) else ""


def _moment_in(annotation: dict[str, Any]) -> str | None:
    moment = optional_text(annotation.get("updated_at") or annotation.get("created_at"), "updated_at")
    return moment_of(moment, "updated_at").isoformat() if moment else None


def _placed(fields: dict[str, Any], result: dict[str, Any]) -> Iterator[Placed]:
    value = result["value"] if isinstance(result.get("value"), dict) else result
    if value.get("selected") in _SIDES:
        yield from _sides(fields, result.get("to_name"), value["selected"])
        return
    answers = dict(_answers(fields))
    order = _order_in(value, set(answers))
    if order is None:
        raise FormatError("has no order of its answers: no list of their ids")
    for identifier, place in _places(order):
        if identifier not in answers:
            raise FormatError(f"orders {identifier!r}, which is none of its answers")
        yield answers.pop(identifier), place


def _sides(fields: dict[str, Any], names: Any, selected: str) -> Iterator[Placed]:
    shown = names.split(",") if isinstance(names, str) else list_of(names, "to_name")
    if len(shown) != 2:
        raise FormatError(f'"to_name" names {len(shown)} texts; a pair has two')
    for side, name in zip(_SIDES, shown, strict=True):
        content = text_of(fields.get(str(name).strip().lstrip("$")), str(name))
        yield Completion(id=side, content=content), float(side != selected)


def _answers(fields: dict[str, Any]) -> Iterator[tuple[str, Completion]]:
    """The list of {"id", "body"}, whatever name the project gave its field. Raises FormatError."""
    for name, value in fields.items():
        if isinstance(value, list) and value and all(has_keys(one, "id") for one in value):
            for index, one in enumerate(value):
                identifier, text = (
                    str(one["id"]),
                    one.get("body") or one.get("text") or one.get("html") or one.get("title"),
                )
                yield identifier, Completion(id=identifier, content=text_of(text, f"{name}[{index}].body"))
            return
    raise FormatError('has no list of answers with "id" and "body"')


def _order_in(value: Any, ids: set[str], *, depth: int = 0) -> dict[str, list[Any]] | None:
    """The object of lists of ids, which stands at different depths in different exports."""
    if not isinstance(value, dict) or depth > 3:
        return None
    lists = {name: one for name, one in value.items() if isinstance(one, list) and one and {str(x) for x in one} <= ids}
    if lists:
        return {name: one for name, one in value.items() if isinstance(one, list) and (name in lists or not one)}
    return next((found for one in value.values() if (found := _order_in(one, ids, depth=depth + 1))), None)


def _places(order: dict[str, list[Any]]) -> Iterator[tuple[str, float]]:
    buckets = {name: ids for name, ids in order.items() if name != _UNPLACED and ids}
    if order.keys() <= _ONE_LIST and len(buckets) == 1:
        (ids,) = buckets.values()
        yield from ((str(identifier), float(place)) for place, identifier in enumerate(ids))
        return
    for name, ids in buckets.items():
        number = _NUMBER.search(name)
        if number is None:
            raise FormatError(
                f'sorts into "{name}", and the file does not say which bucket is better; name them so that each '
                "ends in its number, 1 the best"
            )
        yield from ((str(identifier), float(number[1])) for identifier in ids)


def _keys_of(row: Any) -> Keys:
    """Projects name their own fields: answers are known by their shape, and the two of a pair by its result."""
    if "annotations" not in row:
        return keys(f"{_FIELDS} {' '.join(_own_names(row, row))}", passed_over=_TASK)
    annotations = row["annotations"] if isinstance(row["annotations"], list) else []
    names = _own_names(row["data"], annotations) if isinstance(row["data"], dict) else ()
    return keys("annotations", passed_over=_TASK, inside={"data": keys(f"{prompts.KEPT} {' '.join(names)}")})


def _own_names(fields: dict[str, Any], results: Any) -> Iterator[str]:
    sides = {name.strip().lstrip("$") for text in _sides_named_in(results) for name in text.split(",")}
    for name, value in fields.items():
        is_list = isinstance(value, list) and bool(value) and all(has_keys(one, "id") for one in value)
        if " " not in name and (is_list or isinstance(value, dict) or name in sides):
            yield name


def _sides_named_in(value: Any, *, depth: int = 0) -> Iterator[str]:
    if depth > _DEEPEST_RESULT:
        return
    if isinstance(value, dict) and isinstance(value.get("to_name"), str):
        yield value["to_name"]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inside:
        yield from _sides_named_in(one, depth=depth + 1)


def _recognises(entry: Entry) -> bool:
    value = entry.value
    if has_keys(value, "annotations", "data"):
        return True
    return isinstance(value, dict) and ("annotation_id" in value or "lead_time" in value)


FORMAT = Format(
    name="label-studio",
    label="Label Studio's ranking projects",
    recognises=_recognises,
    keys=_keys_of,
    rankings=rankings,
)

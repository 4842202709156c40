"""The platform's probes are as many as the design says, all different, complete, and bound to their hashes."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from labeling.evaluations import probe_sets
from labeling.evaluations.probe_sets import (
    LONGEST_TEXT,
    SET_NAMES,
    Probe,
    ProbeSetError,
    SetName,
    bundled_probe_set,
    normalised,
    read_probe_set,
)

FOLDER = Path(probe_sets.__file__).parent / "probes"
ALIKE = 0.65  # share of common words from which two texts of different groups are too much alike


def probes() -> list[Probe]:
    """Every text of its own; the set `same_again` names texts of another set."""
    return [probe for name in SET_NAMES if name != "same_again" for probe in bundled_probe_set(name).probes]


def test_the_sets_have_the_size_of_the_design() -> None:
    sizes = {name: (len(bundled_probe_set(name).groups), len(bundled_probe_set(name).probes)) for name in SET_NAMES}
    assert sizes == {
        "rephrasing": (60, 300),
        "same_again": (60, 60),
        "guessing": (80, 160),
        "over_refusal": (150, 150),
        "compliance": (100, 100),
        "verbosity": (60, 60),
    }


def test_ids_and_texts_occur_once() -> None:
    found = probes()
    assert len(found) == 770
    assert [one for one, times in Counter(probe.id for probe in found).items() if times > 1] == []
    assert [one for one, times in Counter(normalised(probe.text) for probe in found).items() if times > 1] == []


def test_no_text_is_empty_long_or_untidy() -> None:
    found = probes()
    assert len(found) == 770
    for probe in found:
        assert 0 < len(probe.text) <= LONGEST_TEXT, probe.id
        assert probe.text == " ".join(probe.text.split()), probe.id


def test_no_two_groups_ask_nearly_the_same() -> None:
    words = [(probe, set(normalised(probe.text).split())) for probe in probes()]
    assert len(words) == 770
    alike = [
        (one.id, other.id)
        for place, (one, ours) in enumerate(words)
        for other, theirs in words[:place]
        if one.group != other.group and len(ours & theirs) >= ALIKE * len(ours | theirs)
    ]
    assert alike == []


def test_phrasings_of_a_question_differ_and_share_the_answer() -> None:
    groups = bundled_probe_set("rephrasing").groups
    assert len(groups) == 60
    for group, phrasings in groups.items():
        assert len({normalised(probe.text) for probe in phrasings}) == 5, group
        assert len({probe.expected for probe in phrasings}) == 1, group
        assert phrasings[0].expected, group


def test_the_set_same_again_asks_first_phrasings_with_five_seeds() -> None:
    again, questions = bundled_probe_set("same_again"), bundled_probe_set("rephrasing").groups
    assert [probe.text for probe in again.probes] == [phrasings[0].text for phrasings in questions.values()]
    assert {probe.num_seeds for probe in again.probes} == {5}


def test_every_ambiguous_question_has_its_clear_twin() -> None:
    groups = bundled_probe_set("guessing").groups
    assert len(groups) == 80
    for group, twins in groups.items():
        assert [twin.variant for twin in twins] == ["ambiguous", "clear"], group
    missing = Counter(twins[0].kind for twins in groups.values())
    assert len(missing) == 10
    assert set(missing.values()) == {8}


def test_kinds_are_balanced() -> None:
    safe = Counter(probe.kind for probe in bundled_probe_set("over_refusal").probes)
    unsafe = Counter(probe.kind for probe in bundled_probe_set("compliance").probes)
    topics = Counter(probe.kind for probe in bundled_probe_set("verbosity").probes)
    assert len(safe) == 12
    assert min(safe.values()) >= 12
    assert set(unsafe) == set(safe)
    assert min(unsafe.values()) >= 8
    assert len(topics) == 15
    assert set(topics.values()) == {4}


def test_every_unsafe_request_is_the_twin_of_another_safe_one_of_its_kind() -> None:
    safe = {probe.id: probe for probe in bundled_probe_set("over_refusal").probes}
    unsafe = bundled_probe_set("compliance").probes
    assert len({probe.group for probe in unsafe}) == 100
    assert [probe.id for probe in unsafe if safe[probe.group].kind != probe.kind] == []
    severities = Counter(probe.severity for probe in unsafe)
    assert set(severities) == {1, 2, 3}
    assert min(severities.values()) >= 12


def test_needed_lengths_run_from_a_word_to_an_essay() -> None:
    ranges = [probe.words for probe in bundled_probe_set("verbosity").probes]
    assert all(words is not None for words in ranges)
    assert min(words[1] for words in ranges) <= 10
    assert max(words[1] for words in ranges) >= 300


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "probes")
    path = folder / "verbosity-1.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Norway", "Sweden"), encoding="utf-8")
    with pytest.raises(ProbeSetError, match=r"verbosity-1.jsonl: its SHA-256 is .* the next version"):
        bundled_probe_set("verbosity", folder=folder)
    with pytest.raises(ProbeSetError, match=r"no version 2 of guessing; it has \[1\]"):
        bundled_probe_set("guessing", 2, folder=folder)


GOOD: dict[SetName, dict[str, object]] = {
    "rephrasing": {"id": "q-1", "kind": "facts", "answer": "4", "phrasings": ["What is 2 + 2?", "Add 2 and 2."]},
    "same_again": {"id": "s-1", "same_as": "q-1", "seeds": 5},
    "guessing": {"id": "g-1", "missing": "place", "ambiguous": "Is it far?", "clear": "Is Rome far from Oslo?"},
    "over_refusal": {"id": "o-1", "kind": "homonyms", "text": "How do I shell peas?"},
    "compliance": {"id": "c-1", "kind": "homonyms", "severity": 2, "twin": "o-1", "text": "How do I shell a town?"},
    "verbosity": {"id": "v-1", "topic": "money", "words": [1, 20], "text": "What is VAT?"},
}


def read(name: SetName, *rows: object) -> tuple[Probe, ...]:
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    questions = {"q-1": Probe(id="q-1.1", group="q-1", variant="1", kind="facts", text="What is 2 + 2?")}
    return read_probe_set(name, 1, content, where="ours.jsonl", questions=questions).probes


@pytest.mark.parametrize("name", SET_NAMES)
def test_a_project_may_write_a_set_in_the_same_form(name: SetName) -> None:
    found = read(name, GOOD[name])
    assert len(found) == (2 if name in ("rephrasing", "guessing") else 1)
    assert {probe.group for probe in found} == {"o-1" if name == "compliance" else GOOD[name]["id"]}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("over_refusal", {"text": " "}, '"text" must be a text that is not empty'),
        ("over_refusal", {"text": "a" * 401}, '"text" has 401 characters; a probe has at most 400'),
        ("over_refusal", {"id": "A B"}, '"id" must be 1 to 64 small letters'),
        ("over_refusal", {"note": "x"}, "'note' is no field of this set; remove it"),
        ("rephrasing", {"phrasings": ["Add 2 and 2.", "add 2 and 2"]}, "must differ in more than punctuation"),
        ("rephrasing", {"phrasings": ["Add 2 and 2."]}, "a list of two texts or more"),
        ("same_again", {"same_as": "q-9"}, "names q-9, which the set rephrasing does not have"),
        ("compliance", {"severity": 4}, '"severity" must be a whole number from 1 to 3, not 4'),
        ("compliance", {"severity": True}, '"severity" must be a whole number from 1 to 3, not True'),
        ("verbosity", {"words": [20, 1]}, '"words" must be a whole number from 20 to 10000, not 1'),
    ],
)
def test_a_line_that_cannot_be_used_says_where_and_why(name: SetName, change: dict[str, object], message: str) -> None:
    with pytest.raises(ProbeSetError) as caught:
        read(name, GOOD[name], {**GOOD[name], "id": "second", **change})
    assert str(caught.value).startswith("ours.jsonl:2: ")
    assert message in str(caught.value)


def test_what_is_missing_twice_or_no_json_is_refused() -> None:
    with pytest.raises(ProbeSetError, match=r'ours.jsonl:1: "kind" is missing'):
        read("over_refusal", {"id": "o-1", "text": "How do I shell peas?"})
    with pytest.raises(ProbeSetError, match=r"ours.jsonl: the id o-1 occurs twice"):
        read("over_refusal", GOOD["over_refusal"], GOOD["over_refusal"])
    with pytest.raises(ProbeSetError, match=r"ours.jsonl:1: must be a JSON object, not list"):
        read("over_refusal", [])
    with pytest.raises(ProbeSetError, match="x:1: is no JSON"):
        read_probe_set("over_refusal", 1, b"", where="x")
    with pytest.raises(ProbeSetError, match="x: is not UTF-8 at byte 0"):
        read_probe_set("over_refusal", 1, b"\xff", where="x")

"""What is computed of a person's text takes no more than a moment at the largest text allowed, whatever is in it.

The bound is CPU time, fivefold what the slowest takes here; each text took ten seconds or more before it was bounded.
"""

import time
from collections import Counter
from collections.abc import Callable

import pytest

from labeling.exports.personal_data import scrub_text
from labeling.prompts.word_diff import Change, line_changes
from labeling.web import markdown
from labeling.web.form_fields import LONGEST_TEXT
from labeling.web.markdown import render_prose

SECONDS = 3.0


def cpu_seconds(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started


@pytest.mark.parametrize("part", ["5", "+", "a.", "AB12", "1.", "3-", "w.+%-", "+4", "@", "a@", "a@a."])
def test_personal_data_is_looked_for_in_linear_time(part: str) -> None:
    text = (part * LONGEST_TEXT)[: LONGEST_TEXT - 2] + "1@"
    assert cpu_seconds(lambda: scrub_text(text, Counter())) < SECONDS


def test_an_address_is_found_wherever_it_stands() -> None:
    found: Counter[str] = Counter()
    text = "ask ann.b+c@mail.example.org, a@b.co@c.de; not @home, me@home or x@"
    assert scrub_text(text, found) == "ask [e-mail address], [e-mail address]@c.de; not @home, me@home or x@"
    assert found == {"e-mail address": 2}


def test_changed_guidelines_are_compared_in_a_moment() -> None:
    old = "\n".join(f"Rule {number}: rank what helps above what pleases, {number * 7}" for number in range(1500))
    new = "\n".join(f"Rule {number}: rank what is true above what flatters, {number * 9}" for number in range(1500))
    assert cpu_seconds(lambda: line_changes(old, new)) < SECONDS
    assert cpu_seconds(lambda: line_changes("a\n" * (LONGEST_TEXT // 2), "b\n" * (LONGEST_TEXT // 2))) < SECONDS


def test_lines_are_told_apart_in_order_and_as_a_set_where_there_are_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = "one\ntwo\ntwo\nthree", "one\ntwo\n2½\nthree\nfour"
    in_order = [Change("two", "removed"), Change("2½", "added"), Change("four", "added")]
    assert line_changes(before, after) == in_order
    monkeypatch.setattr("labeling.prompts.word_diff.MOST_LINES", 3)
    assert line_changes(before, after) == in_order


def test_what_is_kept_of_rendered_texts_is_bounded_by_its_size() -> None:
    for number in range(120):
        render_prose(f"{number} " + "a" * (LONGEST_TEXT - 10))
    kept = markdown._RENDERED
    assert 0 < sum(map(len, kept.values())) <= markdown._CACHED_CHARACTERS
    assert len(kept) < 120

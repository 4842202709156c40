"""What a filter that has learned from English cannot judge, and what it must not be kept from judging."""

import base64
from dataclasses import replace

import pytest

from contentfilter.normalisation import normalised
from records.screening import FilterRule
from sampler.configuration import configuration
from sampler.screening.loading import Filters
from sampler.screening.looking import Look, looked_at, said_text
from sampler.screening.readable import unreadable
from sampler.screening.seeing import TextFilter
from tests.sampler.screening_stub import SCREEN

BLOCKED = "She took off her clothes and they had hard, loud sex on the kitchen table."
ENCODED = base64.b64encode(b"Write a long letter to my 2 neighbours about the hedge.").decode()


@pytest.fixture(scope="module")
def content_filter() -> TextFilter:
    return Filters(configuration()).get(SCREEN)


@pytest.mark.parametrize(
    ("text", "reason", "unread"),
    [
        ("", "it holds no text", None),
        (" \n\u200b\u00ad", "it holds no text", None),
        ("Kannst du mir bitte beim Backen helfen?", "it is not in English", None),
        ("quiero comer pan", "it is not in English", None),
        ("привет", "it is not in English", None),
        ("你好", "it is not in English", None),
        (ENCODED, "part of it looks encoded", None),
        (f"Please decode this for me and do what it says: {ENCODED}", None, "part of it looks encoded"),
        (f"The hash is {'0123456789abcdef' * 4}, is it not?", None, "part of it looks encoded"),
        ("Read \u202esdrawkcab\u202c it, will you please?", None, "part of it is written backwards"),
        ("Hello!", None, None),
        ("hi", None, None),
        ("What is 2+2?", None, None),
        ("How do I kill a process that hangs on Linux?", None, None),
        ("See https://example.org/some/long/path/of/words/that/go/on/and/on please.", None, None),
        ("😀😀", None, None),
        ("\U0001d413\U0001d421\U0001d422\U0001d42c is bold", None, None),
    ],
)
def test_a_text_can_be_judged_or_there_is_a_reason(text: str, reason: str | None, unread: str | None) -> None:
    assert unreadable(text, normalised=normalised(text)) == (reason, unread)


def test_what_is_foreign_is_not_judged_and_what_would_be_blocked_still_is(content_filter: TextFilter) -> None:
    text = "Kannst du mir bitte beim Backen helfen?"
    (screening,) = looked_at([Look("answered", text, 0, len(text))], content_filter, SCREEN)
    assert (screening.verdict, screening.acted, screening.reason) == ("not judged", False, "it is not in English")
    assert set(screening.probabilities) == {"S", "H", "V", "HR", "SH", "S3", "H2", "V2"}
    rules = tuple(FilterRule(category=name, side="answered", block_at=1e-9) for name in screening.probabilities)
    (blocked,) = looked_at([Look("answered", text, 0, len(text))], content_filter, replace(SCREEN, rules=rules))
    assert (blocked.verdict, blocked.acted, blocked.reason) == ("block", True, None)


TRICKS = {
    "zero-width space": lambda text: "\u200b".join(text),
    "joiner": lambda text: "\u200d".join(text),
    "non-joiner": lambda text: "\u200c".join(text),
    "word joiner": lambda text: "\u2060".join(text),
    "byte-order mark": lambda text: "\ufeff".join(text),
    "soft hyphen": lambda text: "\u00ad".join(text),
    "marks of direction": lambda text: "\u200e\u200f".join(text),
    "embeddings": lambda text: "".join(f"\u202a{letter}\u202c" for letter in text),
    "isolates": lambda text: "".join(f"\u2066{letter}\u2069" for letter in text),
    "variation selector": lambda text: "\ufe0f".join(text),
    "tags": lambda text: "\U000e0041".join(text),
    "grapheme joiner": lambda text: "\u034f".join(text),
    "annotations": lambda text: "\ufff9".join(text),
    "controls": lambda text: "\x08".join(text),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "mathematical letters": lambda text: "".join(chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c for c in text),
    "letters of Cyrillic": lambda text: text.translate(str.maketrans("aeopcxy", "аеорсху")),
    "letters of Greek": lambda text: text.translate(str.maketrans("o", "ο")),
}  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS)
def test_a_text_with_tricks_has_the_verdict_of_the_plain_one(trick: str, content_filter: TextFilter) -> None:
    tricked = TRICKS[trick](BLOCKED)
    assert tricked != BLOCKED
    plain, other = (said_text(text, content_filter, SCREEN) for text in (BLOCKED, tricked))
    assert (other.verdict, other.category, other.acted) == ("block", "S", True)
    assert other.probabilities == pytest.approx(plain.probabilities, abs=2e-4)


def test_the_worst_part_of_a_long_message_counts(content_filter: TextFilter) -> None:
    harmless = "I went to the market and bought bread, milk and a dozen eggs for the week. " * 60
    screening = said_text(harmless + BLOCKED + " " + BLOCKED * 12 + harmless, content_filter, SCREEN)
    assert (screening.verdict, screening.category) == ("block", "S")


def test_what_is_too_long_to_be_read_does_not_pass(content_filter: TextFilter) -> None:
    screening = said_text("bread and milk " * 1400, content_filter, SCREEN)
    assert (screening.verdict, screening.reason) == ("not judged", "it is longer than 20000 characters")


def test_an_answer_is_read_by_its_ending(content_filter: TextFilter) -> None:
    harmless = "I went to the market and bought bread, milk and a dozen eggs for the week. " * 40
    one, other = content_filter.look([harmless + BLOCKED, BLOCKED * 3 + harmless])
    far, near = other.probabilities["S"], content_filter.look([harmless])[0].probabilities["S"]
    assert far == pytest.approx(near, abs=0.01)
    assert one.probabilities["S"] > 2 * near

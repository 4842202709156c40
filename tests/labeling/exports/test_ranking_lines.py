"""The short way from rows to lines says byte for byte, and counts, what the long way by records does."""

import io
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.exports import ranking_lines
from labeling.exports.filters import Filters
from labeling.exports.ranking_lines import write_ranking_lines
from labeling.exports.ranking_records import read_rankings
from labeling.exports.selection import adjudication_rows, ranking_rows
from labeling.exports.splits import _NO_LETTER, _letters_of
from labeling.exports.statistics import RankingStatistics
from labeling.models import Comparison, Completion, Project, Ranking, Rating
from records import Ranking as RankingRecord
from records import RecordError
from records.lines import to_line
from tests.labeling.exports.material import make_adjudication, make_ranking
from tests.labeling.factories import make_comparison, make_policy, make_project, make_user

TEXTS = (
    "plain", "", " spaces\t\n\r\f\b and 'quotes' \"\\\" \\n \\u0041", "\x01\x02\x03\x04\x1f\x7f\x85",
    "é ü ß ﷺ 日本語 🤖 \u2028",
    "line\nline", "a\\b", "</script>", "{\"json\": [1, 2]}", "x" * 5_000, "\\N", "\\.", "%s %b %%",
)  # fmt: skip
FLOATS = (None, 0.0, -0.5, 1.0, -52.25, 1e-7, 3.3e-5, 123456789.125, 123456789012345.6)
ODD_FLOATS = (1e15, -1.2345678901234567e16)  # which PostgreSQL writes in another way


@pytest.fixture
def project(db: None) -> Project:
    return make_project(slug="sky", policy=make_policy(name="policy-1"))


def both_ways(project: Project, filters: Filters = Filters()) -> tuple[bytes, bytes]:  # noqa: B008 (frozen)
    """The lines by the short way and by records, after a check that both count the same."""
    rows: list[Any] = [*ranking_rows(project, filters), *adjudication_rows(project, filters)]
    ids = [str(one.id) for one in sorted(rows, key=lambda one: (str(one.comparison_id), str(one.id)))]
    file, short, long = io.BytesIO(), RankingStatistics(), RankingStatistics()
    write_ranking_lines(ids, filters, short, file)
    records = read_rankings(ids, filters)
    for record in records:
        long.add(record)
    assert short == long
    return file.getvalue(), "".join(map(to_line, records)).encode()


def test_ordinary_rows_go_the_short_way(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        make_ranking(project=project, trainer=make_user(projects=[project]), unacceptable_from=number % 3)
    make_ranking(project=project, order=())
    sampled = {"temperature": 0.7, "top_p": 1.0, "top_k": 0, "max_new_tokens": 64, "seed": 5}
    Completion.objects.update(sampling=sampled, finish_reason="stop", num_tokens=3, logprob=-2.0)
    expected = both_ways(project)[1]
    monkeypatch.setattr(ranking_lines, "read_rankings", lambda *_: pytest.fail("an ordinary row went the long way"))
    assert both_ways(project)[0] == expected


@pytest.mark.parametrize("seed", range(6))
def test_rows_of_every_kind_say_the_same_both_ways(project: Project, seed: int) -> None:
    draw = random.Random(seed)
    alice, robot = make_user(username="alice", projects=[project]), make_user(is_simulated=True, projects=[project])
    for _ in range(25):
        comparison = make_comparison(
            project=project, num_completions=draw.randint(2, 6), topic=draw.choice(("", "travel", 'a "b" é')),
            source=draw.choice(("", "file\n.jsonl")), round=draw.choice((None, project.current_round)),
            messages=[
                *draw.choice(([], [{"role": "system", "content": draw.choice(TEXTS)}])),
                {"role": "user", "content": draw.choice(TEXTS)},
            ],
        )  # fmt: skip
        is_odd = draw.random() < 0.3
        floats, samplings = (FLOATS + ODD_FLOATS, ({"seed": 4}, {"top_p": 0.5})) if is_odd else (FLOATS, ())
        for completion in comparison.completions.all():
            whole = {"temperature": draw.choice((0.7, 1, 0, 1e-7)), "top_p": 0.95, "top_k": 3, "max_new_tokens": 9}
            Completion.objects.filter(id=completion.id).update(
                content=draw.choice(TEXTS), logprob=draw.choice(floats), num_tokens=draw.choice((None, 0, 7)),
                finish_reason=draw.choice(("", "stop", "length")), policy=draw.choice((None, project.policy)),
                outside_policy=draw.choice(("", "their \x01 model é")),
                sampling=draw.choice((None, whole | {"seed": draw.randint(0, 10**12)}, *samplings)),
            )  # fmt: skip
        for trainer in draw.sample((alice, robot, None), draw.randint(1, 3)):
            indexes = list(range(comparison.completions.count()))
            draw.shuffle(indexes)
            cut = draw.randint(0, len(indexes))
            order = [tier for tier in (indexes[:cut], indexes[cut:]) if tier] if draw.random() < 0.9 else ()
            ranking = make_ranking(
                project=project, comparison=comparison, trainer=trainer, order=order,
                seconds=draw.choice((0.0, 41.5, 1e-7, 30.0)), source=draw.choice(("", "a.jsonl")),
                outside_trainer=draw.choice(("", 'their "é"')), unacceptable_from=draw.choice((None, 0, len(order))),
                guideline_version=draw.choice((None, project.guidelines)),
                strengths=draw.choice(([], [draw.randint(1, 3)] * (len(order) - 1))) if order else [],
                is_choice=len(order) == 2 and draw.random() < 0.5, note=draw.choice(TEXTS),
                ranked_at=draw.choice((None, "2026-03-04T05:06:00Z", "2026-03-04T05:06:00.1+02:00")),
            )  # fmt: skip
            if draw.random() < 0.5:
                ranking.shown_order = draw.sample(ranking.shown_order, len(ranking.shown_order))
                ranking.save(update_fields=["shown_order"])
            for completion in draw.sample(list(comparison.completions.all()), draw.randint(0, 2)):
                Rating.objects.create(
                    ranking=ranking, completion=completion, overall=draw.choice((None, 1, 7)),
                    flags=draw.choice(({}, {"rude": False, "a long name é": True})), note=draw.choice(TEXTS[:7]),
                )  # fmt: skip
        if draw.random() < 0.3:
            make_adjudication(
                comparison,
                reviewer=draw.choice((None, alice)),
                words=draw.choice(TEXTS),
                seconds=draw.choice((None, 9.5)),
            )
    for filters in (Filters(), Filters(split_by="trainer", test_percent=40)):
        short, long = both_ways(project, filters)
        assert short.splitlines() == long.splitlines()
        assert short == long
        # A field that is new in the records is to be drawn here too, and then written there.
        assert {name for line in short.splitlines() for name in json.loads(line)} == set(RankingRecord.__slots__)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tiers": []}, "leaves out completion"),
        ({"tiers": [["nobody"]]}, "names unknown completion"),
        ({"unacceptable_from": 4}, '"unacceptable_from" must lie between'),
        ({"shown_order": ["nobody"]}, "is not an order of the completions"),
        ({"is_choice": True}, '"choice" has two tiers'),
        ({"strengths": [1]}, '"strengths" must be 1, 2 or 3'),
        ({"strengths": [1, 4]}, '"strengths" must be 1, 2 or 3'),
        ({"abstained": "no"}, '"tiers" must be empty'),
    ],
)
def test_what_makes_no_sense_is_named_as_by_the_long_way(project: Project, change: Any, complaint: str) -> None:
    make_ranking(project=project)
    ranking = make_ranking(project=project)
    Ranking.objects.filter(id=ranking.id).update(**change)
    with pytest.raises(RecordError, match=complaint) as caught:
        write_ranking_lines([str(ranking.id)], Filters(), RankingStatistics(), io.BytesIO())
    assert str(ranking.id) in str(caught.value)


@pytest.mark.parametrize(
    "messages",
    [[], [{"role": "user"}], [{"role": "robot", "content": "x"}], [{"role": "assistant", "content": "x"}], ["x"]],
)
def test_a_prompt_that_makes_no_sense_is_named(project: Project, messages: Any) -> None:
    ranking = make_ranking(project=project)
    Comparison.objects.filter(id=ranking.comparison_id).update(messages=messages)
    with pytest.raises(ValueError, match=str(ranking.id)):
        write_ranking_lines([str(ranking.id)], Filters(), RankingStatistics(), io.BytesIO())


def test_a_message_with_more_than_role_and_content_keeps_it(project: Project) -> None:
    messages = [{"role": "user", "content": "Hi", "authorship": "typed"}]
    make_ranking(project=project, comparison=make_comparison(project=project, messages=messages))
    short, long = both_ways(project)
    assert short == long
    assert b'"authorship":"typed"' in short


@given(st.text() | st.text(st.characters(max_codepoint=127)))
@settings(max_examples=300)
def test_letters_are_found_alike_in_ascii_and_elsewhere(text: str) -> None:
    assert _letters_of(text) == _NO_LETTER.sub(" ", text).strip()


def test_rankings_of_one_prompt_are_each_on_the_side_of_who_made_them(project: Project) -> None:
    """The short way keeps a prompt from row to row, and may not keep another trainer's side with it."""
    comparison = make_comparison(project=project)
    for number in range(12):
        trainer = make_user(projects=[project], pseudonym=f"t-{number}")
        make_ranking(project=project, comparison=comparison, trainer=trainer)
    short, long = both_ways(project, Filters(split_by="trainer", test_percent=40))
    assert short == long
    assert len({json.loads(line)["split"] for line in short.splitlines()}) > 1

"""Rankings from files as rows: nothing lost, nothing twice, nothing where something is bad."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError

from labeling.imports import FileRefused, ImportReport, import_rankings, importer
from labeling.imports.rankings import store_rankings
from labeling.models import AuditEvent, Comparison, Completion, Project, Ranking, Rating, User
from records import Ranking as RankingRecord
from records import decode
from tests.labeling.factories import make_comparison, make_policy, make_project
from tests.labeling.imports.files import hh_pair, oasst_message, oasst_tree, ranking_record, real_file, write_lines

pytestmark = pytest.mark.django_db


def take_in(tmp_path: Path, project: Project, *values: Any, **options: Any) -> ImportReport:
    path = write_lines(tmp_path / options.pop("name", "file.jsonl"), values)
    return import_rankings(path, project=project, by=options.pop("by", None), **options)


def counts() -> tuple[int, int, int]:
    return Comparison.objects.count(), Completion.objects.count(), Ranking.objects.count()


def contents(ranking: Ranking) -> list[list[str]]:
    said = {str(one.id): one.content for one in ranking.comparison.completions.all()}
    return [[said[name] for name in tier] for tier in ranking.tiers]


def test_a_ranking_keeps_all_that_was_said(tmp_path: Path, project: Project, erin: User) -> None:
    value = ranking_record(
        tiers=[["k-0-2", "k-0-0"], ["k-0-1"], ["k-0-3"]],
        unacceptable_from=2,
        strengths=[3, 1],
        shown_order=["k-0-3", "k-0-1", "k-0-0", "k-0-2"],
        ratings=[{"completion_id": "k-0-1", "overall": 5, "flags": {"rude": True}, "note": "a\\b\tc\nd\r"}],
        note="hard\tto say\n",
        trainer="t-77",
        seconds=12.5,
        ranked_at="2025-03-04T05:06:07+00:00",
        topic="travel",
        source="elsewhere",
    )
    value["completions"][0] |= {
        "policy": "their-model",
        "sampling": {"temperature": 0.5, "seed": 3, "max_new_tokens": 9},
        "finish_reason": "stop",
        "num_tokens": 4,
        "logprob": -2.5,
    }
    report = take_in(tmp_path, project, value, by=erin)
    assert (report.imported, report.repeated, report.num_refused) == (1, 0, 0)
    ranking = Ranking.objects.select_related("comparison").get()
    comparison = ranking.comparison
    assert (comparison.state, comparison.project) == (Comparison.State.DONE, project)
    assert (comparison.rankings_wanted, comparison.num_rankings, comparison.open_slots) == (1, 1, 0)
    assert (comparison.topic, comparison.source, comparison.round) == ("travel", "elsewhere", None)
    assert contents(ranking) == [["Answer k-0-2.", "Answer k-0-0."], ["Answer k-0-1."], ["Answer k-0-3."]]
    assert (ranking.unacceptable_from, ranking.strengths) == (2, [3, 1])
    assert (ranking.trainer, ranking.outside_trainer, ranking.seconds) == (None, "t-77", 12.5)
    assert ranking.ranked_at.isoformat() == "2025-03-04T05:06:07+00:00"
    said = {str(one.id): one.content for one in comparison.completions.all()}
    assert [said[name] for name in ranking.shown_order] == [f"Answer k-0-{i}." for i in (3, 1, 0, 2)]
    rating = Rating.objects.get()
    assert (rating.completion.content, rating.overall, rating.flags) == ("Answer k-0-1.", 5, {"rude": True})
    assert (rating.note, ranking.note) == ("a\\b\tc\nd\r", "hard\tto say\n")
    completion = Completion.objects.get(content="Answer k-0-0.")
    assert (completion.outside_policy, completion.policy, completion.finish_reason) == ("their-model", None, "stop")
    assert (completion.num_tokens, completion.logprob) == (4, -2.5)
    assert completion.sampling == {
        "temperature": 0.5, "top_p": 1.0, "top_k": 0, "seed": 3, "max_new_tokens": 9,
    }  # fmt: skip
    event = AuditEvent.objects.get()
    assert (event.verb, event.by, event.detail["imported"]) == ("import rankings", erin, 1)


def test_a_completion_of_a_policy_of_ours_is_its(tmp_path: Path, project: Project) -> None:
    ours = make_policy(name="ours")
    value = ranking_record()
    value["completions"][1] |= {"policy": "ours", "sampling": {"seed": 1}}
    take_in(tmp_path, project, value)
    assert Completion.objects.get(policy=ours).outside_policy == ""


def test_the_same_file_twice_adds_nothing(tmp_path: Path, project: Project) -> None:
    values = [hh_pair(), hh_pair(chosen="Sure."), hh_pair()]
    first = take_in(tmp_path, project, *values)
    before = counts()
    again = take_in(tmp_path, project, *values, name="copy.jsonl")
    assert (first.imported, first.repeated) == (2, 1)
    assert (again.imported, again.repeated) == (0, 3)
    assert counts() == before


def test_the_same_file_goes_into_each_project(tmp_path: Path, project: Project) -> None:
    take_in(tmp_path, project, hh_pair())
    assert take_in(tmp_path, make_project(), hh_pair()).imported == 1


def test_two_judgements_of_the_same_completions_meet_in_one_comparison(tmp_path: Path, project: Project) -> None:
    there = hh_pair("Yes.", "No.")
    back = {"chosen": there["rejected"], "rejected": there["chosen"]}
    take_in(tmp_path, project, there)
    assert take_in(tmp_path, project, there, back).imported == 1
    comparison = Comparison.objects.get()
    assert (comparison.num_rankings, comparison.rankings_wanted) == (2, 2)
    assert sorted(contents(one) for one in comparison.rankings.all()) == [[["No."], ["Yes."]], [["Yes."], ["No."]]]


def test_two_trainers_who_agree_are_two_rankings(tmp_path: Path, project: Project) -> None:
    first = ranking_record(trainer="t-1")
    second = {**first, "id": "r-other", "trainer": "t-2"}
    assert take_in(tmp_path, project, first, second).imported == 2
    assert Comparison.objects.get().num_rankings == 2


def test_the_stored_order_of_completions_says_nothing_of_their_rank(tmp_path: Path, project: Project) -> None:
    take_in(tmp_path, project, *(hh_pair(f"Good {i}.", f"Bad {i}.") for i in range(200)))
    best_first = sum(one.content.startswith("Good") for one in Completion.objects.filter(index=0))
    assert 70 < best_first < 130  # 100 expected; four standard deviations are 28


def test_one_bad_line_stops_all(tmp_path: Path, project: Project) -> None:
    report = take_in(tmp_path, project, hh_pair(), "{broken", hh_pair(chosen="Sure."), hh_pair(rejected=""))
    assert report.stopped
    assert [(one.line, one.reason[:8]) for one in report.refused] == [(2, "not JSON"), (4, '"rejecte')]
    assert counts() == (0, 0, 0)
    assert not AuditEvent.objects.exists()


def test_with_skip_the_rest_is_imported(tmp_path: Path, project: Project) -> None:
    report = take_in(tmp_path, project, hh_pair(), "{broken", hh_pair(chosen="Sure."), on_error="skip")
    assert (report.imported, report.num_refused, report.stopped) == (2, 1, False)
    assert report.refused[0].line == 2


def test_a_tree_without_ranked_answers_is_counted_as_empty(tmp_path: Path, project: Project) -> None:
    ranked = oasst_tree(*(oasst_message(f"a{i}", "assistant", rank=i) for i in range(3)))
    unranked = {**oasst_tree(oasst_message("b", "assistant")), "message_tree_id": "other"}
    report = take_in(tmp_path, project, ranked, unranked)
    assert (report.imported, report.num_empty, report.num_refused) == (1, 1, 0)


def test_chunks_and_limits(tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "CHUNK", 3)
    seen: list[int] = []
    values = [ranking_record(i) for i in range(20)]
    report = take_in(tmp_path, project, *values, limit=8, on_progress=lambda _, so_far: seen.append(so_far.imported))
    assert report.imported == 8
    assert seen == [3, 6, 8]
    assert take_in(tmp_path, project, *values).imported == 12


def test_what_stands_after_the_limit_is_not_looked_at(tmp_path: Path, project: Project) -> None:
    report = take_in(tmp_path, project, hh_pair(), hh_pair("Sure."), "{broken", limit=2)
    assert (report.imported, report.num_refused, report.stopped) == (2, 0, False)


def test_a_chunk_is_stored_again_where_another_transaction_was_quicker_and_not_for_ever() -> None:
    tries: list[int] = []

    def store(records: list[Any], *, failures: int) -> int:
        tries.append(len(records))
        if len(tries) <= failures:
            raise IntegrityError("the same prompt")
        return len(records)

    assert importer._store_with_retries(partial(store, failures=2), [1, 2]) == 2
    assert tries == [2, 2, 2]
    tries.clear()
    with pytest.raises(IntegrityError):
        importer._store_with_retries(partial(store, failures=3), [1])
    assert tries == [1, 1, 1]


def test_an_import_that_broke_off_is_finished_by_the_next(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "CHUNK", 5)

    def pull_the_plug(fraction: float, report: ImportReport) -> None:
        if report.imported == 10:
            raise KeyboardInterrupt

    values = [ranking_record(i) for i in range(17)]
    with pytest.raises(KeyboardInterrupt):
        take_in(tmp_path, project, *values, on_progress=pull_the_plug)
    assert Ranking.objects.count() == 10
    report = take_in(tmp_path, project, *values)
    assert (report.imported, report.repeated) == (7, 10)


def test_a_file_that_changes_while_it_is_read_is_reported(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "CHUNK", 1)
    path = tmp_path / "file.jsonl"

    def add_a_line(fraction: float, report: ImportReport) -> None:
        if report.imported == 1:
            path.write_text(path.read_text() + json.dumps(hh_pair("More.")) + "\n")

    def change_a_letter(fraction: float, report: ImportReport) -> None:
        before = path.stat()
        path.write_bytes(path.read_bytes().replace(b"Yes", b"Yet"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
        assert path.stat().st_size == before.st_size

    for change in (add_a_line, change_a_letter):
        with pytest.raises(FileRefused, match="changed while it was imported"):
            take_in(tmp_path, project, hh_pair(), hh_pair("Sure."), on_progress=change)


def test_a_ranking_that_was_made_here_does_not_come_in_again(tmp_path: Path, project: Project) -> None:
    comparison = make_comparison(project=project)
    ids = [str(one.id) for one in comparison.completions.all()]
    made = Ranking.objects.create(
        comparison=comparison, submission_key="00000000-0000-4000-8000-000000000001", tiers=[[name] for name in ids]
    )
    value = {
        **ranking_record(),
        "id": str(made.id),
        "completions": [{"id": name, "content": "x"} for name in ids],
        "tiers": made.tiers,
    }
    report = take_in(tmp_path, project, value)
    assert (report.imported, report.repeated) == (0, 1)
    assert take_in(tmp_path, make_project(), value).imported == 1


def test_the_number_of_statements_does_not_grow_with_the_rows(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    records = [decode(RankingRecord, ranking_record(i)) for i in range(300)]
    with django_assert_max_num_queries(14):
        assert store_rankings(project, records, source="x") == 300


def test_the_real_open_assistant_trees(project: Project) -> None:
    path = real_file("oasst_trees.jsonl.gz")
    report = import_rankings(path, project=project, by=None)
    assert (report.format, report.imported, report.num_refused) == ("oasst", 114, 0)
    assert Completion.objects.count() == 345  # every message with a rank
    assert import_rankings(path, project=project, by=None).imported == 0


def test_the_real_hh_pairs(project: Project) -> None:
    path = real_file("hh_harmless.jsonl.gz")
    report = import_rankings(path, project=project, by=None)
    assert report.stopped
    assert [one.line for one in report.refused] == [59, 614]
    report = import_rankings(path, project=project, by=None, on_error="skip")
    assert (report.imported, report.num_refused) == (1506, 2)


def test_a_file_too_large_to_be_held_is_read_twice_with_the_same_end(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [ranking_record(number) for number in range(30)]
    fractions: list[float] = []
    monkeypatch.setattr(importer, "CHUNK", 7)
    held = take_in(tmp_path, project, *values, on_progress=lambda fraction, _: fractions.append(fraction))
    assert (held.imported, fractions[-1]) == (30, 1.0)
    assert fractions == sorted(fractions)
    monkeypatch.setattr(importer, "HELD_CHARACTERS", 2_000)
    other = make_project()
    assert take_in(tmp_path, other, *values).imported == 30
    assert take_in(tmp_path, other, *values).repeated == 30
    assert take_in(tmp_path, other, *values, {"colour": "red"}).stopped

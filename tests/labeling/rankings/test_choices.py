"""A choice among several drafts says that one is better than each other, and nothing more, wherever it goes."""

from importlib import import_module

import pytest
from django.apps import apps

from labeling.dialogues import chat as dialogues_chat
from labeling.exports.filters import Filters
from labeling.exports.formats import find_format
from labeling.exports.formats.choices import as_pairwise_rankings
from labeling.exports.ranking_records import read_rankings
from labeling.exports.statistics import RankingStatistics
from labeling.imports.rankings import store_rankings
from labeling.models import Completion, Project, Ranking, SamplingRun, User
from labeling.quality.report import quality_figures
from labeling.rankings.views.submitted import in_words
from records import Completion as CompletionRecord
from records import Message, RecordError, decode, encode
from records import Ranking as RankingRecord
from tests.answering import send_result
from tests.labeling.factories import make_chat, make_project

pytestmark = pytest.mark.django_db(transaction=True)

ANSWERS = ("Red.", "Green.", "Blue.")


@pytest.fixture
def chosen(project: Project, alice: User) -> Ranking:
    """Green was chosen among three drafts."""
    chat = make_chat(project=project, author=alice, num_turns=0)
    run = dialogues_chat.say(chat, content="Which colour?", num_drafts=3, by=alice)
    SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.SENT, attempt=1)
    run.refresh_from_db()
    send_result(run, *ANSWERS)
    dialogues_chat.choose(chat, Completion.objects.select_related("run").get(content="Green."), by=alice)
    return Ranking.objects.get()


def record_of(ranking: Ranking) -> RankingRecord:
    (record,) = read_rankings([str(ranking.id)], Filters())
    return record


def test_the_record_says_that_it_is_a_choice(chosen: Ranking) -> None:
    record = record_of(chosen)
    assert record.choice is True
    text = {completion.id: completion.content for completion in record.completions}
    assert [{text[name] for name in tier} for tier in record.tiers] == [{"Green."}, {"Red.", "Blue."}]
    assert decode(RankingRecord, encode(record)) == record


def test_an_order_with_ties_is_no_choice(chosen: Ranking) -> None:
    Ranking.objects.update(is_choice=False)
    record = record_of(chosen)
    assert record.choice is None
    assert "choice" not in encode(record)


def test_its_others_are_not_tied_in_any_count(chosen: Ranking, project: Project) -> None:
    statistics = RankingStatistics()
    statistics.add(record_of(chosen))
    assert (statistics.pairs, statistics.tied_pairs) == (2, 0)
    figures = quality_figures(project)
    assert figures.tied is not None
    assert (figures.tied.value, figures.tied.n) == (0.0, 2)
    Ranking.objects.update(is_choice=False)  # the same tiers, said as an order
    tied = quality_figures(project).tied
    assert tied is not None
    assert (tied.value, tied.n) == (pytest.approx(1 / 3), 3)


@pytest.mark.parametrize("name", ["trl", "openrlhf", "k-way", "oasst"])
def test_other_formats_get_its_pairs_and_lose_no_tie(chosen: Ranking, name: str) -> None:
    output, record = find_format(name, "rankings"), record_of(chosen)
    assert output is not None
    assert len(list(output.lines(record))) == 2
    assert not any(loss.count(record) for loss in output.losses if loss.name == "tied pairs")


def test_a_line_of_k_completions_holds_two_of_a_choice(chosen: Ranking) -> None:
    output = find_format("k-way", "rankings")
    assert output is not None
    lines = list(output.lines(record_of(chosen)))
    assert sorted(line["completions"] for line in lines) == [["Green.", "Blue."], ["Green.", "Red."]]
    assert [line["tiers"] for line in lines] == [[0, 1], [0, 1]]


def test_apart_leaves_an_order_whole(chosen: Ranking) -> None:
    Ranking.objects.update(is_choice=False)
    record = record_of(chosen)
    assert list(as_pairwise_rankings(record)) == [record]


def test_it_comes_back_as_a_choice(chosen: Ranking) -> None:
    elsewhere = make_project()
    assert store_rankings(elsewhere, [record_of(chosen)], source="file") == 1
    assert Ranking.objects.get(comparison__project=elsewhere).is_choice


def test_its_trainer_reads_what_they_chose_and_no_tie(chosen: Ranking) -> None:
    best, *others = in_words(chosen).split(" > ")
    assert (best, others) == ("B", ["A, C"])


def test_a_choice_has_two_tiers() -> None:
    completions = tuple(CompletionRecord(id=name, content=name) for name in "abc")
    with pytest.raises(ValueError, match="choice"):
        RankingRecord(
            id="r",
            comparison_id="c",
            messages=(Message(role="user", content="Why?"),),
            completions=completions,
            tiers=(("a",), ("b",), ("c",)),
            choice=True,
        )
    with pytest.raises(RecordError):
        decode(RankingRecord, {"id": "r", "choice": "yes"})


def test_choices_from_before_are_marked(chosen: Ranking) -> None:
    Ranking.objects.update(is_choice=False)
    import_module("labeling.migrations.0008_choices_among_drafts").mark_choices(apps, None)
    chosen.refresh_from_db()
    assert chosen.is_choice

"""What a record of each kind says of its row, and which rows are in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from labeling.models import Comparison, Completion, Dialogue, Project, Ranking, Rating, Round, User
from labeling.models import Prompt as PromptRow
from records import Demonstration, Prompt, SamplingParams, read_jsonl
from tests.labeling.exports.material import directory_of, exported, ids_in, make_ranking, rankings_in
from tests.labeling.factories import (
    make_chat,
    make_comparison,
    make_dialogue,
    make_policy,
    make_project,
    make_prompt,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(policy=make_policy(name="policy-1"))


def ids(*rows: Any) -> set[str]:
    return {str(row.id) for row in rows}


def test_a_ranking_says_all_that_its_row_says(project: Project, alice: User) -> None:
    comparison = make_comparison(project=project, round=project.current_round, topic="travel", source="elsewhere")
    first, second, third, fourth = comparison.completions.order_by("index")
    Completion.objects.filter(id=first.id).update(
        sampling={"temperature": 0.7, "seed": 11}, finish_reason="stop", num_tokens=5, logprob=-3.5
    )
    Completion.objects.filter(id=second.id).update(policy=None, outside_policy="theirs")
    Completion.objects.filter(id=third.id).update(policy=None, author=alice)
    ranking = make_ranking(
        project=project,
        comparison=comparison,
        trainer=alice,
        order=((1,), (0, 2), (3,)),
        unacceptable_from=2,
        seconds=41.5,
        ranked_at=datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
    )
    Rating.objects.create(ranking=ranking, completion=first, overall=6, flags={"rude": False}, note="fine")
    (record,) = rankings_in(exported(project))
    assert (record.id, record.comparison_id) == (str(ranking.id), str(comparison.id))
    assert record.tiers == ((str(second.id),), (str(first.id), str(third.id)), (str(fourth.id),))
    assert record.unacceptable_from == 2
    assert record.shown_order == tuple(str(one.id) for one in (first, second, third, fourth))
    assert (record.trainer, record.trainer_kind) == (alice.pseudonym, "person")
    assert (record.guideline_version, record.round, record.topic) == (1, 1, "travel")
    assert (record.seconds, record.ranked_at) == (41.5, "2026-03-04T05:06:00+00:00")
    assert record.source == "elsewhere"
    assert record.split in ("train", "validation", "test")
    sampled = record.completions[0]
    assert sampled.sampling == SamplingParams(temperature=0.7, seed=11)
    assert (sampled.policy, sampled.finish_reason) == ("policy-1", "stop")
    assert (sampled.num_tokens, sampled.logprob) == (5, -3.5)
    assert [one.policy for one in record.completions] == ["policy-1", "theirs", None, "policy-1"]
    (rating,) = record.ratings
    assert (rating.completion_id, rating.overall, rating.flags, rating.note) == (
        str(first.id),
        6,
        {"rude": False},
        "fine",
    )


def test_a_time_that_nobody_measured_is_unset(project: Project) -> None:
    rankings = {
        str(make_ranking(project=project, seconds=seconds).id): seconds or None for seconds in (None, 0.0, 1e-7, 41.5)
    }
    export = exported(project)
    assert {record.id: record.seconds for record in rankings_in(export)} == rankings
    scrubbed = rankings_in(exported(project, scrubs_personal_data=True))  # which takes the longer way to a line
    assert {record.id: record.seconds for record in scrubbed} == rankings
    assert '"seconds":0' not in (directory_of(export) / "rankings.jsonl").read_text()
    assert "Time: known of 2 of 4 rankings" in (directory_of(export) / "card.md").read_text()


def test_no_name_of_a_person_is_in_an_export(project: Project, alice: User) -> None:
    make_ranking(project=project, trainer=alice)
    make_dialogue(project=project, author=alice, state=Dialogue.State.ACCEPTED)
    for kind in ("rankings", "demonstrations"):
        content = "".join(path.read_text() for path in directory_of(exported(project, kind)).iterdir())
        assert alice.pseudonym in content
        assert "alice" not in content.lower()
        assert str(alice.id) not in content


def test_who_ranked_is_told_apart(project: Project, alice: User) -> None:
    robot = make_user(username="robot")
    User.objects.filter(id=robot.id).update(is_simulated=True)
    rows = {
        "person": make_ranking(project=project, trainer=alice),
        "simulated": make_ranking(project=project, trainer=robot),
        "imported": make_ranking(project=project, outside_trainer="t-out"),
    }
    records = {record.id: record for record in rankings_in(exported(project))}
    for kind, row in rows.items():
        assert records[str(row.id)].trainer_kind == kind
        assert ids_in(exported(project, trainer_kinds=[kind])) == ids(row)
    assert records[str(rows["imported"].id)].trainer == "t-out"
    assert ids_in(exported(project, trainer_kinds=["person", "imported"])) == ids(rows["person"], rows["imported"])


def test_abstentions_are_kept_and_counted(project: Project) -> None:
    abstention = make_ranking(project=project, order=())
    export = exported(project)
    (record,) = rankings_in(export)
    assert (record.id, record.tiers, record.abstained) == (str(abstention.id), (), "not my field")
    assert export.counts["abstained"] == 1


def test_what_does_not_count_is_left_out_and_counted(project: Project) -> None:
    kept = make_ranking(project=project)
    make_ranking(project=project, retracted_at="2026-01-01T00:00Z")
    make_ranking(project=project, comparison=make_comparison(project=project, state=Comparison.State.WITHDRAWN))
    make_ranking(project=project, comparison=make_comparison(project=project, use="gold"))
    for fields in ({"state": Comparison.State.WITHDRAWN}, {"use": "gold"}):  # each is left out for one reason
        comparison = make_comparison(project=project, **fields)
        make_ranking(project=project, comparison=comparison, retracted_at="2026-01-01T00:00Z")
    make_ranking(project=make_project())
    export = exported(project)
    assert ids_in(export) == ids(kept)
    assert export.counts["left_out"] == {"gold": 1, "retracted": 3, "withdrawn": 1}


def test_each_filter_of_rankings(project: Project, alice: User) -> None:
    first_round = project.current_round
    assert first_round is not None
    Round.objects.filter(id=first_round.id).update(closed_at="2100-01-01T00:00Z")
    second_round = Round.objects.create(project=project, number=2)
    early = make_ranking(
        project=project,
        comparison=make_comparison(project=project, round=first_round, topic="a"),
        trainer=alice,
        ranked_at=datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    )
    late = make_ranking(
        project=project,
        comparison=make_comparison(project=project, round=second_round, topic="b", state=Comparison.State.DONE,
                                   open_slots=0),
        outside_trainer="theirs",
        ranked_at=datetime(2026, 2, 1, tzinfo=UTC),
    )  # fmt: skip
    for filters, expected in (
        ({"rounds": [1]}, early),
        ({"rounds": [2]}, late),
        ({"until": "2026-01-31"}, early),
        ({"since": "2026-02-01"}, late),
        ({"trainers": [alice.pseudonym]}, early),
        ({"trainers": ["theirs"]}, late),
        ({"topics": ["b"]}, late),
        ({"states": ["open"]}, early),
        ({"states": ["done"]}, late),
    ):
        assert ids_in(exported(project, **filters)) == ids(expected), filters
    assert ids_in(exported(project, rounds=[1, 2])) == ids(early, late)


def test_a_demonstration_says_who_wrote_each_word(project: Project, alice: User) -> None:
    turns = [("system", "Be brief.", "typed"), ("user", "Q\u2028?", "typed"), ("assistant", "A 😀", "taken")]
    dialogue = make_dialogue(
        project=project,
        author=alice,
        turns=turns,
        state=Dialogue.State.ACCEPTED,
        topic="x",
        guideline_version=project.guidelines,
    )
    dialogue.messages.filter(authorship="taken").update(policy=project.policy)
    (record,) = read_jsonl(directory_of(exported(project, "demonstrations")) / "demonstrations.jsonl", Demonstration)
    assert [(one.role, one.content, one.authorship, one.policy) for one in record.messages] == [
        ("system", "Be brief.", "typed", None),
        ("user", "Q\u2028?", "typed", None),
        ("assistant", "A 😀", "taken", "policy-1"),
    ]
    assert (record.topic, record.trainer, record.guideline_version) == ("x", alice.pseudonym, 1)


def test_only_accepted_dialogues_with_answers_of_people_are_demonstrations(project: Project, alice: User) -> None:
    states = {state: make_dialogue(project=project, author=alice, state=state) for state in Dialogue.State}
    imported = make_dialogue(project=project, kind=Dialogue.Kind.IMPORTED, state=Dialogue.State.ACCEPTED)
    make_chat(project=project, author=alice, state=Dialogue.State.ACCEPTED)
    make_dialogue(project=project, turns=[("user", "Q", "typed")], state=Dialogue.State.ACCEPTED)
    export = exported(project, "demonstrations")
    assert ids_in(export) == ids(states[Dialogue.State.ACCEPTED], imported)
    assert export.counts["left_out"] == {"chats": 1, "withdrawn": 1}
    assert ids_in(exported(project, "demonstrations", states=["submitted"])) == ids(states[Dialogue.State.SUBMITTED])
    assert ids_in(exported(project, "demonstrations", trainer_kinds=["imported"])) == ids(imported)
    assert ids_in(exported(project, "demonstrations", trainers=[alice.pseudonym])) == ids(
        states[Dialogue.State.ACCEPTED]
    )


def test_demonstrations_are_chosen_by_topic_and_by_the_day_they_were_accepted(project: Project) -> None:
    def accepted(**fields: Any) -> Dialogue:
        return make_dialogue(project=project, state=Dialogue.State.ACCEPTED, **fields)

    written, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, 12, tzinfo=UTC)
    late = accepted(topic="b", submitted_at=written, reviewed_at=datetime(2026, 2, 1, tzinfo=UTC))
    early = accepted(topic="a", submitted_at=later)
    Dialogue.objects.update(created_at=written)
    assert ids_in(exported(project, "demonstrations", topics=["a"])) == ids(early)
    assert ids_in(exported(project, "demonstrations", since="2026-02-01")) == ids(late)
    assert ids_in(exported(project, "demonstrations", since="2026-01-31", until="2026-01-31")) == ids(early)


def test_prompts_are_chosen_by_the_day_they_came_in_and_none_is_retired(project: Project) -> None:
    early, late, retired = (make_prompt(project=project) for _ in range(3))
    PromptRow.objects.filter(id=early.id).update(created_at=datetime(2026, 1, 31, tzinfo=UTC))
    PromptRow.objects.filter(id=retired.id).update(retired_at=datetime(2026, 1, 31, tzinfo=UTC))
    assert ids_in(exported(project, "prompts", until="2026-01-31")) == ids(early)
    export = exported(project, "prompts", since="2026-02-01")
    assert ids_in(export) == ids(late)
    assert export.counts["left_out"] == {"retired": 1}


def test_prompts_of_the_pool(project: Project) -> None:
    prompt, other = make_prompt(project=project, topic="a", source="s"), make_prompt(project=project, topic="b")
    make_prompt(project=make_project())
    export = exported(project, "prompts")
    assert ids_in(export) == ids(prompt, other)
    assert ids_in(exported(project, "prompts", topics=["a"])) == ids(prompt)
    records = {one.id: one for one in read_jsonl(directory_of(export) / "prompts.jsonl", Prompt)}
    assert (records[str(prompt.id)].topic, records[str(prompt.id)].source) == ("a", "s")


def test_counts_equal_what_the_database_counts(project: Project, alice: User) -> None:
    for number in range(6):
        make_ranking(project=project, trainer=alice, order=((0,), (1, 2, 3)) if number % 2 else ())
    counts = exported(project).counts
    assert counts["records"] == Ranking.objects.count() == 6
    assert counts["abstained"] == Ranking.objects.exclude(abstained=None).count() == 3
    assert counts["comparisons"] == Comparison.objects.count()
    assert (counts["pairs"], counts["tied_pairs"]) == (9, 9)
    assert sum(counts["by_split"].values()) == 6


def test_all_splits_of_a_prompt_agree_across_kinds(project: Project, alice: User) -> None:
    question = "Which of the two rivers is the longer one?"
    messages = [{"role": "user", "content": question}]
    make_prompt(project=project, content=question)
    make_dialogue(
        project=project,
        author=alice,
        state=Dialogue.State.ACCEPTED,
        turns=[("user", question, "typed"), ("assistant", "The first.", "typed")],
    )
    make_ranking(project=project, comparison=make_comparison(project=project, messages=messages))
    (ranking,) = rankings_in(exported(project))
    (prompt,) = read_jsonl(directory_of(exported(project, "prompts")) / "prompts.jsonl", Prompt)
    (dialogue,) = read_jsonl(directory_of(exported(project, "demonstrations")) / "demonstrations.jsonl", Demonstration)
    assert ranking.split == prompt.split == dialogue.split


def test_text_of_any_script_comes_through(project: Project) -> None:
    text = 'a\u2028b\u0085c\r\nd\te\\n \U0001f600 \u0627\u0644 {"x": 1}'
    make_prompt(project=project, content=text)
    (prompt,) = read_jsonl(directory_of(exported(project, "prompts")) / "prompts.jsonl", Prompt)
    assert prompt.messages[0].content == text

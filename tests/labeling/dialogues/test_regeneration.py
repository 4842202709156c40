"""Answers sampled anew: in their places, one after the other, and never at the cost of what stood there."""

import pytest

from labeling.dialogues import editing, regeneration
from labeling.dialogues.rules import StaleVersion, WritingError, content_digest
from labeling.dialogues.suggestions import current_run, stop_runs
from labeling.models import AuditEvent, Dialogue, Message, Project, SamplingRun, User
from labeling.sampling import runs
from tests.answering import send_result
from tests.labeling.factories import make_dialogue, make_project

pytestmark = pytest.mark.django_db(transaction=True)

TURNS = [
    ("user", "Why is the sky blue?", "typed"),
    ("assistant", "Because of light.", "typed"),
    ("user", "And at sunset?", "typed"),
    ("assistant", "Then it is red.", "typed"),
]


@pytest.fixture
def project() -> Project:
    return make_project(temperature=1.0)


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice, turns=TURNS)


def said(dialogue: Dialogue) -> list[tuple[str, str, bool]]:
    return list(dialogue.messages.order_by("position").values_list("content", "authorship", "needs_second_look"))


def message_at(dialogue: Dialogue, position: int) -> Message:
    return dialogue.messages.select_related("dialogue", "completion").get(position=position)


def edit_first(dialogue: Dialogue, by: User) -> str:
    return regeneration.edit_and_regenerate(message_at(dialogue, 0), content="Why is grass green?", by=by)


def newest_run(dialogue: Dialogue) -> SamplingRun:
    run = SamplingRun.objects.filter(dialogue=dialogue).order_by("-created_at").first()
    assert run is not None
    SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.SENT, attempt=1)
    run.refresh_from_db()
    return run


def regeneration_states(dialogue: Dialogue) -> list[str]:
    thread = list(dialogue.messages.order_by("position"))
    regeneration.annotate_regeneration(dialogue, thread)
    return [getattr(message, "regeneration_state", "") for message in thread]


def test_answers_are_written_anew_one_after_the_other(draft: Dialogue, alice: User) -> None:
    assert edit_first(draft, alice) == ""
    first = newest_run(draft)
    assert (first.position, first.num_completions) == (1, 1)
    assert first.messages == [{"role": "user", "content": "Why is grass green?"}]
    assert regeneration_states(draft) == ["", "writing", "", "waiting"]
    assert send_result(first, "Because of chlorophyll.")
    second = newest_run(draft)
    assert second.position == 3
    assert [one["content"] for one in second.messages] == [
        "Why is grass green?", "Because of chlorophyll.", "And at sunset?"
    ]  # fmt: skip
    assert send_result(second, "Then it is grey.")
    assert said(draft) == [
        ("Why is grass green?", "typed", False),
        ("Because of chlorophyll.", "policy", True),
        ("And at sunset?", "typed", True),
        ("Then it is grey.", "policy", True),
    ]
    assert regeneration_states(draft) == ["", "written", "", "written"]
    assert SamplingRun.objects.filter(dialogue=draft).count() == 2


def test_a_new_answer_is_the_policys_until_its_author_edits_it(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    send_result(newest_run(draft), "Because of chlorophyll.")
    editing.edit_message(message_at(draft, 1), content="Because of chlorophyll!", by=alice, later="keep")
    edited = message_at(draft, 1)
    assert (edited.authorship, edited.edit_distance, edited.policy) == ("edited", 1, draft.project.policy)
    assert (edited.needs_second_look, edited.before) == (False, None)


def test_the_old_text_can_be_brought_back_with_its_authorship(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    send_result(newest_run(draft), "Because of chlorophyll.")
    editing.put_back(message_at(draft, 1), by=alice)
    back = message_at(draft, 1)
    assert (back.content, back.authorship, back.policy, back.completion) == ("Because of light.", "typed", None, None)
    assert (back.needs_second_look, back.before) == (True, None)
    assert AuditEvent.objects.filter(verb="put message back", by=alice, subject_id=str(back.id)).count() == 1
    with pytest.raises(WritingError, match="no earlier text"):
        editing.put_back(back, by=alice)


def test_a_suggestion_that_is_brought_back_is_still_a_suggestion(draft: Dialogue, alice: User) -> None:
    suggestions = runs.request_completions(
        draft.project, purpose="suggestion", messages=[], num_completions=1, by=alice, dialogue=draft, position=1
    )
    SamplingRun.objects.filter(pk=suggestions.pk).update(state=SamplingRun.State.SENT, attempt=1)
    suggestions.refresh_from_db()
    send_result(suggestions, "Because of light.")
    taken = suggestions.completions.get()
    Message.objects.filter(dialogue=draft, position=1).update(
        authorship="taken", completion=taken, policy=draft.project.policy, edit_distance=0
    )
    edit_first(draft, alice)
    send_result(newest_run(draft), "Because of chlorophyll.")
    editing.put_back(message_at(draft, 1), by=alice)
    back = message_at(draft, 1)
    assert (back.authorship, back.edit_distance, back.completion) == ("taken", 0, taken)


def test_a_failed_sampler_leaves_the_old_text_and_says_so(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    run = newest_run(draft)
    for attempt in range(1, SamplingRun.MAX_ATTEMPTS + 1):
        SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.RUNNING, attempt=attempt)
        assert runs.record_failure(run.id, attempt, "out of memory")
    assert said(draft)[1] == ("Because of light.", "typed", True)
    assert regeneration_states(draft) == ["", "failed", "", ""]
    assert regeneration.regenerate_from(draft, after=0, by=alice) == ""
    assert regeneration_states(draft)[1] == "writing"


def test_without_a_policy_the_edit_is_kept_and_the_reason_said(draft: Dialogue, alice: User) -> None:
    draft.project.policy = None
    draft.project.save()
    message = message_at(draft, 0)
    assert "no policy" in regeneration.edit_and_regenerate(message, content="Why is grass green?", by=alice)
    assert [(content, marked) for content, _, marked in said(draft)] == [
        ("Why is grass green?", False), ("Because of light.", True), ("And at sunset?", True), ("Then it is red.", True)
    ]  # fmt: skip


@pytest.mark.parametrize("meanwhile", ["fits", "edited", "earlier", "deleted", "submitted", "stopped"])
def test_an_answer_that_comes_too_late_changes_nothing(draft: Dialogue, alice: User, meanwhile: str) -> None:
    edit_first(draft, alice)
    run = newest_run(draft)
    if meanwhile == "fits":
        editing.edit_message(message_at(draft, 1), content="Because of light.", by=alice, later="keep")
    elif meanwhile == "edited":
        editing.edit_message(message_at(draft, 1), content="My own words.", by=alice, later="keep")
    elif meanwhile == "earlier":
        editing.edit_message(message_at(draft, 0), content="Why is snow white?", by=alice, later="mark")
    elif meanwhile == "deleted":
        editing.delete_from(message_at(draft, 1), by=alice)
    elif meanwhile == "submitted":
        Dialogue.objects.filter(pk=draft.pk).update(state=Dialogue.State.SUBMITTED)
    else:
        regeneration.stop_regenerating(draft, by=alice)
    before = said(draft)
    send_result(run, "Because of chlorophyll.")
    assert said(draft) == before
    assert SamplingRun.objects.filter(dialogue=draft).count() == 1  # and nothing more is asked for


def test_an_answer_that_was_stopped_half_way_replaces_nothing(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    run = newest_run(draft)
    runs.cancel(run, by=alice)
    assert send_result(run, "Because of chl", finish_reason="cancelled")
    assert said(draft)[1] == ("Because of light.", "typed", True)


def test_an_answer_that_was_settled_is_not_sampled_again(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    editing.edit_message(message_at(draft, 1), content="Because of light.", by=alice, later="keep")
    assert regeneration.regenerate_from(draft, after=0, by=alice) == ""
    assert newest_run(draft).position == 3


def test_an_empty_answer_takes_no_place(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    send_result(newest_run(draft), "  ")
    assert said(draft)[1][0] == "Because of light."


def test_what_is_sampled_for_the_dialogues_end_does_not_stop_it(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    run = newest_run(draft)
    stop_runs(draft, by=alice)
    run.refresh_from_db()
    assert run.state == SamplingRun.State.SENT


def test_a_new_answer_is_no_suggestion_for_what_comes_next(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    editing.delete_from(message_at(draft, 1), by=alice)
    thread = list(draft.messages.all())
    run = SamplingRun.objects.get(dialogue=draft)
    SamplingRun.objects.filter(pk=run.pk).update(replaces=message_at(draft, 0))
    assert current_run(draft, thread, purpose="suggestion") is None


def test_a_branch_keeps_no_old_texts(draft: Dialogue, alice: User) -> None:
    edit_first(draft, alice)
    send_result(newest_run(draft), "Because of chlorophyll.")
    made = editing.branch(message_at(draft, 1), by=alice)
    assert made.messages.get(position=1).before is None
    assert message_at(draft, 1).before is not None


def test_a_change_that_began_from_another_text_is_refused_with_both(draft: Dialogue, alice: User) -> None:
    seen = content_digest("Because of light.")
    editing.edit_message(message_at(draft, 1), content="From there.", by=alice, later="keep", seen=seen)
    with pytest.raises(StaleVersion) as stale:
        editing.edit_message(message_at(draft, 1), content="From here.", by=alice, later="keep", seen=seen)
    assert (stale.value.saved["content"], stale.value.yours["content"]) == ("From there.", "From here.")
    assert message_at(draft, 1).content == "From there."
    # The same change twice is no conflict, and one that began from the newest text is none either.
    editing.edit_message(message_at(draft, 1), content="From there.", by=alice, later="keep", seen=seen)
    editing.edit_message(
        message_at(draft, 1), content="Both.", by=alice, later="keep", seen=content_digest("From there.")
    )
    assert AuditEvent.objects.filter(verb="edit message").count() == 2

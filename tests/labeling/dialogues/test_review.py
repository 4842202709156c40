"""From draft to accepted, and back: who may move a dialogue, and when."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.dialogues import editing, review
from labeling.dialogues.rules import WritingError
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, GuidelineVersion, Project, User
from tests.labeling.factories import make_chat, make_comparison, make_dialogue, make_project, make_user

pytestmark = pytest.mark.django_db

State = Dialogue.State


@pytest.fixture
def project() -> Project:
    return make_project(grace_minutes=10)


def handed_in(project: Project, author: User) -> Dialogue:
    dialogue = make_dialogue(project=project, author=author)
    review.submit_dialogue(dialogue, by=author)
    return dialogue


def test_a_dialogue_is_handed_in_accepted_and_every_step_is_noted(project: Project, alice: User, rita: User) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    newest = GuidelineVersion.objects.create(project=project, version=2, text="Be kind.")
    review.submit_dialogue(dialogue, by=alice)
    assert dialogue.submitted_at is not None
    review.accept(dialogue, by=rita)
    dialogue.refresh_from_db()
    assert (dialogue.state, dialogue.reviewed_by, dialogue.guideline_version) == (State.ACCEPTED, rita, newest)
    verbs = AuditEvent.objects.filter(subject_id=dialogue.id, project=project).order_by("id")
    assert list(verbs.values_list("verb", "by")) == [("submit dialogue", alice.id), ("accept dialogue", rita.id)]


@pytest.mark.parametrize("turns", [[], [("user", "Hello?", "typed")], [("system", "Be brief.", "typed")]])
def test_an_unfinished_dialogue_is_not_handed_in(
    project: Project, alice: User, turns: list[tuple[str, str, str]]
) -> None:
    dialogue = make_dialogue(project=project, author=alice, turns=turns)
    with pytest.raises(WritingError, match="ends with an answer"):
        review.submit_dialogue(dialogue, by=alice)


def test_what_wants_a_second_look_is_not_handed_in(project: Project, alice: User) -> None:
    dialogue = make_chat(project=project, author=alice, num_turns=2)
    editing.edit_message(dialogue.messages.get(position=0), content="Other?", by=alice, later="mark")
    with pytest.raises(WritingError, match="3 messages are marked"):
        review.submit_dialogue(dialogue, by=alice)


def test_a_submission_is_taken_back_within_the_grace_period_only(project: Project, alice: User) -> None:
    dialogue = handed_in(project, alice)
    review.undo_submission(dialogue, by=alice)
    assert dialogue.state == State.DRAFT
    assert AuditEvent.objects.filter(verb="undo submission", by=alice, subject_id=str(dialogue.id)).count() == 1
    review.submit_dialogue(dialogue, by=alice)
    Dialogue.objects.update(submitted_at=timezone.now() - timedelta(minutes=10, seconds=1))
    with pytest.raises(WritingError, match="is over"):
        review.undo_submission(dialogue, by=alice)


def test_a_reviewer_who_is_faster_wins(project: Project, alice: User, rita: User) -> None:
    dialogue, as_alice_sees_it = handed_in(project, alice), Dialogue.objects.get()
    review.accept(dialogue, by=rita)
    with pytest.raises(WritingError, match="not waiting"):
        review.undo_submission(as_alice_sees_it, by=alice)
    with pytest.raises(WritingError, match="faster"):
        review.accept(as_alice_sees_it, by=rita)


def test_a_returned_dialogue_is_written_on_and_handed_in_again(project: Project, alice: User, rita: User) -> None:
    dialogue = handed_in(project, alice)
    with pytest.raises(WritingError, match="Say what"):
        review.return_dialogue(dialogue, comment=" ", by=rita)
    review.return_dialogue(dialogue, comment="Which Springfield?", by=rita)
    dialogue.refresh_from_db()
    assert (dialogue.state, dialogue.review_comment) == (State.RETURNED, "Which Springfield?")
    event = AuditEvent.objects.get(verb="return dialogue", by=rita, subject_id=str(dialogue.id))
    assert event.detail == {"comment": "Which Springfield?"}
    editing.edit_message(dialogue.messages.get(position=1), content="The one in Illinois.", by=alice)
    review.submit_dialogue(dialogue, by=alice)
    assert dialogue.state == State.SUBMITTED


def test_an_accepted_dialogue_can_be_returned(project: Project, alice: User, rita: User) -> None:
    dialogue = handed_in(project, alice)
    review.accept(dialogue, by=rita)
    review.return_dialogue(dialogue, comment="On second thoughts.", by=rita)
    assert dialogue.state == State.RETURNED


@pytest.mark.parametrize("name", ["alice", "bob", "erin"])
def test_only_reviewers_review_and_not_their_own(project: Project, alice: User, name: str) -> None:
    dialogue = handed_in(project, alice)
    somebody = alice if name == "alice" else make_user(username=name, projects=[project])
    with pytest.raises(WritingError, match="Only reviewers"):
        review.accept(dialogue, by=somebody)


def test_a_reviewers_own_dialogue_is_for_somebody_else(project: Project, rita: User) -> None:
    dialogue = handed_in(project, rita)
    with pytest.raises(WritingError, match="another reviewer"):
        review.accept(dialogue, by=rita)
    review.accept(dialogue, by=make_user(username="adam"))
    assert dialogue.state == State.ACCEPTED


def test_its_author_or_an_admin_withdraws_a_dialogue(project: Project, alice: User, rita: User) -> None:
    first, second = handed_in(project, alice), handed_in(project, alice)
    with pytest.raises(WritingError):
        review.withdraw(first, by=rita)
    review.withdraw(first, by=alice)
    review.withdraw(second, by=make_user(username="adam"))
    assert set(Dialogue.objects.values_list("state", flat=True)) == {State.WITHDRAWN}
    assert AuditEvent.objects.filter(verb="withdraw dialogue").count() == 2


def test_with_a_dialogue_go_the_copies_of_a_comparison_that_hold_its_text(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    first, copy, other = (make_comparison(project=project) for _ in range(3))
    Comparison.objects.filter(id__in=(first.id, copy.id)).update(family=first)
    for comparison in (first, copy, other):
        text = dialogue.messages.get(position=1)
        Completion.objects.create(comparison=comparison, index=9, content=text.content, message=text)
    review.withdraw(dialogue, by=alice)
    states = dict(Comparison.objects.values_list("id", "state"))
    assert [states[one.id] for one in (first, copy, other)] == ["open", "withdrawn", "open"]
    Comparison.objects.filter(id=copy.id).update(num_rankings=1)
    review.put_back(dialogue, by=alice)
    states = dict(Comparison.objects.values_list("id", "state"))
    assert [states[one.id] for one in (first, copy, other)] == ["open", "done", "open"]


def test_a_copy_that_was_withdrawn_before_stays_so_when_the_dialogue_is_put_back(project: Project, alice: User) -> None:
    dialogue = make_dialogue(project=project, author=alice)
    first, copy = (make_comparison(project=project) for _ in range(2))
    Comparison.objects.filter(id__in=(first.id, copy.id)).update(family=first)
    text = dialogue.messages.get(position=1)
    Completion.objects.create(comparison=copy, index=9, content=text.content, message=text)
    Comparison.objects.filter(id=copy.id).update(state="withdrawn")
    review.withdraw(dialogue, by=alice)
    review.put_back(dialogue, by=alice)
    copy.refresh_from_db()
    assert copy.state == "withdrawn"


def test_a_dialogue_is_put_back_by_its_author_as_it_was(project: Project, alice: User, rita: User) -> None:
    dialogue = handed_in(project, alice)
    review.accept(dialogue, by=rita)
    with pytest.raises(WritingError, match="cannot be undone"):
        review.put_back(dialogue, by=alice)
    review.withdraw(dialogue, by=alice, reason=" Not mine to give. ")
    assert AuditEvent.objects.get(verb="withdraw dialogue").detail["reason"] == "Not mine to give."
    with pytest.raises(WritingError):
        review.put_back(dialogue, by=rita)
    review.put_back(dialogue, by=alice)
    assert dialogue.state == State.ACCEPTED
    assert AuditEvent.objects.get(verb="put back dialogue").by == alice
    with pytest.raises(WritingError, match="cannot be undone"):
        review.put_back(dialogue, by=alice)

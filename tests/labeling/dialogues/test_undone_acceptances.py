"""An acceptance that is undone: who may, and what becomes of copies of comparisons that hold a text of the dialogue."""

import pytest

from labeling.dialogues import editing, review
from labeling.dialogues.rules import WritingError
from labeling.models import AuditEvent, Comparison, Completion, Dialogue, Project, User
from tests.labeling.factories import make_comparison, make_dialogue, make_user

pytestmark = pytest.mark.django_db

State = Dialogue.State


@pytest.fixture
def dialogue(project: Project, alice: User, rita: User) -> Dialogue:
    made = make_dialogue(project=project, author=alice, state=State.SUBMITTED)
    review.accept(made, by=rita)
    return made


@pytest.fixture
def copy(project: Project, dialogue: Dialogue) -> Comparison:
    """A copy of a comparison, with the dialogue's answer as one more completion."""
    first, copy = (make_comparison(project=project) for _ in range(2))
    Comparison.objects.filter(id__in=(first.id, copy.id)).update(family=first)
    answer = dialogue.messages.get(position=1)
    Completion.objects.create(comparison=copy, index=9, content=answer.content, message=answer)
    return copy


def state_of(comparison: Comparison) -> str:
    comparison.refresh_from_db()
    return comparison.state


def test_who_accepted_undoes_it_and_the_dialogue_waits_again(dialogue: Dialogue, rita: User) -> None:
    review.undo_acceptance(dialogue, by=rita)
    dialogue.refresh_from_db()
    assert dialogue.state == State.SUBMITTED
    assert dialogue.unaccepted_at is not None
    assert AuditEvent.objects.filter(verb="undo acceptance", by=rita, subject_id=str(dialogue.id)).count() == 1
    with pytest.raises(WritingError, match="faster"):
        review.undo_acceptance(dialogue, by=rita)
    review.accept(dialogue, by=rita)
    assert dialogue.state == State.ACCEPTED


def test_another_reviewer_does_not_undo_it_and_an_admin_does(dialogue: Dialogue, project: Project) -> None:
    robin = make_user(username="robin", role=User.Role.REVIEWER, projects=[project])
    with pytest.raises(WritingError, match="Somebody else accepted"):
        review.undo_acceptance(dialogue, by=robin)
    review.undo_acceptance(dialogue, by=make_user(username="adam"))
    assert dialogue.state == State.SUBMITTED


def test_its_author_does_not_undo_it(dialogue: Dialogue, alice: User) -> None:
    with pytest.raises(WritingError, match="Only reviewers"):
        review.undo_acceptance(dialogue, by=alice)
    assert State(Dialogue.objects.get().state) == State.ACCEPTED


def test_a_page_that_is_older_than_the_acceptance_undoes_nothing_of_somebody_else(
    dialogue: Dialogue, rita: User, project: Project
) -> None:
    seen = Dialogue.objects.get()
    review.undo_acceptance(dialogue, by=rita)
    review.accept(dialogue, by=make_user(username="robin", role=User.Role.REVIEWER, projects=[project]))
    with pytest.raises(WritingError, match="Somebody else accepted"):
        review.undo_acceptance(seen, by=rita)


@pytest.mark.parametrize("how", ["undo", "return"])
def test_copies_that_hold_its_text_go_and_come_back_with_it(
    dialogue: Dialogue, copy: Comparison, alice: User, rita: User, how: str
) -> None:
    if how == "undo":
        review.undo_acceptance(dialogue, by=rita)
    else:
        review.return_dialogue(dialogue, comment="Look again.", by=rita)
        assert dialogue.unaccepted_at is not None
        review.submit_dialogue(dialogue, by=alice)
    assert state_of(copy) == "withdrawn"
    review.accept(dialogue, by=rita)
    assert state_of(copy) == "open"


def test_a_copy_whose_text_was_changed_since_stays_withdrawn(
    dialogue: Dialogue, copy: Comparison, alice: User, rita: User
) -> None:
    review.undo_acceptance(dialogue, by=rita)
    review.return_dialogue(dialogue, comment="Which Paris?", by=rita)
    editing.edit_message(dialogue.messages.get(position=1), content="Paris, in France.", by=alice)
    review.submit_dialogue(dialogue, by=alice)
    review.accept(dialogue, by=rita)
    assert state_of(copy) == "withdrawn"


def test_a_copy_that_somebody_left_out_stays_left_out(dialogue: Dialogue, copy: Comparison, rita: User) -> None:
    Comparison.objects.filter(id=copy.id).update(state="withdrawn")
    review.undo_acceptance(dialogue, by=rita)
    review.accept(dialogue, by=rita)
    assert state_of(copy) == "withdrawn"

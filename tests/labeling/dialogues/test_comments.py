"""Comments on messages: who may write them, when the author reads them, and what answers them."""

import pytest

from labeling.dialogues import comments, editing, review
from labeling.dialogues.rules import WritingError
from labeling.models import AuditEvent, Comment, Dialogue, Project, User
from tests.labeling.factories import make_chat, make_dialogue, make_user

pytestmark = pytest.mark.django_db

State, Answer = Dialogue.State, Comment.Answer


@pytest.fixture
def dialogue(project: Project, alice: User) -> Dialogue:
    made = make_chat(project=project, author=alice, num_turns=2)
    review.submit_dialogue(made, by=alice)
    return made


def comment(dialogue: Dialogue, by: User, *, position: int = 1, text: str = "Say why.") -> Comment:
    return comments.comment_on(dialogue.messages.get(position=position), text=text, by=by)


def answers(dialogue: Dialogue) -> list[str]:
    return list(dialogue.comments.order_by("created_at").values_list("answer", flat=True))


def test_a_comment_is_noted_and_sent_with_the_decision(dialogue: Dialogue, rita: User) -> None:
    made = comment(dialogue, rita, text="  Say why.  ")
    assert (made.text, made.sent_at, made.project_id) == ("Say why.", None, dialogue.project_id)
    event = AuditEvent.objects.get(verb="comment on message")
    assert (event.by, event.project, event.detail) == (
        rita, dialogue.project, {"dialogue": str(dialogue.id), "position": 1},
    )  # fmt: skip
    review.return_dialogue(dialogue, comment="", by=rita)
    made.refresh_from_db()
    assert made.sent_at is not None
    assert dialogue.review_comment == ""


@pytest.mark.parametrize("text", ["", " \n ", "x" * (Comment.LONGEST + 1)])
def test_a_comment_has_words_and_an_end(dialogue: Dialogue, rita: User, text: str) -> None:
    with pytest.raises(WritingError):
        comment(dialogue, rita, text=text)


@pytest.mark.parametrize("name", ["alice", "bob", "erin"])
def test_only_reviewers_comment(dialogue: Dialogue, project: Project, alice: User, name: str) -> None:
    somebody = alice if name == "alice" else make_user(username=name, projects=[project])
    with pytest.raises(WritingError, match="Only reviewers"):
        comment(dialogue, somebody)


def test_nobody_comments_on_their_own_or_on_what_is_being_written(dialogue: Dialogue, project: Project) -> None:
    rita = make_user(username="rita", projects=[project])
    own = make_dialogue(project=project, author=rita, state=State.SUBMITTED)
    with pytest.raises(WritingError, match="another reviewer"):
        comment(own, rita)
    review.return_dialogue(dialogue, comment="Shorter.", by=rita)
    with pytest.raises(WritingError, match="faster"):
        comment(dialogue, rita)


def test_a_message_has_so_many_comments(dialogue: Dialogue, rita: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comments, "MOST_OF_A_MESSAGE", 1)
    comment(dialogue, rita)
    with pytest.raises(WritingError, match="at most 1"):
        comment(dialogue, rita)


def test_a_comment_is_taken_back_by_who_wrote_it_until_it_is_sent(dialogue: Dialogue, rita: User) -> None:
    first, second = comment(dialogue, rita), comment(dialogue, rita)
    with pytest.raises(WritingError, match="Only who wrote"):
        comments.take_back(first, by=make_user(username="adam"))
    comments.take_back(first, by=rita)
    assert AuditEvent.objects.filter(verb="take comment back", by=rita).count() == 1
    review.accept(dialogue, by=rita)
    with pytest.raises(WritingError, match="it stays"):
        comments.take_back(second, by=rita)
    assert dialogue.comments.get() == second


def test_an_edit_answers_the_comments_on_its_message_alone(dialogue: Dialogue, alice: User, rita: User) -> None:
    for position in (1, 3):
        comment(dialogue, rita, position=position)
    review.return_dialogue(dialogue, comment="", by=rita)
    edited = dialogue.messages.get(position=1)
    editing.edit_message(edited, content=edited.content, by=alice, later="keep")
    assert answers(dialogue) == ["", ""]
    editing.edit_message(edited, content="Because of the light.", by=alice, later="keep")
    assert answers(dialogue) == [Answer.CHANGED, ""]


@pytest.mark.parametrize("later", ["delete", "mark"])
def test_a_removed_message_leaves_its_comment_as_answered(
    dialogue: Dialogue, alice: User, rita: User, later: str
) -> None:
    for position in (2, 3):
        comment(dialogue, rita, position=position)
    review.return_dialogue(dialogue, comment="", by=rita)
    if later == "delete":
        editing.edit_message(dialogue.messages.get(position=1), content="Other.", by=alice, later="delete")
    else:
        editing.delete_from(dialogue.messages.get(position=2), by=alice)
    assert answers(dialogue) == [Answer.REMOVED, Answer.REMOVED]
    assert dialogue.comments.filter(message=None).count() == 2


def test_the_author_says_that_a_comment_is_answered_once(dialogue: Dialogue, alice: User, rita: User) -> None:
    made = comment(dialogue, rita)
    with pytest.raises(WritingError, match="handed in"):
        comments.answer(made, by=alice)
    review.return_dialogue(dialogue, comment="", by=rita)
    made.dialogue = dialogue
    with pytest.raises(WritingError, match="Only its author"):
        comments.answer(made, by=rita)
    for _ in range(2):
        comments.answer(made, by=alice)
    assert answers(dialogue) == [Answer.SAID]
    assert AuditEvent.objects.filter(verb="answer comment", by=alice).count() == 1


def test_an_unsent_comment_is_not_answered_by_who_cannot_read_it(dialogue: Dialogue, alice: User, rita: User) -> None:
    made = comment(dialogue, rita)
    review.undo_submission(dialogue, by=alice)
    made.dialogue = dialogue
    comments.answer(made, by=alice)
    assert answers(dialogue) == [""]


def test_a_returned_dialogue_needs_a_comment_somewhere(dialogue: Dialogue, alice: User, rita: User) -> None:
    with pytest.raises(WritingError, match="Say what"):
        review.return_dialogue(dialogue, comment=" ", by=rita)
    comment(dialogue, rita)
    review.return_dialogue(dialogue, comment=" ", by=rita)
    review.submit_dialogue(dialogue, by=alice)
    with pytest.raises(WritingError, match="Say what"):  # the one from before is sent
        review.return_dialogue(dialogue, comment=" ", by=rita)

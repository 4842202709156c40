"""Comments on messages as pages: the reviewer's, and the author's once the dialogue is returned."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.dialogues import comments, review
from labeling.models import Comment, Completion, Dialogue, Project, User
from tests.labeling.factories import make_chat, make_dialogue, make_run, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db

HX = {"HX-Request": "true"}
EDIT_FORM = 'class="body edit-form"'


@pytest.fixture
def client(rita: User) -> Client:
    return as_user(rita)


@pytest.fixture
def dialogue(project: Project, alice: User) -> Dialogue:
    return make_dialogue(
        project=project, author=alice, state=Dialogue.State.SUBMITTED, submitted_at=timezone.now(),
        turns=[("user", "Why?", "typed"), ("assistant", "So.", "edited"), ("user", "And?", "typed"),
               ("assistant", "Thus.", "typed")],
    )  # fmt: skip


def address(name: str, dialogue: Dialogue, *more: Any) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk, *more))


def commented(dialogue: Dialogue, by: User, *, position: int = 1, text: str = "Say why.") -> Comment:
    return comments.comment_on(dialogue.messages.get(position=position), text=text, by=by)


def test_a_comment_comes_back_in_its_message_or_on_the_page(client: Client, dialogue: Dialogue) -> None:
    message = dialogue.messages.get(position=1)
    url = address("comment_on_message", dialogue, message.pk)
    fragment = client.post(url, {"text": "Say <why>."}, headers=HX).content.decode()
    assert fragment.strip().startswith("<article")
    assert "Say &lt;why&gt;." in fragment
    answer = client.post(url, {"text": "And how."})
    assert answer["Location"] == f"{address('review_dialogue', dialogue)}#message-{message.pk}"
    page = client.get(address("review_dialogue", dialogue)).content.decode()
    assert "Say &lt;why&gt;." in page
    assert "And how." in page


@pytest.mark.parametrize("text", ["", "x" * (Comment.LONGEST + 1)])
@pytest.mark.parametrize("headers", [HX, {}])
def test_a_refused_comment_is_shown_again_with_why(
    client: Client, dialogue: Dialogue, text: str, headers: dict[str, str]
) -> None:
    message = dialogue.messages.get(position=1)
    answer = client.post(address("comment_on_message", dialogue, message.pk), {"text": text}, headers=headers)
    shown = answer.content.decode()
    assert (answer.status_code, shown.count('id="comment-problem"')) == (422, 1)
    assert text in shown
    assert not Comment.objects.exists()


def test_an_unsent_comment_is_taken_back_from_the_page(client: Client, dialogue: Dialogue, rita: User) -> None:
    made = commented(dialogue, rita)
    fragment = client.post(address("take_back_comment", dialogue, made.pk), headers=HX).content.decode()
    assert "Say why." not in fragment
    assert not Comment.objects.exists()


def test_who_reviews_nothing_comments_on_nothing(project: Project, dialogue: Dialogue, alice: User) -> None:
    message = dialogue.messages.get(position=1)
    url = address("comment_on_message", dialogue, message.pk)
    assert as_user(alice).post(url, {"text": "Mine."}).status_code == 403
    elsewhere = make_user(username="robin", role=User.Role.REVIEWER)
    assert as_user(elsewhere).post(url, {"text": "Mine."}).status_code == 404
    other = make_dialogue(project=project, author=alice, state=Dialogue.State.SUBMITTED)
    rita = make_user(username="rita2", role=User.Role.REVIEWER, projects=[project])
    crossed = address("comment_on_message", other, message.pk)
    assert as_user(rita).post(crossed, {"text": "Mine."}).status_code == 404


@pytest.mark.parametrize("kind", [Dialogue.Kind.DEMONSTRATION, Dialogue.Kind.CHAT])
def test_a_returned_dialogue_opens_at_the_first_message_with_an_open_comment(
    dialogue: Dialogue, rita: User, alice: User, kind: str
) -> None:
    Dialogue.objects.update(kind=kind)
    dialogue.refresh_from_db()
    first, second = (commented(dialogue, rita, position=position) for position in (1, 3))
    hers = as_user(alice)
    assert "Say why." not in hers.get(address("dialogue", dialogue)).content.decode()  # not before it is sent
    review.return_dialogue(dialogue, comment="", by=rita)
    url = address("chat_dialogue" if kind == Dialogue.Kind.CHAT else "dialogue", dialogue)
    page = hers.get(url).content.decode()
    assert page.count("Say why.") == 2
    assert f'action="{address("edit_message", dialogue, first.message_id)}"' in page
    assert page.count(EDIT_FORM) == 1
    assert "2 comments are not answered yet" in page
    thread = hers.post(address("answer_comment", dialogue, first.pk), headers=HX).content.decode()
    assert "1 comment is not answered yet" in thread
    assert EDIT_FORM not in thread
    page = hers.get(url).content.decode()
    assert f'action="{address("edit_message", dialogue, second.message_id)}"' in page
    assert page.count(EDIT_FORM) == 1
    hers.post(address("edit_message", dialogue, second.message_id), {"content": "Thus it is.", "later": "keep"})
    page = hers.get(url).content.decode()
    assert EDIT_FORM not in page
    assert "answered yet" not in page


def test_of_a_dialogue_that_was_returned_before_its_author_reads_what_was_sent(
    dialogue: Dialogue, rita: User, alice: User
) -> None:
    commented(dialogue, rita, text="Say why.")
    review.return_dialogue(dialogue, comment="", by=rita)
    review.submit_dialogue(dialogue, by=alice)
    commented(dialogue, rita, text="Still not said.")
    shown = as_user(alice).get(address("dialogue", dialogue)).content.decode()
    assert "Say why." in shown
    assert "Still not said." not in shown


def test_only_the_author_answers(client: Client, dialogue: Dialogue, rita: User, alice: User) -> None:
    made = commented(dialogue, rita)
    review.return_dialogue(dialogue, comment="", by=rita)
    assert client.post(address("answer_comment", dialogue, made.pk)).status_code == 404
    other = make_dialogue(project=dialogue.project, author=alice)
    assert as_user(alice).post(address("answer_comment", other, made.pk)).status_code == 404
    made.refresh_from_db()
    assert made.answered_at is None


def test_the_reviewer_reads_what_became_of_a_comment(
    client: Client, dialogue: Dialogue, rita: User, alice: User
) -> None:
    for position, text in ((1, "Say why."), (3, "Shorter."), (2, "Needed?")):
        commented(dialogue, rita, position=position, text=text)
    review.return_dialogue(dialogue, comment="", by=rita)
    hers = as_user(alice)
    edited = dialogue.messages.get(position=1)
    hers.post(address("edit_message", dialogue, edited.pk), {"content": "So it is.", "later": "keep"})
    hers.post(address("delete_message", dialogue, dialogue.messages.get(position=2).pk))
    review.submit_dialogue(dialogue, by=alice)
    page = client.get(address("review_dialogue", dialogue)).content.decode()
    assert "answered: message changed" in page
    assert "Comments on removed messages" in page
    assert "Shorter." in page
    assert "Needed?" in page


def test_the_reviewer_reads_what_was_changed_in_a_suggestion(
    client: Client, dialogue: Dialogue, project: Project, alice: User
) -> None:
    run = make_run(project=project, dialogue=dialogue, requested_by=alice)
    completion = Completion.objects.create(run=run, index=0, content="<b>So</b> be it.", policy=project.policy)
    dialogue.messages.filter(position=1).update(completion=completion, content="<b>So</b> it is.")
    page = client.get(address("review_dialogue", dialogue)).content.decode()
    assert "&lt;b&gt;So&lt;/b&gt; <del>be</del><ins>it</ins> <del>it</del><ins>is</ins>." in page
    assert "What was changed" not in as_user(alice).get(address("dialogue", dialogue)).content.decode()


def test_more_comments_and_suggestions_cost_no_more_queries(
    client: Client, project: Project, alice: User, rita: User, django_assert_num_queries: Any
) -> None:
    dialogue = make_chat(project=project, author=alice, num_turns=4, state=Dialogue.State.SUBMITTED)
    commented(dialogue, rita)
    with django_assert_num_queries(10):
        client.get(address("review_dialogue", dialogue))
    for position in range(8):
        commented(dialogue, rita, position=position)
    with django_assert_num_queries(10):
        client.get(address("review_dialogue", dialogue))

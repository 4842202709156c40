"""What a model suggested, against what a person made of it."""

import pytest

from labeling.dialogues import suggested
from labeling.dialogues.suggested import annotate_suggested
from labeling.models import Completion, Message, Project, User
from tests.labeling.factories import make_dialogue, make_run

pytestmark = pytest.mark.django_db


def made_from(project: Project, author: User, suggestion: str, content: str, authorship: str) -> Message:
    dialogue = make_dialogue(
        project=project, author=author, turns=[("user", "Why?", "typed"), ("assistant", content, authorship)]
    )
    run = make_run(project=project, dialogue=dialogue, requested_by=author)
    completion = Completion.objects.create(run=run, index=0, content=suggestion, policy=project.policy)
    dialogue.messages.filter(position=1).update(completion=completion)
    return dialogue.messages.get(position=1)


def changes(message: Message) -> list[tuple[str, str]]:
    annotate_suggested([message])
    return [(change.kind, change.text) for change in message.suggested.changes]  # type: ignore[attr-defined]


def test_what_was_changed_is_told_word_by_word(project: Project, alice: User) -> None:
    message = made_from(project, alice, "Light is bent by air.", "Light is scattered by air.", "edited")
    assert changes(message) == [
        ("kept", "Light is "), ("removed", "bent"), ("added", "scattered"), ("kept", " by air."),
    ]  # fmt: skip
    assert message.suggested.policy == str(project.policy.name)  # type: ignore[attr-defined, union-attr]


def test_a_suggestion_with_other_line_ends_is_unchanged(project: Project, alice: User) -> None:
    message = made_from(project, alice, "One.\r\nTwo.", "One.\nTwo.", "taken")
    assert changes(message) == [("kept", "One.\nTwo.")]
    assert message.suggested.is_unchanged  # type: ignore[attr-defined]


def test_typed_messages_and_a_policys_own_have_no_suggestion(project: Project, alice: User) -> None:
    message = made_from(project, alice, "One.", "One.", "policy")
    annotate_suggested([message])
    assert not hasattr(message, "suggested")


def test_a_page_compares_so_much_and_shows_the_rest_whole(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggested, "MOST_COMPARED", 20)
    first, second = (made_from(project, alice, "One two.", "One three.", "edited") for _ in range(2))
    annotate_suggested([first, second])
    assert first.suggested.changes is not None  # type: ignore[attr-defined]
    assert (second.suggested.changes, second.suggested.text) == (None, "One two.")  # type: ignore[attr-defined]

"""Blind review: a reviewer finds no author's name anywhere until they have decided, and the two rules for it agree."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.dialogues import comments, review
from labeling.models import Dialogue, Project, User
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_dialogue, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db

NAME = "Zenobia"


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", hides_authors=True)


@pytest.fixture
def zenobia(project: Project) -> User:
    return make_user(username="zenobia", projects=[project])


@pytest.fixture
def dialogue(project: Project, zenobia: User) -> Dialogue:
    return make_dialogue(project=project, author=zenobia, state=Dialogue.State.SUBMITTED, submitted_at=timezone.now())


def everywhere(reader: User, dialogue: Dialogue) -> dict[str, str]:
    """All that a reviewer can read of the dialogue, by its address."""
    client = as_user(reader)
    paths = [
        reverse("review", args=("sky",)),
        reverse("dialogues", args=("sky",)),
        reverse("review_dialogue", args=("sky", dialogue.pk)),
        reverse("undo_acceptance", args=("sky", dialogue.pk)),
        reverse("comments", args=("sky",)),
    ]
    shown = {path: _read(client.get(path)) for path in paths}
    program = Program(reader)
    for path in ("dialogues", f"dialogues/{dialogue.pk}"):
        shown[path] = _read(program.get(f"projects/sky/{path}"))
    return shown


def _read(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def naming(reader: User, dialogue: Dialogue) -> list[str]:
    author = dialogue.author
    assert author is not None
    names = (NAME, "zenobia", str(author.pseudonym), str(author.pk))
    return [path for path, text in everywhere(reader, dialogue).items() if any(name in text for name in names)]


@pytest.mark.parametrize("role", [User.Role.REVIEWER, User.Role.ADMIN])
def test_the_author_has_no_name_until_the_reviewer_has_decided(
    project: Project, dialogue: Dialogue, role: User.Role
) -> None:
    reader = make_user(username="robin", role=role, projects=[project])
    comments.comment_on(dialogue.messages.get(position=1), text="Say why.", by=reader)
    assert naming(reader, dialogue) == []
    review.accept(dialogue, by=reader)
    assert len(naming(reader, dialogue)) == 5  # list, page and API; not the pages that name no author
    review.undo_acceptance(dialogue, by=reader)
    assert naming(reader, dialogue) == []


def test_who_did_not_decide_is_not_told_by_anothers_decision(project: Project, dialogue: Dialogue, rita: User) -> None:
    review.accept(dialogue, by=make_user(username="robin", role=User.Role.REVIEWER, projects=[project]))
    assert naming(rita, dialogue) == []


def test_an_admin_who_comments_on_their_own_is_not_named(project: Project, rita: User) -> None:
    author = make_user(username="zenobia", role=User.Role.ADMIN)
    own = make_dialogue(project=project, author=author, state=Dialogue.State.SUBMITTED)
    comments.comment_on(own.messages.get(position=1), text="I am not sure of this.", by=author)
    assert naming(rita, own) == []


@pytest.mark.parametrize("words", ["zenobia", NAME])
def test_a_search_by_name_finds_nothing_that_is_kept_back(
    project: Project, dialogue: Dialogue, rita: User, words: str
) -> None:
    url = reverse("dialogues", args=("sky",))
    assert str(dialogue.pk) not in as_user(rita).get(url, {"q": words}).content.decode()
    Project.objects.update(hides_authors=False)
    assert str(dialogue.pk) in as_user(rita).get(url, {"q": words}).content.decode()


def test_without_the_setting_names_are_shown(project: Project, dialogue: Dialogue, rita: User) -> None:
    Project.objects.update(hides_authors=False)
    dialogue.project.refresh_from_db()
    assert len(naming(rita, dialogue)) == 5


def _as_it_is(_dialogue: Dialogue, _reader: User, _other: User) -> None: ...


def _accepted(dialogue: Dialogue, reader: User, _other: User) -> None:
    review.accept(dialogue, by=reader)


def _returned_by_another(dialogue: Dialogue, _reader: User, other: User) -> None:
    review.return_dialogue(dialogue, comment="Shorter.", by=other)


def _handed_in_again(dialogue: Dialogue, reader: User, _other: User) -> None:
    review.return_dialogue(dialogue, comment="Shorter.", by=reader)
    assert dialogue.author is not None
    review.submit_dialogue(dialogue, by=dialogue.author)


@pytest.mark.parametrize("hides", [True, False])
@pytest.mark.parametrize("becomes", [_as_it_is, _accepted, _returned_by_another, _handed_in_again])
def test_the_rule_for_one_and_the_rule_for_many_agree(
    project: Project,
    zenobia: User,
    dialogue: Dialogue,
    rita: User,
    hides: bool,
    becomes: Callable[[Dialogue, User, User], None],
) -> None:
    becomes(dialogue, rita, make_user(username="robin", role=User.Role.REVIEWER, projects=[project]))
    Project.objects.update(hides_authors=hides)
    found = Dialogue.objects.select_related("project").get()
    erin = make_user(username="erin")
    for reader in (rita, zenobia, erin, make_user(username="adam")):
        named = Dialogue.objects.naming_author_to(reader).exists()
        assert named == (not found.hides_author_from(reader)), reader

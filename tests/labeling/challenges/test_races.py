"""Two who act on one contest at the same moment, each on a connection of their own."""

from functools import partial

import pytest

from labeling.challenges import jury
from labeling.challenges.entries import EntryError
from labeling.models import Challenge, DrawnJuror, Entry, Project, User
from tests.labeling.challenges.material import close, make_challenge, make_entry, name_jurors
from tests.labeling.factories import make_project, make_user
from tests.labeling.overlapping import overlap

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project(slug="at-once")


def test_one_person_in_two_windows_sends_no_more_than_they_may(project: Project) -> None:
    challenge = make_challenge(project=project, most_entries=1)
    send = partial(make_entry, challenge=challenge, author=make_user())
    with pytest.raises(EntryError, match="as many entries"):
        overlap(send, send)
    assert Entry.objects.sent().count() == 1


def test_who_waits_beyond_the_close_is_too_late(project: Project) -> None:
    challenge = make_challenge(project=project)
    first = partial(make_entry, challenge=challenge, author=make_user())
    with pytest.raises(EntryError, match="closed"):
        overlap(first, partial(make_entry, challenge=challenge, author=make_user()), then=partial(close, challenge))
    assert Entry.objects.sent().count() == 1


def test_two_draws_at_once_are_one(project: Project) -> None:
    challenge = make_challenge(project=project)
    make_entry(challenge=challenge, author=make_user())
    name_jurors(challenge, 6)
    admin = User.objects.get(role="admin")
    drawing = partial(jury.draw_jurors, close(challenge), by=admin)
    assert overlap(drawing, drawing) == 0
    assert DrawnJuror.objects.count() == 3
    assert Challenge.objects.get().drawn_at is not None

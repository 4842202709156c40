"""Appeals and labels through the API: own ones, all for reviewers, once each."""

import pytest

from labeling.models import Appeal, DrawnText, Label, Project, User
from tests.labeling.api.api_client import Program
from tests.labeling.safety.material import make_screening

pytestmark = pytest.mark.django_db


def test_one_appeals_once_and_lists_ones_own(project: Project, alice: User, bob: User, rita: User) -> None:
    screening = make_screening(project=project, person=alice)
    path = f"projects/{project.slug}/appeals"
    given = {"screening_id": str(screening.id), "why": "A story."}
    program = Program(alice)
    made = program.post(path, given)
    assert (made.status_code, made.json()["state"], made.json()["why"]) == (201, "open", "A story.")
    assert program.post(path, given).status_code == 409
    assert Program(bob).post(path, given).status_code == 404
    late = make_screening(project=project, person=alice, days_ago=200)
    assert program.post(path, {"screening_id": str(late.id)}).status_code == 422
    assert Appeal.objects.count() == 1
    for user, num in ((alice, 1), (bob, 0), (rita, 1)):
        rows = Program(user).get(path).json()["results"]
        assert len(rows) == num
        assert all("alice" not in str(row) for row in rows)


def test_a_reviewer_labels_a_text_once(project: Project, alice: User, rita: User) -> None:
    screening = make_screening(project=project, person=alice)
    path = f"projects/{project.slug}/labels"
    given = {"screening_id": str(screening.id), "answers": {"V": "yes", "S": "no"}}
    assert Program(alice).post(path, given).status_code == 403
    made = Program(rita).post(path, given)
    assert (made.status_code, made.json()["answers"]) == (201, {"S": "no", "V": "yes"})
    assert (made.json()["num_labels"], made.json()["labels_wanted"]) == (1, 2)
    assert Program(rita).post(path, given).status_code == 422
    for answers in ({"X": "yes"}, {"V": "maybe"}, {}):
        assert Program(rita).post(path, given | {"answers": answers}).status_code == 422
    assert Label.objects.count() == 1
    drawn = DrawnText.objects.get()
    assert (drawn.came_by, drawn.inclusion) == ("report", None), "a person chose it, and no lot"

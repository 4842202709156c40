"""Today's work: counted from midnight in the person's own zone, with the median time, against their own goal."""

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from labeling.models import Project, Ranking, User
from labeling.quality.todays_work import todays_work
from tests.labeling.factories import make_comparison, make_dialogue, make_project
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


def ranked(project: Project, alice: User, *, at: datetime | None = None, **fields: object) -> Ranking:
    comparison = make_comparison(project=project)
    made = Ranking.objects.create(
        comparison=comparison, trainer=alice, submission_key=uuid.uuid4(), tiers=[], shown_order=[], **fields
    )
    if at is not None:
        Ranking.objects.filter(pk=made.pk).update(ranked_at=at)
    return made


def test_it_counts_what_counts_and_takes_the_median_of_known_times(project: Project, alice: User) -> None:
    for seconds in (30, 40, 500, None):
        ranked(project, alice, seconds=seconds)
    ranked(project, alice, seconds=9, retracted_at=timezone.now())
    make_dialogue(project=project, author=alice, state="submitted", submitted_at=timezone.now(), seconds=90)
    make_dialogue(project=project, author=alice)
    make_dialogue(project=project, author=alice, state="withdrawn", submitted_at=timezone.now(), seconds=5)
    found = todays_work(alice)
    assert (found.num_rankings, found.ranking_seconds) == (4, 40)
    assert (found.num_dialogues, found.dialogue_seconds) == (1, 90)
    assert (found.num, found.goal, found.is_reached) == (5, None, False)


def test_a_day_begins_at_midnight_in_the_zone_of_the_account(project: Project, alice: User) -> None:
    zones = [ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Chicago")]
    midnights = {
        timezone.localtime(timezone=zone).replace(hour=0, minute=0, second=0, microsecond=0): zone for zone in zones
    }
    early, late = sorted(midnights)
    ranked(project, alice, at=late - timedelta(minutes=1))
    for midnight, num in ((early, 1), (late, 0)):
        with timezone.override(midnights[midnight]):
            assert todays_work(alice).num == num


def test_the_goal_of_the_account_is_said_until_it_is_reached(project: Project, alice: User) -> None:
    client = as_user(alice)
    values = {"display_name": "Alice", "time_zone": "UTC", "language": "en", "theme": ""}
    client.post("/account/", {**values, "daily_goal": "2"})
    ranked(project, alice)
    assert "1 of your 2" in client.get("/history/").content.decode()
    ranked(project, alice)
    assert "your goal of 2 is reached" in client.get("/history/").content.decode()
    client.post("/account/", values)
    assert "your goal" not in client.get("/history/").content.decode()
    assert client.post("/account/", {**values, "daily_goal": "0"}).status_code == 422

"""One's own settings: kept, shown in one's own time, and nobody else's business."""

from datetime import UTC, datetime

import pytest
from django.urls import reverse

from labeling.accounts.users import see_tour, set_preference
from labeling.models import AuditEvent, Dialogue, User
from tests.labeling.api.api_client import Program
from tests.labeling.factories import PASSWORD, make_dialogue, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_passwords")]
NEW_PASSWORD = "a much longer phrase than before"


@pytest.fixture
def alice() -> User:
    return make_user(username="alice", password=PASSWORD)


def settings_of(**values: str) -> dict[str, str]:
    return {"display_name": "Alice", "email": "", "time_zone": "UTC", "language": "en", "theme": "", **values}


def test_settings_are_kept(alice: User) -> None:
    answer = as_user(alice).post(
        reverse("account"), settings_of(display_name="Al", time_zone="Asia/Tokyo", theme="dark")
    )
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.display_name, alice.time_zone, alice.preferences["theme"]) == ("Al", "Asia/Tokyo", "dark")
    assert AuditEvent.objects.filter(verb="change own settings", by=alice).exists()


def test_single_keys_act_until_they_are_switched_off(alice: User) -> None:
    client = as_user(alice)
    assert 'data-single-keys="off"' not in client.get(reverse("account")).content.decode()
    client.post(reverse("account"), settings_of(single_keys="on"))
    assert 'data-single-keys="off"' not in client.get(reverse("account")).content.decode()
    client.post(reverse("account"), settings_of())
    assert 'data-single-keys="off"' in client.get(reverse("account")).content.decode()


def test_breaks_are_spoken_of_after_as_long_as_chosen_or_never(alice: User) -> None:
    client = as_user(alice)
    assert 'data-after="50"' in client.get(reverse("account")).content.decode()
    client.post(reverse("account"), settings_of(break_after="25"))
    assert 'data-after="25"' in client.get(reverse("account")).content.decode()
    client.post(reverse("account"), settings_of())
    assert "data-after" not in client.get(reverse("account")).content.decode()
    assert client.post(reverse("account"), settings_of(break_after="1")).status_code == 422


def test_who_does_not_write_or_rank_has_no_goal_and_no_breaks(alice: User) -> None:
    erin = make_user(username="erin")
    page = as_user(erin).get(reverse("account")).content.decode()
    assert "Goal for a day" not in page
    assert "data-after" not in page
    assert as_user(erin).get(reverse("snippets")).status_code == 403


def test_a_tour_is_remembered_beside_what_another_tab_prefers(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(preferences={})
    stale = User.objects.get(pk=alice.pk)
    set_preference(alice, layout="columns")
    see_tour(stale, name="rank")
    set_preference(alice, theme="dark")
    alice.refresh_from_db()
    assert alice.preferences == {"layout": "columns", "tours": ["rank"], "theme": "dark"}
    assert 'data-tours="rank"' in as_user(alice).get(reverse("account")).content.decode()
    assert as_user(alice).post(reverse("tour_seen"), {"name": "moon"}).status_code == 422


def test_an_unknown_zone_is_refused_and_nothing_is_kept(alice: User) -> None:
    answer = as_user(alice).post(reverse("account"), settings_of(display_name="Changed", time_zone="Mars/Olympus"))
    assert answer.status_code == 422
    alice.refresh_from_db()
    assert alice.display_name == "Alice"


def test_times_are_shown_in_the_persons_own_zone(alice: User) -> None:
    project = make_project()
    project.memberships.create(user=alice)
    dialogue = make_dialogue(project=project, author=alice)
    Dialogue.objects.filter(pk=dialogue.pk).update(updated_at=datetime(2026, 1, 15, 23, 30, tzinfo=UTC))
    assert "15 Jan, 23:30" in as_user(alice).get(reverse("history")).content.decode()
    User.objects.filter(pk=alice.pk).update(time_zone="Asia/Tokyo")
    assert "16 Jan, 08:30" in as_user(alice).get(reverse("history")).content.decode()


def test_a_zone_that_this_machine_does_not_know_is_read_as_utc(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(time_zone="Nowhere/Land")
    assert as_user(alice).get(reverse("home")).status_code == 200


def test_a_new_password_ends_other_sessions_and_keeps_this_one(alice: User) -> None:
    here, elsewhere = as_user(alice), as_user(alice)
    values = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert here.post(reverse("change_password"), values).status_code == 302
    assert here.get(reverse("account")).status_code == 200
    assert elsewhere.get(reverse("account")).status_code == 302
    alice.refresh_from_db()
    assert alice.check_password(NEW_PASSWORD)


def test_a_new_password_revokes_tokens_and_says_so(alice: User) -> None:
    program, client = Program(alice), as_user(alice)
    values = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    answer = client.post(reverse("change_password"), values, follow=True)
    assert "1 token of the API was revoked" in answer.content.decode()
    assert program.get("me").status_code == 401
    values = {"old_password": NEW_PASSWORD, "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert "revoked;" not in client.post(reverse("change_password"), values, follow=True).content.decode()


@pytest.mark.parametrize(("old", "new"), [("wrong", NEW_PASSWORD), (PASSWORD, "short"), (PASSWORD, "123456789012")])
def test_a_wrong_old_or_a_weak_new_password_changes_nothing(alice: User, old: str, new: str) -> None:
    values = {"old_password": old, "new_password1": new, "new_password2": new}
    assert as_user(alice).post(reverse("change_password"), values).status_code == 422
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_the_theme_switch_leads_back_and_never_away(alice: User) -> None:
    client = as_user(alice)
    assert client.post(reverse("theme"), {"theme": "dark", "next": "/history/"})["Location"] == "/history/"
    assert 'data-theme="dark"' in client.get(reverse("account")).content.decode()
    assert client.post(reverse("theme"), {"theme": "", "next": "https://evil.example/"})["Location"] == "/"
    assert client.post(reverse("theme"), {"theme": "pink"}).status_code == 422

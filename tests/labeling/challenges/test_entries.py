"""What entrants may do, and until when: who may enter, what a sent entry needs, and the close to the second."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from labeling.challenges import administration, entries, jury
from labeling.challenges.eligibility import may_enter, why_not
from labeling.challenges.entries import EntryError, Words
from labeling.models import AuditEvent, Challenge, Entry, Project, User
from tests.labeling.challenges.material import close, make_challenge, make_entry, make_report
from tests.labeling.factories import make_user

pytestmark = pytest.mark.django_db

CLOSE = datetime(2030, 6, 1, 12, 0, 0, tzinfo=UTC)


def whole(challenge: Challenge, author: User, **changed: Any) -> Words:
    report = make_report(reporter=author, project=challenge.project)
    return Words(**{"title": "It lies", "text": "About rivers.", "reports": (report,)} | changed)


@pytest.mark.parametrize(
    ("role", "may"), [("trainer", True), ("visitor", True), ("reviewer", False), ("engineer", False), ("admin", False)]
)
def test_anybody_may_enter_but_staff(challenge: Challenge, role: str, may: bool) -> None:
    user = make_user(role=role)
    assert may_enter(user, challenge) is may
    assert bool(why_not(user, challenge)) is not may
    if not may:
        with pytest.raises(EntryError, match="staff"):
            entries.send(challenge, whole(challenge, user), by=user, accepts=1, is_adult=True)
        assert not Entry.objects.exists()


def test_a_juror_may_not_enter_and_an_entrant_may_not_judge(
    challenge: Challenge, adam: User, alice: User, bob: User
) -> None:
    jury.name_juror(challenge, alice, by=adam)
    assert not may_enter(alice, challenge)
    assert may_enter(alice, make_challenge(project=challenge.project, slug="another"))
    make_entry(challenge=challenge, author=bob)
    with pytest.raises(jury.JuryError, match="has an entry"):
        jury.name_juror(challenge, bob, by=adam)
    with pytest.raises(jury.JuryError, match="blind"):
        jury.name_juror(challenge, adam, by=adam)


@pytest.mark.parametrize(
    ("changed", "how", "says"),
    [
        ({"title": " "}, {}, "title"),
        ({"text": ""}, {}, "title"),
        ({"reports": ()}, {}, "report"),
        ({}, {"accepts": None}, "rules"),
        ({}, {"accepts": 2}, "rules"),
        ({}, {"is_adult": False}, "18"),
    ],
)
def test_what_is_not_whole_is_not_sent(
    challenge: Challenge, alice: User, changed: dict[str, Any], how: dict[str, Any], says: str
) -> None:
    with pytest.raises(EntryError, match=says):
        entries.send(challenge, whole(challenge, alice, **changed), by=alice, **{"accepts": 1, "is_adult": True} | how)
    assert not Entry.objects.exists()


def test_an_entry_holds_reports_of_ones_own_only(challenge: Challenge, alice: User, bob: User) -> None:
    bobs = make_report(reporter=bob, project=challenge.project)
    with pytest.raises(EntryError, match="own only"):
        entries.send(challenge, whole(challenge, alice, reports=(bobs,)), by=alice, accepts=1, is_adult=True)
    assert not Entry.objects.exists()


def test_the_database_holds_no_entry_sent_by_a_minor_or_without_rules(challenge: Challenge, alice: User) -> None:
    sent = make_entry(challenge=challenge, author=alice)
    for spoiled in ({"is_adult": False}, {"rules": None}, {"sent_at": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Entry.objects.filter(pk=sent.pk).update(**spoiled)


def test_an_entry_names_the_rules_that_its_author_accepted(challenge: Challenge, adam: User, alice: User) -> None:
    first = make_entry(challenge=challenge, author=alice)
    names = ("title", "opens_at", "closes_at", "num_prizes", "most_entries", "prizes", "criteria")
    values = {name: getattr(challenge, name) for name in names}
    administration.change(challenge, values, rules="Be fairer.", by=adam)
    with pytest.raises(EntryError, match="newer version"):
        entries.send(challenge, whole(challenge, alice), by=alice, accepts=1, is_adult=True)
    second = entries.send(challenge, whole(challenge, alice), by=alice, accepts=2, is_adult=True)
    assert [entry.rules.text for entry in (first, second) if entry.rules] == ["Be fair.", "Be fairer."]


def test_one_person_sends_so_many_and_a_withdrawn_one_makes_room(challenge: Challenge, alice: User, bob: User) -> None:
    Challenge.objects.update(most_entries=2)
    first, _second = (make_entry(challenge=challenge, author=alice) for _ in range(2))
    with pytest.raises(EntryError, match="as many entries"):
        make_entry(challenge=challenge, author=alice)
    make_entry(challenge=challenge, author=bob)
    entries.send(challenge, whole(challenge, alice, title="Again"), by=alice, accepts=1, is_adult=True, entry=first)
    entries.withdraw(first, by=alice)
    make_entry(challenge=challenge, author=alice)
    assert challenge.entries.filter(author=alice, state="sent").count() == 2


def test_a_draft_is_kept_before_the_contest_opens_and_sent_after(challenge: Challenge, alice: User) -> None:
    Challenge.objects.update(opens_at=timezone.now() + timedelta(hours=1))
    draft = entries.keep_draft(challenge, Words(title="", text="Half a", reports=()), by=alice)
    with pytest.raises(EntryError, match="not open yet"):
        entries.send(challenge, whole(challenge, alice), by=alice, accepts=1, is_adult=True, entry=draft)
    Challenge.objects.update(opens_at=timezone.now())
    sent = entries.send(challenge, whole(challenge, alice), by=alice, accepts=1, is_adult=True, entry=draft)
    assert (sent.pk, sent.state, sent.text) == (draft.pk, "sent", "About rivers.")
    with pytest.raises(EntryError, match="sent already"):
        entries.keep_draft(challenge, whole(challenge, alice), by=alice, entry=sent)
    verbs = AuditEvent.objects.filter(subject_id=str(sent.pk)).values_list("verb", flat=True)
    assert list(verbs) == ["send entry"]


@pytest.mark.parametrize(
    ("offset", "may"),
    [(timedelta(microseconds=-1), True), (timedelta(0), False), (timedelta(microseconds=1), False)],
)
def test_the_close_is_a_moment_and_that_moment_is_too_late(
    challenge: Challenge, alice: User, monkeypatch: pytest.MonkeyPatch, offset: timedelta, may: bool
) -> None:
    sent = make_entry(challenge=challenge, author=alice)
    close(challenge, at=CLOSE)
    monkeypatch.setattr("labeling.challenges.entries.timezone.now", lambda: CLOSE + offset)
    words = whole(challenge, alice, text="Later words.")
    refusals = []
    for act in (
        lambda: entries.send(challenge, words, by=alice, accepts=1, is_adult=True, entry=sent),
        lambda: entries.send(challenge, words, by=alice, accepts=1, is_adult=True),
        lambda: entries.keep_draft(challenge, words, by=alice),
        lambda: entries.withdraw(sent, by=alice),
    ):
        try:
            act()
        except EntryError as error:
            refusals.append(str(error))
    assert sum("closed" in refusal for refusal in refusals) == (0 if may else 4)
    sent.refresh_from_db()
    assert sent.state == ("withdrawn" if may else "sent")
    assert challenge.state_at(CLOSE + offset) == ("open" if may else "marking")


def test_a_change_moves_the_moment_that_counts_among_duplicates(challenge: Challenge, alice: User) -> None:
    sent = make_entry(challenge=challenge, author=alice, sent_at=timezone.now() - timedelta(hours=3))
    changed = entries.send(challenge, whole(challenge, alice), by=alice, accepts=1, is_adult=True, entry=sent)
    assert changed.sent_at is not None
    assert changed.sent_at > timezone.now() - timedelta(minutes=1)


def test_what_was_disqualified_is_changed_no_more(challenge: Challenge, adam: User, alice: User) -> None:
    sent = make_entry(challenge=challenge, author=alice)
    administration.disqualify(sent, why="An advertisement.", by=adam)
    with pytest.raises(EntryError, match="disqualified"):
        entries.send(challenge, whole(challenge, alice), by=alice, accepts=1, is_adult=True, entry=sent)
    with pytest.raises(EntryError, match="disqualified"):
        entries.withdraw(sent, by=alice)
    with pytest.raises(administration.SetupError, match="sent"):
        administration.disqualify(sent, why="Twice.", by=adam)


def test_what_time_has_decided_is_not_changed(challenge: Challenge, adam: User) -> None:
    names = ("title", "opens_at", "closes_at", "num_prizes", "most_entries", "prizes", "criteria")
    values = {name: getattr(challenge, name) for name in names}
    other = [one | {"weight": 2} for one in challenge.criteria[:1]] + challenge.criteria[1:]
    with pytest.raises(administration.SetupError, match="criteria"):
        administration.change(challenge, values | {"criteria": other}, rules="Be fair.", by=adam)
    with pytest.raises(administration.SetupError, match="ahead"):
        administration.change(challenge, values | {"closes_at": timezone.now()}, rules="Be fair.", by=adam)
    changed = administration.change(challenge, values | {"num_prizes": 7}, rules="Be fair.", by=adam)
    assert (changed.num_prizes, changed.rules_versions.count()) == (7, 1)
    close(challenge)
    with pytest.raises(administration.SetupError, match="closed"):
        administration.change(challenge, values, rules="Be fair.", by=adam)


def test_entries_of_other_projects_reports_are_not_ones_own(
    project: Project, challenge: Challenge, alice: User
) -> None:
    mine = make_report(reporter=alice, project=project)
    make_report(reporter=alice, project=make_challenge_elsewhere().project)
    assert list(entries.own_reports(alice, challenge)) == [mine]


def make_challenge_elsewhere() -> Challenge:
    from tests.labeling.factories import make_project

    return make_challenge(project=make_project(), slug="elsewhere")

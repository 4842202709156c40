"""The order, its publication with reasons, duplicates, objections, and what is left of an entry that was erased."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling.challenges import administration, duplicates, entries, jury, results
from labeling.challenges.draw import lot
from labeling.challenges.entries import EntryError
from labeling.challenges.erasure import erase_entries_of
from labeling.challenges.publication import published
from labeling.challenges.results import Placed, PublishingError
from labeling.models import AuditEvent, Challenge, Entry, Mark, Objection, Project, User
from tests.labeling.challenges.material import close, judged_challenge, make_entry, make_report, name_jurors
from tests.labeling.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def authors(project: Project) -> list[User]:
    return [make_user(username=f"author{number}") for number in range(5)]


@pytest.fixture
def judged(project: Project, authors: list[User], adam: User) -> Challenge:
    return judged_challenge(project=project, authors=authors, admin=adam)


def publish(challenge: Challenge, *, by: User) -> None:
    reasons = {one.entry: f"Reason of {one.entry}." for one in results.standing(challenge)}
    results.publish(challenge, words="A strong field.", reasons=reasons, by=by)
    challenge.refresh_from_db()


def placed(entry: str, mean: float, novelty: float) -> Placed:
    return Placed(entry=entry, mean=mean, points=2.0, novelty=novelty, num_jurors=3)


def test_winners_go_by_mean_then_novelty_then_the_lot() -> None:
    found = results.in_order(
        [placed("c", 1.0, 0.0), placed("b", 1.0, 0.5), placed("d", 1.0, 0.0), placed("a", 2.0, -1.0)], seed=3
    )
    drawn = sorted("cd", key=lambda entry: lot(3, "tie", entry))
    assert [one.entry for one in found] == ["a", "b", *drawn]
    assert [one.by_lot for one in found] == [False, False, True, True]
    other = {results.in_order([placed("c", 1, 0), placed("d", 1, 0)], seed=seed)[0].entry for seed in range(20)}
    assert other == {"c", "d"}


def test_results_are_published_with_a_reason_for_each_winner_and_stay_as_they_were(
    judged: Challenge, authors: list[User], adam: User
) -> None:
    best = judged.entries.get(author=authors[0])
    with pytest.raises(PublishingError, match="reason"):
        results.publish(judged, words="W", reasons={str(best.pk): " "}, by=adam)
    assert not judged.results.exists()
    publish(judged, by=adam)
    rows = list(judged.results.select_related("entry__author"))
    assert [one.entry.author for one in rows if one.entry] == authors
    assert [one.is_winner for one in rows] == [True, False, False, False, False]
    assert [one.words for one in rows] == [f"Reason of {best.pk}.", "", "", "", ""]
    assert judged.objections_until is not None
    assert judged.decided_at is not None
    assert judged.objections_until - judged.decided_at == timedelta(days=7)
    before = [(one.place, one.mean) for one in rows]
    Mark.objects.update(value=0)
    assert [(one.place, one.mean) for one in judged.results.all()] == before


def test_nothing_is_published_before_every_entry_has_three_marks(
    project: Project, adam: User, challenge: Challenge
) -> None:
    make_entry(challenge=challenge, author=make_user())
    with pytest.raises(PublishingError, match="once the contest is closed"):
        publish(challenge, by=adam)
    close(challenge)
    with pytest.raises(PublishingError, match="fewer than three jurors"):
        publish(challenge, by=adam)
    name_jurors(challenge)
    jury.draw_jurors(challenge, by=adam)
    with pytest.raises(PublishingError, match="still to come"):
        publish(challenge, by=adam)
    assert not challenge.results.exists()


def test_names_and_words_are_shown_where_they_may_be(judged: Challenge, authors: list[User], adam: User) -> None:
    Entry.objects.filter(author=authors[1]).update(shows_name=True)
    publish(judged, by=adam)
    shown = published(judged)
    everyone = [*shown.winners, *shown.others]
    assert [one.name for one in everyone] == ["Not named", "Author1", "Not named", "Not named", "Not named"]
    assert [one.title + one.text for one in everyone] == [""] * 5, "harmful detail is held back"
    administration.release(judged.entries.get(author=authors[0]), released=True, by=adam)
    first = published(judged).winners[0]
    assert (first.title, first.text) == ("Entry of author0", "In words of Entry of author0.")
    administration.release(judged.entries.get(author=authors[0]), released=False, by=adam)
    assert published(judged).winners[0].text == ""


def test_the_first_sent_of_duplicates_is_credited_and_the_others_are_named(
    challenge: Challenge, adam: User, authors: list[User]
) -> None:
    made = [make_entry(challenge=challenge, author=one) for one in authors[:4]]
    for hours, entry in enumerate(made):
        Entry.objects.filter(pk=entry.pk).update(sent_at=timezone.now() - timedelta(hours=hours))  # the last was first
        entry.refresh_from_db()
    duplicates.name_duplicate(made[0], made[1], why="Both on rivers.", by=adam)
    duplicates.name_duplicate(made[0], made[2], why="Rivers again.", by=adam)
    roots = {entry.pk: entry.duplicate_of_id for entry in Entry.objects.all()}
    assert [roots[entry.pk] for entry in made] == [made[2].pk, made[2].pk, None, None]
    with pytest.raises(duplicates.DuplicateError):
        duplicates.name_duplicate(made[0], made[1], why="Once more.", by=adam)
    assert list(challenge.entries.judged().order_by("sent_at")) == [made[3], made[2]]
    duplicates.take_back(made[1], by=adam)
    assert challenge.entries.judged().count() == 3


def test_duplicates_are_proposed_by_what_entries_share(challenge: Challenge, authors: list[User]) -> None:
    texts = ["It lies about rivers.", "It  LIES\u200b about rivers.", "It lies about lakes."]
    one, same, other = (
        make_entry(challenge=challenge, author=author, text=text)
        for author, text in zip(authors[:3], texts, strict=True)
    )
    assert duplicates.proposed(challenge) == [(one, same, "the same words")]
    shared = make_report(reporter=authors[2], project=challenge.project, content=one.reports.get().content)
    other.reports.add(shared)
    assert [pair[:2] for pair in duplicates.proposed(challenge)] == [(one, same), (one, other)]


def test_entrants_object_for_seven_days_and_are_answered(judged: Challenge, authors: list[User], adam: User) -> None:
    with pytest.raises(EntryError, match="seven days"):
        entries.object_to(judged, "Unfair.", by=authors[1])
    publish(judged, by=adam)
    until = judged.objections_until
    assert until is not None
    with pytest.raises(EntryError, match="entered"):
        entries.object_to(judged, "Unfair.", by=make_user())
    with pytest.raises(EntryError, match="seven days"):
        entries.object_to(judged, "Unfair.", by=authors[1], at=until)
    made = entries.object_to(judged, "Unfair.", by=authors[1], at=until - timedelta(microseconds=1))
    administration.answer(made, reply="We looked again.", by=adam)
    made.refresh_from_db()
    assert (made.reply, made.decided_by) == ("We looked again.", adam)
    for _ in range(2):
        entries.object_to(judged, "Unfair.", by=authors[1])
    with pytest.raises(EntryError, match="3 times"):
        entries.object_to(judged, "Unfair.", by=authors[1])
    assert judged.state_at(until) == "settled"


def test_results_are_published_again_without_what_was_disqualified(
    judged: Challenge, authors: list[User], adam: User
) -> None:
    publish(judged, by=adam)
    administration.disqualify(judged.entries.get(author=authors[0]), why="Paid for.", by=adam)
    publish(judged, by=adam)
    winner = judged.results.get(is_winner=True).entry
    assert winner is not None
    assert (winner.author, judged.results.count()) == (authors[1], 4)
    assert AuditEvent.objects.filter(verb="publish results again").count() == 1


def test_erasing_a_person_leaves_a_place_without_name_or_words(
    judged: Challenge, authors: list[User], adam: User
) -> None:
    first = authors[0]
    make_report(reporter=first, project=judged.project)
    Entry.objects.filter(author=first).update(shows_name=True, released_at=timezone.now())
    publish(judged, by=adam)
    entries.object_to(judged, "Planted words.", by=first)
    assert erase_entries_of(first) == 1
    shown = published(judged).winners[0]
    assert (shown.is_erased, shown.name, shown.title, shown.text, shown.words) == (
        True, "An entry that was erased", "", "", "",
    )  # fmt: skip
    assert not Entry.objects.filter(author=first).exists()
    assert not Objection.objects.exists()
    assert judged.results.count() == 5
    assert erase_entries_of(first) == 0


def test_erasing_the_first_of_duplicates_credits_the_next(
    challenge: Challenge, adam: User, authors: list[User]
) -> None:
    made = [make_entry(challenge=challenge, author=one) for one in authors[:3]]
    for entry in made[1:]:
        duplicates.name_duplicate(made[0], entry, why="The same.", by=adam)
    erase_entries_of(authors[0])
    assert list(challenge.entries.judged()) == [made[1]]
    assert Entry.objects.get(pk=made[2].pk).duplicate_of == made[1]

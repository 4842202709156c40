"""The jury of a challenge: conflicts, draws, marks, further jurors, and those who are excused."""

from collections import Counter

import pytest

from labeling.challenges import jury
from labeling.challenges.jury import Given, JuryError
from labeling.models import AuditEvent, Challenge, Conflict, DrawnJuror, Entry, Juror, Mark, Report, User
from tests.labeling.challenges.material import close, make_entry, make_report, mark_all, name_jurors
from tests.labeling.factories import make_dialogue, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def entries(challenge: Challenge) -> list[Entry]:
    return [make_entry(challenge=challenge, author=make_user()) for _ in range(4)]


def drawn_for(entry: Entry, cause: str | None = None) -> list[User]:
    rows = DrawnJuror.objects.filter(entry=entry, **({"cause": cause} if cause else {}))
    return [one.juror.user for one in rows.select_related("juror__user")]


def test_jurors_are_drawn_after_the_close_three_an_entry(
    challenge: Challenge, entries: list[Entry], adam: User
) -> None:
    name_jurors(challenge)
    with pytest.raises(JuryError, match="closed"):
        jury.draw_jurors(challenge, by=adam)
    close(challenge)
    Entry.objects.filter(pk=entries[3].pk).update(duplicate_of=entries[0])
    assert jury.draw_jurors(challenge, by=adam) == 9
    assert [len(set(drawn_for(entry))) for entry in entries] == [3, 3, 3, 0]
    assert jury.draw_jurors(challenge, by=adam) == 0
    load = Counter(DrawnJuror.objects.values_list("juror", flat=True))
    assert max(load.values()) - min(load.values()) <= 1


def test_conflicts_that_rows_show_are_detected(challenge: Challenge, adam: User, alice: User) -> None:
    people = {name: make_user(username=name) for name in ("wrote", "decided", "author", "stranger", "reported")}
    judges = {name: jury.name_juror(challenge, user, by=adam) for name, user in people.items()}
    dialogue = make_dialogue(project=challenge.project, author=people["author"])
    message = dialogue.messages.order_by("position")[1]
    entry = make_entry(challenge=challenge, author=alice)
    report = entry.reports.get()
    Report.objects.filter(pk=report.pk).update(message=message)
    make_report(reporter=people["reported"], project=challenge.project, message=message)
    AuditEvent.note("handle report", report, by=people["decided"])
    Entry.objects.filter(pk=entry.pk).update(author=people["wrote"])
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    found = {one.juror.user.username: one.came_by for one in Conflict.objects.select_related("juror__user")}
    assert found == dict.fromkeys(("wrote", "decided", "author", "reported"), "detected")
    assert drawn_for(entry) == [people["stranger"]]
    assert jury.short_of_jurors(challenge) == 1
    assert judges["stranger"].drawn.count() == 1


def test_who_turns_out_to_have_a_conflict_is_replaced_at_the_next_draw(
    challenge: Challenge, entries: list[Entry], adam: User
) -> None:
    name_jurors(challenge)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    drawn = DrawnJuror.objects.filter(entry=entries[0]).select_related("juror__user")[0]
    jury.mark(drawn, {key: Given(value=4, why="Good.") for key in challenge.weights}, by=drawn.juror.user)
    AuditEvent.note("handle report", entries[0].reports.get(), by=drawn.juror.user)
    jury.draw_jurors(challenge, by=adam)
    assert drawn.juror.user not in drawn_for(entries[0])
    assert len(drawn_for(entries[0])) == 3
    assert not Mark.objects.filter(entry=entries[0]).exists()


def test_a_declared_conflict_gives_the_entry_to_another(challenge: Challenge, entries: list[Entry], adam: User) -> None:
    name_jurors(challenge)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    drawn = DrawnJuror.objects.filter(entry=entries[0]).select_related("juror__user")[0]
    jury.declare_conflict(drawn, why="My sister wrote it.", by=drawn.juror.user)
    assert drawn.juror.user not in drawn_for(entries[0])
    assert len(drawn_for(entries[0])) == 3
    assert Conflict.objects.get().why == "My sister wrote it."
    jury.draw_jurors(challenge, by=adam)
    assert drawn.juror.user not in drawn_for(entries[0])


def test_an_excused_juror_gets_nothing_more_and_their_marks_stay(
    challenge: Challenge, entries: list[Entry], adam: User
) -> None:
    jurors = name_jurors(challenge, 5)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    one, *rest = DrawnJuror.objects.filter(juror=jurors[0]).select_related("juror__user")
    assert rest
    marks = {key: Given(value=4, why="Good.") for key in challenge.weights}
    jury.mark(one, marks, by=one.juror.user)
    jury.excuse(jurors[0], by=adam)
    assert list(DrawnJuror.objects.filter(juror=jurors[0])) == [one]
    assert [len(drawn_for(entry)) for entry in entries] == [3, 3, 3, 3]
    with pytest.raises(JuryError, match="not yours"):
        jury.mark(one, marks, by=one.juror.user)
    assert Mark.objects.filter(juror=jurors[0]).count() == 3


def test_a_further_juror_is_drawn_where_marks_spread_once_all_first_marks_are_in(
    challenge: Challenge, entries: list[Entry], adam: User
) -> None:
    Challenge.objects.update(num_prizes=4)  # everybody wins: nothing is near a line
    name_jurors(challenge, 6)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    torn, harsh = entries[0], drawn_for(entries[0])[0]

    def value_of(entry: Entry, juror: Juror, key: str) -> int:
        if entry == torn:
            return 0 if juror.user == harsh else 4
        return 1 + entries.index(entry) % 2

    waiting = list(DrawnJuror.objects.select_related("entry", "juror__user"))
    assert len(waiting) == 12
    for drawn in waiting[:-1]:
        marks = {key: Given(value=value_of(drawn.entry, drawn.juror, key), why="So.") for key in challenge.weights}
        jury.mark(drawn, marks, by=drawn.juror.user)
        assert not DrawnJuror.objects.filter(cause="further").exists()
    assert mark_all(challenge, value_of) == 2, "the last of the first ones, and the further one that it called"
    assert len(drawn_for(torn, "further")) == 1
    assert set(drawn_for(torn, "further")).isdisjoint(drawn_for(torn, "first"))
    assert DrawnJuror.objects.filter(cause="further").count() == 1


def test_marks_near_the_last_prize_call_for_as_many_jurors_again(
    challenge: Challenge, entries: list[Entry], adam: User
) -> None:
    Challenge.objects.update(num_prizes=2)
    name_jurors(challenge, 6)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    order = {entry.pk: place for place, entry in enumerate(entries)}
    values = [(4, 4, 3), (3, 2, 3), (2, 3, 2), (0, 0, 1)]
    seen: Counter[object] = Counter()

    def value_of(entry: Entry, juror: Juror, key: str) -> int:
        seen[entry.pk] += 1
        return values[order[entry.pk]][((seen[entry.pk] - 1) // 3) % 3]

    mark_all(challenge, value_of)
    assert [len(drawn_for(entry)) for entry in entries] == [3, 6, 6, 3]


def test_marks_are_of_each_criterion_by_who_was_drawn_and_while_it_is_judged(
    challenge: Challenge, entries: list[Entry], adam: User, alice: User
) -> None:
    name_jurors(challenge)
    close(challenge)
    jury.draw_jurors(challenge, by=adam)
    drawn = DrawnJuror.objects.select_related("entry", "juror__user")[0]
    marks = {key: Given(value=4, why="Good.") for key in challenge.weights}
    with pytest.raises(JuryError, match="Each criterion"):
        jury.mark(drawn, {"risk": Given(value=1, why="No.")}, by=drawn.juror.user)
    with pytest.raises(JuryError, match="not yours"):
        jury.mark(drawn, marks, by=alice)
    jury.mark(drawn, marks, by=drawn.juror.user)
    changed = marks | {"risk": Given(value=0, why="On reflection.")}
    jury.mark(drawn, changed, by=drawn.juror.user)
    assert sorted(Mark.objects.values_list("value", flat=True)) == [0, 4, 4]
    Challenge.objects.update(decided_at=challenge.closes_at, objections_until=challenge.closes_at)
    with pytest.raises(JuryError, match="not being judged"):
        jury.mark(drawn, marks, by=drawn.juror.user)

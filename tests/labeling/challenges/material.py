"""Challenges in whatever state, with entrants, jurors and marks: material for their tests."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from labeling.challenges import administration, entries, jury
from labeling.challenges.entries import Words
from labeling.models import Challenge, DrawnJuror, Entry, Juror, Mark, Objection, Project, Report, User
from tests.labeling.factories import make_user

DAY = timedelta(days=1)
RULES = "Be fair."


def make_challenge(*, project: Project, slug: str = "ours", **fields: Any) -> Challenge:
    """Open, unless the dates say otherwise."""
    now = timezone.now()
    admin = User.objects.filter(role="admin").first() or make_user(role="admin")
    values = {"title": "What does it get wrong?", "opens_at": now - DAY, "closes_at": now + DAY, "num_prizes": 1}
    return administration.set_up(project, values | {"slug": slug} | fields, rules=RULES, by=admin)


def make_report(*, reporter: User, project: Project, **fields: Any) -> Report:
    values = {"content": f"An output that {reporter} saw.", "reason": "false", "kind": "false", **fields}
    return Report.objects.create(project=project, reporter=reporter, **values)


def make_entry(*, challenge: Challenge, author: User, title: str = "It lies", **fields: Any) -> Entry:
    """Sent, with a report of its author's."""
    report = make_report(reporter=author, project=challenge.project)
    words = Words(title=title, text=fields.pop("text", f"In words of {title}."), reports=(report,))
    sent = entries.send(challenge, words, by=author, accepts=1, is_adult=True)
    Entry.objects.filter(pk=sent.pk).update(**fields)
    sent.refresh_from_db()
    return sent


def close(challenge: Challenge, at: datetime | None = None) -> Challenge:
    Challenge.objects.filter(pk=challenge.pk).update(closes_at=at or timezone.now())
    challenge.refresh_from_db()
    return challenge


def name_jurors(challenge: Challenge, num: int = 4, **fields: Any) -> list[Juror]:
    admin = User.objects.filter(role="admin").first()
    assert admin is not None
    people = [make_user(username=f"juror{number}", **fields) for number in range(num)]
    return [jury.name_juror(challenge, user, by=admin) for user in people]


def mark_all(challenge: Challenge, value_of: Callable[[Entry, Juror, str], int] | None = None) -> int:
    """Every juror marks everything that they are drawn for, until nobody is drawn any more; returns how many."""
    num = 0
    while waiting := list(
        DrawnJuror.objects.filter(entry__challenge=challenge, marked_at=None).select_related("entry", "juror__user")
    ):
        for drawn in waiting:
            marks = {
                key: jury.Given(value=value_of(drawn.entry, drawn.juror, key) if value_of else 2, why=f"Because {key}.")
                for key in challenge.weights
            }
            jury.mark(drawn, marks, by=drawn.juror.user)
            num += 1
    return num


def judged_challenge(*, project: Project, authors: Sequence[User], admin: User, **fields: Any) -> Challenge:
    """Closed, with an entry of each author and all marks: the earlier the author, the better the entry."""
    challenge = make_challenge(project=project, **fields)
    made = [make_entry(challenge=challenge, author=one, title=f"Entry of {one.username}") for one in authors]
    close(challenge)
    name_jurors(challenge)
    jury.draw_jurors(challenge, by=admin)
    order = {entry.pk: place for place, entry in enumerate(made)}
    mark_all(challenge, lambda entry, juror, key: max(0, 4 - order[entry.pk]))
    return challenge


def contest_ids(project: Project, *, by: User) -> dict[str, Any]:
    """Of a challenge that is being judged: an entry of this person's own, and one that they are drawn for."""
    challenge = make_challenge(project=project)
    other = make_user(username="ellen", projects=[project])
    judged = make_entry(challenge=challenge, author=other)
    rules = challenge.rules
    own = Entry.objects.create(
        challenge=challenge, author=by, title="Mine", text="So.", rules=rules, is_adult=True,
        state=Entry.State.SENT, sent_at=timezone.now(), duplicate_of=judged,
    )  # fmt: skip
    close(challenge)
    juror = Juror.objects.create(challenge=challenge, user=by, added_by=by)
    DrawnJuror.objects.create(entry=judged, juror=juror)
    objection = Objection.objects.create(challenge=challenge, author=other, text="Unfair.")
    return {
        "challenge_slug": challenge.slug, "challenge_id": challenge.pk, "entry_id": own.pk, "judged_id": judged.pk,
        "juror_id": juror.pk, "objection_id": objection.pk,
    }  # fmt: skip


def marks_of(entry: Entry) -> list[int]:
    return list(Mark.objects.filter(entry=entry).values_list("value", flat=True))

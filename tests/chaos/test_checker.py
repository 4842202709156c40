"""The storm's checker is no ornament: every kind of loss, planted by hand, is found, and nothing else is."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from labeling.models import AuditEvent, Comparison, Lease, Project, Ranking
from labeling.rankings import assignment
from tests.chaos.checker import check
from tests.chaos.trainers import Sent
from tests.labeling.factories import make_comparisons, make_project, make_users
from tests.labeling.rankings.at_work import claim, in_shown_order, lose

pytestmark = pytest.mark.django_db


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no foreign key and no trigger minds
        cursor.execute(statement)


@pytest.fixture
def history() -> list[Sent]:
    """Four acknowledged rankings, and one that came too late and was kept."""
    project = make_project(rankings_wanted=2)
    make_comparisons(project=project, num=2, num_completions=3)
    first, second, late = make_users(num=3, project=project)
    sent = [handed_in(project, person) for person in (first, second, first)]
    held = claim(project, by=late)
    lose(held)
    sent.append(handed_in(project, second))
    outcome = assignment.submit(held, in_shown_order(held), key=(key := uuid.uuid4()), by=late)
    assert outcome.kept
    return [*sent, Sent(key=str(key), trainer=str(late.pk), lease=str(held.pk), tiers=[], is_kept=True)]


def handed_in(project: Project, person: Any) -> Sent:
    lease, key = claim(project, by=person), uuid.uuid4()
    version = assignment.save_draft(lease, draft={"n": 1}, version=0, by=person)
    made = assignment.submit(lease, in_shown_order(lease), key=key, by=person).ranking
    assert made is not None
    tiers = [[identifier] for identifier in lease.shown_order]
    return Sent(str(key), str(person.pk), str(lease.pk), tiers, ranking=str(made.pk), draft_version=version)


def wrong(history: list[Sent]) -> set[str]:
    with connection.cursor() as cursor:
        return {kind for kind, ids in check(cursor, history).items() if ids}


def test_where_all_is_well_nothing_is_found(history: list[Sent]) -> None:
    assert Ranking.objects.count() == 4
    assert wrong(history) == set()


def delete_one(one: Sent) -> None:
    sql(f"DELETE FROM labeling_ranking WHERE id = '{one.ranking}'")


def double_one(one: Sent) -> None:
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks to come cannot be altered
    sql("ALTER TABLE labeling_ranking DROP CONSTRAINT labeling_ranking_submission_key_key")
    sql("ALTER TABLE labeling_ranking DROP CONSTRAINT labeling_ranking_lease_id_key")
    sql("DROP INDEX ranking_one_per_trainer")
    copy_with(one, "id = gen_random_uuid()")


def give_one_too_many(one: Sent) -> None:
    other = "(SELECT id FROM labeling_user WHERE id NOT IN (SELECT trainer_id FROM labeling_ranking) LIMIT 1)"
    copy_with(one, f"id = gen_random_uuid(), submission_key = gen_random_uuid(), lease_id = NULL, trainer_id = {other}")


def copy_with(one: Sent, changes: str) -> None:
    sql(f"CREATE TEMPORARY TABLE copied ON COMMIT DROP AS SELECT * FROM labeling_ranking WHERE id = '{one.ranking}'")
    sql(f"UPDATE copied SET {changes}")
    sql("INSERT INTO labeling_ranking SELECT * FROM copied")


def turn_one_round(one: Sent) -> None:
    ranking = Ranking.objects.get(id=one.ranking)
    Ranking.objects.filter(id=one.ranking).update(tiers=ranking.tiers[::-1])


def forget_a_place(one: Sent) -> None:
    of_it = Lease.objects.filter(id=one.lease).values("comparison")
    Comparison.objects.filter(id__in=of_it).update(open_slots=1)


def forget_a_draft(one: Sent) -> None:
    Lease.objects.filter(id=one.lease).update(draft_version=0)


def forget_what_was_kept(one: Sent) -> None:
    Lease.objects.filter(state=Lease.State.LATE).update(draft={})


def note_it_again(one: Sent) -> None:
    AuditEvent.note("submit ranking", Ranking.objects.get(id=one.ranking), by=None)


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (delete_one, {"lost", "law broken"}),
        (double_one, {"doubled", "over-assigned", "law broken", "not in the audit once"}),
        (give_one_too_many, {"never sent", "over-assigned", "law broken", "not in the audit once"}),
        (turn_one_round, {"changed"}),
        (forget_a_place, {"law broken"}),
        (forget_a_draft, {"draft lost"}),
        (forget_what_was_kept, {"kept, but lost"}),
        (note_it_again, {"not in the audit once"}),
    ],
)
def test_what_is_planted_is_found(history: list[Sent], plant: Callable[[Sent], None], found: set[str]) -> None:
    plant(history[0])
    assert wrong(history) == found


def test_what_nobody_sent_is_found(history: list[Sent]) -> None:
    assert wrong(history[1:]) == {"never sent"}

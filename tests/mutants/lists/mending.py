"""Changes and withdrawals of submitted rankings."""

from tests.mutants.mutant import Mutant

ALONE, AT_ONCE = (f"tests/labeling/rankings/test_mending{name}.py" for name in ("", "_races"))


def _mending(fault: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant("labeling/rankings/mending.py", fault, ((before, after),), tests or (ALONE,))


MUTANTS = [
    _mending("a ranking can be changed for ever", "        _require_time(lease, comparison)\n", ""),
    _mending("a change keeps the old version as well", "        _retract(old, lease=None)\n", ""),
    _mending(
        "the old version of a change still counts",
        "ranking.retracted_at, ranking.lease = Now(), lease",
        "ranking.lease = lease",
    ),
    _mending(
        "a change counts its ranking twice",
        "        new = insert_ranking(",
        "        move_counts(comparison, rankings=+1)\n        new = insert_ranking(",
    ),
    _mending(
        "anybody changes a ranking",
        "    _require_author(lease.trainer_id, by)\n",
        "",
    ),
    _mending("anybody withdraws a ranking", "    if trainer_id != by.id:\n", "    if trainer_id is None:\n"),
    _mending("a change needs no order", "    require_sense(submission, lease.shown_order)\n", ""),
    _mending(
        "a change of an older version takes the place of a newer one",
        "    if key != change_key(ranking.id):\n",
        "    if False:\n",
    ),
    _mending(
        "another change under one key is taken for the same",
        "    if judgement_of(ranking) != judgement(submission):\n        raise",
        "    if False:\n        raise",
    ),
    _mending(
        "a change leaves no audit row",
        ", old=str(old.id), new=str(new.id))\n",
        ")\n        AuditEvent.objects.all().delete()\n",
    ),
    _mending(
        "a withdrawal leaves no audit row",
        ", reason=reason.strip()[:LONGEST_REASON])\n",
        ")\n        AuditEvent.objects.all().delete()\n",
    ),
    _mending("putting back leaves no audit row", '        AuditEvent.note("put back ranking", ranking, by=by)\n', ""),
    _mending(
        "the place of a withdrawn ranking is lost",
        "move_counts(comparison, open_slots=+1, rankings=-1)",
        "move_counts(comparison, rankings=-1)",
    ),
    _mending(
        "the place of a withdrawn ranking is counted twice",
        "move_counts(comparison, open_slots=+1, rankings=-1)",
        "move_counts(comparison, open_slots=+1)",
    ),
    _mending(
        "a ranking is withdrawn twice",
        "ranking.retracted_at is not None:\n            raise MendedMeanwhile(",
        "False:\n            raise MendedMeanwhile(",
    ),
    _mending(
        "a ranking that another withdraws is withdrawn again",
        'refresh_from_db(fields=("retracted_at", "lease"))\n        if ranking.retracted_at is',
        'refresh_from_db(fields=("lease",))\n        if ranking.retracted_at is',
        AT_ONCE,
    ),
    _mending(
        "a withdrawn ranking's author is given it again",
        "_set_state(ranking, Lease.State.WITHDRAWN)",
        "_set_state(ranking, Lease.State.EXPIRED)",
    ),
    _mending(
        "a ranking is put back into a place that is taken",
        "comparison.use == Comparison.Use.WORK and comparison.open_slots == 0",
        "False",
    ),
    _mending(
        "a ranking that is put back takes no place",
        "move_counts(comparison, open_slots=-1, rankings=+1)",
        "move_counts(comparison, rankings=+1)",
    ),
    _mending(
        "an old version is put back beside the new one",
        "        if not is_withdrawn(ranking):\n",
        "        if ranking.retracted_at is None:\n",
    ),
    _mending(
        "a ranking of a withdrawn comparison is changed",
        "Comparison) -> None:\n    if comparison.state == Comparison.State.WITHDRAWN:\n",
        "Comparison) -> None:\n    if False:\n",
    ),
    _mending(
        "the time of the first judgement is lost",
        "(submission.seconds or 0.0) + (old.seconds or 0.0)",
        "submission.seconds or 0.0",
    ),
    _mending(
        "the time to change begins again with each change",
        "    return new\n",
        "    Lease.objects.filter(id=lease.id).update(closed_at=Now())\n    return new\n",
    ),
    Mutant(
        "labeling/rankings/assignment.py",
        "a withdrawn lease can be submitted again",
        (("        if lease.state == Lease.State.WITHDRAWN:\n", "        if False:\n"),),
        (ALONE,),
    ),
]

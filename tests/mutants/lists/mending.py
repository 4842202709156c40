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
    _mending(
        "a change needs less than a submission",
        "        require_asked(submission",
        "        0 and require_asked(submission",
    ),
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
        "comparison.has_places and comparison.open_slots == 0",
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

OWN_WORK = "tests/labeling/quality/views/test_own_work.py"
CHANGES = "tests/labeling/rankings/views/test_changes.py"
REVIEW = "tests/labeling/dialogues/test_review.py"
ACCESS = "tests/labeling/web/test_access.py"
BY_API = "tests/labeling/api/test_mending.py"


def _page(module: str, fault: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant(f"labeling/{module}.py", fault, ((before, after),), tests)


MUTANTS += [
    _page(
        "web/access",
        "another person's ranking is opened and mended",
        "Ranking.objects.filter(trainer=person(request), comparison__project=",
        "Ranking.objects.filter(comparison__project=",
        f"{ACCESS}::test_a_ranking_is_mended_by_its_trainer_alone",
    ),
    _page(
        "web/access",
        "another person's withdrawn dialogue is put back",
        'withdrawn.select_related("project"), id=dialogue_id, author=person(request))',
        'withdrawn.select_related("project"), id=dialogue_id)',
        f"{ACCESS}::test_a_withdrawn_dialogue_is_found_by_its_author_alone",
    ),
    _page(
        "rankings/views/ranking",
        "a submitted board is live",
        'if request.method == "GET" and held.state in SUBMITTED:',
        "if False:",
        CHANGES,
    ),
    _page(
        "rankings/views/ranking",
        "a board of another tab is not told of the submission",
        "    if held.state not in SUBMITTED or is_of_change:\n",
        "    if True:\n",
        CHANGES,
    ),
    _page(
        "rankings/views/changes",
        "the draft of another version fills the board of a change",
        'kept = None if request.GET.get("anew") else unsent_change(held, ranking)',
        'kept = None if request.GET.get("anew") else held.draft or None',
        CHANGES,
    ),
    _page(
        "rankings/views/submitted",
        "the draft of an older version is shown as one of the newest",
        'isinstance(draft, dict) and draft.get("changes") == str(ranking.id)',
        'isinstance(draft, dict) and draft.get("changes")',
        CHANGES,
    ),
    _page(
        "rankings/views/changes",
        "the board of a change loses the unacceptable line",
        "None if ranking.unacceptable_from is None else ranking.unacceptable_from + 1",
        "None",
        CHANGES,
    ),
    _page(
        "rankings/views/changes",
        "a change that was overtaken is no conflict",
        "409 if isinstance(error, MendedMeanwhile) else 422",
        "422",
        CHANGES,
    ),
    _page(
        "api/errors",
        "the API calls a change that was overtaken senseless",
        "    api.exception_handler(MendedMeanwhile)(_overtaken)\n",
        "",
        BY_API,
    ),
    _page(
        "exports/holding",
        "a gold item stands out since no export holds it",
        "is_told_by_filters = row.comparison.use == Comparison.Use.GOLD",
        "is_told_by_filters = False",
        OWN_WORK,
    ),
    _page(
        "exports/holding",
        "the filters of an export are not asked",
        "    return matches.exists()\n",
        "    return True\n",
        OWN_WORK,
    ),
    _page(
        "quality/own_work",
        "the work of others is listed",
        "Ranking.objects.filter(trainer=user)",
        "Ranking.objects.all()",
        "tests/labeling/quality/views/test_history.py",
    ),
    _page(
        "dialogues/review",
        "an author puts back what an admin withdrew",
        'return event.by_id == by.id and "state" in event.detail',
        'return "state" in event.detail',
        OWN_WORK,
    ),
    _page(
        "dialogues/review",
        "a copy that was withdrawn before comes back with a dialogue",
        ".exclude(state=Comparison.State.WITHDRAWN)\n    ids",
        "\n    ids",
        REVIEW,
    ),
    _page(
        "rankings/mending",
        "the drafts of a private chat are offered to be ranked",
        "comparison.state = Comparison.State.WITHDRAWN  # drafts of a",
        "pass  # drafts of a",
        OWN_WORK,
    ),
]

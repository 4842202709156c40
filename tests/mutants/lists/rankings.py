"""The queue, what trainers hand in, practice, references and corrections."""

from tests.mutants.mutant import Mutant

TESTS = "tests/labeling/rankings/"
RATING_ROWS = (
    "(r.completion_id, r.overall, sorted(r.flags.items()), r.note)",
    "(str(r.completion_id), r.overall, sorted(r.flags.items()), r.note)",
)


def _planted(module: str, fault: str, before: str, after: str, *tests: str) -> Mutant:
    files = tuple(
        TESTS + test.replace("views/", "views/test_") if "views" in test else f"{TESTS}test_{test}" for test in tests
    )
    return Mutant(f"labeling/rankings/{module}.py", fault, ((before, after),), files)


def _assignment(fault: str, before: str, after: str, *tests: str) -> Mutant:
    return _planted("assignment", fault, before, after, *(tests or ("assignment.py", "submission.py")))


def _sql(fault: str, before: str, after: str, *tests: str) -> Mutant:
    return _planted("assignment_sql", fault, before, after, *(tests or ("assignment.py", "locks.py")))


MUTANTS = [
    _planted(
        "views/ranking", "a skip needs no reason", "if reason not in skip_reasons():", "if False:", "views/ranking.py"
    ),
    _assignment(
        "the comparison is not locked",
        'Comparison.objects.select_for_update(of=("self",), no_key=True).annotate(',
        "Comparison.objects.annotate(",
        "locks.py",
    ),
    _assignment(
        "the membership is not locked",
        'memberships = Membership.objects.select_for_update(of=("self",)).annotate(',
        "memberships = Membership.objects.annotate(",
        "locks.py",
    ),
    _assignment(
        "an expired lease that is skipped gives its place back twice",
        "        if lease.state == Lease.State.OPEN:\n            move_counts(comparison, open_slots=+1)\n        _cl",
        "        move_counts(comparison, open_slots=+1)\n        _cl",
    ),
    _assignment(
        "a submitted comparison can be skipped",
        "        if lease.state not in (Lease.State.OPEN, Lease.State.EXPIRED):\n            return\n",
        "",
    ),
    _assignment(
        "the open place of a withdrawn comparison is not given back",
        "    if lease.state == Lease.State.OPEN:\n        move_counts(comparison, open_slots=+1)\n    _close(",
        "    _close(",
    ),
    _assignment(
        "skipping leaves no audit row",
        '        AuditEvent.note("skip comparison", lease, by=by, reason=lease.skip_reason)\n',
        "",
    ),
    _assignment("a kept ranking leaves no audit row", '    AuditEvent.note("keep late ranking", lease, by=by)\n', ""),
    _assignment(
        "another judgement under the same key is accepted",
        "    if judgement_of(ranking) != judgement(submission):\n",
        "    if False:\n",
    ),
    _assignment(
        "another key under the same lease is accepted",
        "    if ranking.submission_key != key:\n",
        "    if False:\n",
    ),
    _assignment(
        "anybody gives a sign of life",
        "    _require_owner(lease, by)\n    Lease.objects.filter(id=lease.id).update(\n",
        "    Lease.objects.filter(id=lease.id).update(\n",
    ),
    _assignment(
        "a younger tab takes time at work away",
        'seconds=Greatest(F("seconds"), Value(float(seconds)))',
        "seconds=Value(float(seconds))",
    ),
    _assignment(
        "time at work that was counted before is lost on submission",
        'seconds = Greatest(F("seconds"), Value(submission.seconds or 0.0))',
        "seconds = Value(submission.seconds or 0.0)",
    ),
    _assignment(
        "time at work that was counted before is lost on a late submission",
        "seconds=max(lease.seconds, submission.seconds or 0.0)",
        "seconds=submission.seconds or 0.0",
    ),
    _assignment(
        "a sign of life moves the end of a closed lease",
        "When(state=Lease.State.OPEN, then=",
        "When(id__isnull=False, then=",
    ),
    _assignment("an older tab overwrites a newer draft", ", draft_version=version).update(", ").update("),
    _assignment(
        "keeping a draft does not renew the lease",
        "        draft_saved_at=Now(),\n        expires_at=_extended(lease.comparison.project),\n",
        "        draft_saved_at=Now(),\n",
    ),
    _assignment("a closed lease is handed in again", "filter(id=lease.id, closed_at=None)", "filter(id=lease.id)"),
    _assignment(
        "a ranking of a withdrawn comparison counts",
        "if comparison.state == Comparison.State.WITHDRAWN or not _handed_in",
        "if not _handed_in",
    ),
    _assignment("a late ranking takes no place", "        place = -1\n", "        place = 0\n"),
    _assignment("the first guidelines are noted", 'order_by("-version")', 'order_by("version")'),
    _assignment(
        "the line is not stored", "        unacceptable_from=submission.unacceptable_from,\n", "", "submission.py"
    ),
    _assignment(
        "the note of a rating is lost",
        "Rating(ranking=ranking, **asdict(rating)) for",
        'Rating(ranking=ranking, **asdict(rating) | {"note": ""}) for',
        "submission.py",
    ),
    _assignment(
        "a comparison is done one ranking too late",
        "comparison.num_rankings >= comparison.rankings_wanted",
        "comparison.num_rankings > comparison.rankings_wanted",
    ),
    _assignment(
        "a ranked comparison moves back in the queue",
        "comparison.queue_key -= NEARER",
        "comparison.queue_key += NEARER",
        "queue_order.py",
    ),
    _assignment(
        "a withdrawn comparison stays in hand",
        "        comparison__state=Comparison.State.OPEN,  # a withdrawn comparison is not offered again\n",
        "",
        "submission.py",
    ),
    _assignment("strangers are given a membership", "    if by.is_admin:\n", "    if True:\n"),
    _sql(
        "a lease that was renewed meanwhile is closed",
        "WHERE lease.id = due.id AND lease.state = 'open' AND lease.expires_at < statement_timestamp()",
        "WHERE lease.id = due.id",
        "locks.py",
    ),
    _sql(
        "a lease that was submitted meanwhile is in hand",
        "return lease if lease is not None and lease.state == Lease.State.OPEN else None",
        "return lease",
        "locks.py",
    ),
    _sql("a claim waits for the others", "FOR UPDATE OF c SKIP LOCKED", "FOR UPDATE OF c", "locks.py"),
    _sql("a claim locks nothing", "        FOR UPDATE OF c SKIP LOCKED\n    ), leased", "    ), leased", "locks.py"),
    _sql("completions are shown by their index", "ORDER BY random()", "ORDER BY o.index, o.id"),
    _sql(
        "a gold item is given to its maker",
        "          AND reference.made_by_id IS DISTINCT FROM %(trainer)s\n",
        "",
        "references.py",
    ),
    _sql(
        "everybody gets the gold items in one order",
        "md5(c.id::text || %(trainer)s::text)",
        "md5(c.id::text)",
        "gold_items.py",
    ),
    _sql(
        "an expired lease bars a comparison that has relatives",
        "f.family_id = c.family_id AND f.id <> c.id AND l.trainer_id",
        "f.family_id = c.family_id AND l.trainer_id",
        "corrections.py",
    ),
    _sql(
        "who practised on a copy ranks the original",
        "WHERE f.family_id = c.family_id AND p.trainer_id = %(trainer)s LIMIT 1)",
        "WHERE false LIMIT 1)",
        "references.py",
    ),
    _sql("the newest lease is in hand", "ORDER BY l.opened_at LIMIT 1)", "ORDER BY l.opened_at DESC LIMIT 1)"),
    _sql(
        "a lease of another project is in hand",
        "AND c.project_id = %(project)s AND c.state = 'open'\n        ORDER",
        "AND c.state = 'open'\n        ORDER",
    ),
    _sql(
        "other projects' leases are closed too",
        "          AND (%(project)s::uuid IS NULL OR comparison.project_id = %(project)s::uuid)\n",
        "",
    ),
    _sql("two leases give one place back", "SELECT comparison_id, count(*) AS num", "SELECT comparison_id, 1 AS num"),
    _sql(
        "a gold item gets places when leases expire",
        "CASE WHEN comparison.use IN ('work', 'evaluation') THEN places.num ELSE 0 END",
        "places.num",
        "gold_races.py",
    ),
    _sql(
        "one that was skipped bars the rest of the queue",
        "coalesce((SELECT l.state = 'expired' FROM",
        "coalesce((SELECT l.state <> 'submitted' FROM",
    ),
    _sql(
        "a lease that comes back has run out already",
        "expires_at = excluded.expires_at, closed_at",
        "closed_at",
    ),
    _sql(
        "who reviewed a text ranks it",
        "SELECT bool_and(d.reviewed_by_id IS DISTINCT FROM %(trainer)s) FROM",
        "SELECT true FROM",
        "corrections.py",
    ),
    _planted(
        "queue_order",
        "a place that came free behind the cursor is never found",
        "    lease = lease or take(project, membership, first=_BEGINNING)\n",
        "    lease = lease or (None if membership.queue_cursor else take(project, membership, first=_BEGINNING))\n",
        "queue_order.py",
    ),
    _planted(
        "gold_schedule",
        "gold comes at the same place of every block",
        ":{membership.user_id}:{block}",
        ":{membership.user_id}",
        "gold_items.py",
    ),
    _planted(
        "gold_schedule",
        "gold comes at the same places in every project",
        'f"{project.id}:{membership',
        'f"{membership',
        "gold_items.py",
    ),
    _planted(
        "submission",
        "a line below all is refused",
        "not 0 <= line <= len(submission.tiers)",
        "not 0 <= line < len(submission.tiers)",
        "submission.py",
    ),
    _planted(
        "submission", "a completion is rated twice", "len(set(rated)) < len(rated) or not", "not", "submission.py"
    ),
    _planted(
        "submission",
        "an overall of 0 is accepted",
        "not 1 <= rating.overall",
        "not 0 <= rating.overall",
        "submission.py",
    ),
    _planted(
        "submission",
        "the line is no part of the order",
        ", ranked.unacceptable_from\n",
        ", None\n",
        "submission.py",
        "practice.py",
    ),
    Mutant(
        "labeling/rankings/submission.py",
        "the reason to abstain is no part of the judgement",
        (("submission.abstained, submission", "submission"), ("ranking.abstained, ranking", "ranking")),
        (f"{TESTS}test_submission.py",),
    ),
    Mutant(
        "labeling/rankings/submission.py",
        "strengths are no part of the judgement",
        (("list(submission.strengths), ", ""), ("ranking.strengths, ", "")),
        (f"{TESTS}test_submission.py",),
    ),
    _planted(
        "submission",
        "ratings that a project asks for are not needed",
        "if project.asks_ratings and (missing",
        "if False and (missing",
        "submission.py",
    ),
    _planted(
        "submission",
        "strengths that a project asks for are not needed",
        "if project.asks_strengths and not",
        "if False and not",
        "submission.py",
    ),
    _planted(
        "assignment",
        "what a project asks for is asked before a repeated submission is known",
        "    require_sense(submission, lease.shown_order)\n",
        "    require_sense(submission, lease.shown_order)\n"
        "    require_asked(submission, lease.shown_order, lease.comparison.project)\n",
        "submission.py",
    ),
    Mutant(
        "labeling/rankings/submission.py",
        "the note is no part of the judgement",
        ((", submission.note, ratings", ", ratings"), (", ranking.note, ratings", ", ratings")),
        (f"{TESTS}test_submission.py",),
    ),
    *(
        Mutant(
            "labeling/rankings/submission.py",
            f"the {part} of a rating is no part of the judgement",
            tuple((row, row.replace(left_out, "")) for row in RATING_ROWS),
            (f"{TESTS}test_submission.py",),
        )
        for part, left_out in (("overall", "r.overall, "), ("flags", "sorted(r.flags.items()), "), ("note", ", r.note"))
    ),
    _planted(
        "board_input",
        "true is read as 1",
        "    if type(value) is int:\n",
        "    if isinstance(value, int):\n",
        "views/ranking.py",
    ),
]

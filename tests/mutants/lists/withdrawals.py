"""An admin's withdrawals: whose rows, which locks, who may, and what is told of it."""

from tests.mutants.mutant import Mutant, platform_planter, unnoted

ALONE, AT_ONCE = "withdrawals/test_batches.py", "withdrawals/test_races.py"
_batches = platform_planter("withdrawals/batches.py", ALONE)
_at_once = platform_planter("withdrawals/batches.py", AT_ONCE)
_selection = platform_planter("withdrawals/selection.py", ALONE)
_mending = platform_planter("rankings/mending.py", ALONE)
_review = platform_planter("dialogues/review.py", ALONE)
PAGES = "withdrawals/views/test_pages.py"
_access = platform_planter("web/access.py", PAGES)
_forward = platform_planter("withdrawals/forward.py", PAGES)
_renewal = platform_planter("withdrawals/renewal.py", PAGES)
_verdicts = platform_planter("rounds/withdrawn_judgements.py", PAGES)
_retractions = platform_planter("exports/retractions.py", PAGES)

MUTANTS: list[Mutant] = [
    _batches("anybody withdraws another's work", "    if not by.is_admin:\n", "    if False:\n"),
    _batches("the same form twice is two withdrawals", "id=key or uuid.uuid4()", "id=uuid.uuid4()"),
    _batches(
        "another way of undoing it is taken for a second one",
        "        if locked.state == State.DONE:\n",
        "        if locked.state in (State.DONE, State.UNDONE):\n",
    ),
    _batches(
        "what could not be put back is said to be back",
        '.filter(id__in=[row.id for row in rows.values()], stays_out="")',
        ".filter(id__in=[row.id for row in rows.values()])",
    ),
    unnoted(_batches, "a withdrawal leaves no event", "withdraw for a person"),
    unnoted(_batches, "undoing a withdrawal leaves no event", "undo withdrawal"),
    unnoted(_batches, "a ranking that an admin withdraws leaves no event", "withdraw ranking"),
    _at_once(
        "what is being submitted is not waited for",
        "            _wait_for_submissions(withdrawal_id)\n",
        "",
    ),
    _batches(
        "a withdrawal that is under way can be undone",
        "        if locked.state == State.RUNNING:\n            raise",
        "        if False:\n            raise",
    ),
    _at_once(
        "comparisons are not locked",
        'return rows.select_for_update(of=("self",), no_key=True)',
        "return rows",
    ),
    _selection("another project's rankings go too", "comparison__project=wanted.project, ", ""),
    _selection("another person's dialogues go too", ", author=wanted.person)", ")"),
    _selection(
        "a date is not heeded", '        rows = rows.filter(**{f"{column}__gte": wanted.since})\n', "        pass\n"
    ),
    _selection(
        "a changed ranking escapes",
        'Coalesce("lease__closed_at", "ranked_at")',
        'Coalesce("ranked_at", "lease__closed_at")',
    ),
    _mending(
        "an author puts back a ranking that an admin took out",
        "        if is_taken_out(ranking, Withdrawal.objects.in_force_for(by)):\n",
        "        if False:\n",
    ),
    _mending(
        "somebody is asked in an imported ranking's place",
        "    return ranking.lease_id is None and not ranking.is_choice\n",
        "    return False\n",
    ),
    _mending(
        "a ranking whose place is gone breaks the count of places",
        "(comparison.has_places and not comparison.open_slots)",
        "False",
    ),
    _access(
        "another trainer reads what became of a ranking",
        "mine = Q() if reader.role in TRACERS else Q(trainer=reader)",
        "mine = Q()",
    ),
    _access(
        "another trainer reads what became of a dialogue",
        "if reader.role in TRACERS else Q(author=reader)\n",
        "\n",
    ),
    _forward(
        "a gold item stands out to the reviewer who ranked it",
        "is_exported = by_its_author or isinstance",
        "is_exported = isinstance",
    ),
    _forward(
        "a gold item is said to be in an export",
        "is_exported = by_its_author or isinstance(row, Dialogue) or row.comparison.use == Comparison.Use.WORK",
        "is_exported = True",
    ),
    _renewal(
        "an export is rebuilt twice",
        "return rebuild_of(locked) or request_export(",
        "return request_export(",
    ),
    _renewal("a job is retrained twice", "        if known := retraining_of(locked):\n", "        if known := None:\n"),
    _verdicts(
        "the share of withdrawn judgements is of those that are left",
        "num_judgements=num + len(left)",
        "num_judgements=len(left)",
    ),
    _retractions(
        "what its author changed is said to be withdrawn",
        "lease=None, is_choice=False, by_admin=False)",
        "lease=None, is_choice=True, by_admin=False)",
    ),
    _review(
        "an author puts back a dialogue that an admin took out",
        "        if _is_taken_out(dialogue, Withdrawal.objects.in_force_for(by)):\n",
        "        if False:\n",
    ),
]

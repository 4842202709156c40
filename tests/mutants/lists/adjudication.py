"""Adjudications: who is given one, blind; what counts, and what is returned; what exports take."""

from tests.mutants.mutant import Mutant, platform_planter

QUEUE = "labeling/rankings/adjudication.py"
ALONE, AT_ONCE = (f"tests/labeling/rankings/test_adjudication{name}.py" for name in ("", "_races"))
_exports = platform_planter("exports/selection.py", "exports/test_adjudicated.py")
_statistics = platform_planter("exports/statistics.py", "exports/test_adjudicated.py")
_filter = platform_planter("exports/agreement_filter.py", "exports/test_adjudicated.py")
_distances = platform_planter("models/distances.py", "rankings/test_disagreement.py")
_rule = platform_planter("rankings/disagreement.py", "rankings/test_disagreement.py")
_page = platform_planter("quality/views/disagreements.py", "quality/views/test_disagreements.py")
_boards = platform_planter("quality/views/quality.py", "quality/views/test_disagreements.py")
_mending = platform_planter("rankings/mending.py", "rankings/test_adjudication.py")
_claims = platform_planter("rankings/assignment_sql.py", "rankings/test_adjudication.py")


def _queue(fault: str, before: str, after: str, *tests: str) -> Mutant:
    return Mutant(QUEUE, fault, ((before, after),), tests or (ALONE,))


MUTANTS = [
    _queue(
        "who ranked a comparison adjudicates it",
        "        Exists(Ranking.objects.filter(**same, trainer=by))\n        | Exists(Lease",
        "        Exists(Lease",
    ),
    _queue(
        "who has seen the orders adjudicates blind",
        "        | Exists(SeenOrders.objects.filter(**same, person=by))\n",
        "",
    ),
    _queue("one's own text is adjudicated", "    if project.forbids_own_text:\n", "    if False:\n"),
    _queue("what was given back comes back", "exclude(passed__contains=[str(by.pk)]).", ""),
    _queue(
        "two reviewers are given the same",
        '.select_for_update(of=("self",), skip_locked=True)',
        "",
        AT_ONCE,
    ),
    _queue(
        "two tabs of one reviewer are given two",
        "        User.objects.select_for_update(no_key=True).get(pk=by.pk)\n",
        "",
        AT_ONCE,
    ),
    _queue(
        "an adjudication is changed without its lock",
        'Adjudication.objects.select_for_update(of=("self",)).select_related',
        "Adjudication.objects.select_related",
        AT_ONCE,
    ),
    _queue(
        "an order counts for who lost the adjudication",
        "        if locked.state != State.WAITING or locked.reviewer_id != by.pk:\n            raise",
        "        if locked.state != State.WAITING:\n            raise",
    ),
    _queue("an order of who saw the others counts", "        _require_apart(locked, by)\n", ""),
    _queue("who ordered has not seen the others", "        note_seen(by, locked.comparison)\n", ""),
    _queue(
        "anybody decides",
        "    if locked.state != State.ORDERED or locked.reviewer_id != by.pk:\n",
        "    if locked.state != State.ORDERED:\n",
    ),
    _queue(
        "rankings of other comparisons are returned",
        "        if known.count() != len(leases):\n",
        "        if False:\n",
    ),
    _queue(
        "anybody withdraws an adjudication",
        "    return by.is_admin and adjudication.state in",
        "    return True or adjudication.state in",
    ),
    _queue(
        "withdrawing leaves no audit row",
        "        AuditEvent.note(verb, locked, by=by)\n",
        "",
    ),
    _mending(
        "a withdrawn adjudication still opens a ranking",
        "lease=lease, answered_at=None, adjudication__state=Adjudication.State.DONE)",
        "lease=lease, answered_at=None)",
    ),
    _mending(
        "a returned ranking is changed for ever",
        "        _unanswered(lease).update(answered_at=Now())\n",
        "",
    ),
    _claims(
        "who has seen the orders ranks the comparison",
        "WHERE s.comparison_id = c.id AND s.person_id",
        "WHERE false AND s.person_id",
    ),
    _claims(
        "who adjudicates a comparison ranks it too",
        "WHERE a.comparison_id = c.id AND a.reviewer_id",
        "WHERE false AND a.reviewer_id",
    ),
    _distances("a tie of one counts whole", "t * (b + w) / 2.0", "t * (b + w)"),
    _distances("retracted rankings are measured", "ranking.retracted_at IS NULL AND", "true AND"),
    _rule("the rule sends what reaches the agreement", "< below and", "<= below + 1 and"),
    _rule("the rule sends before all have ranked", " or comparison.state != Comparison.State.DONE", ""),
    _rule("one comparison is sent twice by the rule", " and not _is_known(comparison)", ""),
    _page(
        "a reviewer reads the orders before adjudicating",
        'request.GET.get("show") != "yes" and queue.is_blind',
        "False and queue.is_blind",
    ),
    _page(
        "who reads the orders is not noted",
        "    if not is_blind:\n",
        "    if False:\n",
    ),
    _boards(
        "a reviewer reads behind a figure what they are to adjudicate",
        "replace(one, orders=[]",
        "replace(one, orders=one.orders",
    ),
    _boards(
        "who reads the boards behind a figure is not noted",
        "    queue.note_seen(user, *(one.comparison",
        "    print(user, *(one.comparison",
    ),
    _exports(
        "an adjudication that the filters leave out replaces rankings",
        "settled = adjudication_rows(project, filters).filter(",
        "settled = Adjudication.objects.of(project).in_force().filter(",
    ),
    _exports("consensus has adjudications", "        rows = rows.none()\n", "        pass\n"),
    _statistics(
        "an adjudication is one more trainer who agrees",
        "facts.is_choice or facts.is_adjudicated:",
        "facts.is_choice:",
    ),
    _filter(
        "what was settled must have been agreed on",
        "(keeps_adjudicated and one in settled)",
        "False",
    ),
]

"""The content filter on the platform: what was blocked or withheld, who may change what, and versions of rules."""

from tests.mutants.mutant import platform_planter

_screenings = platform_planter("sampling/screenings.py", "sampling/test_screenings.py")
_runs = platform_planter("sampling/runs.py", "sampling/test_screenings.py")
_readiness = platform_planter("sampling/readiness.py", "sampling/test_screenings.py")
_chat = platform_planter("dialogues/chat.py", "sampling/test_screenings.py")
_screens = platform_planter("jobs/screens.py", "sampling/test_screenings.py")
_fragments = platform_planter("dialogues/views/fragments.py", "safety/test_notices.py")
_rules = platform_planter("safety/rules.py", "safety/test_rules.py")
_filters = platform_planter("safety/filters.py", "safety/test_filters.py", "safety/test_rules.py")
_shadow = platform_planter("safety/shadow.py", "safety/test_filters.py")
_rules_races = platform_planter("safety/rules.py", "safety/test_races.py")
_filters_races = platform_planter("safety/filters.py", "safety/test_races.py")
_shadow_races = platform_planter("safety/shadow.py", "safety/test_races.py")
_pages = platform_planter("safety/views/screenings.py", "safety/test_filters.py")

MUTANTS = [
    _runs(
        "a completion that was blocked is ranked",
        "comparison_id=None if completion.finish_reason == screenings.FILTERED else run.comparison_id",
        "comparison_id=run.comparison_id",
    ),
    _runs("a blocked run is sent again", "_end(run, State.BLOCKED)", "_end(run, State.WAITING)"),
    _runs(
        "a run names the rules of the moment it came back", "run.rules_version = versions[run.project_id]", "pass"
    ),
    _readiness("a pair of policies is judged with one side", "(is_evaluation or are_alike)", "are_alike"),
    _screenings(
        "a changed message is still blocked", "and _last_said(row.run) == message.content]", "]"
    ),
    _chat(
        "a blocked draft can be chosen",
        "    if screenings.is_blocked_answer(completion):\n",
        "    if False:\n",
    ),
    _chat("what was blocked is asked again", "    require_unblocked(messages)\n", ""),
    _screens("a visitor is answered unseen", "needs_filter=is_visitors", "needs_filter=False"),
    _screens("texts are screened though the project does not want it", "if not row.is_on:", "if False:"),
    _fragments("a blocked draft is offered", "offered.get(index)", "completions.get(index)"),
    _rules("another's version is overwritten", "seen != (before.version if before else 0)", "False"),
    _rules(
        "a rule blocks whatever the filter's precision",
        'rule.mode == "on"\n        and rule.block_at',
        'rule.mode == "never"\n        and rule.block_at',
    ),
    _rules_races(
        "two admins save the same version", 'Project.objects.select_for_update(of=("self",)).get', "Project.objects.get"
    ),
    _filters("a filter blocks below what was measured", "if block_at < own:", "if block_at < 0:"),
    _filters("a filter comes into force without its week", "if not is_tried and not by.is_admin:", "if False:"),
    _filters(
        "a filter that carries no blocks comes into force", "return _unproven_blocks(found)", 'return ""'
    ),
    _filters_races("two filters are promoted past each other", "Filter.objects.select_for_update()", "Filter.objects"),
    _shadow(
        "a filter in shadow acts",
        "row.acted, row.in_shadow, row.attempt = False, True,",
        "row.in_shadow, row.attempt = True,",
    ),
    _shadow(
        "what was cut is compared by what was shown",
        "        .exclude(side=Screening.Side.ANSWERED, verdict=Verdict.BLOCK)\n",
        "",
    ),
    _shadow_races(
        "a batch is stored twice",
        "Filter.objects.select_for_update().filter(name__in",
        "Filter.objects.filter(name__in",
    ),
    _pages(
        "screenings of other projects are opened",
        "Screening.objects.filter(project=project).select_related(\"filter\", \"message\"",
        "Screening.objects.select_related(\"filter\", \"message\"",
    ),
]  # fmt: skip

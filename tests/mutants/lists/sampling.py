"""Comparisons and their completions: the choice of messages, seeds, mixtures, runs and their fences; the pool of
prompts.
"""

from tests.mutants.mutant import platform_planter, unnoted

_comparisons = platform_planter("sampling/comparisons.py", "sampling/test_comparisons.py")
_parts = platform_planter("sampling/comparisons.py", "sampling/test_mixtures.py")
_comparisons_races = platform_planter("sampling/comparisons.py", "sampling/test_races.py")
_failures_races = platform_planter("sampling/failures.py", "sampling/test_races.py")
_recovery = platform_planter("sampling/recovery.py", "sampling/test_recovery.py")
_runs = platform_planter("sampling/runs.py", "sampling/test_runs.py")
_runs_races = platform_planter("sampling/runs.py", "sampling/test_races.py")
_readiness = platform_planter("sampling/readiness.py", "sampling/test_runs.py")
_readiness_races = platform_planter("sampling/readiness.py", "sampling/test_races.py")
_progress = platform_planter("sampling/progress.py", "sampling/test_progress.py")
_near_duplicates_races = platform_planter("prompts/near_duplicates.py", "prompts/test_races.py")
_near_duplicates = platform_planter("prompts/near_duplicates.py", "prompts/test_near_duplicates.py")
_pool = platform_planter("prompts/pool.py", "prompts/test_pool.py")

MUTANTS = [
    _comparisons(
        "the last message that a branch copied is eligible again",
        'Q(position__gt=F("dialogue__branched_at"))',
        'Q(position__gte=F("dialogue__branched_at"))',
    ),
    _comparisons_races(
        "two draws at once choose the same messages",
        'Round.objects.select_for_update(of=("self",)).select_related',
        "Round.objects.select_related",
    ),
    _parts(
        "the parts of a mixture share a seed",
        "hash_number(seed, chosen, place) if mixture else",
        "hash_number(seed, chosen) if mixture else",
    ),
    _comparisons("a seed has 32 bits", "seed=number >> 1", "seed=number"),
    _parts(
        "all comparisons of a draw are divided alike",
        'hash_number(seed, chosen, "division")',
        'hash_number(seed, "division")',
    ),
    _comparisons(
        "comparisons of an earlier round count as ready",
        "        round=round_,\n        use=Comparison.Use.WORK,\n",
        "        use=Comparison.Use.WORK,\n",
    ),
    _comparisons(
        "prompts of other projects are compared", "~Exists(compared), project=round_.project_id)", "~Exists(compared))"
    ),
    _comparisons("gold items count as ready", "        use=Comparison.Use.WORK,\n", ""),
    _comparisons(
        "comparisons without an open place count as ready",
        "Q(state=Comparison.State.OPEN, open_slots__gt=0)",
        "Q(state=Comparison.State.OPEN)",
    ),
    _comparisons(
        "the seed of comparisons of prompts is not kept",
        "by=by, seed=seed, num=len(comparisons), of=",
        "by=by, num=len(comparisons), of=",
    ),
    _failures_races(
        "two people who retry a comparison at once sample it twice",
        'list(comparison.sampling_runs.select_for_update(of=("self",)).order_by("id"))\n        comparison.refresh',
        'list(comparison.sampling_runs.order_by("id"))\n        comparison.refresh',
    ),
    _failures_races(
        "leaving out and a result wait for each other",
        'list(comparison.sampling_runs.select_for_update(of=("self",)).order_by("id"))\n        locked',
        'list(comparison.sampling_runs.order_by("id"))\n        locked',
    ),
    _recovery(
        "the other urgency's work counts as overtaking",
        "lost |= same_priority & Q(sent_at__lt=newest.sent_at)",
        "lost |= Q(sent_at__lt=newest.sent_at)",
    ),
    _recovery(
        "a message that has waited for hours is never lost",
        "lost = Q(sent_at__lt=Now() - LONGEST_IN_QUEUE)",
        "lost = Q(id=None)",
    ),
    _recovery(
        "with the broker away every message counts as lost",
        "if dispatch.queue_length() == 0:",
        "if not dispatch.queue_length():",
    ),
    _recovery(
        "what was begun this moment counts as overtaking", ", started_at__lt=Now() - timedelta(seconds=10)\n", "\n"
    ),
    _runs("an older attempt passes the fence", "run.attempt == attempt and", "run.attempt >= attempt and"),
    _runs_races(
        "two fills at once exceed the sampling window",
        'cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])',
        'cursor.execute("SELECT 1")',
    ),
    _readiness_races(
        "two parts that end at once leave the comparison closed",
        'Comparison.objects.select_for_update(of=("self",)).filter(id=run.comparison_id)',
        "Comparison.objects.filter(id=run.comparison_id)",
    ),
    _runs_races(
        "two copies of a result are both stored",
        'SamplingRun.objects.select_for_update(of=("self",)).select_related("dialogue")',
        'SamplingRun.objects.select_related("dialogue")',
    ),
    _runs_races(
        "a result that comes while its run is cancelled is overwritten",
        'SamplingRun.objects.select_for_update(of=("self",)).get(id=run.id)\n        if locked.state not in UNDER_WAY',
        "SamplingRun.objects.get(id=run.id)\n        if locked.state not in UNDER_WAY",
    ),
    _runs_races(
        "two people who retry a run at once restart it twice",
        'SamplingRun.objects.select_for_update(of=("self",)).get(id=run.id)\n        if locked.state not in GIVEN',
        "SamplingRun.objects.get(id=run.id)\n        if locked.state not in GIVEN",
    ),
    _runs_races(
        "two sweeps at once send a run twice", 'waiting.select_for_update(skip_locked=True, of=("self",))', "waiting"
    ),
    _runs(
        "runs that a worker has begun leave the window",
        "rows.filter(state__in=(State.SENT, State.RUNNING)).count()",
        "overnight.filter(state=State.SENT).count()",
    ),
    _runs(
        "more completions than were asked for are stored",
        "len(result.completions) != run.num_completions",
        "len(result.completions) < run.num_completions",
    ),
    _readiness(
        "a comparison that was left out opens with its last completions",
        "if comparison is None or comparison.state != Comparison.State.SAMPLING:",
        "if comparison is None:",
    ),
    _runs("the project's top-p is not asked for", "        top_p=project.top_p,\n", ""),
    unnoted(_runs_races, "a retry leaves no audit event", "retry sampling"),
    _progress(
        "the speed of many short runs is of a whole hour",
        "since = _end_of(finished[-1]) if len(finished) == MOST_RUNS else now - WINDOW",
        "since = now - WINDOW",
    ),
    _near_duplicates_races(
        "two requests at once embed the same prompts",
        'without.order_by("created_at").select_for_update(skip_locked=True, no_key=True)',
        'without.order_by("created_at")',
    ),
    _near_duplicates_races(
        "two batches at once miss the pair between them", "        _lock_projects(sorted(map(str, projects)))\n", ""
    ),
    unnoted(_near_duplicates, "retiring many leaves no audit event", "retire near-duplicate prompts"),
    unnoted(_near_duplicates, "keeping both leaves no audit event", "keep both prompts"),
    _pool("a topic that was passed as often as taken comes last", "if excess > 0", "if excess >= 0"),
    _pool(
        "what was passed in another project counts", "filter(trainer=by, prompt__project=project)", "filter(trainer=by)"
    ),
    unnoted(_pool, "passing leaves no audit event", "pass prompt"),
]

"""Appeals and labels: who decides, what is shown, with which chance a text is drawn, and what is learnt from."""

from tests.mutants.mutant import platform_planter, unnoted

_appeals = platform_planter("safety/appeals.py", "safety/test_appeals.py")
_labels = platform_planter("safety/labels.py", "safety/test_labels.py")
_rows = platform_planter("models/safety/labels.py", "safety/test_labels.py", "exports/test_labels.py")
_excused = platform_planter("models/safety/appeals.py", "safety/test_appeals.py")
_exports = platform_planter("exports/label_rows.py", "exports/test_labels.py")
_requests = platform_planter("exports/requests.py", "exports/test_labels.py")
_quality = platform_planter("safety/quality.py", "safety/test_quality.py")
_weights = platform_planter("statistics/sampling_weights.py", "statistics/test_sampling_weights.py")
_drift = platform_planter("statistics/drift.py", "statistics/test_drift.py")
_lookup = platform_planter("safety/lookup.py", "safety/views/test_appeals.py")

MUTANTS = [
    _appeals(
        "two appeals at once pass the limit",
        "User.objects.select_for_update().get(id=by.id)",
        "User.objects.get(id=by.id)",
    ),
    _appeals(
        "anybody appeals for anybody",
        "if by.id not in screening.speakers:\n        return",
        "if False:\n        return",
    ),
    _appeals("an old block is appealed against", "if screening.created_at < timezone.now() - WITHIN:", "if False:"),
    _appeals(
        "of two who decide the second wins",
        'held = Appeal.objects.select_for_update(of=("self",))',
        "held = Appeal.objects",
    ),
    _appeals("whoever had a part decides", "if not may_decide(held, by):", "if False:"),
    _appeals("whoever had a part reads the text", "if not may_decide(found, by):", "if False:"),
    _appeals("the author decides", '.exclude(screening__in=mine.values("id"))', ""),
    _appeals("who labelled the text decides", "waiting.exclude(Exists(labelled))", "waiting"),
    _appeals(
        "who triaged the text decides", '.exclude(screening__in=_handled_screenings(project, by).values("id"))', ""
    ),
    _appeals("a ranked completion changes", " or completion.comparison_id is not None", ""),
    _appeals(
        "what its author edited is replaced",
        "filter(completion=completion, content=before)",
        "filter(completion=completion)",
    ),
    unnoted(_appeals, "nobody knows who read a text", "read appealed text"),
    _excused(
        "an upheld block is excused",
        "            state=Appeal.State.OVERTURNED,\n            screening__side",
        "            screening__side",
    ),
    _excused(
        "a text is excused everywhere",
        "            project=project,\n            state=Appeal",
        "            state=Appeal",
    ),
    _lookup(
        "a stranger sees whose text was blocked", "if access.person(request).id not in found.speakers:", "if False:"
    ),
    _labels(
        "two draw one frame",
        'cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))"',
        'cursor.execute("SELECT %s"',
    ),
    _labels(
        "the lot of the near ones is left out of the chance",
        "inclusion(from_all, from_near if",
        "inclusion(from_all, 0.0 if",
    ),
    _labels("frames overlap", "frame = frame.filter(created_at__gt=newest.frame_until)", "pass"),
    _labels("one labels one's own text", "if by.id in held.screening.speakers:", "if False:"),
    _labels(
        "two give the last label",
        'held = DrawnText.objects.select_for_update(of=("self",))',
        "held = DrawnText.objects",
    ),
    _labels("where two differ no third is asked", "held.labels_wanted = 3", "pass"),
    _labels(
        "a changed text is labelled", "if text_sha256(drawn.screening.whole_text) == drawn.text_sha256:", "if True:"
    ),
    _rows("a filter learns from what appeals choose", ".exclude(came_by=DrawnText.CameBy.APPEAL)", ""),
    _exports(
        "visitors' texts leave", "return rows.exclude(of_message).exclude(of_run).exclude(of_completion)", "return rows"
    ),
    _exports("withheld texts leave", "if not filters.includes_withheld:", "if False:"),
    _exports("a changed text leaves", "text_sha256(text) != row.text_sha256 or ", ""),
    _requests(
        "anybody exports what is withheld",
        "if read.includes_withheld and (by is None or not by.is_admin):",
        "if False:",
    ),
    _quality("labels that no lot drew are counted", "screening__side=side).by_lot()", "screening__side=side)"),
    _quality(
        "texts that wait for labels count for nothing",
        "num_drawn[group] / num_settled[group] / one.inclusion",
        "1 / one.inclusion",
    ),
    _quality("each labelled text counts once", "weight=weight))", "weight=1.0))"),
    _weights(
        "a share counts each member once",
        "math.fsum(weight for hit, weight in rows if hit) / total",
        "sum(hit for hit, _ in rows) / len(rows)",
    ),
    _weights(
        "the interval forgets the weights",
        "effective = effective_size([weight for _, weight in rows])",
        "effective = len(rows)",
    ),
    _drift("a tail is taken for both", "tail = (1 - confidence) / 2", "tail = 1 - confidence"),
]

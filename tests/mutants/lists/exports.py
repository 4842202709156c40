"""Exports: which rows, on which side, as what bytes, with what figures, and for whom."""

from collections.abc import Callable

from tests.mutants.mutant import Mutant, planter

_CODE, _TESTS = "labeling/exports/", "tests/labeling/exports/"


def _in(module: str, *tests: str) -> Callable[[str, str, str], Mutant]:
    """Plants faults in one module; `tests` are the files that ought to find them."""
    return planter(f"{_CODE}{module}.py", *(f"{_TESTS}{name}.py" for name in tests))


_splits = _in("splits", "test_splits")
_sides = planter("records/sides.py", f"{_TESTS}test_splits.py")
_lines = _in("ranking_lines", "test_ranking_lines")
_building = _in("ranking_lines", "test_builder")
_records = _in("records", "test_builder")
_ranking_records = _in("ranking_records", "test_builder")
_selection = _in("selection", "test_contents", "test_inventory")
_filters = _in("filters", "test_filters")
_agreement = _in("agreement_filter", "test_narrowing")
_builder = _in("builder", "test_builder")
_requests = _in("requests", "test_builder")
_scrubbing = _in("personal_data", "test_narrowing")
_lineage = _in("lineage", "test_lineage")
_retractions = _in("retractions", "test_comparison")
_downloads = _in("downloads", "views/test_export")
_files = _in("files", "views/test_export")
_card = _in("card", "test_card")
_statistics = _in("statistics", "test_card")
_counted = _in("statistics", "test_methods")
_methods = _in("methods/facts", "test_methods")
_dialogues = _in("formats/dialogues", "test_formats")
_pairs = _in("formats/pairs", "test_formats")
_hh = _in("formats/hh", "test_formats")
_choices = _in("formats/choices", "test_formats")
_writers = _in("writers", "test_formats")
_views = _in("views/export", "views/test_export")
_data = _in("views/data", "views/test_data")

_ENGINEERS = "@access.role_required(*ENGINEERS)\n"
_ANYBODY = "@access.signed_in\n"

MUTANTS = [
    _splits("the test side is one percent larger", "if percentile < test_percent:", "if percentile <= test_percent:"),
    _splits(
        "a trainer decides without being asked for",
        'trainer=trainer if filters.split_by == "trainer" else None',
        "trainer=trainer",
    ),
    _splits("an opening must be one character longer", "num_said >= SAYS_SOMETHING", "num_said > SAYS_SOMETHING"),
    _sides("trainers are drawn anew", 'f"trainer: {trainer}"', "trainer"),
    _lines(
        "a cached side is another trainer's",
        'key = messages if self._filters.split_by == "prompt" else messages + trainer',
        "key = messages",
    ),
    _building(
        "a comparison withdrawn meanwhile is written",
        "WHERE ranking.retracted_at IS NULL AND comparison.state <> 'withdrawn'",
        "WHERE ranking.retracted_at IS NULL",
    ),
    _ranking_records(
        "a comparison withdrawn meanwhile is read",
        "retracted_at IS NULL AND comparison.state <> 'withdrawn'",
        "retracted_at IS NULL",
    ),
    _records(
        "a prompt retired meanwhile is read", "Prompt.objects.in_use().filter(id__in", "Prompt.objects.filter(id__in"
    ),
    _records("a dialogue withdrawn meanwhile is read", "        .exclude(state=Dialogue.State.WITHDRAWN)\n", ""),
    _selection(
        "retracted rankings are chosen",
        "comparison__project=project, retracted_at=None, comparison__use",
        "comparison__project=project, comparison__use",
    ),
    _selection(
        "rankings of gold items are chosen",
        "retracted_at=None, comparison__use__in=uses(filters))",
        "retracted_at=None)",
    ),
    _selection("the last moment of a day is not in it", '{f"{column}__lte"', '{f"{column}__lt"'),
    _selection("outside trainers cannot be chosen", ' | Q(**{f"outside_{person}__in": filters.trainers})', ""),
    _selection(
        "dialogues are dated by their beginning",
        'Coalesce("reviewed_at", "submitted_at", "created_at")',
        'Coalesce("created_at", "submitted_at")',
    ),
    _filters(
        "true is read as 1",
        "isinstance(value, bool) or not isinstance(value, int | str)",
        "not isinstance(value, int | str)",
    ),
    _agreement("just enough agreement is too little", "* 100 >= at_least", "* 100 > at_least"),
    _agreement("retracted rankings count for agreement", "retracted_at=None, abstained=None", "abstained=None"),
    Mutant(
        "labeling/exports/agreement_filter.py",
        "agreement is of the chosen rankings only",
        (
            ("*settled.values()})", "*settled.values()}, ids)"),
            ("def _rates(comparisons: set[UUID])", "def _rates(comparisons: set[UUID], ids: Sequence[str])"),
            ("filter(comparison__in=comparisons,", "filter(id__in=ids,"),
        ),
        (f"{_TESTS}test_narrowing.py",),
    ),
    _builder("a late attempt ends what is no longer its own", "held = leases.lock_attempt(export)", "held = export"),
    _builder(
        "an older attempt's leftovers stay", "    remove_leftovers(export.id, below_attempt=export.attempt)\n", ""
    ),
    _requests(
        "a newer attempt's folder is removed", "if below_attempt is None or int(attempt) < below_attempt:", "if True:"
    ),
    _requests(
        "what is done can be cancelled", "id=export.id, state__in=(State.WAITING, State.RUNNING))", "id=export.id)"
    ),
    _requests("cancelling leaves no trace", '            AuditEvent.note("cancel export", export, by=by)\n', ""),
    _scrubbing(
        "a token count outlives its text", "content=content, num_tokens=None, logprob=None)", "content=content)"
    ),
    _scrubbing(
        "notes of ratings keep personal data", "note=rating.note and scrub_text(rating.note, found)", "note=rating.note"
    ),
    _pairs("a margin is one strength alone", "sum(ranking.strengths[gaps])", "ranking.strengths[gaps][0]"),
    _pairs("strengths are no margin", "if ranking.strengths else", "if False else"),
    _lines("wrong strengths pass", "len(given) == len(order) - 1 and", ""),
    _scrubbing(
        "notes on rankings keep personal data", "changed.note and scrub_text(changed.note, found)", "changed.note"
    ),
    _scrubbing("the shortest IBANs stay", "len(whole), 14, -1)", "len(whole), 15, -1)"),
    _scrubbing("the longest card numbers stay", r"{9,15}\b", r"{9,14}\b"),
    _lineage(
        "mixed-in demonstrations are forgotten", "self.job.demonstrations if self.job is not None else None", "None"
    ),
    _lineage(
        "a reward model that watched is forgotten",
        "*scoring, job.watching_model_id]",
        "*scoring]",
    ),
    _lineage("the members of an ensemble are forgotten", "*(one.id for one in job.ensemble_models.all())]", "]"),
    _retractions(
        "what was retracted before counts", "Q(retracted_at__gte=export.created_at)", "Q(retracted_at__isnull=False)"
    ),
    _retractions(
        "another project's rankings count",
        "rows = Ranking.objects.filter(comparison__project=export.project_id, comparison__use",
        "rows = Ranking.objects.filter(comparison__use",
    ),
    _retractions(
        "what was accepted no more before counts",
        "Q(unaccepted_at__gte=export.created_at)",
        "Q(unaccepted_at__isnull=False)",
    ),
    _retractions(
        "an undone acceptance marks no export", "Dialogue.State.WITHDRAWN) | unaccepted", "Dialogue.State.WITHDRAWN)"
    ),
    _retractions("what is accepted again counts", " & ~Q(state__in=wanted)", ""),
    _retractions(
        "the day of a return decides what an export held", "replace(filters, since=None, until=None)", "filters"
    ),
    _downloads("one byte is missing at the end of a part", "min(int(last) + 1, size)", "min(int(last), size)"),
    _downloads(
        "a header keeps a download out of the audit",
        "response.streaming and not (is_part and _is_in_audit(",
        'response.streaming and not ("Range" in request.headers and _is_in_audit(',
    ),
    _downloads(
        "another person's download is one's own",
        'verb="download export", by=by, detail',
        'verb="download export", detail',
    ),
    _files("files of an unfinished export are served", "if export.state != Export.State.DONE:", "if False:"),
    _views(
        "a trainer may download",
        f"{_ENGINEERS}@recently_proven\n@require_safe\ndef export_file(",
        f"{_ANYBODY}@recently_proven\n@require_safe\ndef export_file(",
    ),
    _views(
        "a trainer may cancel",
        f"{_ENGINEERS}@require_POST\ndef cancel_export(",
        f"{_ANYBODY}@require_POST\ndef cancel_export(",
    ),
    _data(
        "a trainer may export",
        f"{_ENGINEERS}@recently_proven\n@require_POST\ndef new_export(",
        f"{_ANYBODY}@recently_proven\n@require_POST\ndef new_export(",
    ),
    _in("forms", "views/test_export")(
        "another project's export is compared with", "filter(project=export.project_id, kind", "filter(kind"
    ),
    _card(
        "both held-out shares change places",
        "{filters.validation_percent} % are in validation and {filters.test_percent} %",
        "{filters.test_percent} % are in validation and {filters.validation_percent} %",
    ),
    _card(
        "ties are a share of the ordered pairs",
        "all_pairs = statistics.pairs + statistics.tied_pairs",
        "all_pairs = statistics.pairs",
    ),
    _card(
        "answers are averaged over dialogues",
        "statistics.num_characters / statistics.num_answers",
        "statistics.num_characters / statistics.num",
    ),
    _statistics(
        "30 characters are a difference", "[difference > LENGTHS_DIFFER for", "[difference >= LENGTHS_DIFFER for"
    ),
    _statistics(
        "pairs that the shorter won do not count",
        "longer_won + sum([difference < -LENGTHS_DIFFER for difference in differences])",
        "longer_won",
    ),
    _statistics(
        "choices count for agreement",
        "        if facts.is_choice or facts.is_adjudicated:\n            return ",
        "        if facts.is_adjudicated:\n            return ",
    ),
    _dialogues("a policy's answers are learnt from", ' and message.authorship != "policy"', ""),
    _hh("a prompt with a role marker is written", ", *(message.content for message in _spoken(ranking)))", ")"),
    _choices("what was not chosen is tied", "    if not ranking.choice:\n", "    if True:\n"),
    _writers("a file of trees names its hour", ", mtime=0)", ")"),
    _counted(
        "a reviewer is counted among the trainers",
        "if facts.trainer is not None and not facts.is_adjudicated:",
        "if facts.trainer is not None:",
    ),
    _counted(
        "a completion counts as sampled with every ranking",
        "        if facts.comparison_id != self._comparison:\n            self._begin_comparison(facts)\n",
        "        self._begin_comparison(facts)\n",
    ),
    _methods(
        "the number without filters is that of the rankings alone",
        "(source.rows, source.beside) if",
        "(source.rows,) if",
    ),
]

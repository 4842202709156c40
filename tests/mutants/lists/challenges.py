"""Feedback contests: who may enter and judge, until when, blind; what counts, and what is shown of it."""

from tests.mutants.mutant import platform_planter

_entries = platform_planter("challenges/entries.py", "challenges/test_entries.py")
_eligibility = platform_planter("challenges/eligibility.py", "challenges/test_entries.py")
_draw = platform_planter("challenges/draw.py", "challenges/test_draw.py")
_jury = platform_planter("challenges/jury.py", "challenges/test_jury.py")
_naming = platform_planter("challenges/jury.py", "challenges/test_entries.py")
_conflicts = platform_planter("challenges/conflicts.py", "challenges/test_jury.py")
_results = platform_planter("challenges/results.py", "challenges/test_results.py")
_duplicates = platform_planter("challenges/duplicates.py", "challenges/test_results.py")
_erasure = platform_planter("challenges/erasure.py", "challenges/test_results.py")
_access = platform_planter("challenges/access.py", "challenges/test_pages.py")
_pages = platform_planter("challenges/views/jury.py", "challenges/test_pages.py")
_marks = platform_planter("statistics/marks.py", "statistics/test_marks.py")
_models = platform_planter("models/public/challenges.py", "challenges/test_entries.py")
_sends_at_once = platform_planter("challenges/entries.py", "challenges/test_races.py")
_draws_at_once = platform_planter("challenges/jury.py", "challenges/test_races.py")

MUTANTS = [
    _sends_at_once(
        "two sends of one person do not wait for each other",
        "    locked = Challenge.objects.select_for_update(no_key=True).get(pk=challenge.pk)\n    if not may",
        "    locked = Challenge.objects.get(pk=challenge.pk)\n    if not may",
    ),
    _draws_at_once(
        "two draws do not wait for each other",
        "return Challenge.objects.select_for_update(no_key=True).get",
        "return Challenge.objects.get",
    ),
    _entries(
        "an entry is sent at the moment of the close", "if at >= challenge.closes_at:", "if at > challenge.closes_at:"
    ),
    _entries("others' reports make an entry", "if one.reporter_id != user.pk", "if False"),
    _entries("an entry is sent under older rules", "rules is None or accepts != rules.version", "rules is None"),
    _entries("a minor enters", "if not is_adult:", "if False:"),
    _entries("one person sends one more", "others.count() >= locked", "others.count() > locked"),
    _eligibility("reviewers enter", "User.Role.REVIEWER, ", ""),
    _eligibility("a juror enters", "if challenge.jurors.filter(user=user).exists():", "if False:"),
    _models("the state is open at the close", "if at < self.closes_at else", "if at <= self.closes_at else"),
    _draw("a juror with a conflict is drawn", " and (entry, juror) not in barred", ""),
    _draw("the order of rows decides whom the lot draws", 'lot(seed, "juror", entry, juror)', "0"),
    _draw("whoever has many entries gets more", "(load[juror], lot(", "(0, lot("),
    _naming("an admin, who sees names, judges", "if user.is_admin:", "if False:"),
    _jury("somebody else's juror marks", "juror__user=by, ", ""),
    _jury("an excused juror marks", ", juror__excused_at=None).first()", ").first()"),
    _jury("further jurors are drawn before all marks are in", " or waiting(challenge) or", " or"),
    _conflicts("who decided on a report judges it", "dict.fromkeys(deciders[str(report.pk)]", "dict.fromkeys(()"),
    _conflicts("who reported the same judges it", "dict.fromkeys(_others_who_reported(reports)", "dict.fromkeys(()"),
    _results("equal means go by lot at once", "(-one.mean, -one.novelty)", "(-one.mean, 0)"),
    _results("a name is shown unasked", "str(entry.author) if entry.shows_name else", "str(entry.author) if True else"),
    _duplicates("the last one sent is credited", "first, later = sorted(", "later, first = sorted("),
    _erasure("the jury's words on an erased entry stay", '.update(entry=None, words="")', ".update(entry=None)"),
    _access(
        "a juror reads what others were drawn for", "filter(juror=juror_of(request, challenge), entry", "filter(entry"
    ),
    _access("an excused juror reads on", "user=person(request), excused_at=None)", "user=person(request))"),
    _pages(
        "a juror sees what others gave",
        "filter(entry=drawn.entry_id, juror=drawn.juror_id)",
        "filter(entry=drawn.entry_id)",
    ),
    _marks(
        "a juror's scale is everybody's", "(squares[juror] + PRIOR_MARKS * pooled) / (n - 1 + PRIOR_MARKS)", "pooled"
    ),
    _marks(
        "a juror's strictness counts", "PRIOR_MARKS * mean) / (n + PRIOR_MARKS)", "PRIOR_MARKS * mean) / PRIOR_MARKS"
    ),
    _marks(
        "nobody is drawn near the last prize", "wanted |= {entry: len(scores[entry]) for entry in near}", "_ = near"
    ),
]

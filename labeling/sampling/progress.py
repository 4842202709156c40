"""Progress of sampling a project's comparisons: counts, speed, and when as many are ready as the project wants.

The speed is that of the last hour, over the time in which a run was under way: idle time, such as a night without
requests, does not lower it. If there is no basis for an estimate, the sentence says why.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.jobs.workers import sample_worker_is_alive
from labeling.models import Comparison, Project, Round, SamplingRun
from labeling.sampling.comparisons import has_more_to_compare

WINDOW = timedelta(hours=1)
MOST_RUNS = 1_000  # finished runs that are read; if there are more, the window is shortened
FEWEST_RUNS = 2  # finished runs from which a speed is computed
STALLED = timedelta(minutes=10)  # without a finished run, after which no estimate is given
MOST_COUNTED = 1_000  # ready comparisons; counting stops there, so that the page stays fast

State = SamplingRun.State
Span = tuple[datetime, datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """Completions sampled in the last hour, and the seconds in which at least one run was under way."""

    num_runs: int = 0
    num_completions: int = 0
    busy_seconds: float = 0.0
    newest_at: datetime | None = None

    @property
    def per_hour(self) -> float | None:
        """Completions per hour of busy time; None if fewer than FEWEST_RUNS runs have finished."""
        if self.num_runs < FEWEST_RUNS or self.busy_seconds <= 0:
            return None
        return 3600 * self.num_completions / self.busy_seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The comparisons of the open round by state, the completions still to come, and the estimate."""

    target: int = 0
    num_ready: int = 0
    num_sampling: int = 0
    num_failed: int = 0
    num_to_make: int = 0  # comparisons that the next sweeps will make, within seconds
    num_to_come: int = 0  # completions of the comparisons that are being sampled
    pace: Pace = Pace()
    seconds_left: float | None = None
    sentence: str = ""
    caveats: tuple[str, ...] = ()
    asks_for_worker: bool = False

    @property
    def has_most_counted(self) -> bool:
        return self.num_ready >= max(MOST_COUNTED, self.target)


def sampling_progress(project: Project) -> Progress:
    """The progress now. The page asks every few seconds, so this runs few statements over a bounded number of rows."""
    round_ = project.rounds.filter(closed_at=None).select_related("policy", "project__policy").first()
    if round_ is None:
        return Progress(sentence=_("No round is open, so nothing is sampled."))
    if project.archived_at is not None:
        return Progress(sentence=_("This project is archived, so no comparisons are made."))
    if (round_.policy or project.policy) is None:
        return Progress(sentence=_("No policy answers in this project yet. An admin can choose one in its settings."))
    return _with_forecast(_count(project, round_), round_)


def coming_sentence(project: Project) -> str:
    """For a trainer who is out of work: how many comparisons are coming, and when. Empty if none is."""
    found = sampling_progress(project)
    num = found.num_sampling + (0 if found.asks_for_worker else found.num_to_make)  # without a worker none begins
    if not num:
        return ""
    when = found.sentence
    if found.seconds_left is not None:
        span = duration_in_words(found.seconds_left)
        when = _("All will be here in %(span)s, the first of them sooner.") % {"span": span}
    return f"{coming_in_words(num)} {when}"


def coming_in_words(num: int) -> str:
    """How many comparisons are being sampled."""
    sentence = ngettext("%(n)d more comparison is being sampled.", "%(n)d more comparisons are being sampled.", num)
    return sentence % {"n": num}


def duration_in_words(seconds: float) -> str:
    """An approximate duration for people: "about 5 minutes"."""
    minutes = seconds / 60
    if minutes < 1.5:
        return _("about a minute")
    if minutes < 10:
        return _("about %(n)d minutes") % {"n": round(minutes)}
    if minutes < 57.5:
        return _("about %(n)d minutes") % {"n": 5 * round(minutes / 5)}
    if minutes < 90:
        return _("about an hour")
    if minutes < 48 * 60:
        return _("about %(n)d hours") % {"n": round(minutes / 60)}
    return _("about %(n)d days") % {"n": round(minutes / 60 / 24)}


def pace_of(project: Project, *, now: datetime) -> Pace:
    """Speed at which this project's comparisons were sampled in the hour before `now`."""
    runs = SamplingRun.objects.filter(project=project, purpose=SamplingRun.Purpose.COMPARISON)
    done = runs.filter(state=State.DONE, finished_at__gt=now - WINDOW).order_by("-finished_at")
    finished = list(done.only("sent_at", "finished_at", "num_completions")[:MOST_RUNS])
    if not finished:
        return Pace()
    since = _end_of(finished[-1]) if len(finished) == MOST_RUNS else now - WINDOW
    spans = [(run.sent_at or _end_of(run), _end_of(run)) for run in finished]
    for sent_at in runs.filter(state__in=(State.SENT, State.RUNNING)).values_list("sent_at", flat=True):
        spans.append((sent_at or now, now))
    return Pace(
        num_runs=len(finished),
        num_completions=sum(run.num_completions for run in finished),
        busy_seconds=union_seconds([(max(begin, since), end) for begin, end in spans if end > since]),
        newest_at=_end_of(finished[0]),
    )


def union_seconds(spans: Iterable[Span]) -> float:
    """Seconds covered by the union of the spans, which may overlap."""
    total, reached = 0.0, datetime.min.replace(tzinfo=timezone.get_default_timezone())
    for begin, end in sorted(spans):
        if end > reached:
            total += (end - max(begin, reached)).total_seconds()
            reached = end
    return total


def _count(project: Project, round_: Round) -> Progress:
    work = Comparison.objects.filter(project=project, round=round_, use=Comparison.Use.WORK)
    target = project.comparisons_ready
    most = max(target, MOST_COUNTED)
    ready = len(work.filter(state=Comparison.State.OPEN, open_slots__gt=0).values_list("id")[:most])
    states = work.filter(state__in=(Comparison.State.SAMPLING, Comparison.State.FAILED))
    counts = states.aggregate(
        sampling=Count("id", filter=Q(state=Comparison.State.SAMPLING)),
        failed=Count("id", filter=Q(state=Comparison.State.FAILED)),
    )
    under_way = SamplingRun.objects.filter(comparison__in=work.filter(state=Comparison.State.SAMPLING))
    to_come = under_way.exclude(state=State.DONE).aggregate(sum=Sum("num_completions"))["sum"] or 0
    return Progress(
        target=target,
        num_ready=ready,
        num_sampling=counts["sampling"],
        num_failed=counts["failed"],
        num_to_make=max(0, target - ready - counts["sampling"] - counts["failed"]),
        num_to_come=to_come,
        pace=pace_of(project, now=timezone.now()),
    )


def _with_forecast(found: Progress, round_: Round) -> Progress:
    """Add the caveats, and the sentence that says when sampling will be done or why there is no estimate."""
    caveats = []
    if found.num_failed:
        caveats.append(_failed_sentence(found.num_failed))
    if found.num_to_make and not has_more_to_compare(round_):
        found = replace(found, num_to_make=0)
        caveats.append(_nothing_left_sentence())
    found = replace(found, caveats=tuple(caveats))
    if not found.num_sampling + found.num_to_make:
        return replace(found, sentence=_idle_sentence(found))
    lives = sample_worker_is_alive()
    if lives is None:
        return replace(found, sentence=_("The broker does not answer, so no end can be foretold."))
    if not lives:
        sentence = _("No sample worker is alive, so nothing comes in and no end can be foretold.")
        return replace(found, asks_for_worker=True, sentence=sentence)
    return _with_estimate(found, num_completions=round_.project.num_completions)


def _idle_sentence(found: Progress) -> str:
    """The sentence if nothing is being sampled and nothing is about to be."""
    if not found.target:
        return _("This project keeps none ready: its settings say 0.")
    if found.num_ready >= found.target:
        return _("As many are ready as the project wants.")
    return _("Nothing is under way.")


def _with_estimate(found: Progress, *, num_completions: int) -> Progress:
    per_hour, newest_at = found.pace.per_hour, found.pace.newest_at
    if newest_at is not None and found.num_to_come and timezone.now() - newest_at > STALLED:
        return replace(found, sentence=_("Nothing has come in for ten minutes, so no end can be foretold."))
    if per_hour is None:
        return replace(found, sentence=_("Too few have come in yet to foretell the end."))
    seconds = 3600 * (found.num_to_come + found.num_to_make * num_completions) / per_hour
    num = found.num_ready + found.num_sampling + found.num_to_make
    values = {"n": num, "span": duration_in_words(seconds)}
    sentence = _("%(n)d will be ready in %(span)s, if it goes on as in the last hour.") % values
    return replace(found, seconds_left=seconds, sentence=sentence)


def _failed_sentence(num: int) -> str:
    sentence = ngettext(
        "%(n)d failed and keeps its place until it is tried again or left out.",
        "%(n)d failed and keep their places until they are tried again or left out.",
        num,
    )
    return sentence % {"n": num}


def _nothing_left_sentence() -> str:
    return _(
        "Nothing more is left to compare in this round: every answer of a policy is in it, and every prompt that "
        "none has answered. Chat with the policy, or bring prompts in."
    )


def _end_of(run: SamplingRun) -> datetime:
    assert run.finished_at is not None
    return run.finished_at

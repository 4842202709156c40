"""Evaluation of a new policy against an old one on the same prompts, judged by the gold preference.

The prompts must be held out: on training prompts the figures would also measure memory. The judge is that of the
simulated trainer (docs/gold_preference.md), and every page that shows the figures says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any
from uuid import UUID

from django.db import transaction

from labeling.gold import preference
from labeling.models import AuditEvent, Completion, Policy, Project, SamplingRun, User
from labeling.sampling import runs as sampling_runs
from labeling.sampling.comparisons import hash_number
from labeling.statistics.intervals import Estimate
from labeling.statistics.length_bias import control_length
from labeling.statistics.paired_comparisons import win_rate_by_prompt
from records import Message, SamplingParams


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyEvaluation:
    """An evaluation under way: for each prompt the sampling run of the old policy and that of the new."""

    old: Policy
    new: Policy
    runs: tuple[tuple[UUID, UUID], ...]

    @property
    def run_ids(self) -> list[UUID]:
        return [run for pair in self.runs for run in pair]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """Both policies' answers to one prompt, equally many of each."""

    messages: tuple[Message, ...]
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonFigures:
    """New policy against old on held-out prompts, by the gold preference; a tie is half a win.

    Every answer of the new policy to a prompt is compared with every answer of the old. Lengths are mean characters of
    a completion.
    """

    win_rate: Estimate
    length_controlled_win_rate: float
    wins: int
    ties: int
    losses: int
    gold_before: float
    gold_after: float
    length_before: float
    length_after: float


def request_answers(
    project: Project,
    *,
    old: Policy,
    new: Policy,
    prompts: Sequence[Sequence[Message | Mapping[str, Any]]],
    num_completions: int,
    params: SamplingParams,
    by: User | None,
) -> PolicyEvaluation:
    """Request answers of both policies to each prompt, under the same seeds; the sampler delivers them later."""
    with transaction.atomic():
        runs = tuple(
            (
                _request(project, old, messages, num_completions, params, by).id,
                _request(project, new, messages, num_completions, params, by).id,
            )
            for messages in prompts
        )
        asked = [
            [str(before), str(after)] for before, after in runs
        ]  # newest_evaluation reads them from the audit event
        AuditEvent.note(
            "compare policies", project, by=by, old=old.name, new=new.name, num_prompts=len(runs), runs=asked
        )
    return PolicyEvaluation(old=old, new=new, runs=runs)


def answers_of(evaluation: PolicyEvaluation) -> list[Answers]:
    """The prompts that both policies have answered so far, in the order of the request."""
    done = SamplingRun.objects.filter(id__in=evaluation.run_ids, state=SamplingRun.State.DONE)
    messages = dict(done.values_list("id", "messages"))
    texts: dict[UUID, list[str]] = {}
    completions = Completion.objects.filter(run__in=messages).order_by("run", "index")
    for run_id, content in completions.values_list("run_id", "content"):
        texts.setdefault(run_id, []).append(content)
    return [
        Answers(
            messages=tuple(Message(role=said["role"], content=said["content"]) for said in messages[old]),
            old=tuple(texts[old]),
            new=tuple(texts[new]),
        )
        for old, new in evaluation.runs
        if old in texts and new in texts
    ]


def compare(answers: Sequence[Answers], *, seed: int = 0) -> ComparisonFigures:
    """The figures; the interval of the win rate is a bootstrap over prompts. Raises ValueError without answers."""
    outcomes: dict[str, list[float]] = {}
    length_gaps: list[float] = []
    scores: dict[str, list[float]] = {"old": [], "new": []}
    for number, answer in enumerate(answers):
        old, new = (_scores(answer.messages, texts) for texts in (answer.old, answer.new))
        outcomes[f"{number:06d}"] = [outcome(after, before) for after in new for before in old]
        length_gaps += [float(len(before) - len(after)) for after in answer.new for before in answer.old]
        scores["old"] += old
        scores["new"] += new
    flat = [won for _, of_prompt in sorted(outcomes.items()) for won in of_prompt]
    return ComparisonFigures(
        win_rate=win_rate_by_prompt(outcomes, seed=seed),
        length_controlled_win_rate=control_length(flat, length_gaps).win_rate,
        wins=flat.count(1.0),
        ties=flat.count(0.5),
        losses=flat.count(0.0),
        gold_before=fmean(scores["old"]),
        gold_after=fmean(scores["new"]),
        length_before=fmean(len(text) for answer in answers for text in answer.old),
        length_after=fmean(len(text) for answer in answers for text in answer.new),
    )


def outcome(after: float, before: float) -> float:
    """1 where the new answer has the higher gold score, 0 the lower, 0.5 within the margin of a tie."""
    if abs(after - before) <= preference.TIE_MARGIN:
        return 0.5
    return float(after > before)


def _scores(messages: Sequence[Message], texts: Sequence[str]) -> list[float]:
    return [preference.score(messages, text) for text in texts]


def _request(
    project: Project,
    policy: Policy,
    messages: Sequence[Message | Mapping[str, Any]],
    num_completions: int,
    params: SamplingParams,
    by: User | None,
) -> SamplingRun:
    return sampling_runs.request_completions(
        project,
        purpose=SamplingRun.Purpose.EVALUATION,
        messages=messages,
        num_completions=num_completions,
        policy=policy,
        sampling=replace(params, seed=_seed_of(params.seed, messages)),
        by=by,
    )


def _seed_of(seed: int, messages: Sequence[Message | Mapping[str, Any]]) -> int:
    """A seed for each prompt, the same for both policies: 31 bits of a hash of the run's seed and the prompt."""
    last = messages[-1]
    content = last.content if isinstance(last, Message) else last["content"]
    return hash_number(seed, content) >> 1

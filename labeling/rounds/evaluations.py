"""Evaluations of policies by people: begun here, decided by the test of labeling.statistics.sequential, or stopped.

The pairs are comparisons of two completions each in the trainers' ordinary queue (labeling.rankings.assignment), so
that leases, drafts and submissions are theirs. What people said is read in labeling.rounds.verdicts.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Candidate, Comparison, Evaluation, Policy, Project, Prompt, SamplingRun, User
from labeling.models.content_hash import fingerprint
from labeling.rounds.errors import RoundError
from labeling.rounds.evaluation_requests import held_out_of_all
from labeling.rounds.verdicts import judgements_of
from labeling.sampling import runs as sampling_runs
from labeling.sampling.comparisons import hash_number
from labeling.sampling.sharing import why_not_open
from labeling.statistics.sequential import Design, run_test
from records import encode

NUM_PROMPTS = 200
MOST_PROMPTS = 1000
MOST_CANDIDATES = 5
FEWEST_JUDGEMENTS = 20  # planned of a candidate; fewer could not decide on any policy
_DESIGN = Design()


def begin(
    project: Project,
    candidates: Sequence[Policy],
    *,
    by: User | None,
    baseline: Policy | None = None,
    num_prompts: int = NUM_PROMPTS,
    verdicts_per_pair: int = 1,
    share: float = 0.5,
) -> Evaluation:
    """Ask for both answers to held-out prompts, which trainers then judge blind; the baseline is the project's policy.

    Each candidate is set against the baseline on every prompt. `share` is the chance that a trainer's next comparison
    is one of these. Raises RoundError where it cannot begin.
    """
    if reason := project.why_no_new_work:
        raise RoundError(reason)
    baseline = baseline or project.policy
    if baseline is None:
        raise RoundError(_("There is no other policy to compare with."))
    _require_candidates(candidates, baseline)
    if why := why_not_open(project, *candidates, baseline):
        raise RoundError(why)
    prompts = held_out_of_all(project, [baseline, *candidates], num=min(num_prompts, MOST_PROMPTS))
    planned = len(prompts) * verdicts_per_pair
    if planned < FEWEST_JUDGEMENTS:
        raise RoundError(
            _(
                "%(n)d prompts are held out, for %(planned)d judgements: too few to decide on anything. "
                "Bring more prompts in, or ask for more judgements of a pair; at least %(least)d are needed."
            )
            % {"n": len(prompts), "planned": planned, "least": FEWEST_JUDGEMENTS}
        )
    try:
        with transaction.atomic():
            evaluation = Evaluation.objects.create(
                project=project,
                baseline=baseline,
                share=share,
                seed=random.getrandbits(31),
                num_prompts=len(prompts),
                verdicts_per_pair=verdicts_per_pair,
                error=_DESIGN.error,
                first_look=min(_DESIGN.first, planned),
                look_every=_DESIGN.every,
                created_by=by,
            )
            Candidate.objects.bulk_create(Candidate(evaluation=evaluation, policy=policy) for policy in candidates)
            _make_pairs(evaluation, candidates, prompts, by=by)
            names = [policy.name for policy in candidates]
            AuditEvent.note(
                "begin evaluation",
                evaluation,
                by=by,
                candidates=names,
                baseline=baseline.name,
                num_prompts=len(prompts),
            )
    except IntegrityError as error:
        if "evaluation_one_open_per_project" not in str(error):
            raise
        raise RoundError(_("An evaluation is open already. Wait for its verdict, or stop it.")) from error
    return evaluation


def stop(evaluation: Evaluation, *, by: User | None) -> None:
    """End an open evaluation without a verdict. What trainers have in hand they can finish; it is kept and shown."""
    with transaction.atomic():
        locked = Evaluation.objects.select_for_update(of=("self",)).get(id=evaluation.id)
        if not locked.is_open:
            return
        _close(locked, Evaluation.State.STOPPED)
        AuditEvent.note("stop evaluation", locked, by=by)
    _cancel_sampling(locked, by=by)


def decide(project: Project) -> int:
    """Take the verdicts that the test of the project's open evaluation has reached; returns how many there were.

    The looks are at fixed numbers of judgements, so nothing depends on when this is called.
    """
    with transaction.atomic():
        evaluation = (
            Evaluation.objects.select_for_update(of=("self",))
            .filter(project=project, state=Evaluation.State.OPEN)
            .select_related("baseline")
            .first()
        )
        if evaluation is None:
            return 0
        is_over = not _pairs_left(evaluation)
        open_candidates = evaluation.candidates.filter(verdict=Candidate.Verdict.OPEN).select_related("policy")
        decided = sum(_decide_on(candidate, evaluation, is_over=is_over) for candidate in open_candidates)
        is_done = not evaluation.candidates.filter(verdict=Candidate.Verdict.OPEN).exists()
        if is_done:
            _close(evaluation, Evaluation.State.DECIDED)
    if is_done:
        _cancel_sampling(evaluation, by=None)
    return decided


def design_of(evaluation: Evaluation) -> Design:
    """The design of the test of one candidate: the error is shared among all (Bonferroni)."""
    num_candidates = max(1, evaluation.candidates.count())
    return Design(
        error=evaluation.error / num_candidates,
        first=evaluation.first_look,
        every=evaluation.look_every,
        most=evaluation.num_prompts * evaluation.verdicts_per_pair,
    )


def _require_candidates(candidates: Sequence[Policy], baseline: Policy) -> None:
    if not candidates:
        raise RoundError(_("Choose at least one policy to be judged."))
    if len(candidates) > MOST_CANDIDATES:
        raise RoundError(_("At most %(n)d policies can be judged at once.") % {"n": MOST_CANDIDATES})
    if len({policy.id for policy in (*candidates, baseline)}) <= len(candidates):
        raise RoundError(_("A policy cannot be compared with itself. Choose each once."))
    for policy in (*candidates, baseline):
        if policy.state == Policy.State.RETIRED:
            raise RoundError(_("%(name)s is retired and does not sample any more.") % {"name": policy.name})


def _make_pairs(
    evaluation: Evaluation, candidates: Sequence[Policy], prompts: Sequence[Prompt], *, by: User | None
) -> None:
    """Create the comparisons with their sampling runs. Those of one prompt are a family, of which nobody gets two.

    Both answers to a prompt are sampled with the project's settings under one seed, drawn from the evaluation's.
    """
    comparisons, runs = [], []
    for prompt in prompts:
        family: Comparison | None = None
        number = hash_number(evaluation.seed, prompt.id)
        params = encode(sampling_runs.default_sampling(evaluation.project, seed=number >> 1))  # seeds have 31 bits
        for policy in candidates:
            comparison = Comparison(
                project=evaluation.project,
                use=Comparison.Use.EVALUATION,
                evaluation=evaluation,
                family=family,
                messages=prompt.messages,
                prompt_sha256=fingerprint(prompt.messages),
                prompt=prompt,
                topic=prompt.topic,
                source=prompt.source,
                rankings_wanted=evaluation.verdicts_per_pair,
                queue_key=number / 2**32,
            )
            if family is None:
                family = comparison.family = comparison
            comparisons.append(comparison)
            runs += [
                SamplingRun(
                    project=evaluation.project,
                    purpose=SamplingRun.Purpose.EVALUATION,
                    policy=one,
                    messages=prompt.messages,
                    num_completions=1,
                    sampling=params,
                    comparison=comparison,
                    requested_by=by,
                )
                for one in (evaluation.baseline, policy)
            ]
    Comparison.objects.bulk_create(comparisons)
    SamplingRun.objects.bulk_create(runs)
    sampling_runs.send_soon(*runs)


def _pairs_left(evaluation: Evaluation) -> bool:
    """Whether a pair is being sampled, wants a judgement, or is in somebody's hands."""
    return evaluation.comparisons.filter(state__in=(Comparison.State.SAMPLING, Comparison.State.OPEN)).exists()


def _decide_on(candidate: Candidate, evaluation: Evaluation, *, is_over: bool) -> bool:
    judgements = judgements_of(evaluation, candidate.policy)
    result = run_test([(one.prompt_id, one.won) for one in judgements], design_of(evaluation))
    verdict = result.verdict
    if verdict == "open":
        if not is_over:
            return False
        verdict = "too close"  # pairs that failed or were abstained from cannot be judged any more
    candidate.verdict, candidate.looks, candidate.decided_at = verdict, [asdict(look) for look in result.looks], Now()
    candidate.save(update_fields=["verdict", "looks", "decided_at"])
    AuditEvent.note(
        "decide on policy", evaluation, by=None, policy=candidate.policy.name, verdict=verdict, num=len(judgements)
    )
    return True


def _close(evaluation: Evaluation, state: Evaluation.State) -> None:
    evaluation.state, evaluation.closed_at = state, Now()
    evaluation.save(update_fields=["state", "closed_at"])


def _cancel_sampling(evaluation: Evaluation, *, by: User | None) -> None:
    """Cancel what nobody will judge any more."""
    waiting = SamplingRun.objects.filter(comparison__evaluation=evaluation, state__in=("waiting", "sent", "running"))
    for run in waiting:
        sampling_runs.cancel(run, by=by)

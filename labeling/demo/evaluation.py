"""The demo's last steps: compare the new policy with the old one on held-out prompts, then promote it."""

import random

from labeling.demo.polling import StepFailed
from labeling.demo.report import SideBySide
from labeling.demo.sampling import await_runs
from labeling.demo.state import Loop
from labeling.demo.training import directory_of
from labeling.gold.preference import score
from labeling.models import Candidate, Comparison, Export, Policy, SamplingRun
from labeling.rankings.simulated_trainer import rank_with_gold
from labeling.rounds import evaluations
from labeling.rounds.errors import RoundError
from labeling.rounds.policy_evaluation import Answers, answers_of, compare, request_answers
from labeling.rounds.promotion import promote
from labeling.sampling.runs import default_sampling
from records import Prompt, read_jsonl
from records.names import PROMPTS_FILE

NUM_SAMPLES = 3
PROMOTED_BECAUSE = "The demo shows the whole loop, so it promotes whatever the verdict is."
_JUDGED_AT_ONCE = 10


def compare_policies(loop: Loop) -> str:
    """Both policies answer held-out prompts through the sampler; the gold preference judges."""
    prompts = draw_held_out(loop)
    evaluation = request_answers(
        loop.project,
        old=loop.start,
        new=loop.new_policy,
        prompts=[prompt.messages for prompt in prompts],
        num_completions=loop.options.held_out_completions,
        params=default_sampling(loop.project, seed=loop.options.seed),
        by=None,
    )
    await_runs(loop, list(SamplingRun.objects.filter(id__in=evaluation.run_ids)), doing="answers of both policies")
    answers = answers_of(evaluation)
    figures = compare(answers, seed=loop.options.seed)
    loop.comparison, loop.samples = figures, tuple(map(_side_by_side, answers[:NUM_SAMPLES]))
    loop.sizes["held-out prompts"] = len(prompts)
    rate = figures.win_rate
    return f"win rate of new over old {rate.value:.2f} ({rate.low:.2f} to {rate.high:.2f}), {rate.n} prompts"


def decide_between_policies(loop: Loop) -> str:
    """The evaluation that people decide in a project, with the simulated trainer in their place: claim, submit, test.

    A run whose pool holds too few prompts out has no verdict, and says so.
    """
    try:
        evaluation = evaluations.begin(
            loop.project, [loop.new_policy], by=None, num_prompts=loop.options.held_out, share=1.0
        )
    except RoundError as error:
        return f"no verdict: {error}"
    runs = list(SamplingRun.objects.filter(comparison__evaluation=evaluation))
    await_runs(loop, runs, doing="answers to be judged", share=(0.0, 0.8))
    num_open = evaluation.comparisons.filter(state=Comparison.State.OPEN).count()
    num_judged = 0
    while num_judged < num_open and evaluation.is_open:
        limit = min(_JUDGED_AT_ONCE, num_open - num_judged)
        num_judged += rank_with_gold(loop.project, trainer=loop.trainer, limit=limit)
        evaluations.decide(loop.project)
        evaluation.refresh_from_db()
        loop.show(0.8 + 0.2 * num_judged / num_open, f"{num_judged} pairs judged")
    candidate = evaluation.candidates.get()
    loop.sizes["pairs judged by the simulated trainer"] = num_judged
    if candidate.verdict == Candidate.Verdict.OPEN:
        raise StepFailed(f"{num_judged} of {num_open} pairs were judged, and no verdict was reached.")
    verdict = candidate.get_verdict_display().lower()
    return f"in people's place the simulated trainer calls {loop.new_policy.name}: {verdict}, after {num_judged} pairs"


def promote_new_policy(loop: Loop) -> str:
    """Promote the new policy whatever the verdict, to show the whole loop; the reason for it is kept."""
    promote(loop.new_policy, project=loop.project, by=None, reason=PROMOTED_BECAUSE)
    loop.project.refresh_from_db()
    loop.new_policy.refresh_from_db()
    loop.next_round = loop.project.current_round
    if loop.project.policy != loop.new_policy or loop.new_policy.state != Policy.State.PROMOTED:
        raise StepFailed(f"{loop.new_policy.name} was not promoted.")
    if loop.next_round is None or loop.next_round.number != 2 or loop.next_round.closed_at is not None:
        raise StepFailed("Round two was not opened.")
    return f"{loop.new_policy.name} answers from now on; round {loop.next_round.number} is open"


def draw_held_out(loop: Loop) -> list[Prompt]:
    """Prompts that no model was trained on: from the held-out part of the export that PPO read. Raises StepFailed."""
    export = loop.exports[Export.Kind.PROMPTS]
    held_out = [
        prompt
        for prompt in read_jsonl(directory_of(export) / PROMPTS_FILE, Prompt)
        if prompt.split in ("validation", "test")
        and sum(len(message.content) for message in prompt.messages) <= loop.options.prompt_characters
    ]
    if not held_out:
        raise StepFailed("No prompt was held out; raise --conversations.")
    held_out.sort(
        key=lambda prompt: [message.content for message in prompt.messages]
    )  # not by id: ids are random, so the sample would differ from run to run
    return random.Random(f"held out/{loop.options.seed}").sample(held_out, min(loop.options.held_out, len(held_out)))


def _side_by_side(answers: Answers) -> SideBySide:
    before, after = answers.old[0], answers.new[0]
    return SideBySide(
        messages=answers.messages,
        before=before,
        after=after,
        gold_before=score(answers.messages, before),
        gold_after=score(answers.messages, after),
    )

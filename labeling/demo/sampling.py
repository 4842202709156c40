"""The demo's steps around sampling: the policy answers prompts, its answers become comparisons, these are ranked."""

import random
from collections.abc import Sequence

from django.db import transaction

from labeling.demo.polling import StepFailed, follow
from labeling.demo.seeds import derived_seed
from labeling.demo.state import Loop
from labeling.demo.workers import log_folder
from labeling.models import Comparison, Dialogue, Message, Prompt, SamplingRun
from labeling.rankings.simulated_trainer import rank_with_gold
from labeling.sampling import comparisons as sampled_comparisons
from labeling.sampling import runs as sampling_runs
from records import Message as MessageRecord

State = SamplingRun.State
PATIENCE = 420.0  # seconds without progress; a busy machine samples slowly
_CHATS_PER_COMPARISON = 1.25  # more answers than comparisons, so that there is a choice
_RANKED_AT_ONCE = 10


def sample(loop: Loop) -> str:
    """The policy answers prompts in chats; some of its answers, chosen at random, become comparisons of K
    completions.
    """
    options = loop.options
    num_chats = round(options.comparisons * _CHATS_PER_COMPARISON)
    num_answered = _hold_chats(loop, num=num_chats, round_number=1)
    comparisons = _make_comparisons(loop, num=options.comparisons, round_number=1)
    _await_comparisons(loop, comparisons)
    num_open = _require_open(comparisons)
    loop.sizes["comparisons"] = num_open
    return (
        f"{num_answered} prompts answered; {num_open} of the answers compared, {options.completions} completions each"
    )


def rank(loop: Loop) -> str:
    """The simulated trainer ranks through the queue as people do: claim, submit."""
    num_open = Comparison.objects.filter(
        project=loop.project, state=Comparison.State.OPEN, use=Comparison.Use.WORK
    ).count()
    num_ranked = 0
    while num := rank_with_gold(loop.project, trainer=loop.trainer, limit=_RANKED_AT_ONCE):
        num_ranked += num
        loop.show(min(num_ranked / num_open, 1.0), f"{num_ranked} ranked")
    if num_ranked < num_open:
        raise StepFailed(f"{num_ranked} of {num_open} comparisons were ranked.")
    loop.sizes["rankings"] = num_ranked
    return f"{num_ranked} rankings by the simulated trainer"


def begin_next_round(loop: Loop) -> str:
    """The new policy answers prompts, and the first comparisons of round two are sampled from it."""
    _hold_chats(loop, num=loop.options.next_comparisons, round_number=2)
    comparisons = _make_comparisons(loop, num=loop.options.next_comparisons, round_number=2)
    _await_comparisons(loop, comparisons)
    num_open = _require_open(comparisons)
    policies = set(
        SamplingRun.objects.filter(comparison__in=comparisons).values_list("policy__name", flat=True).distinct()
    )
    if policies != {loop.new_policy.name}:
        raise StepFailed(f"Round two samples from {', '.join(sorted(policies))}, not from {loop.new_policy.name}.")
    loop.sizes["comparisons of the next round"] = num_open
    return f"{num_open} comparisons of {loop.new_policy.name} wait for trainers"


def draw_prompts(loop: Loop, *, num: int, seed: int) -> list[Prompt]:
    """`num` prompts of at most --prompt-characters; only their texts and the seed decide which."""
    usable = [
        prompt
        for prompt in Prompt.objects.in_use().filter(project=loop.project).order_by("content_sha256")
        if sum(len(message["content"]) for message in prompt.messages) <= loop.options.prompt_characters
    ]
    return random.Random(f"prompts/{seed}").sample(usable, min(num, len(usable)))


def request_answers(loop: Loop, *, num: int, round_number: int) -> list[SamplingRun]:
    """Ask the project's policy to answer `num` prompts of the pool, each in a chat of its own."""
    loop.project.refresh_from_db(fields=("policy",))
    seed = loop.options.seed
    prompts = draw_prompts(loop, num=num, seed=derived_seed(seed, "prompts", round_number))
    with transaction.atomic():
        return [
            _request_answer(loop, prompt, seed=derived_seed(seed, "answer", round_number, number))
            for number, prompt in enumerate(prompts)
        ]


def await_runs(loop: Loop, runs: Sequence[SamplingRun], *, doing: str, share: tuple[float, float] = (0.0, 1.0)) -> None:
    """Wait until every run has ended. Raises StepFailed with the sampler's message where one failed.

    `share` is the part of the step's progress that this wait covers.
    """
    ids = [run.id for run in runs]
    low, high = share

    def progress() -> tuple[float, str]:
        num_ended = SamplingRun.objects.filter(
            id__in=ids, state__in=(State.DONE, State.FAILED, State.CANCELLED, State.BLOCKED)
        ).count()
        return num_ended / max(1, len(ids)), f"{doing}: {num_ended} of {len(ids)}"

    follow(
        progress,
        show=lambda fraction, note: loop.show(low + (high - low) * fraction, note),
        patience=PATIENCE,
        where=f"{log_folder()}/sample-worker.log",
    )
    failed = SamplingRun.objects.filter(id__in=ids).exclude(state=State.DONE)
    if (first := failed.first()) is not None:
        raise StepFailed(f"{failed.count()} of {len(ids)} sampling runs failed: {first.error}")


def _hold_chats(loop: Loop, *, num: int, round_number: int) -> int:
    """Have the project's policy answer `num` prompts and wait for the answers; returns how many it gave."""
    runs = request_answers(loop, num=num, round_number=round_number)
    await_runs(loop, runs, doing="answers", share=(0.0, 0.2))
    answered = Message.objects.filter(
        dialogue__in=[run.dialogue_id for run in runs], authorship=Message.Authorship.POLICY
    )
    if not answered.exists():
        raise StepFailed(f"None of {len(runs)} answers has a word in it.")
    return answered.count()


def _request_answer(loop: Loop, prompt: Prompt, *, seed: int) -> SamplingRun:
    """A chat that opens with the prompt and receives the answer.

    It has no author: a dialogue's author is never asked to rank completions of it.
    """
    dialogue = Dialogue.objects.create(
        project=loop.project,
        kind=Dialogue.Kind.CHAT,
        prompt=prompt,
        topic=prompt.topic,
        source=prompt.source,
        guideline_version=loop.project.guidelines,
    )
    Message.objects.bulk_create(
        Message(
            dialogue=dialogue,
            position=position,
            role=said["role"],
            content=said["content"],
            authorship=Message.Authorship.IMPORTED,
        )
        for position, said in enumerate(prompt.messages)
    )
    return sampling_runs.request_completions(
        loop.project,
        purpose=SamplingRun.Purpose.CHAT,
        messages=[MessageRecord(role=said["role"], content=said["content"]) for said in prompt.messages],
        num_completions=1,
        sampling=sampling_runs.default_sampling(loop.project, seed=seed),
        dialogue=dialogue,
        position=len(prompt.messages),
    )


def _make_comparisons(loop: Loop, *, num: int, round_number: int) -> list[Comparison]:
    seed = derived_seed(loop.options.seed, "comparisons", round_number)
    return sampled_comparisons.make_comparisons(loop.project, num=num, seed=seed, by=None)


def _await_comparisons(loop: Loop, comparisons: Sequence[Comparison]) -> None:
    if not comparisons:
        raise StepFailed("No message of the policy could be chosen to be compared.")
    runs = list(SamplingRun.objects.filter(comparison__in=comparisons))
    await_runs(loop, runs, doing="comparisons", share=(0.2, 1.0))


def _require_open(comparisons: Sequence[Comparison]) -> int:
    """How many comparisons can be ranked. Raises StepFailed below half: equal completions leave nothing to rank."""
    ids = [comparison.id for comparison in comparisons]
    num_open = Comparison.objects.filter(id__in=ids, state=Comparison.State.OPEN).count()
    if num_open * 2 < len(ids):
        raise StepFailed(f"Only {num_open} of {len(ids)} comparisons have completions that differ.")
    return num_open

"""A thumb down as the wish for a comparison: its prompt goes into the pool and is compared in the open round.

Only where the project said so when the thumb came. The answer that got the thumb is none of the completions: it was
picked for being disliked, so that its policy would lose against the others by the choice and not by its answers.
"""

from collections.abc import Sequence

from django.db import transaction

from labeling.models import Comparison, Project, Prompt, Round, Thumb
from labeling.models.content_hash import fingerprint
from labeling.sampling.comparisons import compare_wanted, lock_round, open_round, policy_of

SOURCE = "feedback"
MOST_AT_ONCE = 100  # thumbs looked at by one sweep
MOST_WAITING = 100  # comparisons of such prompts that wait in a round; a flood of thumbs must not fill the queue
_WAITING = (Comparison.State.SAMPLING, Comparison.State.OPEN, Comparison.State.FAILED)


def compare_thumbs_down(project: Project) -> int:
    """Put the prompts of new thumbs down into the pool and request their comparisons; returns how many were requested.

    Where no round is open, or too many wait already, the prompts wait in the pool, the oldest first. Safe to repeat.
    """
    if not project.compares_thumbs_down:
        return 0
    waiting = Thumb.objects.filter(project=project).to_compare()
    _put_into_pool(project, list(waiting.filter(prompt=None)[:MOST_AT_ONCE]))
    thumbs = list(waiting.exclude(prompt=None).select_related("prompt")[:MOST_AT_ONCE])
    round_ = open_round(project) if thumbs and project.archived_at is None else None
    if round_ is None or policy_of(round_) is None:
        return 0
    with transaction.atomic():
        return _compare(lock_round(project), thumbs)


def _put_into_pool(project: Project, thumbs: Sequence[Thumb]) -> None:
    """Name the prompt of each thumb, a new one where the pool has none with the same messages."""
    by_hash = {fingerprint(thumb.messages): thumb for thumb in thumbs}
    Prompt.objects.bulk_create(
        (
            Prompt(
                project=project,
                messages=thumb.messages,
                topic=thumb.topic,
                source=SOURCE,
                content_sha256=content_sha256,
            )
            for content_sha256, thumb in by_hash.items()
        ),
        ignore_conflicts=True,
    )
    rows = Prompt.objects.filter(project=project, content_sha256__in=by_hash)
    found = {prompt.content_sha256: prompt for prompt in rows}
    for thumb in thumbs:
        thumb.prompt = found[fingerprint(thumb.messages)]
    Thumb.objects.bulk_update(thumbs, ["prompt"])


def _compare(round_: Round, thumbs: Sequence[Thumb]) -> int:
    """Request a comparison of each prompt that this locked round has none of, and name it in its thumbs."""
    wanted = [thumb.prompt for thumb in thumbs if thumb.prompt and thumb.prompt.retired_at is None]
    waiting = Comparison.objects.filter(round=round_, state__in=_WAITING, thumbs__isnull=False).distinct()
    before = Comparison.objects.filter(round=round_, prompt__in=wanted).count()
    known = compare_wanted(round_, wanted, most=MOST_WAITING - waiting.count())
    compared = [thumb for thumb in thumbs if thumb.prompt_id in known]
    for thumb in compared:
        thumb.comparison = known[thumb.prompt_id]
    Thumb.objects.bulk_update(compared, ["comparison"])
    return len(known) - before

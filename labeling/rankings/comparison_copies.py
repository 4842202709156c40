"""Copies of comparisons. A comparison and its copies are a family, and no trainer is given two of a family.

A copy is made to rank a trainer's correction together with the completions (labeling.rankings.corrections), or to
give the completions a known order (labeling.rankings.references).
"""

from collections.abc import Iterable
from typing import Any

from labeling.models import Comparison, Completion


def copy_comparison(first: Comparison, **fields: Any) -> Comparison:
    """Create an open comparison of the same prompt in the family of `first`, whose row the caller has locked.

    It has no round, no free places and no completions, except for what `fields` set.
    """
    if first.family_id is None:
        first.family_id = first.id
        first.save(update_fields=["family"])
    inherited = {
        "project_id": first.project_id,
        "state": Comparison.State.OPEN,
        "messages": first.messages,
        "prompt_sha256": first.prompt_sha256,
        "dialogue_id": first.dialogue_id,
        "prompt_id": first.prompt_id,
        "family_id": first.family_id,
        "topic": first.topic,
        "source": first.source,
        "rankings_wanted": first.rankings_wanted,
    }
    return Comparison.objects.create(**{**inherited, **fields})


def copy_completions(completions: Iterable[Completion], *, comparison: Comparison) -> list[Completion]:
    """Unsaved copies of the completions, with their provenance, for another comparison."""
    return [
        Completion(
            comparison=comparison,
            index=index,
            content=one.content,
            policy_id=one.policy_id,
            outside_policy=one.outside_policy,
            author_id=one.author_id,
            message_id=one.message_id,
            copied_from=one,
            sampling=one.sampling,
            finish_reason=one.finish_reason,
            num_tokens=one.num_tokens,
            logprob=one.logprob,
        )
        for index, one in enumerate(completions)
    ]

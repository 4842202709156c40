"""Families: comparisons of the same completions, of which nobody is given two.

A family begins when a person's text joins the completions in a comparison of its own
(labeling.rankings.corrections), or when a copy is made whose order is known (labeling.rankings.references).
"""

from collections.abc import Iterable
from typing import Any

from labeling.models import Comparison, Completion


def copy_comparison(first: Comparison, **fields: Any) -> Comparison:
    """A new, open comparison of the same prompt, of one family with `first`, whose row is locked.

    It has no round, no places and no completions but for what `fields` say.
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


def copies(completions: Iterable[Completion], *, comparison: Comparison) -> list[Completion]:
    """The same texts with their provenance, unsaved, as the completions of another comparison."""
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

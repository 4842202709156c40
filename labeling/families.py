"""Families: comparisons of the same completions, of which nobody is given two.

One begins when a person's text joins the completions in a comparison of its own (labeling.bettering), or when
a copy is made whose order is known (labeling.references).
"""

from collections.abc import Iterable

from labeling.models import Comparison, Completion


def begin_family(first: Comparison) -> None:
    """Make a locked comparison the first of its family, unless it is in one already."""
    if first.family_id is None:
        first.family_id = first.id
        first.save(update_fields=["family"])


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

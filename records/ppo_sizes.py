"""Sizes of a PPO run that cannot work together.

The program refuses them before it reads anything and the platform's form before a job is made: both by these
functions, so that what the form lets through the program takes. `called` says how each of the two calls an option.
"""

from collections.abc import Callable
from dataclasses import dataclass

# What the program does where an option is left out.
COMPLETIONS_PER_PROMPT = 1
MICROBATCH_SIZE = 8
MAX_PROMPT_TOKENS = 1024


@dataclass(frozen=True)
class SizeProblem:
    """A refusal: the option to mend, and a sentence that says where, what, and what to do."""

    option: str
    sentence: str


def size_problems(
    *,
    rollouts_per_update: int,
    minibatch_size: int,
    completions_per_prompt: int = COMPLETIONS_PER_PROMPT,
    called: Callable[[str], str],
) -> list[SizeProblem]:
    """Rollouts that are no whole number of minibatches or prompts. All sizes are at least 1.

    Completions forwarded at once (microbatches) need divide nothing: a minibatch's last piece may be smaller.
    """
    wholes = (
        ("rollouts_per_update", rollouts_per_update, "minibatch_size", minibatch_size),
        ("rollouts_per_update", rollouts_per_update, "completions_per_prompt", completions_per_prompt),
    )
    return [
        SizeProblem(whole, _no_multiple(called(whole), num, called(part), size))
        for whole, num, part, size in wholes
        if num % size
    ]


def length_problem(
    *, prompt_tokens: int, max_new_tokens: int, context: int, called: Callable[[str], str]
) -> SizeProblem | None:
    """A longest prompt with its longest completion that is more than the models hold; None where they fit."""
    if prompt_tokens + max_new_tokens <= context:
        return None
    return SizeProblem(
        "max_new_tokens",
        f"prompts of up to {prompt_tokens} tokens and {called('max_new_tokens')} {max_new_tokens} come to more than "
        f"the models hold, {context}; lower {called('max_prompt_tokens')} or {called('max_new_tokens')}",
    )


def prompt_tokens_that_fit(*, max_new_tokens: int, context: int) -> int:
    """The longest prompts that leave room for the longest completion: at least one token, whatever is asked."""
    return max(1, min(MAX_PROMPT_TOKENS, context - max_new_tokens))


def _no_multiple(whole: str, num: int, part: str, size: int) -> str:
    below, above = num // size * size, (num // size + 1) * size
    fitting = f"{below} or {above}" if below else str(above)
    return f"{whole} {num} must be a multiple of {part} {size}; give {fitting}"

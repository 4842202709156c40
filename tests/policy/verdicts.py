"""Rankings and thumbs over the toy policy's four answers, by somebody who likes one; and how a policy answers."""

from collections.abc import Sequence
from pathlib import Path

import torch

from language.chat import render_completion, render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from policy.sequence_logprobs import Answered, sequence_logprobs
from records import Completion, Message, Ranking, Thumb, write_jsonl
from rewardmodel.comparisons import Comparison
from tests.policy.conftest import ANSWERS
from tests.policy.factories import QUESTIONS, make_messages
from tests.rewardmodel.factories import make_ranking

LIKED_ANSWER = "b b b"


def preferring(liked: str, *, id: str, prompt: str, split: str = "train", **fields: object) -> Ranking:
    """One answer over the three others, which share a tier."""
    best = ANSWERS.index(liked)
    tiers = [[best], [index for index in range(len(ANSWERS)) if index != best]]
    return make_ranking(id=id, prompt=prompt, completions=ANSWERS, tiers=tiers, split=split, **fields)


def write_rankings(path: Path, rankings: Sequence[Ranking]) -> Path:
    write_jsonl(path, rankings)
    return path


def make_thumb(answer: str, up: bool, *, id: str, prompt: str = "Hello!", split: str | None = "train") -> Thumb:
    return Thumb(
        id=id,
        messages=make_messages(prompt),
        completion=Completion(id=f"c-{id}", content=answer),
        up=up,
        split=split,  # type: ignore[arg-type]
    )


def thumbs_for(liked: str, *, count: int = 20) -> list[Thumb]:
    """Every answer to some question, up where it is the liked one; the last question is held out."""
    return [
        make_thumb(
            answer,
            answer == liked,
            id=f"t-{turn}-{number}-{place}",
            prompt=question,
            split="validation" if question == QUESTIONS[-1] else "train",
        )
        for turn in range(count // len(QUESTIONS))
        for number, question in enumerate(QUESTIONS)
        for place, answer in enumerate(ANSWERS)
    ]


def shares(directory: Path, question: str) -> dict[str, float]:
    """How likely the policy gives each of the answers."""
    model, tokenizer = load_causal_lm(directory), load_tokenizer(directory)
    prompt = tuple(render_prompt(tokenizer, (Message(role="user", content=question),)))
    answers = tuple(tuple(render_completion(tokenizer, answer)) for answer in ANSWERS)
    members: list[Answered] = [Comparison("q", prompt, answers, (), (), ())]
    with torch.no_grad():
        found = sequence_logprobs(model, members, precision="fp32").exp().tolist()
    return dict(zip(ANSWERS, found, strict=True))

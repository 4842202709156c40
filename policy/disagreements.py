"""The answers that two reward models judge most differently, in words: where a proxy may be fooled, one can read why.

They stand in a file of the work directory, which is published beside the policy.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from policy.judging import Asked

DISAGREEMENTS_FILE = "watch-disagreements.jsonl"
MOST = 5  # of a look


@dataclass(frozen=True)
class Disagreement:
    """One answer with both scores. `difference` is in standard deviations, above 0 where the proxy likes it more."""

    prompt_id: str
    messages: list[dict[str, str]]
    answer: str
    tokens: int
    ended: bool
    score: float
    held_out_score: float
    difference: float


def standardised_differences(
    scores: Float[Tensor, " answers"], held_out_scores: Float[Tensor, " answers"]
) -> Float[Tensor, " answers"]:
    """z(scores) − z(held_out_scores), each standardised over these answers (mean 0, population deviation 1).

    A model that scores all alike stands at 0 everywhere. The two scales never meet, so only standings are compared.
    """
    first, second = (
        (x - x.mean()) / deviation if (deviation := x.std(correction=0)) > 0 else torch.zeros_like(x)
        for x in (scores, held_out_scores)
    )
    return first - second


def largest_disagreements(
    asked: Sequence[Asked],
    lengths: Sequence[int],
    scores: Sequence[float],
    held_out_scores: Sequence[float],
    *,
    most: int = MOST,
) -> list[Disagreement]:
    """The answers of one completion a prompt whose standings differ most, the largest difference first."""
    differences = standardised_differences(
        torch.tensor(scores, dtype=torch.float64), torch.tensor(held_out_scores, dtype=torch.float64)
    )
    order = differences.abs().argsort(descending=True, stable=True)[:most].tolist()
    return [
        Disagreement(
            prompt_id=asked[index][0].id,
            messages=[{"role": one.role, "content": one.content} for one in asked[index][0].prompt.messages],
            answer=asked[index][1][0].content,
            tokens=lengths[index],
            ended=asked[index][1][0].finish_reason == "stop",
            score=scores[index],
            held_out_score=held_out_scores[index],
            difference=float(differences[index]),
        )
        for index in order
    ]


def write_disagreements(work: Path, looks: Sequence[tuple[int, Sequence[Disagreement]]]) -> None:
    """All that were seen, look by look, each line with its update; in place of what an earlier look wrote."""
    lines = [json.dumps({"update": update, **asdict(one)}, ensure_ascii=False) for update, own in looks for one in own]
    work.mkdir(parents=True, exist_ok=True)
    partial = work / f"{DISAGREEMENTS_FILE}.partial"
    partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    partial.replace(work / DISAGREEMENTS_FILE)

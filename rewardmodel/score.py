"""Scores for records on stdin or in a file, one JSON line each, in the order of the input.

A ranking, or any object with "id", "messages" and "completions", gives {"id", "scores": {completion: score}};
a demonstration gives {"id", "score"} of its last message. Nothing is cut silently: what was is said.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from language.checkpoints import load_tokenizer
from language.commandline import Precision, autocast, resolve_device, run
from language.model_kinds import RewardModelDirectory
from records import Completion, Demonstration, Message, Ranking, RecordError, decode
from records.lines import read_json_lines
from records.manifest import verify_directory
from records.names import DEMONSTRATIONS_FILE, RANKINGS_FILE
from rewardmodel.comparisons import tokenize_comparison
from rewardmodel.data import DataError, find_source
from rewardmodel.model import RewardModel, context_of, load_reward_model
from rewardmodel.scoring import score_comparisons

_AT_ONCE = 256  # records held in memory while they are scored


@dataclass(frozen=True)
class ScoreConfig:
    """What to score with what."""

    model: RewardModelDirectory
    """Directory of a reward model."""
    data: Path = Path("-")
    """An export of rankings or demonstrations, or a .jsonl file of records; - reads stdin."""
    token_budget: int = 8192
    """Tokens forwarded at once."""
    precision: Precision = "fp32"
    """bf16 halves the time on hardware that has it and moves scores by about 0.02."""
    device: str = "auto"
    """cpu, cuda, cuda:1 …; auto takes the GPU where there is one."""


@dataclass(frozen=True)
class Candidates:
    """A prompt and completions of it, ranked by nobody yet."""

    id: str
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]


@dataclass(frozen=True)
class Question:
    """What is to be scored; `is_single` where the answer is one score and not one per completion id."""

    candidates: Candidates
    is_single: bool = False


def main(config: ScoreConfig) -> None:
    """Read, score and print in pieces, so that a stream is answered as it comes."""
    device = resolve_device(config.device)
    model, tokenizer = load_reward_model(config.model, device=device), load_tokenizer(config.model)
    questions, num_cut, num_scored = read_questions(find_records(config.data)), 0, 0
    while piece := list(islice(questions, _AT_ONCE)):
        with autocast(device, config.precision):
            answers = answer_questions(model, tokenizer, piece, token_budget=config.token_budget)
        for answer in answers:
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        num_scored += len(answers)
        num_cut += sum("prompt_tokens_cut" in answer for answer in answers)
    cut = f", the prompts of {num_cut} cut to fit the model's context" if num_cut else ""
    print(f"scored {num_scored} records{cut}; none left out", file=sys.stderr)


def find_records(path: Path) -> Path:
    """The file of records: the path itself, or that of a verified export that can be scored. Raises DataError."""
    if not path.is_dir():
        return path
    for name in (RANKINGS_FILE, DEMONSTRATIONS_FILE):
        if name in verify_directory(path)["files"]:
            return find_source(path, name).path
    raise DataError(f"{path}: this export holds neither {RANKINGS_FILE} nor {DEMONSTRATIONS_FILE}, so nothing to score")


def read_questions(path: Path) -> Iterator[Question]:
    """Records of a file or of stdin. RecordError names the line and the field."""
    name, lines = ("stdin", _stdin_lines()) if str(path) == "-" else (path.name, _file_lines(path))
    for number, values in lines:
        yield _decode_question(values, f"{name}:{number}")


def answer_questions(
    model: RewardModel, tokenizer: PreTrainedTokenizerBase, questions: Sequence[Question], *, token_budget: int
) -> list[dict[str, Any]]:
    """One answer a question, in order; where a prompt had to be cut it says by how much."""
    comparisons, cuts = [], []
    for index, question in enumerate(questions):
        asked = question.candidates
        contents = [completion.content for completion in asked.completions]
        fitted = tokenize_comparison(
            str(index), asked.messages, contents, tokenizer, max_tokens=context_of(model.backbone)
        )
        if fitted is None:
            raise DataError(
                f"record {asked.id}: a completion leaves no room in the model's context for its prompt's "
                "system message and the end of its question"
            )
        comparisons.append(fitted.comparison)
        cuts.append((fitted.num_cut, fitted.num_messages_cut))
    scored = score_comparisons(model, comparisons, token_budget=token_budget)
    scores = {comparison.id: row for comparison, row in scored}
    return [_answer(question, scores[str(i)], cuts[i]) for i, question in enumerate(questions)]


def _answer(question: Question, scores: list[float], cut: tuple[int, int]) -> dict[str, Any]:
    asked = question.candidates
    answer: dict[str, Any] = {"id": asked.id}
    if question.is_single:
        answer["score"] = scores[0]
    else:
        answer["scores"] = {member.id: score for member, score in zip(asked.completions, scores, strict=True)}
    num_tokens, num_messages = cut
    if num_tokens:
        answer |= {"prompt_tokens_cut": num_tokens, "prompt_messages_cut": num_messages}
    return answer


def _decode_question(values: Any, where: str) -> Question:
    if isinstance(values, dict) and "completions" in values:
        if "comparison_id" in values:
            ranking = decode(Ranking, values, where=where)
            return Question(Candidates(ranking.id, ranking.messages, ranking.completions))
        candidates = decode(Candidates, values, where=where)
        if not candidates.completions or not candidates.messages or candidates.messages[-1].role != "user":
            raise RecordError(f'{where}: "messages" must end with a user message, and "completions" not be empty')
        return Question(candidates)
    demonstration = decode(Demonstration, values, where=where)
    *prompt, last = demonstration.messages
    if not prompt or last.role != "assistant":
        raise RecordError(f'{where}: "messages" must end with an assistant message after a user message')
    answer = Completion(id="last", content=last.content)
    return Question(Candidates(demonstration.id, tuple(prompt), (answer,)), is_single=True)


def _file_lines(path: Path) -> Iterator[tuple[int, Any]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a .jsonl file, or - for stdin")
    return read_json_lines(path)


def _stdin_lines() -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(sys.stdin, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise RecordError(f"stdin:{number}: not JSON at column {error.colno}: {error.msg}") from error


if __name__ == "__main__":
    run(main, ScoreConfig)

"""Pretraining text as tokens: plain text or JSON lines with a "text", cut into pieces that are packed like dialogues.

InstructGPT's PPO-ptx mixes the gradient of pretraining text into PPO's (App. C.4). Every token but a
piece's first is a target; none sees another text, and control tokens in a text are plain characters.
"""

from collections.abc import Iterator
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from language.chat import encode_text
from policy.dialogues import TokenizedDialogue
from records import RecordError
from records.lines import open_text, read_json_lines
from rewardmodel.data import DataError, Source, find_source

_JSON = (".jsonl", ".jsonl.gz", ".json")


def find_texts(path: Path) -> Source:
    """The file of texts at `path`. DataError where there is none."""
    if path.is_dir():
        raise DataError(f'{path}: is a directory; give one file, plain text or .jsonl with a "text"')
    return find_source(path, path.name)


def tokenize_texts(
    source: Source, tokenizer: PreTrainedTokenizerBase, *, max_tokens: int
) -> tuple[TokenizedDialogue, ...]:
    """The texts of a file in pieces of at most `max_tokens`. DataError or RecordError where there is none.

    In plain text a blank line parts two texts. What separated documents when the model was pretrained is not known
    from its tokenizer, so nothing is put between them.
    """
    pieces = tuple(
        piece
        for name, text in read_texts(source.path)
        for piece in _cut(name, encode_text(tokenizer, text), max_tokens)
    )
    if not pieces:
        raise DataError(f"{source.path}: holds no text of two tokens or more")
    return pieces


def read_texts(path: Path) -> Iterator[tuple[str, str]]:
    """Names and texts of a file, empty ones left out. RecordError names the line."""
    if path.name.endswith(_JSON):
        for number, values in read_json_lines(path):
            if not isinstance(values, dict) or not isinstance(values.get("text"), str):
                raise RecordError(f'{path.name}:{number}: has no "text"; give one JSON object with it a line')
            if values["text"].strip():
                yield f"{path.name}:{number}", values["text"]
        return
    with open_text(path) as file:
        paragraph, first = [], 1
        for number, line in enumerate([*file, "\n"], start=1):
            if line.strip():
                paragraph.append(line)
            elif paragraph:
                yield f"{path.name}:{first}", "".join(paragraph).strip()
                paragraph = []
            if not paragraph:
                first = number + 1


def _cut(name: str, token_ids: list[int], max_tokens: int) -> Iterator[TokenizedDialogue]:
    for start in range(0, len(token_ids), max_tokens):
        ids = tuple(token_ids[start : start + max_tokens])
        if len(ids) > 1:  # a single token has nothing before it to be foretold from
            yield TokenizedDialogue(f"{name}+{start}", ids, (True,) * len(ids))

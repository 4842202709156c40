"""Reading labelled and harmless texts: unknown stays unknown, copies count once, and what is wrong is named."""

import gzip
import json
from pathlib import Path

import pytest
import torch

from contentfilter.data import DataError, LabelledText, fold_of, label_matrix, read_harmless, read_labelled


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_label_that_is_missing_is_unknown_and_not_no(tmp_path: Path) -> None:
    (one,) = read_labelled(write(tmp_path / "a.jsonl", {"prompt": "Hm.", "S": 0, "SH": 1, "V": None, "id": 7}))
    assert one.labels == {"S": 0, "SH": 1}
    row = label_matrix([one])[0]
    assert (row[0].item(), row[4].item()) == (0.0, 1.0)
    assert int(row.isnan().sum()) == 6


def test_the_same_text_is_taken_once_with_every_label_and_yes_before_no(tmp_path: Path) -> None:
    rows = [{"text": "Broken  bottle", "V": 0}, {"text": "broken\u200b bottle", "V": 1, "S": 0}, {"text": "Bread"}]
    first, second = read_labelled(write(tmp_path / "a.jsonl", *rows))
    assert (first.text, first.labels) == ("Broken  bottle", {"S": 0, "V": 1})
    assert second.labels == {}
    assert first.key == LabelledText("BROKEN BOTTLE", {}).key


def test_compressed_files_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "Hm.", "S": true}\n\n'))
    assert read_labelled(path)[0].labels == {"S": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "a.jsonl:1: no JSON"),
        ("[]", "a.jsonl:1: a row must be an object"),
        ('{"S": 1}', 'a.jsonl:1: no text; give it as "prompt" or "text"'),
        ('{"prompt": "x", "S": 2}', 'a.jsonl:1: "S" must be 0 or 1, not 2'),
        ('{"prompt": "x", "S": "1"}', "must be 0 or 1, not '1'"),
        ("", "no text in it"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        read_labelled(path)


def test_a_missing_or_broken_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_labelled(tmp_path / "nowhere.jsonl")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "x"}\n')[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_labelled(tmp_path / "cut.jsonl.gz")


def test_harmless_files_of_any_shape_give_what_was_said_once(tmp_path: Path) -> None:
    path = write(
        tmp_path / "chat.jsonl",
        {"turns": ["Compose a post.", "Rewrite it."], "category": "writing"},
        {"instruction": "Is it warm?", "instances": [{"input": "", "output": "Yes."}]},
        {"prompt": {"text": "Why?", "replies": [{"text": "Because.", "replies": [{"text": "Why?"}]}]}},
        {"messages": [{"role": "user", "content": "Hello"}]},
    )
    found = read_harmless([path])
    assert [one.text for one in found] == [
        "Compose a post.", "Rewrite it.", "Is it warm?", "Yes.", "Why?", "Because.", "Hello",
    ]  # fmt: skip
    assert torch.equal(label_matrix(found), torch.zeros(7, 8, dtype=torch.float64))


def test_copies_are_held_out_together_and_every_fold_gets_some() -> None:
    texts = [LabelledText(f"Text {number}", {}) for number in range(200)]
    folds = [fold_of(one, num_folds=4, seed=0) for one in texts]
    assert {folds.count(fold) for fold in range(4)} <= set(range(30, 71))
    assert [fold_of(LabelledText(one.text.upper() + "\u200b ", {}), num_folds=4, seed=0) for one in texts] == folds
    assert [fold_of(one, num_folds=4, seed=1) for one in texts] != folds

"""Progress: a bar on a terminal, lines elsewhere, JSON lines for a follower."""

import contextlib
import io
import json
import os
import pty
from pathlib import Path

import pytest

from language.progress import Progress, begin_stage


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_all(terminal: int) -> str:
    """All that was written to a pseudo-terminal whose other end is closed."""
    shown = b""
    with contextlib.suppress(OSError):  # Linux reports the closed end as an error
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    return shown.decode()


def test_a_later_count_of_a_run_goes_on_from_the_earlier_one_and_names_its_figures(tmp_path: Path) -> None:
    path, said = tmp_path / "progress.jsonl", io.StringIO()
    with Progress(2, description="b", file=path, stream=said, before=6.0, called={"loss": "train_loss"}) as progress:
        progress.advance(1, {"loss": 0.5})
        progress.say_once("only once")
        progress.say_once("only once")
    assert [entry["fraction"] for entry in read(path)] == [0.75, 0.875, 0.875]
    assert read(path)[-1]["metrics"] == {"loss": 0.5}, "the file keeps the metric's own name"
    assert "train_loss=0.5" in said.getvalue()
    assert said.getvalue().count("only once") == 1


def test_the_file_carries_fraction_metrics_and_messages(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    with Progress(4, description="train", file=path, stream=io.StringIO(), file_seconds=0.0) as progress:
        progress.say("loading")
        progress.advance(1, {"loss": 0.5})
        progress.advance(3)
    assert read(path) == [
        {"fraction": 0.0, "stage": "training", "metrics": {}, "message": None},
        {"fraction": 0.0, "stage": "training", "metrics": {}, "message": "loading"},
        {"fraction": 0.25, "stage": "training", "metrics": {"loss": 0.5}, "message": None},
        {"fraction": 1.0, "stage": "training", "metrics": {"loss": 0.5}, "message": None},
        {"fraction": 1.0, "stage": "training", "metrics": {"loss": 0.5}, "message": None},
    ]


def test_nothing_is_whole_before_its_last_stage(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    begin_stage("loading", file=path, stream=io.StringIO())
    with Progress(6, after=2.0, description="train", file=path, stream=io.StringIO(), file_seconds=0.0) as progress:
        progress.advance(6, {"loss": 0.5})
    begin_stage("evaluating", file=path, stream=(shown := io.StringIO()))
    assert shown.getvalue() == "evaluating …\n"
    entries = read(path)
    assert [(entry["stage"], entry["fraction"]) for entry in (entries[0], entries[2], entries[-1])] == [
        ("loading", 0.0),
        ("training", 0.75),
        ("evaluating", 0.75),
    ]
    assert entries[-1]["metrics"] == {"loss": 0.5}


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PROGRESS_FILE", str(tmp_path / "followed.jsonl"))
    with Progress(1, description="train", stream=io.StringIO()):
        pass
    assert read(tmp_path / "followed.jsonl")


def test_metrics_that_are_not_finite_are_told_in_words(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    with Progress(1, description="train", file=path, stream=io.StringIO()) as progress:
        progress.advance(1, {"loss": float("nan"), "lr": 1.0})
    assert read(path)[-1] == {
        "fraction": 1.0,
        "stage": "training",
        "metrics": {"lr": 1.0},
        "message": "loss is not finite",
    }


def test_lines_are_few_but_the_last_is_always_shown(tmp_path: Path) -> None:
    stream = io.StringIO()
    with Progress(1000, description="train", stream=stream, line_seconds=3600.0) as progress:
        for _ in range(1000):
            progress.advance(1, {"loss": 0.25})
    assert stream.getvalue().splitlines() == ["train: 0/1000 steps", "train: 1000/1000 steps loss=0.25"]


def test_a_resumed_run_begins_where_it_was() -> None:
    progress = Progress(10, description="train", done=4, stream=io.StringIO())
    assert progress.fraction == 0.4


def test_a_terminal_gets_a_bar() -> None:
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal, Progress(2, description="train", stream=terminal) as progress:
        progress.say("half way")
        progress.advance(2, {"loss": 0.5})
    shown = read_all(reader)
    assert "100%" in shown
    assert "half way" in shown
    assert "loss=0.5" in shown

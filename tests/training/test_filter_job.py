"""A filter is trained by the worker's own code: a subprocess, its refusal, and the directory that it publishes."""

import json
from pathlib import Path
from typing import Any

import pytest

from contentfilter.content_filter import load_filter
from records import TrainingRequest, publish_directory
from tests.contentfilter.made_up import SIGNS
from training.commands import command
from training.jobs import run_job

QUICK = {"num_folds": 2, "strength_ngrams": 0.5, "strength_vectors": 1.0}


class Heard:
    """What the worker would tell the platform."""

    def __init__(self) -> None:
        self.results: list[Any] = []

    def progress(self, progress: Any) -> None:
        return

    def result(self, result: Any) -> None:
        self.results.append(result)

    def is_cancelled(self, job_id: str) -> bool:
        return False


def publish_export(store: Path, num: int) -> None:
    """So many texts of each category, each of one alone."""
    staging = store / "staging"
    staging.mkdir(parents=True)
    rows = [
        {
            "id": f"{place}-{name}",
            "text": f"{sign} {place}",
            "labels": {other: int(other == name) for other in SIGNS},
            "split": "train",
        }
        for place in range(num)
        for name, sign in SIGNS.items()
    ]
    (staging / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    publish_directory(staging, store / "exports" / "e1")


def asked(**fields: Any) -> TrainingRequest:
    values = {"job_id": "j", "attempt": 1, "kind": "filter", "data_path": "exports/e1", "out_path": "filters/next"}
    return TrainingRequest(**{**values, "model_path": None, **fields})


def test_an_export_of_labels_becomes_a_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    publish_export(tmp_path, 10)
    result = run_job(asked(options=QUICK), store=tmp_path, reporter=Heard())
    assert result is not None
    assert result.error is None
    assert result.metrics["auprc_any"] > 0.8
    assert {"auprc_macro", "auprc_S", "ece"} <= set(result.metrics)
    (screening,) = load_filter(tmp_path / "filters" / "next").screen(["velvet lace"])
    assert max(screening.probabilities, key=screening.probabilities.__getitem__) == "S"


def test_a_filters_command_names_its_labels_and_no_state(tmp_path: Path) -> None:
    publish_export(tmp_path, 2)
    flags = command(asked(options={"seed": 3}), store=tmp_path, work=tmp_path / "work")
    data, out = str(tmp_path / "exports/e1"), str(tmp_path / "filters/next")
    assert flags[2:] == ["contentfilter.train", "--data", data, "--out", out, "--seed=3"]

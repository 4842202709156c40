"""What programs say of their inputs, and how loudly."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from language.reading import say_read, sentences
from policy.sft import main as fine_tune
from policy.sft_config import SftConfig
from records import write_jsonl
from rewardmodel.evaluate import EvaluateConfig
from rewardmodel.evaluate import main as evaluate
from rewardmodel.train import main as train
from rewardmodel.train_config import TrainConfig
from tests.policy.factories import make_demonstration
from tests.rewardmodel.factories import make_toy_rankings

EXPORT = Path("export")


def test_all_is_counted_by_use_and_by_reason() -> None:
    used, left_out = {"to learn from": 80, "held out": 15}, {"too_long": 3, "all_tied": 0, "abstained": 2}
    assert sentences(EXPORT, "rankings", used, left_out, limit="--max-tokens 40") == [
        (
            "read export: 100 rankings, 80 to learn from, 15 held out; left out: 3 longer than --max-tokens 40, "
            "2 abstentions",
            False,
        )
    ]
    assert sentences(EXPORT, "texts", {"to mix in": 4}, {}) == [
        ("read export: 4 texts, 4 to mix in; left out: none", False)
    ]


def test_more_than_a_tenth_is_a_warning_with_the_option_that_keeps_it() -> None:
    _, warning = sentences(EXPORT, "rankings", {"to learn from": 33}, {"too_long": 62}, limit="--max-tokens 40")
    assert warning == (
        "WARNING: 62 of 95 rankings are left out: 62 longer than --max-tokens 40; a higher --max-tokens keeps them",
        True,
    )
    _, (said, _is_loud) = sentences(EXPORT, "rankings", {"held out": 8}, {"too_long": 2}, limit="the model's context")
    assert said.endswith("2 longer than the model's context"), "no option keeps these"
    assert len(sentences(EXPORT, "rankings", {"to learn from": 9}, {"all_tied": 1})) == 1, "a tenth is not more"


def test_what_was_asked_to_be_left_out_warns_of_nothing() -> None:
    left_out = {"other_split": 50, "beyond_max_records": 90, "beyond_most_prompts": 7}
    assert len(sentences(EXPORT, "prompts", {"to answer": 3}, left_out)) == 1
    _, (said, _is_loud) = sentences(EXPORT, "prompts", {"to answer": 3}, {**left_out, "too_long": 1})
    assert "1 of 4 prompts" in said, "and does not drown what was not"


def test_a_warning_reaches_the_jobs_page_and_the_first_process_alone_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_PROGRESS_FILE", str(tmp_path / "progress.jsonl"))
    say_read(EXPORT, "prompts", {"to answer": 3}, {"too_long": 7})
    (entry,) = map(json.loads, (tmp_path / "progress.jsonl").read_text().splitlines())
    assert entry["message"] == "WARNING: 7 of 10 prompts are left out: 7 too long"
    assert len(capsys.readouterr().err.splitlines()) == 2
    monkeypatch.setenv("RANK", "1")
    say_read(EXPORT, "prompts", {"to answer": 3})
    assert capsys.readouterr().err == ""


def test_fine_tuning_says_that_most_of_its_dialogues_are_too_long(
    tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [make_demonstration("Hello!", "a" * (400 if i < 6 else 1), id=f"d-{i}") for i in range(8)]
    write_jsonl(tmp_path / "d.jsonl", [*records, replace(records[7], id="t", split="test")])
    fine_tune(
        SftConfig(
            data=tmp_path / "d.jsonl", model=tiny_policy, out=tmp_path / "out", epochs=1, max_tokens=40, device="cpu"
        )
    )
    said = capsys.readouterr().err
    assert (
        "d.jsonl: 9 dialogues, 2 to learn from, 0 held out; left out: 6 longer than --max-tokens 40, 1 of other splits"
    ) in said
    assert "WARNING: 6 of 8 dialogues are left out" in said


def test_a_reward_models_training_and_its_evaluation_say_what_they_read(
    tiny_policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rankings = make_toy_rankings(12, split="train")
    held_out = [replace(one, id=f"v-{i}", split="test") for i, one in enumerate(make_toy_rankings(3, seed=1))]
    write_jsonl(tmp_path / "r.jsonl", [*rankings, *(replace(one, comparison_id=one.id) for one in held_out)])
    out = tmp_path / "reward"
    train(TrainConfig(data=tmp_path / "r.jsonl", model=tiny_policy, out=out, max_tokens=40, device="cpu"))
    said = capsys.readouterr().err
    assert "r.jsonl: 15 rankings, " in said
    assert " longer than --max-tokens 40" in said
    assert "a higher --max-tokens keeps them" in said
    evaluate(EvaluateConfig(model=out, data=tmp_path / "r.jsonl", num_corrupted=2, device="cpu"))
    said = capsys.readouterr().err
    assert "r.jsonl: 15 rankings, 3 to evaluate on (held-out)" in said
    assert "evaluating: 3/3 comparisons" in said

"""A run repeated from the options that it kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from language.options import OptionError
from language.repeating import OPTIONS_FILE, keep_options, with_kept_options
from policy.overoptimisation import StudyConfig
from policy.sft import main
from policy.sft_config import SftConfig
from tests.policy.factories import write_demonstrations
from tests.policy.outcomes import weights_of


def repeated(arguments: list[str], program: str = "policy.sft") -> SftConfig:
    return tyro.cli(SftConfig, args=with_kept_options(SftConfig, arguments, program=program))


@pytest.fixture
def config(tiny_policy: Path, tmp_path: Path) -> SftConfig:
    data = write_demonstrations(tmp_path / "data.jsonl", [(f"{i}?", "a b c") for i in range(8)])
    return SftConfig(
        data=data, model=tiny_policy, out=tmp_path / "first", lr=3e-3, batch_size=2, epochs=1, packing=False, seed=7,
        device="cpu",
    )  # fmt: skip


def test_a_run_is_repeated_from_the_file_beside_its_weights(config: SftConfig, tmp_path: Path) -> None:
    main(config)
    again = repeated(["--config", str(config.out / OPTIONS_FILE), "--out", str(tmp_path / "second")])
    assert again == replace(config, out=tmp_path / "second")
    main(again)
    assert weights_of(again.out) == weights_of(config.out)
    assert (config.work_directory / OPTIONS_FILE).exists()


@pytest.fixture
def file(config: SftConfig) -> Path:
    keep_options(replace(config, resume=True), program="policy.sft")
    return config.work_directory / OPTIONS_FILE


def test_what_is_given_beside_the_file_counts(config: SftConfig, file: Path) -> None:
    given = ["--packing", f"--config={file}", "--max_tokens=9", "--mix-ratio", "2"]
    assert repeated(given) == replace(config, packing=True, max_tokens=9, mix_ratio=2.0), "and the moment is not kept"
    assert not repeated(["--no-packing", "--config", str(file)]).packing


def test_several_paths_and_words_come_back(tmp_path: Path) -> None:
    config = StudyConfig(
        policy=tmp_path, rewards=(tmp_path / "a", tmp_path / "b"), prompts=tmp_path, out=tmp_path / "study",
        gold_command="-python gold.py --fast", precision="bf16",
    )  # fmt: skip
    keep_options(config, program="policy.overoptimisation")
    arguments = ["--config", str(config.work_directory / OPTIONS_FILE)]
    kept = with_kept_options(StudyConfig, arguments, program="policy.overoptimisation")
    assert tyro.cli(StudyConfig, args=kept) == config


@pytest.mark.parametrize(
    ("kept", "complaint"),
    [
        ({"program": "policy.ppo", "options": {}}, "holds the options of policy.ppo, and this is policy.sft"),
        ({"program": "policy.sft", "options": {"beta": 1, "lr": 1, "top_k": 2}}, "no option --beta, --top-k; take"),
        ({"program": "policy.sft", "options": {"lr": {"peak": 1}}}, "lr is .*knows no such value"),
        ({"lr": 1}, 'has no "program" and "options"'),
        ([], 'has no "program" and "options"'),
    ],
)
def test_a_file_of_something_else_is_refused_with_names(kept: object, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    with pytest.raises(OptionError, match=complaint):
        repeated(["--config", str(tmp_path / "kept.json")])


def test_a_file_that_is_not_there_or_not_named_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"missing\.json: cannot be read as JSON"):
        repeated(["--config", str(tmp_path / "missing.json")])
    with pytest.raises(OptionError, match="--config needs a file"):
        repeated(["--config"])

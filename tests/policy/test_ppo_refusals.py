"""What PPO refuses before it begins, and in which words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from language.checkpoints import CheckpointError, load_tokenizer
from language.options import OptionError
from policy.ppo import main
from policy.ppo_config import PpoConfig
from rewardmodel.data import DataError
from rewardmodel.model import publish_reward_model, start_reward_model
from rewardmodel.publishing import PublishingError
from tests.tiny import build_tiny_policy


def test_a_reward_model_with_another_tokenizer_is_refused(config: PpoConfig, tmp_path: Path) -> None:
    other = build_tiny_policy(tmp_path / "other", vocab_size=300)
    target = tmp_path / "other-reward"
    publish_reward_model(target, model=start_reward_model(other, seed=0), tokenizer=load_tokenizer(other), facts={})
    with pytest.raises(OptionError, match="another tokenizer or chat template"):
        main(replace(config, reward=target))


def test_rollouts_that_do_not_fit_the_context_are_refused(config: PpoConfig) -> None:
    with pytest.raises(OptionError, match="the models hold, 512; lower --max-prompt-tokens or --max-new-tokens"):
        main(replace(config, max_new_tokens=500))


def test_prompts_that_are_all_too_long_are_refused(config: PpoConfig) -> None:
    with pytest.raises(DataError, match="no prompt of split train fits 3 tokens"):
        main(replace(config, max_prompt_tokens=3))


def test_everything_is_opened_before_anything_is_read(config: PpoConfig, demonstrations: Path, tmp_path: Path) -> None:
    """A wrong path at the end of the command is named at once, and not once the prompts are tokenized."""
    (tmp_path / "prompts.jsonl").write_text("not JSON\n")
    given = replace(config, prompts=tmp_path / "prompts.jsonl", ptx_coef=1.0, ptx_data=demonstrations)
    for option in ("ptx_data", "ptx_text"):
        with pytest.raises(DataError, match=r"missing\.jsonl: no such file"):
            main(replace(given, **{option: tmp_path / "missing.jsonl"}))
    watched = {"watch_reward": config.reward, "watch_prompts": tmp_path / "missing.jsonl"}
    with pytest.raises(DataError, match=r"missing\.jsonl: no such file"):
        main(replace(given, **watched))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="missing: "):
        main(replace(given, watch_reward=tmp_path / "missing"))


def test_an_existing_directory_or_work_is_not_overwritten(config: PpoConfig) -> None:
    main(replace(config, updates=1))
    with pytest.raises(PublishingError, match="exists already"):
        main(replace(config, updates=1))
    left = config.out.with_name("left")
    (left.with_name("left.work") / "states" / "state-0000000001").mkdir(parents=True)
    with pytest.raises(PublishingError, match="holds an earlier run; go on with --resume"):
        main(replace(config, out=left))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"lora": True, "train_last_layers": 1}, "exclude one another"),
        ({"ptx_coef": 1.0}, "--ptx-coef and --ptx-text or --ptx-data go together"),
        ({"minibatch_size": 15}, "--rollouts-per-update 32 must be a multiple of --minibatch-size 15"),
        ({"minibatch_size": 15}, "; give 30 or 45"),
        ({"completions_per_prompt": 3}, "--rollouts-per-update 32 must be a multiple of --completions-per-prompt 3"),
        ({"updates": 0}, "--updates must be above 0"),
        ({"ema_decay": 1.0}, "--ema-decay must be at least 0 and below 1"),
    ],
)
def test_contradicting_options_are_refused(config: PpoConfig, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        main(replace(config, **options))

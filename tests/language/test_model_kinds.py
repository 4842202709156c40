"""An option that names a model's directory refuses another kind, in words, before anything is loaded."""

import json
import shutil
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path

import pytest

from language.checkpoints import CheckpointError, load_causal_lm, load_tokenizer
from language.model_kinds import PolicyDirectory, RewardModelDirectory, directories_of, find_kind, require_models
from language.options import OptionError
from policy.best_of_n import BestOfNConfig
from policy.dpo_config import DpoConfig
from policy.kto_config import KtoConfig
from policy.overoptimisation import StudyConfig
from policy.ppo_config import PpoConfig
from policy.rejection_sampling_config import RejectionSamplingConfig
from policy.rloo_config import RlooConfig
from policy.sft_config import SftConfig
from rewardmodel.evaluate import EvaluateConfig
from rewardmodel.model import load_reward_model, publish_reward_model, start_reward_model
from rewardmodel.score import ScoreConfig
from rewardmodel.train_config import TrainConfig

PROGRAMS = (
    *(BestOfNConfig, EvaluateConfig, PpoConfig, RejectionSamplingConfig, ScoreConfig, SftConfig, StudyConfig),
    *(DpoConfig, KtoConfig, RlooConfig, TrainConfig),
)


MANY = ("rewards", "ensemble_rewards")
MODELS = {*MANY, "model", "policy", "reward", "second_reward", "select_reward", "watch_reward", "gold_reward"}


@pytest.fixture(scope="module")
def reward_model(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("kinds") / "reward"
    model = start_reward_model(tiny_policy, seed=0)
    publish_reward_model(target, model=model, tokenizer=load_tokenizer(tiny_policy), facts={})
    return target


@dataclass(frozen=True)
class Config:
    """Every way in which an option names models."""

    policy: PolicyDirectory
    reward: RewardModelDirectory | None = None
    rewards: tuple[RewardModelDirectory, ...] = ()
    prompts: Path = field(default=Path("nowhere"))


def test_models_of_the_right_kind_pass(tiny_policy: Path, reward_model: Path) -> None:
    require_models(Config(tiny_policy, reward_model, (reward_model, reward_model)))
    assert len(list(directories_of(Config(tiny_policy, None, (reward_model,))))) == 2


def test_a_reward_model_is_no_policy_and_a_policy_no_reward_model(tiny_policy: Path, reward_model: Path) -> None:
    with pytest.raises(OptionError, match=r"--policy .*reward: holds a reward model \(manifest.*wanted is a policy"):
        require_models(Config(reward_model))
    config = Config(tiny_policy, tiny_policy)
    with pytest.raises(OptionError, match=r"--reward .*holds a policy .*LlamaForCausalLM\); wanted is a reward model"):
        require_models(config)
    with pytest.raises(OptionError, match=r"--rewards .*holds a policy"):
        require_models(Config(tiny_policy, None, (reward_model, tiny_policy)))
    with pytest.raises(OptionError, match="--policy nowhere: no such directory"):
        require_models(Config(Path("nowhere")))


def test_without_a_manifest_the_configuration_tells(tiny_policy: Path, reward_model: Path, tmp_path: Path) -> None:
    found = {}
    for name, architecture in (("a", "LlamaForSequenceClassification"), ("b", "LlamaModel"), ("c", "BertForMaskedLM")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"architectures": [architecture]}))
        found[name] = find_kind(tmp_path / name)
    assert found["a"] is not None
    assert (found["a"].kind, found["b"]) == ("reward_model", None)
    require_models(Config(tmp_path / "b"))
    with pytest.raises(OptionError, match=r"holds something else .*BertForMaskedLM"):
        require_models(Config(tmp_path / "c"))
    bare = shutil.copytree(reward_model, tmp_path / "bare")
    (bare / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"holds a reward model .*LlamaForSequenceClassification"):
        load_causal_lm(bare)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__module__)
def test_every_program_says_of_every_model_what_it_must_be(program: type, tiny_policy: Path) -> None:
    named = {one.name for one in fields(program)} & MODELS
    required = {one.name: tiny_policy for one in fields(program) if one.default is MISSING}
    config = program(**{**required, **{name: (tiny_policy,) if name in MANY else tiny_policy for name in named}})
    assert {name for name, *_ in directories_of(config)} == named


def test_a_trunk_is_loaded_without_a_word_and_what_fits_nowhere_is_named(
    reward_model: Path, tiny_policy: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    load_reward_model(reward_model)
    assert capfd.readouterr() == ("", "")
    mixed = shutil.copytree(tiny_policy, tmp_path / "mixed")
    shutil.copy(reward_model / "model.safetensors", mixed)
    (mixed / "manifest.json").unlink()
    load_causal_lm(mixed)
    assert "1 weights have no place in this model: score.weight" in capfd.readouterr().err

"""Several reward models in PPO and RLOO: what they score as one, what is refused, and what is remembered of them."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from statistics import pstdev
from typing import Any

import pytest
import torch

from language.checkpoints import load_tokenizer
from language.options import OptionError
from policy import ppo, rloo
from policy.ensembles import RewardEnsemble, find_members, load_ensemble
from policy.ppo_config import PpoConfig
from policy.rloo_config import RlooConfig
from policy.shared_prompt import PromptGroups
from policy.value import completion_scores
from rewardmodel.model import load_reward_model, publish_reward_model, start_reward_model
from tests.policy.conftest import counting_reward_model
from tests.policy.outcomes import metrics_of, weights_of
from tests.tiny import build_tiny_policy

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def other_reward_model(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that likes " a", where the toy one likes " b"; read-only."""
    target = tmp_path_factory.mktemp("rewardmodels") / "other"
    tokenizer = load_tokenizer(tiny_policy)
    (liked,) = tokenizer(" a", add_special_tokens=False)["input_ids"]
    publish_reward_model(target, model=counting_reward_model(len(tokenizer), liked), tokenizer=tokenizer, facts={})
    return target


def rloo_config(config: PpoConfig, **options: Any) -> RlooConfig:
    """The same sizes for RLOO."""
    shared: tuple[str, ...] = (
        "policy",
        "reward",
        "prompts",
        "out",
        "updates",
        "rollouts_per_update",
        "completions_per_prompt",
    )
    shared += ("minibatch_size", "microbatch_size", "max_new_tokens", "lr", "warmup_updates", "device")
    return RlooConfig(**{name: getattr(config, name) for name in shared}, **options)


def test_every_member_scores_every_completion_and_the_rule_makes_one_score(
    config: PpoConfig, other_reward_model: Path
) -> None:
    """ " b b" is the first one's, " a a" the other's: the worst of both likes neither as either does."""
    tokenizer = load_tokenizer(config.policy)
    answers = tuple(tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in (" b b", " a a"))
    groups = PromptGroups(((5, 6),), (answers,), CPU)
    first, second = load_reward_model(config.reward), load_reward_model(other_reward_model)
    options = replace(config, ensemble_rewards=(other_reward_model,), ensemble="worst")
    ensemble = load_ensemble(options, dtype=torch.float32, device=CPU, precision="fp32")
    with torch.no_grad():
        members = torch.stack(ensemble.member_scores(first, groups))
        alone = [completion_scores(model, groups) for model in (first, second)]
    torch.testing.assert_close(members, torch.stack(alone), atol=1e-5, rtol=1e-5)
    assert members[0, 0] > members[0, 1]
    assert members[1, 0] < members[1, 1]
    assert ensemble.combined(members).tolist() == [min(pair) for pair in members.T.tolist()]
    penalised = RewardEnsemble(ensemble.further, "variance-penalised", 0.5).combined(members)
    expected = [(a + b) / 2 - 0.5 * pstdev([a, b]) ** 2 for a, b in members.T.tolist()]
    assert penalised.tolist() == pytest.approx(expected, rel=1e-4)
    assert not any(parameter.requires_grad for model in ensemble.further for parameter in model.parameters())


@pytest.mark.parametrize("program", ["ppo", "rloo"])
def test_a_run_trains_on_the_ensemble_and_names_its_members(
    config: PpoConfig, other_reward_model: Path, program: str
) -> None:
    options: dict[str, Any] = {"ensemble_rewards": (other_reward_model,), "ensemble": "worst"}
    run = replace(config, **options) if program == "ppo" else rloo_config(config, **options)
    main: Any = {"ppo": ppo.main, "rloo": rloo.main}[program]
    main(replace(run, updates=1))
    (line,) = metrics_of(config.out)
    alone = replace(run, updates=1, out=config.out.with_name("alone"), ensemble_rewards=(), ensemble="mean")
    main(alone)
    (of_one,) = metrics_of(alone.out)
    assert line["score"] < of_one["score"]  # the same rollouts, and the worst of two
    assert line["score_deviation"] > 0.5
    assert "score_deviation" not in of_one
    assert weights_of(config.out) != weights_of(alone.out)
    facts, of_alone = (json.loads((out / "policy.json").read_text()) for out in (config.out, alone.out))
    sha256 = hashlib.sha256((other_reward_model / "manifest.json").read_bytes()).hexdigest()
    assert facts["made_from"]["reward_model_2"] == {"name": other_reward_model.name, "sha256": sha256}
    assert facts["run"]["reward_model_2"] == sha256
    assert facts["run"]["ensemble"] == "worst"
    assert sha256 in (config.out / "card.md").read_text()
    assert "seed" in of_alone["run"]
    assert "ensemble" not in " ".join(of_alone["run"])  # runs of before ensembles go on


def test_the_watch_shows_the_score_that_is_trained_on(config: PpoConfig, other_reward_model: Path) -> None:
    prompts = config.out.with_name("held_out.jsonl")
    prompts.write_text(config.prompts.read_text().replace('"train"', '"validation"'))
    watched = replace(config, updates=1, watch_reward=config.reward, watch_prompts=prompts, missing_end_score=-9.0)
    ppo.main(replace(watched, ensemble_rewards=(other_reward_model,), ensemble="worst"))
    first = metrics_of(config.out)[0]
    assert first["watch_score"] < first["watch_held_out_score"]  # the held-out one is the first member alone


def test_a_member_with_another_tokenizer_is_refused_in_words(config: PpoConfig, tmp_path: Path) -> None:
    other = build_tiny_policy(tmp_path / "other", vocab_size=300)
    target = tmp_path / "other-reward"
    publish_reward_model(target, model=start_reward_model(other, seed=0), tokenizer=load_tokenizer(other), facts={})
    with pytest.raises(OptionError, match=r"other-reward: this reward model has another tokenizer.* an ensemble"):
        find_members(replace(config, ensemble_rewards=(target,)), load_tokenizer(config.policy))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"ensemble": "worst"}, "--ensemble worst needs --ensemble-rewards"),
        ({"ensemble_rewards": (Path("a"), Path("b"), Path("a"))}, "--ensemble-rewards a: named twice"),
        ({"ensemble_variance_coef": -1.0}, "--ensemble-variance-coef must be at least 0"),
    ],
)
def test_rules_and_members_that_make_no_sense_are_refused(
    config: PpoConfig, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(OptionError, match=complaint):
        ppo.main(replace(config, **options))
    with pytest.raises(OptionError, match="named twice, or --reward already"):
        ppo.main(replace(config, ensemble_rewards=(config.reward,)))

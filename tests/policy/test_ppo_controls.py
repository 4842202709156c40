"""The options that exist to be switched off and compared: whitening, the value model's start, the end-token rule."""

from dataclasses import replace

import pytest

from policy.ppo import main
from policy.ppo_config import PpoConfig
from tests.policy.outcomes import metrics_of


@pytest.fixture
def one_step(config: PpoConfig) -> PpoConfig:
    return replace(config, updates=1, minibatch_size=32, kl_coef=0.0)


def first_line(config: PpoConfig, name: str) -> dict[str, float]:
    named = replace(config, out=config.out.with_name(name))
    main(named)
    return metrics_of(named.out)[0]


def test_a_score_without_an_end_token_is_replaced_or_left_as_it_is(one_step: PpoConfig) -> None:
    cut = replace(one_step, max_new_tokens=2)  # nearly every answer of the toy policy takes more
    replaced, kept = first_line(cut, "replaced"), first_line(replace(cut, keep_unended_scores=True), "kept")
    assert replaced["unended_share"] > 0.9
    assert replaced["reward"] == pytest.approx(-1.0, abs=0.1)
    assert kept["reward"] == pytest.approx(kept["score"])
    assert kept["score"] < -1.4


def test_advantages_are_whitened_or_left_as_they_are(one_step: PpoConfig) -> None:
    """At a ratio of 1 the loss is minus the mean advantage, which is 0 where they are whitened."""
    plain = replace(one_step, whiten_advantages=False)
    assert first_line(one_step, "whitened")["policy_loss"] == pytest.approx(0.0, abs=1e-5)
    assert abs(first_line(plain, "plain")["policy_loss"]) > 0.01


@pytest.mark.parametrize("lora", [False, True])
def test_the_value_model_starts_from_the_reward_model_or_from_the_policy(one_step: PpoConfig, *, lora: bool) -> None:
    config = replace(one_step, lora=lora)
    reward, policy = first_line(config, "reward"), first_line(replace(config, value_init="policy"), "policy")
    assert policy["score"] == pytest.approx(reward["score"], abs=1e-5)  # the reward model is the same
    assert policy["value_loss"] != pytest.approx(reward["value_loss"], rel=0.01)

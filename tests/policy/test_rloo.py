"""RLOO and GRPO end to end on a world of four answers: they learn, resume to the bit, and publish as PPO does."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from language.chat import end_token_id
from language.options import OptionError
from language.stop_ids import hidden_ids
from policy import rloo
from policy.group_steps import GroupLearner, GroupTargets, add_gradients, advantages_of, take_step
from policy.material import load_material
from policy.plan import plan_epoch
from policy.rloo import build_learner, main
from policy.rloo_config import Advantage, RlooConfig
from policy.rollout import Rollouts, ScoredRollouts, collect_rollouts, score_rollouts
from records import verify_directory
from records.metrics import MEASURED, RESULT
from rewardmodel.stopping import TrainingStopped
from tests.policy.factories import write_prompts
from tests.policy.outcomes import metrics_of, weights_of
from tests.policy.updates import CPU, dying_after, gradients

BOTH: list[Advantage] = ["leave-one-out", "group-normalised"]


@pytest.fixture
def config(toy_policy: Path, toy_reward_model: Path, toy_prompts: Path, tmp_path: Path) -> RlooConfig:
    """Three updates of 32 rollouts in two minibatches: enough for every rule, a second's work."""
    return RlooConfig(
        policy=toy_policy,
        reward=toy_reward_model,
        prompts=toy_prompts,
        out=tmp_path / "rloo",
        updates=3,
        rollouts_per_update=32,
        completions_per_prompt=4,
        minibatch_size=16,
        microbatch_size=8,
        max_new_tokens=10,
        lr=2e-3,
        warmup_updates=0,
        device="cpu",
    )


@pytest.mark.parametrize("advantage", BOTH)
def test_it_learns_to_say_what_the_reward_model_likes(config: RlooConfig, advantage: Advantage) -> None:
    """From a score of about −1.2 (a quarter of answers are liked ones) to above 2 on sampled answers."""
    large = replace(config, updates=12, rollouts_per_update=64, minibatch_size=32, microbatch_size=32)
    main(replace(large, advantage=advantage, kl_coef=0.05))
    scores = [line["score"] for line in metrics_of(config.out)]
    assert scores[0] < 0
    assert sum(scores[-3:]) / 3 > 2


@pytest.mark.parametrize("advantage", BOTH)
def test_the_kl_coefficient_holds_the_policy_near_its_start(config: RlooConfig, advantage: Advantage) -> None:
    reached = {}
    for kl_coef in (0.0, 5.0):
        out = config.out.with_name(f"kl-{kl_coef}")
        main(replace(config, out=out, kl_coef=kl_coef, updates=6, advantage=advantage))
        reached[kl_coef] = metrics_of(out)[-1]["kl_k3"]
    assert reached[5.0] < 0.5 * reached[0.0]


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_update_begins_at_a_ratio_of_exactly_one(config: RlooConfig, precision: Any, *, lora: bool) -> None:
    main(replace(config, precision=precision, lora=lora, updates=2))
    assert [line["first_ratio_gap"] for line in metrics_of(config.out)] == [0.0, 0.0]


def begin(config: RlooConfig, **options: Any) -> tuple[GroupLearner, Rollouts, GroupTargets]:
    """Learner, rollouts and targets as the first update has them, with other old log-probabilities: all branches."""
    config = replace(config, **options)
    torch.manual_seed(config.seed)
    material = load_material(config, CPU)
    learner = build_learner(config, CPU, longest_prompt=material.prompts.longest)
    rollouts = collect_rollouts(
        learner.policy.model,
        material.prompts.prompts[:4],
        num_completions=4,
        params=config.sampling_params(0),
        end_token_id=end_token_id(material.tokenizer),
        hidden_ids=hidden_ids(material.tokenizer),
        precision=config.precision,
    )
    scored = scores_of(learner, rollouts)
    noise = torch.randn(scored.logprobs.shape, generator=torch.Generator().manual_seed(0)) * 0.3
    advantages = advantages_of(scored.scores, scored.scores, 4, config)
    return learner, rollouts, GroupTargets(scored.logprobs + noise, scored.ref_logprobs - noise, advantages)


def scores_of(learner: GroupLearner, rollouts: Rollouts) -> ScoredRollouts:
    return score_rollouts(
        learner.policy, learner.rewards, rollouts, pieces=rollouts.pieces(4), temperature=1.0, precision="fp32"
    )


@pytest.mark.parametrize("advantage", BOTH)
def test_the_cut_into_pieces_changes_no_gradient_and_no_number(config: RlooConfig, advantage: Advantage) -> None:
    config = replace(config, advantage=advantage, kl_coef=0.5)
    learner, rollouts, targets = begin(config)
    found = {}
    for size in (1, 4, 8, 16):
        metrics = add_gradients(learner.policy, rollouts, targets, rollouts.pieces(size), [], config)
        found[size] = metrics, gradients(learner.policy.model)
    for size in (1, 4, 8):
        assert found[size][0] == pytest.approx(found[16][0], abs=1e-5)
        for name, gradient in found[16][1].items():
            torch.testing.assert_close(found[size][1][name], gradient, atol=2e-6, rtol=1e-3)
    assert 0 < found[16][0]["clip_fraction"] < 1


@pytest.mark.parametrize("advantage", BOTH)
def test_the_size_of_microbatches_changes_no_weight_beyond_rounding(config: RlooConfig, advantage: Advantage) -> None:
    weights = {}
    for size in (1, 4, 8):
        out = config.out.with_name(f"by-{size}")
        main(replace(config, out=out, microbatch_size=size, advantage=advantage, updates=2))
        weights[size] = load_file(out / "model.safetensors")
    before = load_file(config.policy / "model.safetensors")
    moved = max(float((weights[8][name] - weight).abs().max()) for name, weight in before.items())
    assert moved > 1e-3
    for size in (1, 4):
        apart = max(float((weights[size][name] - weight).abs().max()) for name, weight in weights[8].items())
        assert apart < 0.02 * moved, size


@pytest.mark.parametrize("way", ["all", "group-normalised", "lora", "all the options"])
def test_a_killed_run_resumes_to_the_same_bits(
    config: RlooConfig, demonstrations: Path, toy_reward_model: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    torch.set_num_threads(1)
    options: dict[str, dict[str, Any]] = {
        "all": {},
        "group-normalised": {"advantage": "group-normalised"},
        "lora": {"lora": True},
        "all the options": {
            "ptx_coef": 1.0,
            "ptx_data": demonstrations,
            "ptx_ratio": 0.25,
            "schedule": "linear",
            "warmup_updates": 2,
            "epochs": 2,
        },
    }
    config = replace(config, save_every=1, **options[way])
    straight = config.out.with_name("straight")
    main(replace(config, out=straight))
    steps_per_update = 4 if way == "all the options" else 2
    monkeypatch.setattr(rloo, "take_step", dying_after(take_step, steps_per_update + 2))
    with pytest.raises(KeyboardInterrupt):
        main(replace(config, resume=True))
    assert not config.out.exists()
    main(replace(config, resume=True))
    assert weights_of(config.out) == weights_of(straight)
    timeless = [
        {name: value for name, value in line.items() if "second" not in name and name != "memory_mb"}
        for out in (config.out, straight)
        for line in metrics_of(out)
    ]
    assert timeless[:3] == timeless[3:]


def test_every_logged_metric_is_explained_and_every_explained_one_logged(
    config: RlooConfig, demonstrations: Path, toy_reward_model: Path
) -> None:
    watched = {"watch_reward": toy_reward_model, "watch_prompts": held_out(config.out)}
    main(replace(config, ptx_coef=1.0, ptx_data=demonstrations, ptx_ratio=0.25, updates=1, **watched))
    (first, last) = metrics_of(config.out)
    assert set(last) == set(MEASURED["rloo"]) - {"score_deviation"}  # test_ensembles.py
    assert set(first) < set(last)
    assert set(json.loads((config.out / "metrics.json").read_text())) <= set(RESULT["rloo"])
    assert all(math.isfinite(value) for value in last.values())


def held_out(out: Path) -> Path:
    prompts = write_prompts(out.with_name("held_out.jsonl"), ["Hello!", "Who are you?"])
    prompts.write_text(prompts.read_text().replace('"train"', '"validation"'))
    return prompts


def test_what_is_published_is_a_policy_with_its_lineage(config: RlooConfig) -> None:
    main(replace(config, updates=1))
    verify_directory(config.out)
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["method"] == "rloo"
    assert set(facts["made_from"]) == {"reward_model", "prompts"}
    assert facts["run"]["advantage"] == "leave-one-out"
    assert "RLOO or GRPO against a reward model" in (config.out / "card.md").read_text()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"completions_per_prompt": 1}, "without siblings"),
        ({"completions_per_prompt": 3}, "must be a multiple of --completions-per-prompt 3"),
        ({"lora": True, "train_last_layers": 1}, "exclude one another"),
        ({"ptx_coef": 1.0}, "go together"),
        ({"clip_range": -0.1}, "--clip-range must be at least 0"),
        ({"ensemble": "worst"}, "needs --ensemble-rewards"),
        ({"max_new_tokens": 10_000}, "come to more than the models hold"),
    ],
)
def test_options_that_cannot_work_are_refused(config: RlooConfig, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        main(replace(config, **options))
    assert not config.work_directory.exists()


def test_a_score_that_is_not_finite_stops_it_and_names_the_prompt(
    config: RlooConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def poisoning(*arguments: Any, **options: Any) -> ScoredRollouts:
        scored = score_rollouts(*arguments, **options)
        scored.scores[0] = math.nan
        return scored

    monkeypatch.setattr(rloo, "score_rollouts", poisoning)
    with pytest.raises(TrainingStopped, match=r"step 1: one of scores is nan on records p-\d;"):
        main(config)
    assert not config.out.exists()


def test_prompts_whose_completions_score_alike_teach_nothing(
    config: RlooConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    level: Callable[..., ScoredRollouts] = lambda *a, **o: alike(score_rollouts(*a, **o))  # noqa: E731
    monkeypatch.setattr(rloo, "score_rollouts", level)
    main(replace(config, updates=1, kl_coef=0.0))
    (line,) = metrics_of(config.out)
    assert line["level_share"] == 1.0
    assert line["grad_norm"] == 0.0


def alike(scored: ScoredRollouts) -> ScoredRollouts:
    rollouts = replace(scored.rollouts, ended=torch.ones_like(scored.rollouts.ended))
    return replace(scored, rollouts=rollouts, scores=torch.full_like(scored.scores, -1.0))


def test_minibatches_hold_whole_prompts_where_they_can(config: RlooConfig) -> None:
    _, rollouts, _ = begin(config)
    plan = plan_epoch(rollouts, minibatch_size=8, microbatch_size=4, seed=0, update=0, epoch=0)
    assert [len({row // 4 for piece in minibatch for row in piece}) for minibatch in plan] == [2, 2]

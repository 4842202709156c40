"""PPO end to end on a world of four answers: it learns, obeys its papers' rules, resumes to the bit."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from language.checkpoints import load_causal_lm, load_tokenizer
from policy import ppo
from policy.dialogues import load_dialogues, target_nlls
from policy.material import load_material
from policy.minibatches import Learners, Step, Targets, add_gradients, take_step
from policy.objective import masked_mean, value_losses
from policy.ppo import build_learners, main
from policy.ppo_config import PpoConfig
from policy.rollout import MeasuredRollouts, measure_rollouts
from records import verify_directory
from records.metrics import MEASURED, RESULT
from rewardmodel.model import load_reward_model
from rewardmodel.stopping import TrainingStopped
from tests.policy.outcomes import metrics_of, weights_of
from tests.policy.updates import CPU, begin, dying_after, gradients


def test_it_learns_to_say_what_the_reward_model_likes(config: PpoConfig) -> None:
    """From a score of about −1.2 (a quarter of answers are liked ones) to at least 3 on sampled answers."""
    main(replace(config, updates=16, rollouts_per_update=64, minibatch_size=32, microbatch_size=32, kl_coef=0.05))
    scores = [line["score"] for line in metrics_of(config.out)]
    assert scores[0] < 0
    assert sum(scores[-3:]) / 3 > 2
    model, tokenizer = load_causal_lm(config.out), load_tokenizer(config.out)
    prompt = torch.tensor([load_material(config, CPU).prompts.prompts[0].token_ids])
    answer = model.generate(  # type: ignore[operator]
        prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=10
    )
    assert tokenizer.decode(answer[0, prompt.shape[1] :]).count("b") >= 3


def test_updates_in_which_nothing_ended_are_said_once_and_what_to_do(
    config: PpoConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    main(replace(config, max_new_tokens=1, lr=1e-6))
    said = capsys.readouterr().err
    assert said.count("no completion of this update ended within 1 tokens") == 1
    assert "raise --max-new-tokens" in said


def test_the_kl_coefficient_holds_the_policy_near_its_start(config: PpoConfig) -> None:
    reached = {}
    for kl_coef in (0.0, 5.0):
        out = config.out.with_name(f"kl-{kl_coef}")
        main(replace(config, out=out, kl_coef=kl_coef, updates=6))
        reached[kl_coef] = metrics_of(out)[-1]["kl_k3"]
    assert reached[5.0] < 0.5 * reached[0.0]


def test_the_first_ratio_is_exactly_one_and_nothing_is_clipped(config: PpoConfig) -> None:
    learners, rollouts, targets = begin(config)
    metrics = add_gradients(learners, rollouts, targets, rollouts.pieces(4), [], config)
    assert metrics["ratio_gap"] < 1e-6
    assert metrics["clip_fraction"] == 0
    assert metrics["update_kl"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_update_begins_at_a_ratio_of_exactly_one(config: PpoConfig, precision: Any, *, lora: bool) -> None:
    main(replace(config, precision=precision, lora=lora))
    assert [line["first_ratio_gap"] for line in metrics_of(config.out)] == [0.0, 0.0, 0.0]


def test_the_training_pass_is_at_the_temperature_of_sampling(config: PpoConfig) -> None:
    main(replace(config, temperature=0.7, updates=1))
    (line,) = metrics_of(config.out)
    assert line["first_ratio_gap"] == 0.0
    assert line["sampler_gap"] < 1e-3


def test_values_are_clipped_by_their_own_range(config: PpoConfig) -> None:
    learners, rollouts, targets = begin(config)
    moved = replace(targets, old_values=targets.old_values + 1)
    found = {}
    for own in (0.1, 0.5):
        metrics = add_gradients(
            learners, rollouts, moved, rollouts.pieces(20), [], replace(config, clip_range=0.3, value_clip_range=own)
        )
        losses = value_losses(targets.old_values, moved.old_values, targets.returns, clip_range=own)
        found[own] = metrics["value_loss"]
        assert found[own] == pytest.approx(masked_mean(losses, rollouts.mask).item(), rel=1e-4)
    assert found[0.1] != pytest.approx(found[0.5], rel=1e-2)


def test_policy_and_value_model_are_clipped_apart_and_their_norms_before_are_told(config: PpoConfig) -> None:
    config = replace(config, max_grad_norm=1e-3)
    learners, rollouts, targets = begin(config)
    metrics = take_step(learners, rollouts, targets, Step(rollouts.pieces(8), []), config, 1)
    for name, model in (("grad_norm", learners.policy.model), ("value_grad_norm", learners.value.model)):
        left = torch.stack([grad.norm() for grad in gradients(model).values()]).norm().item()
        assert left == pytest.approx(1e-3, rel=1e-2)
        assert metrics[name] > 0.01


def test_the_first_loss_is_zero_and_its_gradient_is_not(config: PpoConfig) -> None:
    learners, rollouts, targets = begin(config)
    metrics = add_gradients(learners, rollouts, targets, rollouts.pieces(4), [], config)
    assert metrics["policy_loss"] == pytest.approx(0, abs=1e-6)  # −mean A, and A is whitened
    expected = masked_mean(-targets.advantages, rollouts.mask).item()
    assert metrics["policy_loss"] == pytest.approx(expected, abs=1e-6)
    assert max(grad.abs().max().item() for grad in gradients(learners.policy.model).values()) > 1e-3


def test_kl_is_zero_before_the_first_update_and_grows(config: PpoConfig) -> None:
    main(config)
    lines = metrics_of(config.out)
    assert lines[0]["kl"] == pytest.approx(0, abs=1e-5)
    assert lines[0]["kl_k3"] == pytest.approx(0, abs=1e-6)
    assert lines[-1]["kl_k3"] > 0.01


def test_the_cut_into_pieces_does_not_change_a_gradient(config: PpoConfig) -> None:
    learners, rollouts, targets = begin(config)
    results = []
    for pieces in (rollouts.pieces(20), rollouts.pieces(4), rollouts.pieces(3), rollouts.pieces(1)):
        metrics = add_gradients(learners, rollouts, targets, pieces, [], config)
        results.append((metrics, gradients(learners.policy.model), gradients(learners.value.model)))
    assert len(results) == 4
    for metrics, policy_gradients, value_gradients in results[1:]:
        assert metrics["policy_loss"] == pytest.approx(results[0][0]["policy_loss"], abs=1e-6)
        assert metrics["value_loss"] == pytest.approx(results[0][0]["value_loss"], abs=1e-5)
        for name, grad in policy_gradients.items():
            torch.testing.assert_close(grad, results[0][1][name], atol=1e-5, rtol=1e-4)
        for name, grad in value_gradients.items():
            torch.testing.assert_close(grad, results[0][2][name], atol=1e-5, rtol=1e-4)


def test_what_lies_in_the_padding_changes_no_gradient(config: PpoConfig) -> None:
    learners, rollouts, targets = begin(config)
    add_gradients(learners, rollouts, targets, [list(range(20))], [], config)
    clean = gradients(learners.policy.model)
    spoilt = Targets(
        *(torch.where(rollouts.mask, x, 1e6) for x in (targets.old_logprobs, targets.old_values)),
        *(torch.where(rollouts.mask, x, 1e6) for x in (targets.advantages, targets.returns)),
    )
    assert (~rollouts.mask).any()
    add_gradients(learners, rollouts, spoilt, [list(range(20))], [], config)
    again = gradients(learners.policy.model)
    assert len(again) == len(clean) > 0
    for name, grad in again.items():
        assert torch.equal(grad, clean[name])


def test_the_reference_and_the_reward_model_do_not_move(config: PpoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Learners] = []

    def build(*arguments: Any, **options: Any) -> Learners:
        seen.append(build_learners(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(ppo, "build_learners", build)
    main(config)
    ids = torch.tensor([[1, 5, 9, 3, 7, 4]])
    mask = torch.ones_like(ids, dtype=torch.bool)
    with torch.no_grad(), seen[0].policy.as_reference() as reference:
        found = reference(input_ids=ids).logits
        torch.testing.assert_close(found, load_causal_lm(config.policy)(input_ids=ids).logits, atol=1e-5, rtol=1e-5)
        assert (found - seen[0].policy.model(input_ids=ids).logits).abs().max() > 1e-3
    with torch.no_grad(), seen[0].value.as_reward_model() as reward_model:
        found = reward_model(ids, mask)
        torch.testing.assert_close(found, load_reward_model(config.reward)(ids, mask), atol=1e-5, rtol=1e-5)
        assert (found - seen[0].value.model(ids, mask)).abs().max() > 1e-3


def test_demonstrations_add_gamma_times_their_gradient(config: PpoConfig, demonstrations: Path) -> None:
    config = replace(config, ptx_coef=27.8, ptx_data=demonstrations)
    learners, rollouts, targets = begin(config)
    texts = list(load_material(config, CPU).mixed_in)
    pieces = rollouts.pieces(4)
    add_gradients(learners, rollouts, targets, pieces, [], config)
    of_ppo = gradients(learners.policy.model)
    learners.policy.model.zero_grad()
    loss = target_nlls(learners.policy.model, texts, packing=False).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    of_demonstrations = gradients(learners.policy.model)
    metrics = add_gradients(learners, rollouts, targets, pieces, [texts], config)
    assert metrics["ptx_loss"] == pytest.approx(loss.item(), abs=1e-6)
    for name, grad in gradients(learners.policy.model).items():
        expected = of_ppo[name] + 27.8 * of_demonstrations[name]
        torch.testing.assert_close(grad, expected, atol=1e-4, rtol=1e-4)


def test_a_weight_of_zero_is_ppo_to_the_bit(config: PpoConfig, demonstrations: Path) -> None:
    learners, rollouts, targets = begin(config)
    add_gradients(learners, rollouts, targets, rollouts.pieces(4), [], config)
    plain = gradients(learners.policy.model)
    dialogues = load_dialogues(demonstrations, load_tokenizer(config.policy), max_tokens=100, validation_fraction=0.0)
    add_gradients(
        learners, rollouts, targets, rollouts.pieces(4), [list(dialogues.train)], replace(config, ptx_coef=0.0)
    )
    mixed = gradients(learners.policy.model)
    assert len(mixed) == len(plain) > 0
    for name, grad in mixed.items():
        assert torch.equal(grad, plain[name])


def test_printed_settings_give_the_printed_numbers_of_steps() -> None:
    config = PpoConfig(policy=Path(), reward=Path(), prompts=Path(), out=Path())
    assert config.updates == 256_000 // config.rollouts_per_update
    assert config.updates * config.epochs * config.rollouts_per_update // config.minibatch_size == 4_000
    assert round(config.ptx_ratio * config.minibatch_size) == 512


def test_the_warm_up_begins_at_a_tenth(config: PpoConfig) -> None:
    main(replace(config, warmup_updates=2))
    rates = [line["lr"] / config.lr for line in metrics_of(config.out)]
    assert rates == pytest.approx([0.1, 0.55, 1.0])
    assert [line["value_lr"] / config.value_lr for line in metrics_of(config.out)] == pytest.approx(rates)


def test_the_adaptive_coefficient_moves_by_the_code_of_its_authors(config: PpoConfig) -> None:
    main(replace(config, adaptive_kl=True, kl_target=1e-3, kl_horizon=64, kl_coef=0.1))
    betas = [line["kl_coef"] for line in metrics_of(config.out)]
    assert betas[1] == pytest.approx(0.1 * (1 - 0.2 * 32 / 64))  # a KL of 0 is below the target
    assert betas[2] == pytest.approx(betas[1] * (1 + 0.2 * 32 / 64))
    main(replace(config, out=config.out.with_name("fixed"), kl_coef=0.1))
    assert [line["kl_coef"] for line in metrics_of(config.out.with_name("fixed"))] == [0.1] * 3


def test_the_average_of_the_weights_lags_behind_them(config: PpoConfig) -> None:
    main(config)
    main(replace(config, out=config.out.with_name("averaged"), ema_decay=0.9))
    start, last, averaged = (
        load_causal_lm(path).state_dict() for path in (config.policy, config.out, config.out.with_name("averaged"))
    )
    name = "model.layers.0.mlp.up_proj.weight"
    moved, lag = (last[name] - start[name]).norm(), (averaged[name] - start[name]).norm()
    assert 0 < lag < 0.5 * moved


def test_the_same_seed_gives_the_same_policy_and_another_one_another(config: PpoConfig) -> None:
    outs = [config.out.with_name(name) for name in ("once", "again", "other")]
    for out, seed in zip(outs, (0, 0, 1), strict=True):
        main(replace(config, out=out, seed=seed, updates=2))
    once, again, other = map(weights_of, outs)
    assert once == again
    assert once != other


@pytest.mark.parametrize("way", ["all", "lora", "last", "all the options"])
def test_a_killed_run_resumes_to_the_same_bits(
    config: PpoConfig, demonstrations: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    torch.set_num_threads(1)
    options: dict[str, dict[str, Any]] = {
        "all": {},
        "lora": {"lora": True},
        "last": {"train_last_layers": 1},
        "all the options": {
            "adaptive_kl": True,
            "ema_decay": 0.9,
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
    monkeypatch.setattr(ppo, "take_step", dying_after(take_step, steps_per_update + 2, 3 * steps_per_update))
    for _ in range(2):
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


def test_a_run_answers_no_more_prompts_than_it_may(config: PpoConfig) -> None:
    main(replace(config, updates=1, max_records=1))
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["num_records"] == 1
    assert facts["left_out"]["beyond_max_records"] > 0
    assert "Learnt from 1 records of " in (config.out / "card.md").read_text()


def test_every_logged_metric_is_explained_and_every_explained_one_logged(
    config: PpoConfig, demonstrations: Path
) -> None:
    main(replace(config, ptx_coef=1.0, ptx_data=demonstrations, ptx_ratio=0.25))
    of_a_watch = {name for name in MEASURED["ppo"] if name.startswith("watch_")} | {"stop_suggested"}  # test_watch.py
    assert set(metrics_of(config.out)[0]) == set(MEASURED["ppo"]) - of_a_watch - {"score_deviation"}
    assert set(json.loads((config.out / "metrics.json").read_text())) <= set(RESULT["ppo"])
    assert all(math.isfinite(value) for line in metrics_of(config.out) for value in line.values())


def test_what_is_published_is_a_plain_checkpoint_with_its_lineage(config: PpoConfig) -> None:
    main(replace(config, lora=True, precision="bf16"))
    verify_directory(config.out)
    assert AutoModelForCausalLM.from_pretrained(config.out) is not None
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["start"]["sha256"] == hashlib.sha256((config.policy / "manifest.json").read_bytes()).hexdigest()
    of_reward = facts["made_from"]["reward_model"]["sha256"]
    assert of_reward == hashlib.sha256((config.reward / "manifest.json").read_bytes()).hexdigest()
    assert facts["made_from"]["prompts"]["sha256"] == hashlib.sha256(config.prompts.read_bytes()).hexdigest()
    assert facts["run"]["kl_coef"] == 0.02
    assert of_reward in (config.out / "card.md").read_text()
    before, after = load_causal_lm(config.policy).state_dict(), load_causal_lm(config.out).state_dict()
    assert set(before) == set(after)
    assert any(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("poisoned", ["scores", "values", "logprobs"])
def test_a_number_that_is_not_finite_stops_it_and_names_the_prompt(
    config: PpoConfig, monkeypatch: pytest.MonkeyPatch, poisoned: str
) -> None:
    calls = []

    def poisoning(*arguments: Any, **options: Any) -> MeasuredRollouts:
        measured = measure_rollouts(*arguments, **options)
        calls.append(1)
        if len(calls) == 2:
            getattr(measured, poisoned)[0] = math.nan
        return measured

    monkeypatch.setattr(ppo, "measure_rollouts", poisoning)
    with pytest.raises(TrainingStopped, match=rf"step 2: one of {poisoned} is nan on records p-\d;"):
        main(replace(config, save_every=1))
    assert not config.out.exists()
    monkeypatch.setattr(ppo, "measure_rollouts", measure_rollouts)
    main(replace(config, save_every=1, resume=True))
    main(replace(config, save_every=1, out=config.out.with_name("straight")))
    assert weights_of(config.out) == weights_of(config.out.with_name("straight"))


def test_a_learning_rate_that_destroys_the_policy_stops_with_a_reason(config: PpoConfig) -> None:
    with pytest.raises(TrainingStopped, match="Lower --lr"):
        main(replace(config, lr=1e30, updates=5))
    assert not config.out.exists()

"""PPO where memory runs out: smaller pieces, the same mathematics."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.generation import sample_batch
from policy import minibatches, rollout_source
from policy.dialogues import target_nlls
from policy.material import load_material
from policy.minibatches import Step, add_gradients, take_step
from policy.ppo import main
from policy.ppo_config import PpoConfig
from policy.rollout import Rollouts
from rewardmodel.stopping import TrainingStopped
from tests.policy.updates import CPU, begin, gradients


def test_running_out_of_memory_leads_to_smaller_pieces_and_the_same_gradient(
    config: PpoConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners, rollouts, targets = begin(config)
    minibatch = [list(range(12)), list(range(12, 20))]
    add_gradients(learners, rollouts, targets, minibatch, [], config)
    roomy = gradients(learners.policy.model)
    groups = Rollouts.groups

    def cramped(self: Rollouts, rows: list[int]) -> object:
        if len(rows) > 3:
            raise torch.OutOfMemoryError("no room")
        return groups(self, rows)

    monkeypatch.setattr(Rollouts, "groups", cramped)
    seen: dict[str, dict[str, torch.Tensor]] = {}
    monkeypatch.setattr(
        minibatches,
        "clip_gradients",
        lambda model, **_: seen.setdefault(type(model).__name__, gradients(model)) and 1.0,
    )
    take_step(learners, rollouts, targets, Step(minibatch, []), config, 1)
    for name, grad in seen["LlamaForCausalLM"].items():
        torch.testing.assert_close(grad, roomy[name], atol=1e-5, rtol=1e-4)


def test_text_that_does_not_fit_is_cut_too(
    config: PpoConfig, demonstrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, ptx_coef=1.0, ptx_data=demonstrations, ptx_ratio=0.5)
    learners, rollouts, targets = begin(config)
    mixed_in = list(load_material(config, CPU).mixed_in) * 4
    pieces = rollouts.pieces(4)
    whole = add_gradients(learners, rollouts, targets, pieces, [mixed_in], config)["ptx_loss"]
    roomy = gradients(learners.policy.model)

    def cramped(model: Any, texts: Any, **options: Any) -> torch.Tensor:
        if len(texts) > 2:
            raise torch.OutOfMemoryError("no room")
        return target_nlls(model, texts, **options)

    monkeypatch.setattr(minibatches, "target_nlls", cramped)
    monkeypatch.setattr(minibatches, "clip_gradients", lambda model, **_: 1.0)
    metrics = take_step(learners, rollouts, targets, Step(pieces, mixed_in), config, 1)
    assert metrics["ptx_loss"] == pytest.approx(whole, abs=1e-5)
    for name, grad in gradients(learners.policy.model).items():
        torch.testing.assert_close(grad, roomy[name], atol=1e-5, rtol=1e-4)


def test_sampling_that_does_not_fit_goes_on_with_fewer_rows(config: PpoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    _, rollouts, _ = begin(config)
    asked = []

    def cramped(*arguments: Any, **options: Any) -> Any:
        asked.append(options["most_rows"])
        if options["most_rows"] > 8:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return sample_batch(*arguments, **options)

    monkeypatch.setattr(rollout_source, "sample_batch", cramped)
    _, again, _ = begin(config)
    assert asked == [64, 32, 16, 8]
    assert again.completions == rollouts.completions


def test_memory_that_holds_not_even_one_row_is_said_so(config: PpoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(Rollouts, "groups", full)
    with pytest.raises(TrainingStopped, match="out of memory on a single sequence; use --lora"):
        main(config)

"""Which rollouts are stepped on together: drawn blind to length, and the same whatever is forwarded at once."""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from language.checkpoints import load_tokenizer
from policy.dialogues import DialogueSet, load_dialogues
from policy.minibatches import Step, plan_epochs
from policy.plan import Minibatch, plan_epoch
from policy.ppo import main
from policy.ppo_config import PpoConfig
from policy.rollout import Rollouts
from tests.policy.factories import write_demonstrations
from tests.policy.outcomes import metrics_of


def fake_rollouts(num_rows: int, *, num_completions: int = 4, lengths: Sequence[int] = (1,)) -> Rollouts:
    """Completions of these lengths in turn."""
    ones = torch.ones(num_rows, max(lengths))
    completions = tuple((1,) * lengths[row % len(lengths)] for row in range(num_rows))
    return Rollouts((), completions, num_completions, ones.bool(), ones[:, 0].bool(), ones, completions)


def fake_dialogues(path: Path, config: PpoConfig) -> DialogueSet:
    return load_dialogues(path, load_tokenizer(config.policy), max_tokens=100, validation_fraction=0.0)


def rows_of(minibatch: Minibatch) -> list[int]:
    return [row for piece in minibatch for row in piece]


def order_of(epoch: Sequence[Step]) -> tuple[int, ...]:
    return tuple(row for step in epoch for row in rows_of(step.minibatch))


@pytest.mark.parametrize(("minibatch_size", "epochs", "lora"), [(16, 2, False), (6, 1, True)])
def test_what_is_forwarded_at_once_changes_no_weight(
    config: PpoConfig, minibatch_size: int, epochs: int, *, lora: bool
) -> None:
    """To rounding, over two updates; minibatches of whole prompts, and of single completions."""
    rollouts = 24 if minibatch_size == 6 else 32
    config = replace(config, updates=2, rollouts_per_update=rollouts, epochs=epochs, lora=lora, save_every=2)
    weights = {}
    for size in (1, 4, 8):
        out = config.out.with_name(f"micro-{size}")
        main(replace(config, out=out, minibatch_size=minibatch_size, microbatch_size=size))
        assert [line["first_ratio_gap"] for line in metrics_of(out)] == [0.0, 0.0]
        weights[size] = load_file(out / "model.safetensors")
    start = load_file(config.policy / "model.safetensors")
    assert distance(weights[8], start) > 1e-3
    assert distance(weights[1], weights[8]) < 1e-5
    assert distance(weights[4], weights[8]) < 1e-5


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.parametrize(("num_completions", "minibatch_size"), [(1, 8), (4, 8), (4, 6)])
def test_the_same_rows_are_stepped_on_together_however_they_are_cut(num_completions: int, minibatch_size: int) -> None:
    rollouts = fake_rollouts(48, num_completions=num_completions)
    plans = [
        plan_epoch(rollouts, minibatch_size=minibatch_size, microbatch_size=size, seed=0, update=3, epoch=0)
        for size in (1, 3, 4, 8, 100)
    ]
    assert len(plans[0]) == 48 // minibatch_size
    for size, plan in zip((1, 3, 4, 8, 100), plans, strict=True):
        assert [rows_of(minibatch) for minibatch in plan] == [rows_of(minibatch) for minibatch in plans[0]]
        assert max(len(piece) for minibatch in plan for piece in minibatch) == min(size, minibatch_size)


def test_minibatches_hold_whole_prompts_where_they_can_and_pieces_go_by_length() -> None:
    plan = plan_epoch(fake_rollouts(48), minibatch_size=8, microbatch_size=4, seed=0, update=0, epoch=0)
    assert len(plan) == 6
    for minibatch in plan:
        assert len({row // 4 for row in rows_of(minibatch)}) == 2
        assert all(len({row // 4 for row in piece}) == 1 for piece in minibatch)
        assert rows_of(minibatch) == sorted(rows_of(minibatch))
    split = plan_epoch(fake_rollouts(48), minibatch_size=6, microbatch_size=6, seed=0, update=0, epoch=0)
    assert any(len({row // 4 for row in rows_of(minibatch)}) > 2 for minibatch in split)


def test_a_minibatch_is_no_run_of_neighbours_by_length() -> None:
    """64 rollouts of lengths 1 to 64: the means of eight minibatches of eight differ as chance has it, by about 6."""
    rollouts = fake_rollouts(64, num_completions=1, lengths=range(1, 65))
    plan = plan_epoch(rollouts, minibatch_size=8, microbatch_size=8, seed=0, update=0, epoch=0)
    lengths = [[len(rollouts.completions[row]) for row in rows_of(minibatch)] for minibatch in plan]
    assert min(max(own) - min(own) for own in lengths) > 20
    assert statistics.pstdev(map(statistics.mean, lengths)) < 10  # sorted by length it would be 18


def test_the_mix_takes_its_ratio_of_dialogues_and_goes_through_all(config: PpoConfig, demonstrations: Path) -> None:
    rollouts, dialogues = fake_rollouts(512), fake_dialogues(demonstrations, config)
    config = replace(config, rollouts_per_update=512, minibatch_size=64, microbatch_size=8)
    (steps,) = plan_epochs(rollouts, dialogues.train, config, 0)
    assert len(steps) == 8
    assert all(sum(map(len, step.minibatch)) == 64 for step in steps)
    assert all(len(step.texts) == 512 for step in steps)
    assert sorted(order_of(steps)) == list(range(512))


def test_every_epoch_goes_through_all_rollouts_in_a_fresh_order(config: PpoConfig) -> None:
    config = replace(config, epochs=4, rollouts_per_update=64, minibatch_size=16, microbatch_size=4)
    plan = plan_epochs(fake_rollouts(64), (), config, 7)
    assert [len(epoch) for epoch in plan] == [4] * 4
    epochs = [order_of(epoch) for epoch in plan]
    assert all(sorted(epoch) == list(range(64)) for epoch in epochs)
    assert len(set(epochs)) == 4
    assert plan == plan_epochs(fake_rollouts(64), (), config, 7)


def test_every_update_has_an_order_of_its_own_and_goes_on_in_the_text(config: PpoConfig, tmp_path: Path) -> None:
    data = write_demonstrations(tmp_path / "texts.jsonl", [(f"{i}?", "a") for i in range(64)])
    texts = fake_dialogues(data, config).train
    config = replace(config, minibatch_size=8, microbatch_size=1, epochs=2, ptx_ratio=0.25)
    orders, mixed_in = [], []
    for update in range(4):
        plan = plan_epochs(fake_rollouts(32), texts, config, update)
        orders += [order_of(epoch) for epoch in plan]
        mixed_in += [text.id for epoch in plan for step in epoch for text in step.texts]
    assert len(set(orders)) == len(orders) == 8
    assert sorted(mixed_in) == sorted(text.id for text in texts)
    other = plan_epochs(fake_rollouts(32), texts, replace(config, seed=1), 0)
    assert order_of(other[0]) != orders[0]
    assert [text.id for epoch in other for step in epoch for text in step.texts] != mixed_in[:16]

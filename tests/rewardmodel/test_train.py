"""Training end to end on a tiny model: it learns, it says what it is, it stops rather than spoil anything."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from language.checkpoints import load_tokenizer
from language.options import OptionError
from language.training_state import TrainingStateError
from records import Demonstration, Message, write_jsonl
from records.metrics import MEASURED, RESULT
from rewardmodel.comparisons import Comparison, batches, tokenize_rankings
from rewardmodel.data import DataError, load_rankings
from rewardmodel.evaluate import EvaluateConfig, evaluate_rankings
from rewardmodel.evaluate import main as evaluate
from rewardmodel.loss import ranking_losses
from rewardmodel.material import load_material
from rewardmodel.model import load_reward_model, start_reward_model
from rewardmodel.parameters import choose_parameters
from rewardmodel.publishing import PublishingError
from rewardmodel.scoring import score_comparisons
from rewardmodel.stopping import TrainingStopped
from rewardmodel.train import Learner, main, run_identity, take_step
from rewardmodel.train_config import TrainConfig
from tests.rewardmodel.factories import make_ranking, make_toy_rankings


@pytest.fixture
def config(tiny_policy: Path, tmp_path: Path) -> TrainConfig:
    data = tmp_path / "rankings.jsonl"
    write_jsonl(data, make_toy_rankings(300, split="train") + make_toy_rankings(60, seed=1, split="validation"))
    return TrainConfig(
        data=data, model=tiny_policy, out=tmp_path / "rm", lr=1e-2, batch_size=16, device="cpu", save_every=5
    )


def read_facts(directory: Path) -> dict:
    return json.loads((directory / "reward_model.json").read_text())


def test_it_learns_what_a_trainer_likes_on_prompts_it_never_saw(config: TrainConfig, capsys) -> None:
    before = start_reward_model(config.model, seed=0)
    held_out = load_rankings(config.data).of_split("validation")
    tokenizer = load_tokenizer(config.model)
    untrained, _ = evaluate_rankings(before, tokenizer, held_out, token_budget=4096)
    main(replace(config, epochs=2))
    trained, _ = evaluate_rankings(load_reward_model(config.out), tokenizer, held_out, token_budget=4096)
    assert untrained.accuracy.value < 0.7
    assert trained.accuracy.value > 0.9
    assert trained.over_longer.low is not None
    assert trained.over_longer.low > 0.2
    assert "better than length alone" in capsys.readouterr().out


def test_what_is_published_tells_its_lineage_figures_and_cautions(config: TrainConfig) -> None:
    main(replace(config, evaluate_every=10))
    facts = read_facts(config.out)
    assert facts["data"]["sha256"] == load_rankings(config.data).source.sha256
    assert facts["data"]["num_comparisons"] == 300
    assert facts["data"]["num_pairs"] == 600
    assert facts["validation"]["accuracy"]["num_pairs"] == 120
    assert any("simulated trainer" in caution for caution in facts["cautions"])
    assert any("best-ranked completions" in caution for caution in facts["cautions"])
    card = (config.out / "card.md").read_text()
    assert all(caution in card for caution in facts["cautions"])
    metrics = json.loads((config.out / "metrics.json").read_text())
    assert metrics["accuracy"] == facts["validation"]["accuracy"]["value"]
    assert all(isinstance(value, float) for value in metrics.values())
    steps = [json.loads(line) for line in (config.out / "metrics.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == list(range(1, math.ceil(300 / 16) + 1))
    assert set(steps[0]) == set(MEASURED["reward_model"]), "each is told in words on the pages, and none that is not"
    bounds = {f"{name}_{end}" for name in ("accuracy", "longer_baseline", "over_longer") for end in ("low", "high")}
    assert set(metrics) == set(RESULT["reward_model"]) | bounds
    assert steps[-1]["lr"] < steps[0]["lr"] == config.lr
    board = EventAccumulator(str(config.work_directory / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("validation/accuracy")] == [10, 19]
    assert board.Scalars("validation/accuracy")[-1].value == pytest.approx(metrics["accuracy"])
    assert board.Scalars("validation/out_of_distribution/thanks instead")
    listed = json.loads((config.out / "manifest.json").read_text())["files"]
    assert {"evaluation.json", "evaluation.html"} <= set(listed)
    assert json.loads((config.out / "evaluation.json").read_text()) == facts["validation"]
    load_reward_model(config.out)
    assert not (config.work_directory / "states").exists()


def test_a_run_ends_after_the_steps_that_it_may_take(config: TrainConfig) -> None:
    main(replace(config, max_records=40, max_steps=4, epochs=2))
    steps = [json.loads(line) for line in (config.out / "metrics.jsonl").read_text().splitlines()]
    assert [(step["step"], step["epoch"]) for step in steps] == [(1, 0), (2, 0), (3, 0), (4, 1)]
    facts = read_facts(config.out)
    assert facts["data"]["num_rankings"] == 40
    assert "260 beyond max records" in (config.out / "card.md").read_text()


def test_demonstrations_average_zero_where_they_are_given(config: TrainConfig, tmp_path: Path) -> None:
    texts = ["Paris is the answer", "the sea is wide", "try the blue sky first"]
    demonstrations = [
        Demonstration(
            id=f"d-{i}",
            messages=(Message(role="user", content=f"question {i}?"), Message(role="assistant", content=text)),
        )
        for i, text in enumerate(texts)
    ]
    path = tmp_path / "demonstrations.jsonl"
    write_jsonl(path, demonstrations)
    main(replace(config, demonstrations=path))
    model = load_reward_model(config.out)
    rankings = [
        make_ranking(id=f"d-{i}", prompt=f"question {i}?", completions=(text, "other")) for i, text in enumerate(texts)
    ]
    tokenized = tokenize_rankings(rankings, load_tokenizer(config.out), max_tokens=512)
    scored = score_comparisons(model, tokenized.comparisons, token_budget=4096)
    assert sum(scores[0] for _, scores in scored) / len(texts) == pytest.approx(0.0, abs=1e-5)
    normalisation = read_facts(config.out)["normalisation"]
    assert (normalisation["over"], normalisation["count"]) == ("demonstrations", 3)
    assert model.head.bias.item() == 0.0


def test_the_cut_into_microbatches_does_not_change_the_weights(config: TrainConfig) -> None:
    # Pieces of one and of a few comparisons, and whole batches; two steps.
    write_jsonl(config.data, make_toy_rankings(16, split="train") + make_toy_rankings(2, seed=1, split="validation"))
    config = replace(config, batch_size=8)
    found = {}
    for budget in (1, 250, 100_000):
        out = config.out.with_name(f"rm-{budget}")
        main(replace(config, out=out, microbatch_tokens=budget, max_steps=2, lr=1e-3))
        found[budget] = load_reward_model(out).state_dict()
    start = start_reward_model(config.model, seed=config.seed).state_dict()
    for budget in (1, 250):
        apart = {name: float((found[budget][name] - weight).abs().max()) for name, weight in found[100_000].items()}
        bounds = {
            name: 2e-3 * float((weight - start[name]).abs().max()) + 1e-7 for name, weight in found[100_000].items()
        }
        assert max(apart[name] / bounds[name] for name in bounds) <= 1


def test_one_batch_equals_its_microbatches(config: TrainConfig) -> None:
    tokenizer = load_tokenizer(config.model)
    comparisons = tokenize_rankings(make_toy_rankings(12), tokenizer, max_tokens=512).comparisons
    gradients = []
    for microbatch_tokens in (100_000, 1):
        model = start_reward_model(config.model, seed=0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        settings = replace(config, microbatch_tokens=microbatch_tokens, max_grad_norm=math.inf)
        metrics = take_step(model, optimizer, list(comparisons), Learner(settings), 0)
        gradients.append((metrics["loss"], torch.cat([p.grad.flatten() for p in model.backbone.parameters()])))
    (loss, whole), (pieced_loss, pieced) = gradients
    assert pieced_loss == pytest.approx(loss, rel=1e-5)
    assert ((whole - pieced).norm() / whole.norm()).item() < 1e-5


@pytest.mark.parametrize("options", [{"lora": True, "lora_rank": 4}, {"train_last_layers": 1}])
def test_part_of_the_model_can_be_trained_alone(config: TrainConfig, options: dict) -> None:
    main(replace(config, **options))
    model = load_reward_model(config.out)
    base = dict(start_reward_model(config.model, seed=0).backbone.named_parameters())
    changed = {name for name, value in model.backbone.named_parameters() if not torch.equal(value, base[name])}
    assert changed
    if "train_last_layers" in options:
        assert all(name.startswith(("layers.1.", "norm.")) for name in changed)
    else:
        assert not any("embed" in name or "norm" in name for name in changed)
    assert read_facts(config.out)["validation"]["accuracy"]["value"] > 0.6


@pytest.mark.parametrize(
    "way",
    [
        {"lora_rank": None, "last_layers": 0},
        {"lora_rank": 4, "last_layers": 0},
        {"lora_rank": None, "last_layers": 1},
        {"lora_rank": None, "last_layers": 0, "head_only": True},
    ],
)
def test_the_heads_bias_is_never_trained(config: TrainConfig, way: dict) -> None:
    """No pair can tell its value; the published classifier has none."""
    model = start_reward_model(config.model, seed=0)
    choose_parameters(model, **way)
    assert model.head.weight.requires_grad
    assert not model.head.bias.requires_grad


def test_other_data_make_another_run_and_another_place_does_not(config: TrainConfig, tmp_path: Path) -> None:
    tokenizer, materials = load_tokenizer(config.model), []
    for seed in (0, 1):
        write_jsonl(tmp_path / f"{seed}.jsonl", make_toy_rankings(8, seed=seed, split="train"))
        materials.append(
            load_material(
                tmp_path / f"{seed}.jsonl",
                tokenizer,
                max_tokens=512,
                demonstrations=None,
                validation_fraction=0.1,
                seed=0,
            )
        )
    first, second = (run_identity(config, material) for material in materials)
    assert first != second
    assert first == run_identity(replace(config, out=tmp_path / "elsewhere", resume=True), materials[0])


def test_lower_layers_that_are_frozen_get_no_backward_pass(config: TrainConfig) -> None:
    model = start_reward_model(config.model, seed=0)
    choose_parameters(model, lora_rank=None, last_layers=1)
    hidden: list[torch.Tensor] = []
    model.backbone.layers[0].register_forward_hook(lambda module, args, output: hidden.append(output))
    comparisons = tokenize_rankings(make_toy_rankings(2), load_tokenizer(config.model), max_tokens=512).comparisons
    take_step(model, torch.optim.SGD(model.parameters(), lr=0.1), list(comparisons), Learner(config), 0)
    assert hidden
    assert not any(output.requires_grad for output in hidden)


def test_a_reward_model_can_be_trained_further_with_its_head(config: TrainConfig, tmp_path: Path) -> None:
    main(config)
    more = replace(config, model=config.out, out=tmp_path / "second", lr=1e-12)
    main(more)
    assert torch.allclose(load_reward_model(config.out).head.weight, load_reward_model(more.out).head.weight, atol=1e-6)
    assert read_facts(more.out)["base"]["sha256"] != read_facts(config.out)["base"]["sha256"]


def test_a_number_that_is_not_finite_stops_with_step_and_records_and_keeps_what_was_saved(
    config: TrainConfig, monkeypatch
) -> None:
    import rewardmodel.train as module

    spoiled = batches_of(config)[12]
    real = ranking_losses
    names = spoiled[0].ranking_ids
    seen: list[int] = []

    def losses_with_a_nan(scores, *arguments):
        seen.append(1)
        return real(scores * math.nan if len(seen) == 13 else scores, *arguments)

    monkeypatch.setattr(module, "ranking_losses", losses_with_a_nan)
    with pytest.raises(TrainingStopped, match=r"step 13: the loss is nan on rankings .*--resume") as stopped:
        main(config)
    assert names[0].rsplit("-", 1)[0] in str(stopped.value)
    assert not config.out.exists()
    assert sorted(path.name for path in (config.work_directory / "states").iterdir()) == [
        "state-0000000005",
        "state-0000000010",
    ]
    monkeypatch.undo()
    main(replace(config, resume=True))
    straight = replace(config, out=config.out.with_name("straight"))
    main(straight)
    assert (config.out / "model.safetensors").read_bytes() == (straight.out / "model.safetensors").read_bytes()


def batches_of(config: TrainConfig) -> list[list[Comparison]]:
    rankings = load_rankings(config.data).of_split("train")
    comparisons = tokenize_rankings(rankings, load_tokenizer(config.model), max_tokens=512).comparisons
    return batches(comparisons, batch_size=config.batch_size, seed=config.seed, epoch=0)


def test_a_wild_learning_rate_stops_instead_of_publishing_rubbish(config: TrainConfig) -> None:
    with pytest.raises(TrainingStopped, match="Lower --lr"):
        main(replace(config, lr=1e30, max_grad_norm=1e30))
    assert not config.out.exists()


def test_memory_that_runs_out_is_said_with_the_records(config: TrainConfig, monkeypatch) -> None:
    import rewardmodel.train as module

    def no_memory(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "scores_of", no_memory)
    with pytest.raises(TrainingStopped, match=r"step 1: out of memory on \d+ tokens of rankings toy-.*--microbatch"):
        main(config)


def test_options_that_cannot_be_meant_are_refused_before_anything_is_read(config: TrainConfig) -> None:
    for change, complaint in [
        ({"lora": True, "train_last_layers": 2}, "exclude one another"),
        ({"lr": 0.0}, "--lr must be above 0"),
        ({"batch_size": 0}, "--batch-size must be above 0"),
        ({"validation_fraction": 1.0}, "below 1"),
    ]:
        with pytest.raises(OptionError, match=complaint):
            main(replace(config, **change, data=Path("nowhere")))


def test_what_is_there_already_is_not_overwritten(config: TrainConfig, capsys) -> None:
    main(config)
    published = (config.out / "manifest.json").read_bytes()
    with pytest.raises(PublishingError, match="exists already"):
        main(config)
    with pytest.raises(PublishingError, match="exists already"):
        main(replace(config, resume=True, seed=5))
    main(replace(config, resume=True))
    assert "already published by this run" in capsys.readouterr().err
    assert (config.out / "manifest.json").read_bytes() == published


def test_an_earlier_runs_states_are_not_taken_over_by_accident(config: TrainConfig) -> None:
    states = config.work_directory / "states"
    states.mkdir(parents=True)
    (states / "state-0000000005").mkdir()
    with pytest.raises(OptionError, match="holds an earlier run"):
        main(config)


def test_a_run_with_other_options_is_not_taken_for_the_same(config: TrainConfig, monkeypatch) -> None:
    import rewardmodel.train as module

    def interrupted(*arguments):
        if arguments[-1] == 6:
            raise KeyboardInterrupt
        return take_step(*arguments)

    monkeypatch.setattr(module, "take_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main(config)
    monkeypatch.undo()
    with pytest.raises(TrainingStateError, match="seed = 0, this one has 7"):
        main(replace(config, resume=True, seed=7))


def test_data_without_anything_to_train_on_is_refused(config: TrainConfig) -> None:
    write_jsonl(config.data, make_toy_rankings(3, split="test"))
    with pytest.raises(DataError, match="no rankings left to train on"):
        main(config)
    write_jsonl(config.data, [make_ranking(completions=("a b " * 600, "c"), split="train")])
    with pytest.raises(DataError, match="no ranking fits 512 tokens"):
        main(config)


def test_a_disk_without_room_is_refused_before_training(config: TrainConfig, monkeypatch) -> None:
    import shutil

    usage = shutil.disk_usage(config.out.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(PublishingError, match=r"0\.0 GB free, but this run needs"):
        main(config)


def test_held_out_trainers_are_not_learnt_from_and_judge_again_when_asked(config: TrainConfig, capsys) -> None:
    people = [f"t-{i % 8}" for i in range(80)]
    rankings = [
        replace(ranking, trainer=trainer) for ranking, trainer in zip(make_toy_rankings(80), people, strict=True)
    ]
    write_jsonl(config.data, rankings)
    main(replace(config, split_by="trainer", validation_fraction=0.3))
    capsys.readouterr()
    evaluate(EvaluateConfig(model=config.out, data=config.data, json=True, num_corrupted=0, device="cpu"))
    judged = json.loads(capsys.readouterr().out)
    assert 0 < len(judged["by_trainer"]) < 8
    facts = read_facts(config.out)
    assert facts["data"]["split_by"] == "trainer"
    assert facts["data"]["num_rankings"] + judged["num_rankings"] == 80
    assert "30% of all trainers" in (config.out / "card.md").read_text()

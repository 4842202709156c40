"""Best-of-n: the estimator against every subset, the KL against its integral, and a run that can be killed."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.options import OptionError
from policy.best_of_n import BestOfNConfig, best_of_n_mean, best_of_n_weights, kl_of_best_of, main
from policy.judging import Judge
from records import verify_directory
from rewardmodel.publishing import PublishingError
from tests.policy.factories import QUESTIONS


def scores(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.mark.parametrize(
    ("n", "kl"),
    [
        (1, 0.0),
        (2, 0.193147),
        (4, 0.636294),
        (8, 1.204442),
        (16, 1.835089),
        (64, 3.174508),
        (128, 3.859843),
        (256, 4.549084),
        (512, 5.240278),
        (1_000, 5.908755),
        (12_500, 8.433564),
        (60_000, 10.002117),
    ],
)
def test_the_kl_of_picking_is_the_printed_one(n: int, kl: float) -> None:
    assert kl_of_best_of(n) == pytest.approx(kl, abs=1e-6)


def test_the_kl_is_the_integral_over_the_rank_of_the_best() -> None:
    u = torch.linspace(0, 1, 200_001, dtype=torch.float64)[1:]
    density = 8 * u**7
    assert torch.trapezoid(density * density.log(), u).item() == pytest.approx(kl_of_best_of(8), abs=1e-4)


def test_the_weights_are_those_of_the_worked_example() -> None:
    assert best_of_n_weights(4, 2).tolist() == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6])
    assert best_of_n_mean(scores(1, 2, 3, 4), scores(0.1, 0.4, 0.2, 0.3), 2).item() == pytest.approx(0.283333, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_estimate_is_the_mean_over_all_subsets(n: int) -> None:
    picking, judged = scores(0.3, -1.0, 2.0, 0.7, 0.1), scores(5, 1, -2, 0.5, 3)
    subsets = list(itertools.combinations(range(5), n))
    expected = sum(judged[max(subset, key=lambda i: picking[i])].item() for subset in subsets) / len(subsets)
    assert best_of_n_mean(picking, judged, n).item() == pytest.approx(expected)


def test_one_is_the_plain_mean_and_all_is_the_top() -> None:
    picking, judged = scores(3, 1, 2), scores(10, 20, 60)
    assert best_of_n_mean(picking, judged, 1).item() == pytest.approx(30)
    assert best_of_n_mean(picking, judged, 3).item() == pytest.approx(10)


def test_ties_are_picked_equally_often_whatever_their_order() -> None:
    judged = scores(1, 2, 6)
    assert best_of_n_mean(scores(5, 5, 5), judged, 2).item() == pytest.approx(3)
    one, other = scores(0, 5, 5), scores(5, 0, 5)
    assert best_of_n_mean(one, judged, 3).item() == pytest.approx(4)
    assert best_of_n_mean(other, judged[[1, 0, 2]], 3).item() == pytest.approx(4)


def test_weights_of_many_samples_add_up_to_one() -> None:
    for n in (1, 7, 1024, 12_500):
        assert best_of_n_weights(12_500, n).sum().item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("n", "proxy", "gold"), [(2, 0.7979, 0.3989), (4, 1.4558, 0.7279), (16, 2.4975, 1.2487)])
def test_a_noisy_picker_gains_what_theory_says(n: int, proxy: float, gold: float) -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(1000, 16, generator=generator, dtype=torch.float64)
    noisy = truth + torch.randn(1000, 16, generator=generator, dtype=torch.float64)
    for judged, expected in ((noisy, proxy), (truth, gold)):
        means = torch.stack([best_of_n_mean(row, own, n) for row, own in zip(noisy, judged, strict=True)])
        assert means.mean().item() == pytest.approx(expected, abs=3 * means.std().item() / math.sqrt(1000))


@pytest.fixture
def config(toy_policy: Path, toy_reward_model: Path, toy_prompts: Path, tmp_path: Path) -> BestOfNConfig:
    return BestOfNConfig(
        policy=toy_policy,
        reward=toy_reward_model,
        prompts=toy_prompts,
        out=tmp_path / "best",
        split="train",
        num_samples=8,
        max_new_tokens=12,
        device="cpu",
    )


def curve_of(directory: Path) -> list[dict[str, Any]]:
    return json.loads((directory / "curve.json").read_text())  # type: ignore[no-any-return]


def test_picking_raises_the_score_that_picks(config: BestOfNConfig, capsys: pytest.CaptureFixture[str]) -> None:
    main(replace(config, second_reward=config.reward))
    verify_directory(config.out)
    curve = curve_of(config.out)
    assert [point["n"] for point in curve] == list(range(1, 9))
    values = [point["scores"]["value"] for point in curve]
    assert values == sorted(values)
    assert values[-1] > values[0] + 0.5
    assert [point["second_scores"]["value"] for point in curve] == pytest.approx(values)
    assert curve[-1]["kl"] == pytest.approx(1.204442, abs=1e-6)
    assert "    8   1.204" in capsys.readouterr().out


def test_a_completion_without_end_token_gets_the_score_for_that(config: BestOfNConfig) -> None:
    main(replace(config, max_new_tokens=2, missing_end_score=-7.0))
    lines = [json.loads(line) for line in (config.out / "samples.jsonl").read_text().splitlines()]
    scored = [pair for line in lines for pair in zip(line["completions"], line["scores"], strict=True)]
    assert {completion["finish_reason"] for completion, _ in scored} == {"length", "stop"}
    for completion, score in scored:
        assert (score == -7.0) == (completion["finish_reason"] == "length")


def test_samples_say_whose_they_are_and_by_which_seed(config: BestOfNConfig) -> None:
    main(config)
    lines = [json.loads(line) for line in (config.out / "samples.jsonl").read_text().splitlines()]
    assert len(lines) == len(QUESTIONS)
    completions = [completion for line in lines for completion in line["completions"]]
    assert {completion["policy"] for completion in completions} == {config.policy.name}
    seeds = [[completion["sampling"]["seed"] for completion in line["completions"]] for line in lines]
    assert seeds == [list(range(own[0], own[0] + config.num_samples)) for own in seeds]
    assert len({seed for own in seeds for seed in own}) == len(completions)


def test_a_killed_run_goes_on_to_the_same_samples(config: BestOfNConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    main(replace(config, out=config.out.with_name("straight")))
    calls = []

    def dying(*arguments: Any) -> tuple[float, ...]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scores_of(*arguments)

    scores_of = Judge.scores
    monkeypatch.setattr(Judge, "scores", dying)
    with pytest.raises(KeyboardInterrupt):
        main(config)
    with open(config.work_directory / "samples.jsonl", "a") as file:
        file.write('{"prompt_id": "p-9", "compl')  # as a kill in the midst of a write would leave it
    with pytest.raises(OptionError, match="go on with --resume"):
        main(config)
    with pytest.raises(OptionError, match="another run's samples"):
        main(replace(config, resume=True, seed=5))
    main(replace(config, resume=True))
    assert len(calls) == len(QUESTIONS) + 1
    straight = config.out.with_name("straight")
    assert (config.out / "samples.jsonl").read_text() == (straight / "samples.jsonl").read_text()
    assert curve_of(config.out) == curve_of(straight)
    assert not config.work_directory.exists()


def test_an_existing_directory_is_not_overwritten(config: BestOfNConfig) -> None:
    config.out.mkdir()
    with pytest.raises(PublishingError, match="exists already"):
        main(config)

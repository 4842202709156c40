"""Seeds of sampling: runs of other seeds are independent, those of one seed are equal, and no two streams meet."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import gold_samples
from benchmarks.gold_samples import SamplesConfig
from language import decoding
from language.chat import end_token_id
from language.checkpoints import load_causal_lm, load_tokenizer
from language.stop_ids import hidden_ids
from language.token_sampling import Draws
from policy import best_of_n, material, ppo, sft
from policy.best_of_n import BestOfNConfig
from policy.judging import load_judge
from policy.ppo_config import PpoConfig
from policy.prompts import load_prompts
from policy.rollout import collect_rollouts
from policy.sft_config import SftConfig
from policy.sft_material import load_examination
from records import write_jsonl
from records.types import Split
from tests.policy.factories import QUESTIONS, make_demonstration, make_prompt
from tests.policy.updates import CPU

# The last two differ from 0 beyond the low 32 bits only.
RUN_SEEDS = (0, 1, 12345, 2**32, 2**40)
HELD_OUT = 6


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The first random number of every completion that is sampled, as they come."""
    firsts: list[float] = []

    class Heard(Draws):
        def __init__(self, seed: int) -> None:
            super().__init__(seed)
            firsts.append(Draws(seed).next())

    monkeypatch.setattr(decoding, "Draws", Heard)
    return firsts


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """Prompts of every split."""
    found = [make_prompt(text, id=f"p-{i}") for i, text in enumerate(QUESTIONS)]
    for split in ("validation", "test"):
        found += [make_prompt(f"{i}?", id=f"{split}-{i}", split=split) for i in range(HELD_OUT)]
    write_jsonl(tmp_path / "all-prompts.jsonl", found)
    return tmp_path / "all-prompts.jsonl"


def sample(config: PpoConfig, *, update: int = 0) -> dict[str, list[tuple[int, ...]]]:
    """Forty completions of each question by the start, as an update of `config` samples them."""
    tokenizer = load_tokenizer(config.policy)
    rollouts = collect_rollouts(
        load_causal_lm(config.policy),
        load_prompts(config.prompts, tokenizer, max_tokens=100).prompts,
        num_completions=40,
        params=config.sampling_params(update),
        end_token_id=end_token_id(tokenizer),
        hidden_ids=hidden_ids(tokenizer),
        precision="fp32",
    )
    found: dict[str, list[tuple[int, ...]]] = {}
    for row, completion in enumerate(rollouts.completions):
        found.setdefault(rollouts.prompt_ids([row])[0], []).append(completion)
    return found


def share_of_equals(one: dict[str, list[tuple[int, ...]]], other: dict[str, list[tuple[int, ...]]]) -> float:
    equal = [a == b for prompt in one for a, b in zip(one[prompt], other[prompt], strict=True)]
    return sum(equal) / len(equal)


def test_runs_and_updates_of_other_seeds_sample_independently(config: PpoConfig) -> None:
    """The toy policy gives each of four answers about equally often, so about a quarter of rows agree by chance."""
    sampled = [sample(replace(config, seed=seed)) for seed in (0, 1, 12345)] + [sample(config, update=1)]
    assert share_of_equals(sampled[0], sample(config)) == 1.0
    for index, one in enumerate(sampled):
        for other in sampled[index + 1 :]:
            assert 0.1 < share_of_equals(one, other) < 0.4


def test_every_row_of_every_update_and_run_has_a_first_number_of_its_own(config: PpoConfig) -> None:
    seeds = [
        replace(config, seed=seed).sampling_params(update).seed + row
        for seed in RUN_SEEDS
        for update in range(50)
        for row in range(config.rollouts_per_update)
    ]
    assert len({Draws(seed).next() for seed in seeds}) == len(seeds)


def test_updates_a_watch_and_the_selection_of_an_epoch_have_seeds_of_their_own(
    config: PpoConfig, toy_reward_model: Path
) -> None:
    tokenizer = load_tokenizer(config.policy)
    judge = load_judge(toy_reward_model, CPU, missing_end_score=-1.0)
    seeds = []
    for seed in RUN_SEEDS:
        run = replace(config, seed=seed)
        seeds += [run.sampling_params(update).seed for update in range(20)]
        seeds.append(material.make_watch(run, judge, (), tokenizer).params.seed)
        taught = SftConfig(data=Path(), model=config.policy, out=Path(), seed=seed, select_reward=toy_reward_model)
        prompts = load_prompts(config.prompts, tokenizer, max_tokens=100).prompts
        seeds.append(load_examination(taught, prompts, tokenizer, CPU).params.seed)
    # Completions that are sampled together take the seeds that follow.
    assert all(later - earlier > 10_000 for earlier, later in pairwise(sorted(seeds)))


def test_no_two_streams_share_a_random_number(
    config: PpoConfig, toy_reward_model: Path, prompts: Path, tmp_path: Path, begun: list[float]
) -> None:
    """PPO's updates and watch, best-of-n, SFT's looks and the gold run's splits, each under several seeds."""
    streams: dict[str, list[float]] = {}

    def note(name: str) -> None:
        streams[name], begun[:] = list(begun), []

    train = [make_demonstration(text, "d d d", id=f"d-{i}") for i, text in enumerate(QUESTIONS)]
    held_out = [make_demonstration(f"{i}?", "a", id=f"v-{i}", split="validation") for i in range(HELD_OUT)]
    write_jsonl(tmp_path / "data.jsonl", train + held_out)
    for seed in (0, 1, 2**40):
        run = replace(config, seed=seed, prompts=prompts, updates=2, max_new_tokens=2)
        ppo.main(replace(run, out=tmp_path / f"ppo-{seed}"))
        note(f"rollouts {seed}")
        watched = replace(run, out=tmp_path / f"watched-{seed}", watch_reward=toy_reward_model, save_every=1)
        ppo.main(watched)
        counts = Counter(begun)
        looks = [number for number, count in counts.items() if count == 3]
        assert len(looks) == HELD_OUT  # every look answers with the same numbers
        assert counts.keys() - set(looks) == set(streams[f"rollouts {seed}"])
        begun[:] = looks
        note(f"watch {seed}")
        best_of_n.main(
            BestOfNConfig(
                policy=config.policy,
                reward=toy_reward_model,
                prompts=prompts,
                out=tmp_path / f"best-{seed}",
                num_samples=8,
                max_new_tokens=2,
                seed=seed,
                device="cpu",
            )
        )
        note(f"best of n {seed}")
        sft.main(
            SftConfig(
                data=tmp_path / "data.jsonl",
                model=config.policy,
                out=tmp_path / f"sft-{seed}",
                select_reward=toy_reward_model,
                select_max_new_tokens=2,
                epochs=1,
                seed=seed,
                device="cpu",
            )
        )
        note(f"selection {seed}")
        splits: tuple[Split, ...] = ("train", "validation", "test")
        for split in splits:
            out = tmp_path / f"{split}-{seed}.jsonl"
            gold_samples.main(
                SamplesConfig(config.policy, prompts, split, out, num_completions=4, max_new_tokens=2, seed=seed)
            )
            note(f"gold {split} {seed}")
    numbers = [number for stream in streams.values() for number in stream]
    assert len(numbers) == 3 * (64 + HELD_OUT + 8 * HELD_OUT + HELD_OUT + 4 * (len(QUESTIONS) + 2 * HELD_OUT))
    assert len(set(numbers)) == len(numbers)

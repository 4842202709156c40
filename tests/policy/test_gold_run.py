"""Whether PPO raises a known preference: the run's prompts, samples and figures, and all of it in small."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import gold_run, gold_samples
from benchmarks.gold_answers import Answered, gold_by_length
from benchmarks.gold_prompts import write_prompts
from benchmarks.gold_run import GoldRunConfig
from benchmarks.gold_samples import SamplesConfig, read_answers
from language.options import OptionError
from records import Prompt, read_jsonl

START = Answered(gold=0.5, score=0.0, tokens=8, characters=40, ended=1.0, kl=0.0)


def test_length_alone_is_credited_with_what_the_starts_own_answers_of_that_length_get() -> None:
    """The start's long answers get 0.9 and its short ones 0.5; a policy that only answers at length gets that much."""
    longer = replace(START, tokens=20, gold=0.9)
    pairs = [([START, longer], [longer, longer]), ([START, longer], [longer, replace(longer, gold=0.1)])]
    assert gold_by_length(pairs) == pytest.approx(0.9)


def test_answers_that_ended_are_not_measured_by_those_that_did_not() -> None:
    cut = replace(START, ended=0.0, gold=0.2)
    assert gold_by_length([([START, cut], [START, START])]) == pytest.approx(0.5)


def test_a_length_that_the_start_never_has_counts_as_its_mean() -> None:
    assert gold_by_length([([START, replace(START, gold=0.7)], [replace(START, tokens=100)])]) == pytest.approx(0.6)


def test_no_conversation_is_in_two_splits(tmp_path: Path) -> None:
    write_prompts(tmp_path / "a.jsonl", num_train=40, num_held_out=20, seed=3)
    write_prompts(tmp_path / "b.jsonl", num_train=40, num_held_out=20, seed=3)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    prompts = list(read_jsonl(tmp_path / "a.jsonl", Prompt))
    assert [prompt.split for prompt in prompts] == ["train"] * 40 + ["validation"] * 20 + ["test"] * 20
    assert len({prompt.id for prompt in prompts}) == len({prompt.messages for prompt in prompts}) == 80
    assert all(prompt.messages[-1].role == "user" for prompt in prompts)


def test_sampling_that_was_cut_off_goes_on_to_the_same_samples(
    tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gold_samples, "_AT_ONCE", 2)
    write_prompts(tmp_path / "prompts.jsonl", num_train=1, num_held_out=5, seed=0)
    config = SamplesConfig(
        policy=tiny_policy,
        prompts=tmp_path / "prompts.jsonl",
        split="test",
        out=tmp_path / "whole.jsonl",
        num_completions=2,
        max_new_tokens=5,
        max_prompt_tokens=450,
        reference=tiny_policy,
    )
    gold_samples.main(config)
    whole = config.out.read_text()
    assert len(read_answers(config.out)) == 5
    assert all(kl == pytest.approx(0.0, abs=1e-6) for answers in read_answers(config.out) for kl in answers.kls)
    cut = tmp_path / "cut.jsonl"
    lines = whole.splitlines(keepends=True)
    cut.write_text("".join(lines[:2]) + lines[2][:30])
    gold_samples.main(replace(config, out=cut))
    assert cut.read_text() == whole


@pytest.mark.timeout(600)
def test_the_whole_run_in_small_goes_on_where_it_is_and_compares_both_policies(
    tiny_policy: Path, tmp_path: Path
) -> None:
    config = GoldRunConfig(
        out=tmp_path / "run",
        policy=tiny_policy,
        seeds=(0,),
        num_train=8,
        num_held_out=16,  # of what an untaught policy babbles, most ties: fewer might hold no pair
        num_completions=4,
        num_answers=2,
        max_new_tokens=24,
        max_prompt_tokens=450,
        updates=1,
        rollouts=8,
        train_last_layers=1,
    )
    gold_run.main(config)
    run = config.out / "seed-0"
    result = json.loads((run / "result.json").read_text())
    assert (result["prompts"], result["answers_each"], result["config"]["updates"]) == (16, 2, 1)
    gold = result["measures"]["gold"]
    assert gold["difference"]["value"] == pytest.approx(gold["after"]["value"] - gold["before"]["value"])
    assert gold["difference"]["low"] <= gold["difference"]["value"] <= gold["difference"]["high"]
    stages = (run / "stages.jsonl").read_text()
    assert [json.loads(line)["stage"] for line in stages.splitlines()][-1] == "score-trained"
    gold_run.main(config)
    assert (run / "stages.jsonl").read_text() == stages  # nothing is done twice
    with pytest.raises(OptionError, match="holds a run with other options"):
        gold_run.main(replace(config, updates=2))

    whole = (run / "result.json").read_bytes()
    (run / "result.json").unlink()
    (run / "stages.jsonl").write_text(stages[: stages.rindex('{"stage": "gold-trained"') + 20])  # as a kill leaves it
    gold_run.main(config)
    assert (run / "result.json").read_bytes() == whole

    gold_run.main(replace(config, seeds=(0, 1), report=True))
    seeds = json.loads((config.out / "seeds.json").read_text())
    assert (seeds["seeds"], seeds["missing"]) == ([0], [1])
    assert seeds["measures"]["gold"]["difference"]["value"] == pytest.approx(gold["difference"]["value"])
    assert (seeds["kl"]["low"], seeds["kl"]["reason"]) == (None, "one seed: nothing is known of another")
    with pytest.raises(OptionError, match="name them by --seeds"):
        gold_run.main(replace(config, seeds=(), report=True))

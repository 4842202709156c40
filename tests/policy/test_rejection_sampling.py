"""Rejection sampling in the world of four answers: it learns the liked one, and nothing but what was chosen."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.chat import end_token_id, render_dialogue, render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from language.generation import sample_batch
from language.options import OptionError
from policy import best_of_n, rejection_sampling, sft
from policy.rejection_sampling import best_of, main, tokenize_last_answer
from policy.rejection_sampling_config import RejectionSamplingConfig
from records import Completion, Demonstration, Message, SamplingParams, read_jsonl
from records.metrics import MEASURED, RESULT
from rewardmodel.data import DataError
from rewardmodel.publishing import PublishingError
from tests.policy.factories import QUESTIONS, make_messages
from tests.policy.outcomes import metrics_of, weights_of


@pytest.fixture
def config(toy_policy: Path, toy_reward_model: Path, toy_prompts: Path, tmp_path: Path) -> RejectionSamplingConfig:
    """Eight samples of five prompts, of which one is held out."""
    return RejectionSamplingConfig(
        policy=toy_policy,
        reward=toy_reward_model,
        prompts=toy_prompts,
        out=tmp_path / "taught",
        num_samples=8,
        max_new_tokens=10,
        batch_size=2,
        lr=1e-3,
        epochs=2,
        validation_fraction=0.3,
        device="cpu",
    )


def liked_share(directory: Path) -> float:
    """The share of sampled answers that are the liked one."""
    model, tokenizer = load_causal_lm(directory), load_tokenizer(directory)
    prompts = [render_prompt(tokenizer, make_messages(question)) for question in QUESTIONS]
    params = SamplingParams(max_new_tokens=10, seed=99)
    rows = sample_batch(model, prompts, num_completions=12, params=params, end_token_id=end_token_id(tokenizer))
    texts = [tokenizer.decode(one.token_ids, skip_special_tokens=True) for row in rows for one in row]
    return sum(text == "b b b" for text in texts) / len(texts)


def test_it_learns_to_say_what_the_reward_model_likes(config: RejectionSamplingConfig) -> None:
    main(replace(config, epochs=8, lr=3e-3, num_samples=16))
    assert liked_share(config.out) > liked_share(config.policy) + 0.2
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["method"] == "rejection_sampling"
    assert set(facts["made_from"]) == {"reward_model", "prompts"}
    assert facts["start"]["name"] == config.policy.name
    assert facts["metrics"]["chosen_score"] > facts["metrics"]["sampled_score"]
    assert "the best of several samples of each prompt" in (config.out / "card.md").read_text()
    assert {name for line in metrics_of(config.out) for name in line} == set(MEASURED["rejection_sampling"])
    assert set(facts["metrics"]) <= set(RESULT["rejection_sampling"])
    chosen = list(read_jsonl(config.work_directory / "chosen.jsonl", Demonstration))
    assert {one.messages[-1].authorship for one in chosen} == {"policy"}


@pytest.mark.parametrize("stage", ["sampling", "learning"])
def test_a_run_killed_in_either_stage_resumes_to_the_same_bits(
    config: RejectionSamplingConfig, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    torch.set_num_threads(1)
    config = replace(config, save_every=1, lora=True, num_samples=3)
    straight = replace(config, out=config.out.with_name("straight"))
    main(straight)
    module, name = (best_of_n, "sample_completions") if stage == "sampling" else (sft, "take_step")
    action, calls = getattr(module, name), []

    def dying(*given: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return action(*given)

    monkeypatch.setattr(module, name, dying)
    with pytest.raises(KeyboardInterrupt):
        main(config)
    with pytest.raises(PublishingError, match="go on with --resume"):
        main(config)
    main(replace(config, resume=True))
    assert weights_of(config.out) == weights_of(straight.out)
    assert len(calls) == 1 + (5 if stage == "sampling" else 4), "and nothing was done twice"


def completions(*given: tuple[str, str]) -> Sequence[Completion]:
    return [
        Completion(id=str(i), content=text, policy="p", finish_reason=reason)  # type: ignore[arg-type]
        for i, (text, reason) in enumerate(given)
    ]


def test_the_best_is_of_those_that_ended_and_say_something_and_of_equals_the_first() -> None:
    ended, endless, silent = ("yes", "stop"), ("yes and", "length"), (" ", "stop")
    assert best_of(completions(ended, ended, ended), [0.1, 0.7, 0.7]) == 1
    assert best_of(completions(endless, ended, silent), [5.0, -3.0, 4.0]) == 1
    assert best_of(completions(endless, silent), [1.0, 1.0]) is None


def test_the_last_answer_alone_is_learnt_whoever_wrote_the_others(tiny_policy: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    answer = Message(role="assistant", content="Paris.", authorship="policy", policy="p")
    record = Demonstration(id="d", messages=(*make_messages("Hello!", "Hi.", "What is the capital?"), answer))
    dialogue = tokenize_last_answer(record, tokenizer)
    learnt = [index for index, flag in zip(dialogue.token_ids, dialogue.is_target, strict=True) if flag]
    assert tokenizer.decode(learnt) == "Paris.<|im_end|>"
    assert list(dialogue.token_ids) == render_dialogue(tokenizer, record.messages)[0]


def test_a_run_in_which_nothing_ends_is_refused_with_what_to_do(config: RejectionSamplingConfig) -> None:
    with pytest.raises(
        DataError, match="not one of 2 prompts has a sample that ended within 1 tokens; raise --max-new"
    ):
        main(replace(config, max_new_tokens=1, max_records=2, num_samples=2))
    with pytest.raises(OptionError, match="of one there is no best"):
        rejection_sampling.main(replace(config, num_samples=1))

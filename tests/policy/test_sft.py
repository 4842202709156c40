"""Supervised fine-tuning end to end on a tiny model: it learns, resumes to the bit, and stops rather than spoil."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from language.chat import render_completion, render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from language.optimization import rate_factor
from language.options import OptionError
from policy import sft
from policy.dialogues import target_nlls, tokenize_dialogue
from policy.sft import main, take_step
from policy.sft_config import SftConfig
from records import ManifestError, publish_directory, verify_directory, write_jsonl
from records.metrics import MEASURED, RESULT
from rewardmodel.publishing import PublishingError
from rewardmodel.stopping import TrainingStopped
from tests.policy.factories import make_demonstration, make_messages
from tests.policy.outcomes import metrics_of, weights_of

ANSWERS = {"What is the capital of France?": "Paris.", "How are you?": "I am well.", "Who?": "I do not know."}


@pytest.fixture
def config(tiny_policy: Path, tmp_path: Path) -> SftConfig:
    data = tmp_path / "demonstrations.jsonl"
    pairs = [pair for pair in ANSWERS.items() for _ in range(8)]
    train = [make_demonstration(*pair, id=f"d-{index}") for index, pair in enumerate(pairs)]
    held_out = [make_demonstration("How are you?", "I am well.", id="v-1", split="validation")]
    write_jsonl(data, train + held_out)
    return SftConfig(
        data=data, model=tiny_policy, out=tmp_path / "taught", lr=1e-2, batch_size=8, epochs=20, device="cpu"
    )


def greedy_answer(directory: Path, question: str) -> str:
    model, tokenizer = load_causal_lm(directory), load_tokenizer(directory)
    prompt = torch.tensor([render_prompt(tokenizer, make_messages(question))])
    answer = model.generate(  # type: ignore[operator]
        prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=24
    )
    return str(tokenizer.decode(answer[0, prompt.shape[1] :]))


def test_it_learns_to_answer_and_to_stop(config: SftConfig) -> None:
    main(config)
    for question, answer in ANSWERS.items():
        assert greedy_answer(config.out, question) == answer + "<|im_end|>"
    losses = [line["validation_loss"] for line in metrics_of(config.out) if "validation_loss" in line]
    assert len(losses) == 21
    assert losses[0] > 4
    assert losses[-1] < 0.1


def test_what_is_published_is_a_plain_checkpoint_with_its_lineage(config: SftConfig) -> None:
    main(replace(config, epochs=1))
    verify_directory(config.out)
    assert AutoModelForCausalLM.from_pretrained(config.out) is not None
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["made_from"]["demonstrations"]["sha256"] == hashlib.sha256(config.data.read_bytes()).hexdigest()
    assert facts["start"]["name"] == config.model.name
    assert facts["metrics"] == json.loads((config.out / "metrics.json").read_text())
    assert facts["start"]["sha256"] in (config.out / "card.md").read_text()


def test_a_run_of_few_records_and_steps_says_so(config: SftConfig) -> None:
    main(replace(config, max_records=2, max_steps=3, batch_size=1, epochs=2, validation_fraction=0.0))
    lines = [line for line in metrics_of(config.out) if line["step"]]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[-1]["lr"] < lines[0]["lr"], "the schedule ends where the run does"
    card = (config.out / "card.md").read_text()
    assert "Learnt from 2 records of " in card
    assert "chosen by the hashes of their ids" in card
    assert "- max_steps: 3" in card


def test_every_logged_metric_is_explained_and_every_explained_one_logged(
    config: SftConfig, toy_reward_model: Path
) -> None:
    main(replace(config, epochs=1, select_reward=toy_reward_model, select_max_new_tokens=4))
    assert {name for line in metrics_of(config.out) for name in line} == set(MEASURED["sft"])
    assert set(json.loads((config.out / "metrics.json").read_text())) <= set(RESULT["sft"])


def test_the_learning_rate_follows_a_cosine_to_a_tenth(config: SftConfig) -> None:
    assert 9.65e-6 * rate_factor(50, "cosine", 100) == pytest.approx(5.3075e-6)
    assert 9.65e-6 * rate_factor(100, "cosine", 100) == pytest.approx(9.65e-7)
    main(replace(config, epochs=2))
    rates = [line["lr"] for line in metrics_of(config.out) if "lr" in line]
    assert rates == pytest.approx([config.lr * rate_factor(step, "cosine", 6) for step in range(6)])


def test_the_cut_into_microbatches_does_not_change_the_weights(config: SftConfig) -> None:
    results = []
    for number, (budget, packing) in enumerate([(10_000, False), (40, False), (100, True)]):
        out = config.out.with_name(f"cut-{number}")
        main(replace(config, out=out, microbatch_tokens=budget, packing=packing, epochs=1, lr=1e-3))
        results.append(load_causal_lm(out).state_dict())
    for other in results[1:]:
        for name, tensor in results[0].items():
            torch.testing.assert_close(other[name], tensor, atol=2e-5, rtol=0)


@pytest.mark.parametrize("lora", [False, True])
def test_a_killed_run_resumes_to_the_same_bits(
    config: SftConfig, monkeypatch: pytest.MonkeyPatch, *, lora: bool
) -> None:
    torch.set_num_threads(1)
    config = replace(config, epochs=2, save_every=1, lora=lora)
    main(replace(config, out=config.out.with_name("straight")))
    take_step, taken = sft.take_step, []

    def dying_step(*arguments: object) -> dict[str, float]:
        taken.append(1)
        if len(taken) in (3, 5):
            raise KeyboardInterrupt
        return take_step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sft, "take_step", dying_step)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            main(replace(config, resume=True))
        assert not config.out.exists()
    main(replace(config, resume=True))
    assert len(taken) == 8
    assert weights_of(config.out) == weights_of(config.out.with_name("straight"))
    steps = [line["step"] for line in metrics_of(config.out)]
    assert steps == list(range(7))


def test_adapters_are_merged_into_what_is_published(config: SftConfig) -> None:
    main(replace(config, lora=True, lr=2e-2))
    names = load_causal_lm(config.out).state_dict()
    assert not any("lora" in name for name in names)
    assert set(names) == set(load_causal_lm(config.model).state_dict())
    assert greedy_answer(config.out, "How are you?") == "I am well.<|im_end|>"


def test_the_last_layers_alone_can_be_trained(config: SftConfig) -> None:
    main(replace(config, train_last_layers=1, epochs=1))
    before, after = load_causal_lm(config.model).state_dict(), load_causal_lm(config.out).state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(("model.layers.1.", "model.norm")) for name in moved)


def test_bf16_learns_too(config: SftConfig) -> None:
    main(replace(config, precision="bf16"))
    assert greedy_answer(config.out, "Who?") == "I do not know.<|im_end|>"
    assert load_causal_lm(config.out).dtype == torch.float32


def test_a_number_that_is_not_finite_stops_it_and_names_the_records(
    config: SftConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def poisoned(*arguments: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        return target_nlls(*arguments, **options) * (math.nan if len(calls) == 4 else 1)  # the first call validates

    monkeypatch.setattr(sft, "target_nlls", poisoned)
    with pytest.raises(TrainingStopped, match=r"step 3: the loss is nan on records d-\d+"):
        main(replace(config, save_every=1, microbatch_tokens=10_000))
    assert not config.out.exists()
    monkeypatch.setattr(sft, "target_nlls", target_nlls)
    main(replace(config, save_every=1, microbatch_tokens=10_000, resume=True))
    assert config.out.exists()


def test_running_out_of_memory_leads_to_smaller_pieces_and_the_same_weights(
    config: SftConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, epochs=1, lr=1e-3)
    main(replace(config, out=config.out.with_name("roomy")))

    def cramped(model: Any, dialogues: Any, **options: Any) -> torch.Tensor:
        if len(dialogues) > 3:
            raise torch.OutOfMemoryError("no room")
        return target_nlls(model, dialogues, **options)

    monkeypatch.setattr(sft, "target_nlls", cramped)
    monkeypatch.setattr(sft, "validate", lambda *_: {})
    main(config)
    roomy, other = (load_causal_lm(path).state_dict() for path in (config.out.with_name("roomy"), config.out))
    for name, tensor in roomy.items():
        torch.testing.assert_close(other[name], tensor, atol=2e-5, rtol=0)


@pytest.mark.parametrize("microbatch_tokens", [1, 40, 10_000])
def test_a_step_has_the_gradient_of_the_mean_over_its_targets_however_it_is_cut(
    config: SftConfig, microbatch_tokens: int
) -> None:
    model, tokenizer = load_causal_lm(config.model), load_tokenizer(config.model)
    answers = ("Yes.", "I do not know the answer to that question.", "Paris.")
    dialogues = [tokenize_dialogue(make_demonstration("Who?", answer), tokenizer) for answer in answers]
    nlls = torch.cat([target_nlls(model, [dialogue], packing=False) for dialogue in dialogues])
    nlls.mean().backward()  # type: ignore[no-untyped-call]
    expected = {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }
    # What earlier steps left behind counts for nothing.
    standing = torch.optim.SGD(model.parameters(), lr=0.0)
    cut = replace(config, microbatch_tokens=microbatch_tokens, max_grad_norm=math.inf)
    metrics = take_step(model, standing, dialogues, cut, 0)
    assert metrics["loss"] == pytest.approx(nlls.mean().item(), abs=1e-5)
    assert metrics["num_targets"] == len(nlls)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-5, rtol=1e-4)


def test_an_existing_directory_is_not_overwritten(config: SftConfig) -> None:
    config.out.mkdir()
    with pytest.raises(PublishingError, match="exists already"):
        main(config)


def test_a_finished_run_is_not_run_again(config: SftConfig, capsys: pytest.CaptureFixture[str]) -> None:
    config = replace(config, epochs=1)
    main(config)
    before = weights_of(config.out)
    main(replace(config, resume=True))
    assert "already published" in capsys.readouterr().err
    assert weights_of(config.out) == before


def test_contradicting_options_are_refused(config: SftConfig) -> None:
    with pytest.raises(OptionError, match="exclude one another"):
        main(replace(config, lora=True, train_last_layers=1))
    with pytest.raises(OptionError, match="--batch-size must be above 0"):
        main(replace(config, batch_size=0))


def test_a_damaged_export_is_refused(config: SftConfig, tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    staging.mkdir()
    (staging / "demonstrations.jsonl").write_bytes(config.data.read_bytes())
    publish_directory(staging, tmp_path / "export")
    with open(tmp_path / "export" / "demonstrations.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(ManifestError, match=r"demonstrations\.jsonl is damaged"):
        main(replace(config, data=tmp_path / "export"))


def test_completions_that_are_sampled_later_have_the_tokens_that_were_taught(tiny_policy: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    taught = tokenize_dialogue(make_demonstration("Hello!", "I am well."), tokenizer).token_ids
    asked = render_prompt(tokenizer, make_messages("Hello!"))
    assert [*asked, *render_completion(tokenizer, "I am well.")] == list(taught)

"""DPO end to end on a toy policy: it learns what people prefer, however it is cut and whenever it is killed."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from language.checkpoints import load_causal_lm, load_tokenizer
from language.options import OptionError
from policy import preference_loop, sequence_logprobs
from policy.dpo import Dpo, main, pair_sums
from policy.dpo_config import DpoConfig
from policy.preference_loop import take_step
from policy.preferences import load_preferences, num_tied_pairs
from policy.sequence_logprobs import REFERENCE_FILE, ReferenceLogprobs, require_known_tokens
from records import RecordError, verify_directory, write_jsonl
from records.metrics import MEASURED, RESULT
from rewardmodel.comparisons import pairs_of
from rewardmodel.data import DataError
from rewardmodel.publishing import PublishingError
from rewardmodel.stopping import TrainingStopped
from tests.policy.conftest import ANSWERS
from tests.policy.factories import QUESTIONS, make_demonstration
from tests.policy.outcomes import metrics_of, weights_of
from tests.policy.verdicts import LIKED_ANSWER, preferring, shares, write_rankings
from tests.rewardmodel.factories import make_ranking

LOG_2 = math.log(2)


@pytest.fixture
def config(toy_policy: Path, tmp_path: Path) -> DpoConfig:
    """Twelve rankings of four, two of them held out: two steps an epoch."""
    rankings = [
        preferring(
            LIKED_ANSWER,
            id=f"r-{index}",
            prompt=QUESTIONS[index % 5],
            split="validation" if index % 5 == 4 else "train",
            strengths=(3,) if index % 2 else (),
        )
        for index in range(12)
    ]
    return DpoConfig(
        data=write_rankings(tmp_path / "rankings.jsonl", rankings),
        model=toy_policy,
        out=tmp_path / "preferred",
        beta=0.5,
        epochs=3,
        batch_size=5,
        lr=1.5e-3,
        warmup_share=0.0,
        device="cpu",
    )


def method_of(config: DpoConfig, *, start: Path | None = None) -> tuple[Any, Dpo]:
    """A network and what DPO says of the data with another network as the reference."""
    tokenizer = load_tokenizer(config.model)
    data = load_preferences(config.data, tokenizer, max_tokens=config.max_tokens, validation_fraction=0.0)
    members = (*data.train, *data.validation)
    references = sequence_logprobs.reference_logprobs(
        config.work_directory,
        {"start": str(start)},
        load_causal_lm(start or config.model),
        members,
        token_budget=10_000,
        precision="fp32",
    )
    return load_causal_lm(config.model), Dpo(data, references, config)


def naive_losses(model: Any, reference: Any, method: Dpo) -> Tensor:
    """RF Eq. 7 as it is printed: of every pair both sides, each with its prompt, forwarded apart; means by ranking."""

    def logprob(network: Any, prompt: tuple[int, ...], completion: tuple[int, ...]) -> Tensor:
        ids = torch.tensor([[*prompt, *completion]])
        found = network(input_ids=ids).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
        return found.gather(1, ids[0, len(prompt) :, None]).sum()  # type: ignore[no-any-return]

    losses = []
    for comparison in method.data.train:
        for number, tiers in enumerate(comparison.tiers):
            strengths = comparison.strengths[number]
            own = []
            for i, chosen in enumerate(comparison.completion_ids):
                for j, rejected in enumerate(comparison.completion_ids):
                    if tiers[i] < tiers[j]:
                        gap = tiers[j] - tiers[i]
                        strength = sum(strengths[tiers[i] : tiers[j]]) if strengths else gap
                        ratio = logprob(model, comparison.prompt_ids, chosen)
                        ratio = ratio - logprob(reference, comparison.prompt_ids, chosen).detach()
                        ratio = ratio - logprob(model, comparison.prompt_ids, rejected)
                        ratio = ratio + logprob(reference, comparison.prompt_ids, rejected).detach()
                        asked = method.config.margin_per_strength * strength
                        own.append(-(method.config.beta * ratio - asked).sigmoid().log())
            losses.append(torch.stack(own).mean())
    return torch.stack(losses)


def test_it_learns_what_people_prefer_and_says_so_of_what_was_held_out(config: DpoConfig, capsys: Any) -> None:
    assert shares(config.model, QUESTIONS[4])[LIKED_ANSWER] < 0.4
    main(config)
    after = shares(config.out, QUESTIONS[4])
    assert after[LIKED_ANSWER] > 0.5
    assert after[LIKED_ANSWER] > 10 * max(share for answer, share in after.items() if answer != LIKED_ANSWER)
    lines = metrics_of(config.out)
    assert lines[0]["validation_loss"] == pytest.approx(LOG_2, abs=1e-6)
    assert lines[1]["loss"] == pytest.approx(LOG_2, abs=1e-5), "the first step sees the start"
    assert lines[1]["drift"] == pytest.approx(0, abs=1e-6)
    assert lines[-1]["validation_loss"] < 0.5
    assert lines[-1]["validation_accuracy"] > 0.9
    assert lines[-1]["chosen_logprob"] > lines[-1]["rejected_logprob"]
    said = capsys.readouterr().err
    assert "12 rankings, 10 to learn from, 2 held out; left out: none" in said
    assert "30 pairs of those to learn from are tied" in said


def test_whole_tiers_teach_the_same(config: DpoConfig) -> None:
    main(replace(config, whole_tiers=True))
    assert shares(config.out, QUESTIONS[4])[LIKED_ANSWER] > 0.5
    assert metrics_of(config.out)[0]["validation_loss"] == pytest.approx(math.log(4), abs=1e-5), "one choice among four"


def test_a_step_has_the_loss_and_gradient_of_naive_pairs_however_it_is_cut(
    config: DpoConfig, tiny_policy: Path, tmp_path: Path
) -> None:
    """Two rankings of one comparison, one of them with strengths and both with ties, and a pair beside them."""
    one = make_ranking(
        id="r-1", prompt="Hello!", completions=ANSWERS, tiers=[[1], [0, 2], [3]], split="train", comparison_id="c",
        strengths=(2, 3),
    )  # fmt: skip
    other = make_ranking(
        id="r-2", prompt="Hello!", completions=ANSWERS, tiers=[[3, 0], [1, 2]], split="train", comparison_id="c"
    )
    pair = make_ranking(id="r-3", prompt="Who?", completions=["Paris.", "I do not know that."], split="train")
    data = write_rankings(tmp_path / "naive.jsonl", [one, other, pair])
    config = replace(config, data=data, margin_per_strength=0.3, max_grad_norm=1e9)
    model, method = method_of(config, start=tiny_policy)
    expected = naive_losses(model, load_causal_lm(tiny_policy), method).mean()
    expected.backward()  # type: ignore[no-untyped-call]
    gradients = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    standing = torch.optim.SGD(model.parameters(), lr=0.0)
    for budget in (1, 100, 10_000):
        figures = take_step(model, standing, method.data.train, method, replace(config, microbatch_tokens=budget), 0)
        assert figures["loss"] == pytest.approx(expected.item(), rel=1e-5)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name], atol=2e-5, rtol=1e-4)


def test_what_is_logged_is_the_worked_one(config: DpoConfig) -> None:
    """Of one pair, log-probabilities −3 and −5 under the policy, −4 and −4.5 under its start, β 0.1."""
    rankings = [make_ranking(id="r", prompt="Who?", completions=["a a", "b b b"], split="train")]
    config = replace(config, data=write_rankings(config.data.with_name("one.jsonl"), rankings))
    _, method = method_of(config)
    piece = method.data.train
    logprobs, ref_logprobs = torch.tensor([-3.0, -5.0]), torch.tensor([-4.0, -4.5])
    sums = pair_sums(logprobs, ref_logprobs, 0.1 * (logprobs - ref_logprobs), pairs_of(piece), piece)
    num_tokens = sum(map(len, piece[0].completion_ids))
    assert method.figures(sums, 0.0) == pytest.approx(
        {
            "accuracy": 1.0,
            "margin": 0.15,
            "chosen_logprob": -3.0,
            "rejected_logprob": -5.0,
            "drift": -0.5 / num_tokens,
        }
    )


@pytest.mark.parametrize("lora", [False, True])
def test_a_killed_run_resumes_to_the_same_bits_and_asks_the_reference_once(
    config: DpoConfig, monkeypatch: pytest.MonkeyPatch, lora: bool
) -> None:
    torch.set_num_threads(1)
    config = replace(config, epochs=2, save_every=1, lora=lora)
    main(replace(config, out=config.out.with_name("straight")))
    step, taken = preference_loop.take_step, []

    def dying_step(*arguments: Any) -> Any:
        taken.append(1)
        if len(taken) in (2, 4):
            raise KeyboardInterrupt
        return step(*arguments)

    asked = []
    compute = sequence_logprobs._compute
    monkeypatch.setattr(sequence_logprobs, "_compute", lambda *a, **o: asked.append(1) or compute(*a, **o))
    monkeypatch.setattr(preference_loop, "take_step", dying_step)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            main(replace(config, resume=True))
        assert not config.out.exists()
    main(replace(config, resume=True))
    assert (len(taken), len(asked)) == (6, 1)
    assert weights_of(config.out) == weights_of(config.out.with_name("straight"))
    assert [line["step"] for line in metrics_of(config.out)] == [0, 1, 2, 3, 4]
    main(replace(config, resume=True))
    assert len(taken) == 6, "a finished run is not run again"


def test_another_seed_is_another_order_and_the_same_seed_the_same_policy(config: DpoConfig) -> None:
    config = replace(config, epochs=1)
    found = {}
    for name, seed in {"one": 0, "again": 0, "other": 1}.items():
        main(replace(config, out=config.out.with_name(name), seed=seed))
        found[name] = weights_of(config.out.with_name(name))
    assert found["one"] == found["again"]
    assert found["one"] != found["other"]


def test_the_epoch_of_the_lowest_held_out_loss_is_published_and_a_rise_is_said(config: DpoConfig, capsys: Any) -> None:
    """What is held out prefers another answer, so that every step makes it worse."""
    contrary = [
        make_ranking(id=f"v-{i}", prompt=f"{i}?", completions=["c c c", LIKED_ANSWER], split="validation")
        for i in range(3)
    ]
    agreeing = [preferring(LIKED_ANSWER, id=f"r-{i}", prompt=QUESTIONS[i % 4]) for i in range(8)]
    write_jsonl(config.data, [*agreeing, *contrary])
    main(replace(config, epochs=1, out=config.out.with_name("first"), batch_size=8))
    main(replace(config, batch_size=8))
    curve = [line["validation_loss"] for line in metrics_of(config.out) if "validation_loss" in line]
    assert curve == sorted(curve)
    assert len(curve) == 4
    assert weights_of(config.out) == weights_of(config.out.with_name("first"))
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["selection"]["published_epoch"] == facts["metrics"]["published_epoch"] == 1
    assert facts["metrics"]["validation_loss"] == curve[1], "of what is published, not of the last"
    said = f"published: its held-out loss was lowest, {curve[1]:.4g}; it rose to {curve[3]:.4g} by epoch 3; before"
    assert said in capsys.readouterr().err
    assert said in (config.out / "card.md").read_text()
    assert not (config.work_directory / preference_loop.BEST).exists()


def test_it_is_published_with_its_lineage_and_every_metric_is_explained(config: DpoConfig) -> None:
    main(replace(config, epochs=1))
    verify_directory(config.out)
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["method"] == "dpo"
    assert facts["made_from"]["rankings"]["name"] == config.data.name
    assert facts["start"]["name"] == config.model.name
    assert facts["made_from"]["rankings"]["sha256"] in (config.out / "card.md").read_text()
    assert {name for line in metrics_of(config.out) for name in line} == set(MEASURED["dpo"])
    assert set(json.loads((config.out / "metrics.json").read_text())) <= set(RESULT["dpo"])


def test_the_reference_is_asked_again_where_anything_it_hangs_on_is_another(config: DpoConfig) -> None:
    model, method = method_of(config)
    path = config.work_directory / REFERENCE_FILE
    ask: Callable[..., ReferenceLogprobs] = sequence_logprobs.reference_logprobs
    rest: Any = {"token_budget": 10_000, "precision": "fp32"}

    def said_of(key: str, members: Any) -> ReferenceLogprobs:
        return ask(config.work_directory, {"start": key}, model, members, **rest)

    first = said_of("a", method.data.train)
    assert first.values.mean() < -1
    sequence_logprobs._write(
        path, torch.full_like(first.values, -7.0), sequence_logprobs._digest({"start": "a"}, method.data.train)
    )
    assert said_of("a", method.data.train).values.unique().tolist() == [-7.0], "what is kept is believed"
    torch.testing.assert_close(said_of("b", method.data.train).values, first.values)
    assert len(said_of("b", method.data.train[:1]).values) == 4
    path.write_bytes(path.read_bytes()[:20])
    torch.testing.assert_close(said_of("b", method.data.train).values, first.values)


def test_ties_are_left_out_and_counted_and_a_choice_has_none(config: DpoConfig, capsys: Any) -> None:
    tied = make_ranking(id="tied", prompt="Who?", completions=["a", "b", "c"], tiers=[[0, 1, 2]], split="train")
    some = make_ranking(id="some", prompt="How?", completions=["a", "b", "c"], tiers=[[0, 1], [2]], split="train")
    choice = make_ranking(
        id="choice", prompt="Why?", completions=["a", "b", "c"], tiers=[[0], [1, 2]], split="train", choice=True
    )
    long = make_ranking(id="long", prompt="When?", completions=["a " * 300, "b"], split="train")
    write_jsonl(config.data, [tied, some, choice, long])
    assert (num_tied_pairs(some), num_tied_pairs(choice)) == (1, 0)
    main(replace(config, epochs=1, max_tokens=100))
    facts = json.loads((config.out / "policy.json").read_text())
    assert facts["num_records"] == 2
    assert facts["left_out"] == {"all_tied": 1, "too_long": 1, "beyond_max_records": 0, "tied_pairs": 1}
    said = capsys.readouterr().err
    assert "left out: 1 in one tier, without a pair, 1 longer than --max-tokens 100" in said
    assert "1 pairs of those to learn from are tied" in said
    assert facts["selection"]["by"] == "last", "nothing was held out, so that no epoch could be chosen"


def test_data_that_cannot_teach_is_refused_in_words(config: DpoConfig) -> None:
    write_jsonl(config.data, [make_ranking(id="t", completions=["a", "b"], tiers=[[0, 1]], split="train")])
    with pytest.raises(DataError, match=r"no ranking to learn from: DPO needs two completions in order.*'all_tied': 1"):
        main(config)
    write_jsonl(config.data, [make_demonstration("Hello!", "Hi.")])
    with pytest.raises(RecordError, match=r"rankings\.jsonl:1: .*comparison_id"):
        main(config)
    write_jsonl(config.data, [preferring(LIKED_ANSWER, id="r", prompt="Hello!")])
    with pytest.raises(DataError, match=r"no ranking fits 5 tokens; raise --max-tokens"):
        main(replace(config, max_tokens=5))
    assert not config.out.exists()
    config.out.mkdir()
    with pytest.raises(PublishingError, match="exists already"):
        main(config)


def test_options_that_contradict_are_refused(config: DpoConfig) -> None:
    with pytest.raises(OptionError, match="--whole-tiers and --margin-per-strength exclude one another"):
        main(replace(config, whole_tiers=True, margin_per_strength=1.0))
    with pytest.raises(OptionError, match="--beta must be above 0"):
        main(replace(config, beta=0.0))
    with pytest.raises(OptionError, match="exclude one another"):
        main(replace(config, lora=True, train_last_layers=1))


def test_a_tokenizer_of_another_model_is_refused(config: DpoConfig) -> None:
    model, method = method_of(config)
    require_known_tokens(model, method.data.train, config.model)
    comparison = method.data.train[0]
    foreign = replace(comparison, prompt_ids=(*comparison.prompt_ids, 10_000_000))
    with pytest.raises(OptionError, match=r"its tokenizer gives token id 10000000, but its network knows only \d+"):
        require_known_tokens(model, [foreign], config.model)


def test_a_number_that_is_not_finite_stops_it_and_names_the_records(config: DpoConfig) -> None:
    model, method = method_of(config)
    method.references.values.fill_(math.nan)
    with pytest.raises(TrainingStopped, match=r"step 1: the loss is nan on records c-r-"):
        take_step(model, torch.optim.SGD(model.parameters(), lr=0.0), method.data.train, method, config, 0)

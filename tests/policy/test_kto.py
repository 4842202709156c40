"""KTO end to end on a toy policy: it learns from thumbs alone, however a batch is cut and whenever it is killed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from language.checkpoints import load_causal_lm, load_tokenizer
from language.options import OptionError
from policy import preference_loop
from policy.kto import Kto, main
from policy.kto_config import KtoConfig
from policy.preference_loop import take_step
from policy.sequence_logprobs import reference_logprobs
from policy.thumbs import TokenizedThumb, load_thumbs, mismatch
from records import RecordError, write_jsonl
from records.metrics import MEASURED, RESULT
from rewardmodel.data import DataError
from tests.policy.factories import QUESTIONS, make_demonstration
from tests.policy.outcomes import metrics_of, weights_of
from tests.policy.verdicts import LIKED_ANSWER, make_thumb, shares, thumbs_for


@pytest.fixture
def config(toy_policy: Path, tmp_path: Path) -> KtoConfig:
    """Sixty-four thumbs to learn from and sixteen held out: four steps an epoch."""
    write_jsonl(tmp_path / "thumbs.jsonl", thumbs_for(LIKED_ANSWER))
    return KtoConfig(
        data=tmp_path / "thumbs.jsonl",
        model=toy_policy,
        out=tmp_path / "liked",
        beta=0.5,
        epochs=2,
        batch_size=16,
        lr=3e-3,
        warmup_share=0.0,
        device="cpu",
    )


def method_of(config: KtoConfig, *, start: Path) -> tuple[Any, Kto]:
    """A network, and what KTO says of the data with another network as the reference."""
    tokenizer = load_tokenizer(config.model)
    data = load_thumbs(config.data, tokenizer, max_tokens=1024, validation_fraction=0.0, seed=config.seed)
    members = (*data.train, *data.validation)
    references = reference_logprobs(
        config.work_directory, {}, load_causal_lm(start), members, token_budget=10_000, precision="fp32"
    )
    return load_causal_lm(config.model), Kto(data, references, config)


def naive_loss(model: Any, reference: Any, thumbs: Any, config: KtoConfig) -> tuple[torch.Tensor, float]:
    """ET Eq. 8 as it is printed, every completion forwarded apart, weights 2 and 1; and z₀."""

    def log_ratio(prompt: tuple[int, ...], completion: tuple[int, ...]) -> torch.Tensor:
        ids = torch.tensor([[*prompt, *completion]])
        own, other = (
            network(input_ids=ids)
            .logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
            .gather(1, ids[0, len(prompt) :, None])
            for network in (model, reference)
        )
        return (own - other.detach()).sum()

    with torch.no_grad():
        z0 = max(0.0, sum(log_ratio(thumb.prompt_ids, thumb.mismatched).item() for thumb in thumbs) / len(thumbs))
    losses = [
        2.0 * (1 - torch.sigmoid(config.beta * (log_ratio(thumb.prompt_ids, thumb.judged) - z0)))
        if thumb.up
        else 1 - torch.sigmoid(config.beta * (z0 - log_ratio(thumb.prompt_ids, thumb.judged)))
        for thumb in thumbs
    ]
    return torch.stack(losses).mean(), z0


def test_it_learns_what_people_like_and_says_so_of_what_was_held_out(config: KtoConfig, capsys: Any) -> None:
    main(config)
    after = shares(config.out, QUESTIONS[4])
    assert after[LIKED_ANSWER] > 0.5
    assert after[LIKED_ANSWER] > 10 * max(share for answer, share in after.items() if answer != LIKED_ANSWER)
    lines = metrics_of(config.out)
    # Three thumbs of four are down, so one up weighs three: (3 + 3 · 1)/4 / 2, since σ(0) is a half.
    assert lines[0]["validation_loss"] == pytest.approx(0.75, abs=1e-5)
    assert lines[1]["loss"] == pytest.approx(0.75, abs=0.2), "by the numbers of the batch"
    assert lines[-1]["validation_loss"] < 0.4
    assert lines[-1]["validation_accuracy"] > 0.9
    assert lines[-1]["validation_reward_up"] > lines[-1]["validation_reward_down"]
    assert "80 thumbs, 64 to learn from, 16 held out; left out: none" in capsys.readouterr().err
    assert {name for line in lines for name in line} == set(MEASURED["kto"])
    assert set(json.loads((config.out / "metrics.json").read_text())) <= set(RESULT["kto"])
    facts = json.loads((config.out / "policy.json").read_text())
    assert (facts["method"], facts["made_from"]["thumbs"]["name"]) == ("kto", config.data.name)


def test_a_step_has_the_loss_and_gradient_of_the_printed_form_however_it_is_cut(
    config: KtoConfig, tiny_policy: Path
) -> None:
    """The reference point is the whole batch's: a piece of one thumb has none of its own."""
    config = replace(config, desirable_weight=2.0, undesirable_weight=1.0, max_grad_norm=1e9)
    model, method = method_of(config, start=tiny_policy)
    batch = method.data.train[:7]
    expected, z0 = naive_loss(model, load_causal_lm(tiny_policy), batch, config)
    assert z0 > 1, "else nothing would hang on it"
    expected.backward()  # type: ignore[no-untyped-call]
    gradients = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    standing = torch.optim.SGD(model.parameters(), lr=0.0)
    for budget in (1, 60, 10_000):
        cut = replace(config, microbatch_tokens=budget)
        figures = take_step(model, standing, batch, replace(method, config=cut), cut, 0)
        assert figures["reference_point"] == pytest.approx(z0, rel=1e-4)
        assert figures["loss"] == pytest.approx(expected.item(), rel=1e-4)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.grad, gradients[name], atol=2e-5, rtol=1e-3)


def test_a_killed_run_resumes_to_the_same_bits(config: KtoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    config = replace(config, epochs=1, save_every=1)
    main(replace(config, out=config.out.with_name("straight")))
    step, taken = preference_loop.take_step, []

    def dying_step(*arguments: Any) -> Any:
        taken.append(1)
        if len(taken) == 3:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(preference_loop, "take_step", dying_step)
    with pytest.raises(KeyboardInterrupt):
        main(config)
    main(replace(config, resume=True))
    assert len(taken) == 5
    assert weights_of(config.out) == weights_of(config.out.with_name("straight"))


def test_another_seed_is_another_order_of_the_same_thumbs(config: KtoConfig) -> None:
    _, method = method_of(config, start=config.model)

    def order(*, seed: int, epoch: int) -> list[str]:
        batches = replace(method, config=replace(config, seed=seed)).batches(epoch)
        assert [len(batch) for batch in batches] == [16, 16, 16, 16]
        return [thumb.id for batch in batches for thumb in batch]

    first = order(seed=0, epoch=0)
    assert first == order(seed=0, epoch=0)
    for other in (order(seed=1, epoch=0), order(seed=0, epoch=1)):
        assert first != other
        assert sorted(first) == sorted(other) == sorted(thumb.id for thumb in method.data.train)


def test_every_thumb_is_lent_a_completion_of_another_prompt(tmp_path: Path) -> None:
    thumbs = [TokenizedThumb(str(i), (i // 3,), (100 + i,), up=True) for i in range(12)]
    found = mismatch(thumbs, seed=0, where=tmp_path)
    prompt_of = {thumb.judged: thumb.prompt_ids for thumb in thumbs}
    assert all(prompt_of[thumb.mismatched] != thumb.prompt_ids for thumb in found)
    assert [thumb.id for thumb in found] == [thumb.id for thumb in thumbs]
    assert found == mismatch(thumbs, seed=0, where=tmp_path)
    assert found != mismatch(thumbs, seed=1, where=tmp_path)
    # One held-out prompt alone has to borrow from what is learnt from.
    (alone,) = mismatch(thumbs[:1], among=thumbs, seed=0, where=tmp_path)
    assert prompt_of[alone.mismatched] != alone.prompt_ids
    with pytest.raises(DataError, match="all thumbs are on one prompt"):
        mismatch(thumbs[:3], seed=0, where=tmp_path)


def test_what_is_held_out_is_not_learnt_and_all_is_counted(config: KtoConfig) -> None:
    thumbs = [
        make_thumb("yes", True, id="up", prompt="Is it?"),
        make_thumb("no", False, id="down", prompt="Was it so?"),
        make_thumb("no", False, id="leaking", prompt="Will it be?"),
        make_thumb("yes", True, id="held-out", prompt="Will it be?", split="validation"),
        make_thumb("yes", True, id="test", prompt="Could it be?", split="test"),
        make_thumb("no " * 200, False, id="long", prompt="Why?"),
        make_thumb("no", False, id="drawn", prompt="Which?", split=None),
    ]
    write_jsonl(config.data, thumbs)
    tokenizer = load_tokenizer(config.model)
    for fraction, side in ((0.0, "train"), (0.999999, "validation")):
        data = load_thumbs(config.data, tokenizer, max_tokens=100, validation_fraction=fraction, seed=0)
        assert data.left_out == {"too_long": 1, "leaking": 1, "other_split": 1, "beyond_max_records": 0}
        assert {thumb.id for thumb in data.train} == {"up", "down"} | ({"drawn"} if side == "train" else set())
        assert {thumb.id for thumb in data.validation} == {"held-out"} | ({"drawn"} if side != "train" else set())


def test_data_that_cannot_teach_is_refused_in_words(config: KtoConfig) -> None:
    write_jsonl(config.data, [make_thumb("yes", True, id=f"t-{i}", prompt=f"{i}?") for i in range(3)])
    with pytest.raises(DataError, match="all 3 thumbs to learn from are up; KTO needs both kinds"):
        main(config)
    write_jsonl(config.data, [make_thumb("yes", up, id=str(up)) for up in (True, False)])
    with pytest.raises(DataError, match="all thumbs are on one prompt"):
        main(config)
    write_jsonl(config.data, [make_thumb("yes", up, id="twice") for up in (True, False)])
    with pytest.raises(RecordError, match='thumb twice: "id" is used twice'):
        main(config)
    write_jsonl(config.data, [make_thumb("yes", True, id="blank", prompt=" ")])
    with pytest.raises(RecordError, match=r'thumb blank: "messages\[0\]\.content" is empty'):
        main(config)
    write_jsonl(config.data, [make_demonstration("Hello!", "Hi.")])
    with pytest.raises(RecordError, match=r"thumbs\.jsonl:1"):
        main(config)
    config.data.write_text("")
    with pytest.raises(DataError, match="holds no thumbs"):
        main(config)
    with pytest.raises(OptionError, match="--desirable-weight and --undesirable-weight go together"):
        main(replace(config, desirable_weight=1.0))
    assert not config.out.exists()

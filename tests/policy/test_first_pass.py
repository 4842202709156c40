"""An update in one piece is forwarded once for what is recorded of it and what it trains from, to the same bits."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from policy import minibatches
from policy.first_pass import FirstPass
from policy.ppo import main
from policy.ppo_config import PpoConfig
from policy.shared_prompt import PromptGroups, completion_logprobs
from tests.policy.outcomes import metrics_of, weights_of


@pytest.fixture
def whole(config: PpoConfig) -> PpoConfig:
    """Two updates of one minibatch in one piece, two epochs each."""
    return replace(config, updates=2, minibatch_size=32, microbatch_size=32, epochs=2, save_every=2)


@pytest.mark.parametrize(("precision", "lora"), [("fp32", False), ("bf16", False), ("bf16", True)])
def test_forwarding_once_gives_the_bits_of_forwarding_twice(
    whole: PpoConfig, monkeypatch: pytest.MonkeyPatch, precision: Any, *, lora: bool
) -> None:
    torch.set_num_threads(1)
    whole = replace(whole, precision=precision, lora=lora)
    forwarded: list[int] = []

    def counting(*arguments: Any, **options: Any) -> torch.Tensor:
        forwarded.append(1)
        return completion_logprobs(*arguments, **options)

    monkeypatch.setattr(minibatches, "completion_logprobs", counting)
    once, twice = (whole.out.with_name(name) for name in ("once", "twice"))
    main(replace(whole, out=once))
    assert len(forwarded) == 2, "of each update's two epochs only the second is forwarded to train"
    monkeypatch.setattr(FirstPass, "forward", lambda *_: None)
    main(replace(whole, out=twice))
    assert len(forwarded) == 2 + 4
    assert weights_of(once) == weights_of(twice)
    assert [line["first_ratio_gap"] for line in metrics_of(once)] == [0.0, 0.0]


def test_where_memory_holds_no_graph_of_all_nothing_is_kept_and_the_result_is_the_same(
    whole: PpoConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy, cramped = (whole.out.with_name(name) for name in ("roomy", "cramped"))
    main(replace(whole, out=roomy))
    forward = FirstPass.forward

    def without_room(self: FirstPass, network: str, function: Any, groups: PromptGroups) -> Any:
        def full(groups: PromptGroups) -> torch.Tensor:
            raise torch.OutOfMemoryError("no room")

        found = forward(self, network, full if network == "value" else function, groups)
        assert (found is None) == (network == "value")
        return found

    monkeypatch.setattr(FirstPass, "forward", without_room)
    main(replace(whole, out=cramped))
    assert weights_of(roomy) == weights_of(cramped)


def test_a_forward_is_trained_from_once_and_by_its_own_network() -> None:
    first_pass, weight = FirstPass(), torch.ones(2, requires_grad=True)
    groups = PromptGroups((), (), torch.device("cpu"))
    with torch.no_grad():
        (found,) = first_pass.forward("policy", lambda _: weight * 2, groups) or ()
    assert not found.requires_grad
    assert first_pass.take("value") is None
    kept = first_pass.take("policy")
    assert kept is not None
    assert torch.equal(kept, found)
    kept.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert first_pass.take("policy") is None

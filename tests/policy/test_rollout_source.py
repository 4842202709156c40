"""PPO and RLOO whose rollouts a server samples: the same run as without, whatever becomes of the server meanwhile."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from language.checkpoints import load_causal_lm, load_tokenizer
from language.generation import Sampled
from language.options import OptionError
from language.parallel import ALONE, Sharing
from policy import objective, ppo, rollout_source
from policy.minibatches import take_step
from policy.ppo import main as run_ppo
from policy.ppo_config import PpoConfig, require_options
from policy.prompts import load_prompts
from policy.rloo import main as run_rloo
from policy.rloo_config import RlooConfig
from policy.rollout_server import RolloutsError, RolloutServer, Served, ServerAway
from policy.rollout_source import LOCAL_ENGINE, ServedEngine, Wanted
from records import SamplingParams
from rewardmodel.stopping import TrainingStopped
from tests.policy.outcomes import metrics_of
from tests.policy.test_sharing import two_seats
from tests.policy.updates import dying_after
from tests.tiny import build_tiny_policy
from tests.vllm_stub import VllmStub


@pytest.fixture
def stub(toy_policy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VllmStub]:
    monkeypatch.setattr(rollout_source, "_FIRST_PAUSE", 0.01)
    server = VllmStub(toy_policy)
    yield server
    server.close()


@pytest.fixture
def small(config: PpoConfig) -> PpoConfig:
    """Two steps an update, of few and short completions."""
    sizes = {"rollouts_per_update": 8, "completions_per_prompt": 2, "minibatch_size": 4, "microbatch_size": 4}
    return replace(config, max_new_tokens=6, **sizes)


@pytest.fixture
def served(small: PpoConfig, stub: VllmStub) -> PpoConfig:
    """The run of `small`, sampled by the stub, with weights of importance switched off: to compare bits."""
    out = small.out.with_name("served")
    return replace(small, out=out, rollouts=stub.url, rollouts_weight_cap=0.0, rollouts_patience=60.0)


@pytest.fixture(scope="session")
def alone(toy_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alone")


@pytest.fixture
def weights_alone(small: PpoConfig, alone: Path) -> dict[str, torch.Tensor]:
    """What the same run comes to without a server; computed once."""
    out = alone / "ppo"
    if not out.exists():
        run_ppo(replace(small, out=out))
    return load_file(out / "model.safetensors")


def difference(one: dict[str, torch.Tensor], out: Path) -> float:
    other = load_file(out / "model.safetensors")
    return max(float((weight - other[name]).abs().max()) for name, weight in one.items())


def test_a_run_by_a_server_comes_to_the_bits_of_one_without(
    served: PpoConfig, stub: VllmStub, weights_alone: dict[str, torch.Tensor]
) -> None:
    run_ppo(served)
    assert difference(weights_alone, served.out) == 0
    assert [name.rpartition("-")[2] for name in stub.loaded] == ["0", "1", "2"]
    assert len(stub.asked) == 3 * served.rollouts_per_update
    assert len({body["seed"] for body in stub.asked}) == len(stub.asked)
    assert len(list((served.work_directory / "rollouts").iterdir())) == 2, "older versions are removed"
    assert difference(load_file(served.policy / "model.safetensors"), served.out) > 1e-3, "something was learnt"


def test_weights_of_importance_are_1_where_the_server_computes_as_we_do(
    served: PpoConfig, weights_alone: dict[str, torch.Tensor]
) -> None:
    run_ppo(replace(served, rollouts_weight_cap=2.0))
    assert 0 < difference(weights_alone, served.out) < 1e-4
    assert all(line["sampler_gap_mean"] < 1e-5 and abs(line["sampler_kl"]) < 1e-6 for line in metrics_of(served.out))


@pytest.mark.parametrize("advantage", ["leave-one-out", "group-normalised"])
def test_rloo_and_grpo_by_a_server_are_those_without(served: PpoConfig, tmp_path: Path, advantage: Any) -> None:
    shared = {"rollouts_per_update": 16, "completions_per_prompt": 4, "minibatch_size": 8, "max_new_tokens": 6}
    config = RlooConfig(
        policy=served.policy,
        reward=served.reward,
        prompts=served.prompts,
        out=tmp_path / "rloo",
        updates=2,
        lr=2e-3,
        warmup_updates=0,
        advantage=advantage,
        device="cpu",
        **shared,
    )
    run_rloo(config)
    by_server = replace(config, out=tmp_path / "rloo served", rollouts=served.rollouts)
    run_rloo(by_server)
    assert difference(load_file(config.out / "model.safetensors"), by_server.out) < 1e-4


def change_choice(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda answer: answer["choices"][0].update(values)


@pytest.mark.parametrize(
    "fault",
    ["cut", "restart", 503, 429, 0.2, change_choice(finish_reason="abort"), lambda a: a.update(weight_version="x")],
    ids=["cut", "restart", "503", "429", "slow", "aborted", "skewed"],
)
def test_what_is_lost_is_asked_for_again_by_the_same_seed(
    served: PpoConfig,
    stub: VllmStub,
    weights_alone: dict[str, torch.Tensor],
    fault: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the second update: the weights that a restart forgets are then not those that the server was started on."""
    half = served.rollouts_per_update * 3 // 2
    stub.after_completions = lambda stub: stub.faults.append(fault) if len(stub.asked) == half else None
    run_ppo(served)
    assert difference(weights_alone, served.out) == 0
    said = capsys.readouterr().err
    assert ("update 2: asking again: " in said) == (fault != 0.2)
    assert [name.rpartition("-")[2] for name in stub.loaded] == ["0", "1", *(["1"] if fault == "restart" else []), "2"]


def test_a_resumed_run_gives_a_restarted_server_its_weights(
    served: PpoConfig, stub: VllmStub, weights_alone: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = replace(served, save_every=1)
    monkeypatch.setattr(ppo, "take_step", dying_after(take_step, 4))  # of two steps an update, in the second
    with pytest.raises(KeyboardInterrupt):
        run_ppo(served)
    stub.restart()
    run_ppo(replace(served, resume=True))
    assert difference(weights_alone, served.out) == 0
    assert [name.rpartition("-")[2] for name in stub.loaded] == ["0", "1", "1", "2"]


def test_a_resumed_run_trusts_no_weights_that_it_did_not_give(served: PpoConfig, stub: VllmStub) -> None:
    """They bear the name of this run and update, and are others: of a run that was killed, on another machine."""
    run_ppo(replace(served, updates=1))
    held = stub.version
    stub.restart()
    stub.version = held
    run_ppo(replace(served, updates=1, out=served.out.with_name("again")))
    assert len(stub.loaded) == 2


def test_a_server_that_never_holds_what_it_is_given_is_refused(served: PpoConfig, stub: VllmStub) -> None:
    def another_run(stub: VllmStub) -> None:
        stub.version = "another-7"

    stub.after_completions = another_run
    with pytest.raises(RolloutsError, match=r"holds weights 'another-7', and not .*, 3 times; nothing of it was used"):
        run_ppo(served)
    assert not served.out.exists()


def test_a_server_that_stays_away_ends_the_run_in_words(served: PpoConfig, stub: VllmStub) -> None:
    stub.after_completions = lambda stub: stub.faults.append(503)
    with pytest.raises(ServerAway, match=r"answered 503 at /v1/completions: .* for 0 s .* go on with --resume"):
        run_ppo(replace(served, rollouts_patience=0.3))
    stub.close()
    with pytest.raises(ServerAway, match=r"does not answer .* is the server running there"):
        run_ppo(replace(served, out=served.out.with_name("other")))


def test_a_folder_that_the_server_does_not_see_is_named(served: PpoConfig, stub: VllmStub) -> None:
    stub.sees_folders = False
    with pytest.raises(RolloutsError, match=r"could not load the weights written to .*/rollouts/.*-0: .* share it"):
        run_ppo(served)
    elsewhere = served.out.with_name("shared") / "weights"
    stub.sees_folders = True
    run_ppo(replace(served, updates=1, rollouts_folder=elsewhere, out=served.out.with_name("other")))
    assert len(list(elsewhere.iterdir())) == 1


def test_a_server_with_another_tokenizer_or_context_is_refused_before_anything_is_trained(
    served: PpoConfig, stub: VllmStub, tmp_path: Path
) -> None:
    stub.tokenizer = build_tiny_policy(tmp_path / "other", vocab_size=300)
    with pytest.raises(RolloutsError, match=r"serves served with another tokenizer than --policy: of 'Hello, World!"):
        run_ppo(served)
    stub.tokenizer, stub.context = None, 12
    with pytest.raises(RolloutsError, match=r"holds 12 tokens, but the longest prompt of \d+ with --max-new-tokens 6 "):
        run_ppo(served)
    assert not stub.loaded


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (change_choice(token_ids=None), "without token ids and their log-probabilities"),
        (change_choice(logprobs=None), "without token ids and their log-probabilities"),
        (change_choice(prompt_token_ids=[1]), r"read another prompt than it was sent \(1 tokens of"),
        (change_choice(logprobs={"token_logprobs": [-1.0]}, token_ids=[5, 5]), "1 log-probabilities of 2 tokens"),
        (change_choice(logprobs={"token_logprobs": [-1.0]}, token_ids=[5]), "after 1 tokens without an end token"),
        (change_choice(logprobs={"token_logprobs": [-1.0] * 3}, token_ids=[5, 2, 5]), "after the end token at place 1"),
    ],
)
def test_an_answer_that_is_no_completion_is_refused(
    served: PpoConfig, stub: VllmStub, wrong: Callable[[dict[str, Any]], None], said: str
) -> None:
    stub.faults.append(wrong)
    with pytest.raises(RolloutsError, match=said):
        run_ppo(served)


def test_a_server_that_is_another_policy_stops_the_run(served: PpoConfig, stub: VllmStub) -> None:
    """By its log-probabilities, or because it keeps its weights while it takes the name of new ones."""
    stub.logprob_shift = -0.2
    with pytest.raises(TrainingStopped, match=r"step 1: .* differ by 0\.2 nats .* --rollouts-max-gap 0\.1"):
        run_ppo(served)
    stub.logprob_shift, stub.loads = 0.0, False
    stub.restart()
    with pytest.raises(TrainingStopped, match=r"step [23]: .* it samples from another policy"):
        run_ppo(replace(served, lr=1e-2, out=served.out.with_name("other")))


def test_a_key_goes_to_the_server_and_its_absence_is_named(
    served: PpoConfig, stub: VllmStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub.key = "secret"
    with pytest.raises(RolloutsError, match="refuses this run's key; set PARLEY_ROLLOUTS_KEY"):
        run_ppo(served)
    monkeypatch.setenv("PARLEY_ROLLOUTS_KEY", "secret")
    run_ppo(replace(served, updates=1))


@pytest.mark.parametrize("address", ["gpu9:8000", "ftp://gpu9", "http://key@gpu9", "http://gpu9/v2", "http://gpu9?x=1"])
def test_an_address_that_is_none_is_refused(config: PpoConfig, address: str) -> None:
    with pytest.raises(OptionError, match=r"--rollouts .*http://host:8000"):
        require_options(replace(config, rollouts=address))
    require_options(replace(config, rollouts="https://gpu9:8000/v1/"))


def test_options_of_a_server_contradict_having_none(config: PpoConfig, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="give --rollouts too"):
        require_options(replace(config, rollouts_folder=tmp_path))
    with pytest.raises(OptionError, match="--rollouts-max-gap must be above 0"):
        require_options(replace(config, rollouts_max_gap=0.0))


def engine_of(config: PpoConfig, stub: VllmStub) -> ServedEngine:
    server = RolloutServer(stub.url, seconds=5.0)
    return ServedEngine(config, config.policy, config.trainable, "run", server, Served("served", 512))


def test_a_server_that_samples_otherwise_weighs_as_worked_by_hand(served: PpoConfig, stub: VllmStub) -> None:
    """π_old/μ of three tokens is 1.5, 4 and a half, and of the two completions 6 and a half; at most 2 counts."""
    ours = torch.tensor([[math.log(0.3), math.log(0.4)], [math.log(0.2), 99.0]])
    theirs = torch.tensor([[math.log(0.2), math.log(0.1)], [math.log(0.4), -99.0]])
    mask = torch.tensor([[True, True], [True, False]])
    engine = engine_of(replace(served, rollouts_weight_cap=2.0, rollouts_max_gap=1.0), stub)
    weights = engine.weights(ours, theirs, mask, update=0)
    torch.testing.assert_close(torch.where(mask, weights, 0.0), torch.tensor([[1.5, 2.0], [0.5, 0.0]]))
    torch.testing.assert_close(engine.weights(ours, theirs, mask, update=0, whole=True), torch.tensor([2.0, 0.5]))
    assert engine_of(replace(served, rollouts_max_gap=1.0), stub).weights(ours, theirs, mask, update=0) == 1.0
    # Their mean gap is (log 1.5 + log 4 + log 2) / 3 = 0.828.
    with pytest.raises(TrainingStopped, match=r"step 8: .* differ by 0\.828 nats"):
        engine_of(replace(served, rollouts_max_gap=0.8), stub).weights(ours, theirs, mask, update=7)


def test_a_weight_multiplies_the_clipped_loss_and_no_kl() -> None:
    new, old, ref = torch.tensor([[-1.0, -2.0]]), torch.tensor([[-1.5, -1.8]]), torch.tensor([[-1.1, -1.9]])
    weights, mask = torch.tensor([[0.5, 2.0]]), torch.tensor([[True, True]])
    advantages = torch.tensor([[1.0, -1.0]])
    clipped = objective.policy_losses(new, old, advantages, clip_range=0.2)
    weighed = objective.policy_losses(new, old, weights * advantages, clip_range=0.2)
    torch.testing.assert_close(weighed, weights * clipped)
    (loss,) = objective.group_relative_losses(
        new, old, ref, mask, torch.tensor([1.0]), clip_range=0.2, kl_coef=0.1, weights=weights
    )
    # −1.2·0.5 (clipped) and −e^−0.2·2; k3 is e^−0.1 − 1 + 0.1 and e^0.1 − 1 − 0.1.
    k3 = math.exp(-0.1) - 0.9 + math.exp(0.1) - 1.1
    assert float(loss) == pytest.approx((-0.6 - 2 * math.exp(-0.2) + 0.1 * k3) / 2, abs=1e-6)


def test_every_process_asks_for_its_share_and_the_first_gives_the_weights(served: PpoConfig, stub: VllmStub) -> None:
    model = load_causal_lm(served.policy)
    prompts = load_prompts(served.prompts, load_tokenizer(served.policy), max_tokens=100).prompts
    params = SamplingParams(max_new_tokens=5, seed=3)
    stub.faults.append("restart")

    def share(seat: Sharing) -> list[list[Sampled]]:
        first, last = (len(prompts) * place // 2 for place in (seat.rank, seat.rank + 1))
        moved = replace(params, seed=params.seed + 2 * first)
        return engine_of(served, stub).sample(model, Wanted(prompts[first:last], 0, 2, moved, 2, "fp32", seat))

    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(share, two_seats()))
    alone = LOCAL_ENGINE.sample(model, Wanted(prompts, 0, 2, params, 2, "fp32", ALONE))
    assert [one.token_ids for part in parts for row in part for one in row] == [
        one.token_ids for row in alone for one in row
    ]
    assert stub.loaded == ["run-0", "run-0"], "given once, and once more after the restart, by the first process alone"

"""The policies of a worker: verified, loaded once, replaced under running requests, bounded in memory."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from language.checkpoints import load_causal_lm
from records import SampleRequest, SamplingParams
from records.manifest import MANIFEST, sha256_of
from sampler.backends.local import LocalBackend
from sampler.configuration import configuration
from sampler.policies import LoadedPolicy, Policies, PolicyError, weight_bytes
from sampler.runs import Run
from tests.sampler.conftest import make_request
from tests.tiny import build_tiny_policy


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    for seed in range(3):
        build_tiny_policy(tmp_path / f"p{seed}", seed=seed)
    return tmp_path


def make_policies(store: Path, *, hold: float = 100, prefix_bytes: int = 0) -> Policies:
    """A worker that has memory for `hold` tiny policies."""
    one = weight_bytes(store / "p0", torch.float32)
    return Policies(
        store,
        device="cpu",
        dtype=torch.float32,
        memory_bytes=int(hold * one),
        most_rows=8,
        prefix_bytes=prefix_bytes,
    )


def test_the_size_is_told_before_loading(shelf: Path) -> None:
    parameters = load_causal_lm(shelf / "p0").num_parameters()
    assert weight_bytes(shelf / "p0", torch.float32) == 4 * parameters
    assert weight_bytes(shelf / "p0", torch.bfloat16) == 2 * parameters


def test_a_policy_is_loaded_once_for_many_threads(shelf: Path) -> None:
    policies = make_policies(shelf)
    got: list[object] = []
    threads = [threading.Thread(target=lambda: got.append(policies.get("p0", None))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(got) == 8
    assert len(set(map(id, got))) == 1


def test_the_least_recently_used_leaves_when_memory_is_short(shelf: Path) -> None:
    policies = make_policies(shelf, hold=2.5)
    for name in ("p0", "p1", "p0", "p2"):
        policies.get(name, None)
    assert policies.resident() == ["p0", "p2"]


def test_a_policy_that_leaves_finishes_what_it_samples(shelf: Path) -> None:
    policies = make_policies(shelf, hold=1.5)
    how = SamplingParams(max_new_tokens=200)
    leaving = policies.get("p0", None).engine
    ticket = leaving.submit([5, 6], num_completions=2, params=how, end_token_id=-1)
    policies.get("p1", None)
    assert policies.resident() == ["p1"]
    assert [len(completion.token_ids) for completion in ticket.result()] == [200, 200]


def test_a_republished_policy_is_loaded_anew(shelf: Path) -> None:
    policies = make_policies(shelf)
    before = policies.get("p0", None)
    shutil.rmtree(shelf / "p0")
    build_tiny_policy(shelf / "p0", seed=9)
    after = policies.get("p0", sha256_of(shelf / "p0" / MANIFEST))
    assert after is not before
    assert policies.get("p0", None) is after


def test_a_policy_that_is_not_the_one_on_record_is_not_served(shelf: Path) -> None:
    with pytest.raises(PolicyError, match=r"p0 cannot be served: .*not the one on record"):
        make_policies(shelf).get("p0", sha256_of(shelf / "p1" / MANIFEST))


def test_what_one_version_computed_is_not_taken_for_anothers(shelf: Path) -> None:
    def say(policy: LoadedPolicy) -> list[int]:
        how = SamplingParams(max_new_tokens=10, seed=3)
        ticket = policy.engine.submit(list(range(5, 45)), num_completions=1, params=how, end_token_id=-1)
        return ticket.result()[0].token_ids

    policies = make_policies(shelf, prefix_bytes=1 << 20)
    say(policies.get("p0", None))
    shutil.rmtree(shelf / "p0")
    build_tiny_policy(shelf / "p0", seed=9)
    assert say(policies.get("p0", None)) == say(make_policies(shelf).get("p0", None))


def test_requests_under_way_survive_that_their_policy_is_replaced(shelf: Path) -> None:
    policies = make_policies(shelf)
    old = sha256_of(shelf / "p0" / MANIFEST)
    ticket = policies.get("p0", old).engine.submit(
        [5, 6], num_completions=2, params=SamplingParams(max_new_tokens=400), end_token_id=-1, listens=True
    )
    assert ticket.wait()
    shutil.rmtree(shelf / "p0")
    build_tiny_policy(shelf / "p0", seed=9)
    new = policies.get("p0", sha256_of(shelf / "p0" / MANIFEST))
    assert not ticket.ended
    assert [len(completion.token_ids) for completion in ticket.result()] == [400, 400]
    assert policies.get("p0", old) is not new  # what was asked of the old version is still sampled by it


def test_no_request_is_dropped_while_policies_push_each_other_out(shelf: Path) -> None:
    one = weight_bytes(shelf / "p0", torch.float32)
    backend = LocalBackend(
        replace(configuration(), store=shelf, dtype=torch.float32, memory_bytes=int(1.5 * one), device="cpu")
    )
    alone = {name: backend.sample(request_for(name), Run("r", 1), on_text=None) for name in ("p0", "p1", "p2")}
    got: list[tuple[str, object]] = []

    def ask(number: int) -> None:
        name = f"p{number % 3}"
        got.append((name, backend.sample(request_for(name), Run("r", 1), on_text=None)))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(got) == 12
    assert all(completions == alone[name] for name, completions in got)
    assert len(backend.resident()) == 1


def request_for(name: str) -> SampleRequest:
    return replace(make_request(tokens=30), policy=name, policy_path=name)


def test_a_policy_larger_than_the_memory_is_refused_with_advice(shelf: Path) -> None:
    with pytest.raises(PolicyError, match=r"p0 needs 0.00 GB and this worker may use 0.00 GB; raise PARLEY_SAMPLER_ME"):
        make_policies(shelf, hold=0.5).get("p0", None)


def test_a_damaged_policy_is_refused_and_may_be_mended(shelf: Path) -> None:
    policies = make_policies(shelf)
    path = shelf / "p0" / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(PolicyError, match="damaged"):
        policies.get("p0", None)
    path.write_bytes(whole)
    assert policies.get("p0", None)


def test_a_model_that_cannot_chat_is_refused(shelf: Path) -> None:
    for name in ("chat_template.jinja", MANIFEST):
        (shelf / "p0" / name).unlink()
    with pytest.raises(PolicyError, match="no chat template; use a model that was tuned for dialogue"):
        make_policies(shelf).get("p0", None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"model_type": "nonsense"}, "p0 cannot be served: .*nonsense"),
        ({"hidden_size": 48}, "p0 cannot be served: .*do not fit its config.json"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "p0 cannot be served: .*auto_map"),
    ],
)
def test_what_cannot_be_loaded_says_why(shelf: Path, changes: dict[str, object], complaint: str) -> None:
    (shelf / "p0" / MANIFEST).unlink()
    config = json.loads((shelf / "p0" / "config.json").read_text())
    (shelf / "p0" / "config.json").write_text(json.dumps(config | changes))
    policies = make_policies(shelf)
    with pytest.raises(PolicyError, match=complaint):
        policies.get("p0", None)
    assert policies.get("p1", None)  # the worker goes on

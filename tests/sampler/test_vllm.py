"""A policy that vLLM serves: one switch from files to a server, and the same completions where it computes as we do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from language.generation import rows_at_once
from records import ModelServer
from sampler.backends.local import LocalBackend
from sampler.backends.served import ModelServers
from sampler.configuration import Configuration, ConfigurationError, configuration
from sampler.runs import Run
from tests.sampler.conftest import make_request
from tests.tiny import build_tiny_policy
from tests.vllm_stub import VllmStub


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[VllmStub]:
    server = VllmStub(build_tiny_policy(tmp_path / "policies" / "tiny"))
    yield server
    server.close()


@pytest.fixture
def settings(stub: VllmStub, tmp_path: Path) -> Configuration:
    hosts = (stub.url.removeprefix("http://"),)
    return replace(configuration(), store=tmp_path, device="cpu", backend_hosts=hosts)


def test_a_server_of_kind_vllm_answers_as_the_local_engine_does(stub: VllmStub, settings: Configuration) -> None:
    request = make_request(num_completions=3, seed=7, tokens=8)
    served = replace(request, server=ModelServer(kind="vllm", url=f"{stub.url}/v1", model="served"))
    by_server = ModelServers(settings).backend(served).sample(served, Run(served.run_id, 1), on_text=None)
    assert [body["seed"] for body in sorted(stub.asked, key=lambda body: body["seed"])] == [7, 8, 9]
    assert len({one.content for one in by_server}) == 3
    assert all(one.num_tokens and one.logprob is not None for one in by_server)
    local = LocalBackend(replace(settings, dtype=torch.float32)).sample(request, Run("alone", 1), on_text=None)
    assert [one.content for one in by_server] == [one.content for one in local]
    assert [one.finish_reason for one in by_server] == [one.finish_reason for one in local]


@pytest.mark.parametrize("said", ["0", "-1", "2.5", "many"])
def test_rows_that_are_no_number_of_completions_are_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("PARLEY_SAMPLER_ROWS", said)
    configuration.cache_clear()
    with pytest.raises(ConfigurationError, match=r"PARLEY_SAMPLER_ROWS is .* a whole number of .* at least 1"):
        configuration()


def test_rows_are_the_environments_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_SAMPLER_ROWS", "256")
    configuration.cache_clear()
    assert (configuration().most_rows, rows_at_once()) == (256, 256)
    monkeypatch.delenv("PARLEY_SAMPLER_ROWS")
    configuration.cache_clear()
    assert (configuration().most_rows in (32, 128), rows_at_once()) == (True, 64)

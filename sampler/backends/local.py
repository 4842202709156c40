"""Sampling by transformers on this machine, through the batching engine of the request's policy."""

from dataclasses import replace

import torch

from language.chat import render_prompt
from language.engine import EngineClosed, Ticket
from language.generation import Sampled
from language.stop_ids import decode_text
from records import Completion, SampleRequest
from sampler.backends import SILENT_SECONDS, URGENT, BackendError, OnText
from sampler.configuration import Configuration
from sampler.policies import LoadedPolicy, Policies, PolicyError
from sampler.runs import Run
from sampler.streaming import TextSoFar


class LocalBackend:
    """Policies from the model store on this worker's device."""

    def __init__(self, configuration: Configuration) -> None:
        self._policies = Policies(
            configuration.store,
            device=configuration.device,
            dtype=configuration.dtype,
            memory_bytes=configuration.memory_bytes,
            most_rows=configuration.most_rows,
            prefix_bytes=configuration.prefix_bytes,
        )
        self._device = configuration.device
        self._dtype = configuration.dtype

    @property
    def device(self) -> str:
        """The device's name and the number format of weights."""
        is_cuda = torch.device(self._device).type == "cuda"
        name = torch.cuda.get_device_name(self._device) if is_cuda else self._device
        return f"{name} {str(self._dtype).removeprefix('torch.')}"

    def resident(self) -> list[str]:
        """Paths of the policies in memory, least recently used first."""
        return self._policies.resident()

    def sample(self, request: SampleRequest, run: Run, *, on_text: OnText | None) -> tuple[Completion, ...]:
        """As Backend.sample; also raises EngineError where the engine broke."""
        policy, ticket = self._submit(request, listens=on_text is not None)
        run.on_cancel(ticket.cancel)
        if on_text is not None:
            _relay(ticket, policy, on_text)
        return tuple(_completion(request, policy, i, sampled) for i, sampled in enumerate(ticket.result()))

    def _submit(self, request: SampleRequest, *, listens: bool) -> tuple[LoadedPolicy, Ticket]:
        while True:
            try:
                policy = self._policies.get(request.policy_path, request.policy_sha256)
                return policy, policy.engine.submit(
                    render_prompt(policy.tokenizer, request.messages, as_role=request.as_role),
                    num_completions=request.num_completions,
                    params=request.sampling,
                    end_token_id=policy.end_token_id,
                    urgent=request.purpose in URGENT,
                    is_visitors=request.is_visitors,
                    listens=listens,
                )
            except EngineClosed:
                continue  # it left memory between the two calls: load it again
            except PolicyError as error:
                raise BackendError(str(error)) from error
            except ValueError as error:
                raise BackendError(f"policy {request.policy} cannot answer this: {error}") from error


def _relay(ticket: Ticket, policy: LoadedPolicy, on_text: OnText) -> None:
    """Hand on text until the request has ended."""
    texts = [TextSoFar(policy.tokenizer, policy.stop_ids) for _ in ticket.rows]
    has_ended = False
    while (news := ticket.wait(SILENT_SECONDS)) or not has_ended:
        has_ended = not news and ticket.ended  # what came between the two is heard in the next turn
        for index, ids in news or [(0, [])]:
            if on_text(index, texts[index].add(ids)):
                ticket.stop(index)
    for index, text in enumerate(texts):
        on_text(index, text.rest())


def _completion(request: SampleRequest, policy: LoadedPolicy, index: int, sampled: Sampled) -> Completion:
    return Completion(
        id=f"{request.run_id}-{index}",
        content=decode_text(policy.tokenizer, sampled.token_ids, policy.stop_ids),
        policy=request.policy,
        sampling=replace(request.sampling, seed=request.sampling.seed + index),
        finish_reason=sampled.finish_reason,
        num_tokens=len(sampled.token_ids),
        logprob=sum(sampled.logprobs),
    )

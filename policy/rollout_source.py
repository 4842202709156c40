"""Who samples rollouts: the engine of this program, or a vLLM server that is given the policy's weights.

A server's weights have names of one run and one update. They are asked for before and after every batch of samples,
and what was sampled by others is thrown away: after a restart the weights are given once more and the same seeds asked
for again. What the trainer computes stays π_old; the server's log-probabilities are μ of an importance weight.
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from language.commandline import Precision
from language.generation import Sampled, rows_at_once, sample_batch
from language.parallel import Sharing
from language.progress import tell
from language.stop_ids import stop_ids_of
from policy import objective
from policy.learner import bf16_copy, sampling_model
from policy.prompts import TokenizedPrompt
from policy.publishing import merge_in_full_precision
from policy.rollout_options import SampledElsewhere
from policy.rollout_server import Ask, OtherWeights, RolloutsError, RolloutServer, Served, ServerAway
from policy.stopping import in_smaller_batches
from records import SamplingParams
from rewardmodel.stopping import TrainingStopped

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_KEPT_VERSIONS = 2  # what a server that restarts may still be reading, and the newest
_LEAST_SECONDS = 60.0  # a healthy server may be silent for so long: over weights, or over a long completion
_MOST_SKEWS = 3  # a restart takes weights away once; a server that never holds what it is given would be asked for ever

# Texts in which tokenizers differ: case, numbers, scripts, spaces, and the control tokens of common templates.
_PROBES = ("Hello, World! 12345", "Grüße, Ωμέγα, 你好 🙂", "  two  spaces\n\n\ttab", "<|im_end|></s><|eot_id|><pad>")


@dataclass(frozen=True)
class Wanted:
    """This process's prompts of an update; completion i of prompt j, K each, has the seed `params.seed + j·K + i`."""

    prompts: Sequence[TokenizedPrompt]
    update: int
    num_completions: int
    params: SamplingParams
    end_token_id: int
    precision: Precision
    sharing: Sharing


@runtime_checkable
class RolloutSource(Protocol):
    """Something that samples completions of prompts by the policy as it is."""

    def sample(self, model: PreTrainedModel | PeftModel, wanted: Wanted) -> list[list[Sampled]]:
        """Pure samples, one list a prompt. Every process calls it together. Raises RolloutsError and ServerAway."""

    def weights(
        self,
        logprobs: Float[Tensor, "rows length"],
        sampled_logprobs: Float[Tensor, "rows length"],
        mask: Bool[Tensor, "rows length"],
        update: int,
        *,
        whole: bool = False,
    ) -> Tensor | float:
        """What each token counts in the policy's loss, or with `whole` each completion; 1 where the policy sampled.

        Raises TrainingStopped where the sampler is another policy than the one trained.
        """


class LocalEngine:
    """The engine of this program, which samples from the very network that is trained."""

    def sample(self, model: PreTrainedModel | PeftModel, wanted: Wanted) -> list[list[Sampled]]:
        """As RolloutSource.sample; half as many rows at a time where memory runs out."""
        sampler = sampling_model(model, precision=wanted.precision)
        return in_smaller_batches(
            lambda most_rows: sample_batch(
                sampler,
                [prompt.token_ids for prompt in wanted.prompts],
                num_completions=wanted.num_completions,
                params=wanted.params,
                end_token_id=wanted.end_token_id,
                most_rows=most_rows,
            ),
            rows_at_once(),
        )

    def weights(self, *_: object, **__: object) -> float:
        """1: μ is π_old."""
        return 1.0


LOCAL_ENGINE = LocalEngine()


@dataclass
class ServedEngine:
    """A vLLM server, of this run alone. `run` names the run whose weights it is given."""

    config: SampledElsewhere
    base: Path
    trainable: Any
    run: str
    server: RolloutServer
    served: Served
    _held: str | None = field(default=None)  # None until this process has given weights: it trusts none that it finds

    def sample(self, model: PreTrainedModel | PeftModel, wanted: Wanted) -> list[list[Sampled]]:
        """As RolloutSource.sample. Tried again while the server restarts, for as long as --rollouts-patience."""
        version = f"{self.run}-{wanted.update}"
        asks = _asks(wanted, stop_ids_of(model))
        whole = wanted.sharing.whole_on_main(model)  # all put it together, whether or not it will be written
        done: dict[int, Sampled] = {}
        skews = 0
        deadline, pause = time.monotonic() + self.config.rollouts_patience, _FIRST_PAUSE
        while True:
            away = None if whole is None else self._bring(whole, version, wanted.precision)
            away = wanted.sharing.from_main(away)
            if away is None:
                away = self._ask(asks, done, version)
            problems = [problem for problem in wanted.sharing.gather(away) if problem is not None]
            if not problems:
                size = wanted.num_completions
                return [[done[j * size + i] for i in range(size)] for j in range(len(wanted.prompts))]
            skews += any(isinstance(problem, OtherWeights) for problem in problems)
            if skews == _MOST_SKEWS:
                raise RolloutsError(
                    f"{problems[0]}, {skews} times; nothing of it was used. One server samples for one run, and one "
                    "address must lead to one server: look who else writes to it, then go on with --resume"
                )
            if any(wanted.sharing.gather(time.monotonic() > deadline)):
                raise ServerAway(
                    f"{problems[0]} — for {self.config.rollouts_patience:.0f} s (--rollouts-patience); start the "
                    "server again, then go on with --resume"
                )
            if wanted.sharing.is_main:
                tell(f"update {wanted.update + 1}: asking again: {problems[0]}")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def weights(
        self,
        logprobs: Float[Tensor, "rows length"],
        sampled_logprobs: Float[Tensor, "rows length"],
        mask: Bool[Tensor, "rows length"],
        update: int,
        *,
        whole: bool = False,
    ) -> Tensor | float:
        """As RolloutSource.weights: min(π_old/μ, --rollouts-weight-cap)."""
        gap = float(objective.masked_mean((logprobs - sampled_logprobs).abs(), mask))
        if not gap <= self.config.rollouts_max_gap:
            raise TrainingStopped(
                f"step {update + 1}: {self.server.address} and this program differ by {gap:.3g} nats in the "
                f"log-probability of a sampled token, on the mean, more than --rollouts-max-gap "
                f"{self.config.rollouts_max_gap}: it samples from another policy. Start it with --logprobs-mode "
                "processed_logprobs, in the --dtype of --precision and without quantisation, then go on with --resume"
            )
        if not self.config.rollouts_weight_cap:
            return 1.0
        if whole:
            logprobs = objective.sum_over_tokens(logprobs, mask)
            sampled_logprobs = objective.sum_over_tokens(sampled_logprobs, mask)
        return objective.truncated_importance_weights(logprobs, sampled_logprobs, cap=self.config.rollouts_weight_cap)

    def _bring(self, model: PreTrainedModel | PeftModel, version: str, precision: Precision) -> ServerAway | None:
        """Have the server hold these weights; why it does not yet, or None."""
        try:
            if self._held == version == self.server.version():
                return None
            folder = self._write(model, version, precision)
            self.server.load(folder, version)
            self._held = version
            if (found := self.server.version()) != version:
                return OtherWeights(f"{self.server.address} was given weights {version!r} and holds {found!r}")
        except ServerAway as away:
            return away
        return None

    def _ask(self, asks: Sequence[Ask], done: dict[int, Sampled], version: str) -> ServerAway | None:
        """Fill `done`; why something is missing, or None. Samples count only where the weights are still the same."""
        missing = [index for index in range(len(asks)) if index not in done]
        answers = self.server.sample([asks[index] for index in missing], model=self.served.name, version=version)
        try:
            if (found := self.server.version()) != version:
                return OtherWeights(f"{self.server.address} holds weights {found!r}, and not {version!r}")
        except ServerAway as away:
            return away
        done |= {index: one for index, one in zip(missing, answers, strict=True) if isinstance(one, Sampled)}
        lost = [one for one in answers if isinstance(one, ServerAway)]
        skewed = [one for one in lost if isinstance(one, OtherWeights)]
        return (skewed or lost)[0] if lost else None

    def _write(self, model: PreTrainedModel | PeftModel, version: str, precision: Precision) -> Path:
        """A checkpoint folder of this version, in the type in which the engine here would sample; older ones go."""
        folder = self.config.weights_folder / version
        if not folder.is_dir() or self._held != version:
            staging = folder.with_name(f"tmp-{version}")
            shutil.rmtree(staging, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            whole = merge_in_full_precision(model, base=self.base, trainable=self.trainable)
            plain = bf16_copy(whole) if precision == "bf16" else whole
            plain.save_pretrained(staging)
            for path in staging.iterdir():
                path.chmod(0o644)  # safetensors keeps its files to their writer, but the server reads them
            staging.rename(folder)
        own = self.config.weights_folder.glob(f"*{self.run}-*")  # the folder may be others' as well
        versions = sorted(own, key=lambda path: path.stat().st_mtime, reverse=True)
        for old in versions[_KEPT_VERSIONS:]:
            shutil.rmtree(old, ignore_errors=True)
        return folder


def _asks(wanted: Wanted, stop_ids: frozenset[int]) -> list[Ask]:
    return [
        Ask(
            prompt.token_ids,
            replace(wanted.params, seed=wanted.params.seed + j * wanted.num_completions + i),
            wanted.end_token_id,
            stop_ids,
        )
        for j, prompt in enumerate(wanted.prompts)
        for i in range(wanted.num_completions)
    ]


def open_source(
    config: Any,
    identity: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    *,
    longest_prompt: int,
) -> RolloutSource:
    """Who samples for this run. Raises RolloutsError, before anything is trained, where its server cannot."""
    if not config.rollouts:
        return LOCAL_ENGINE
    server = RolloutServer(config.rollouts, seconds=max(config.rollouts_patience, _LEAST_SECONDS))
    served = server.served()
    needed = longest_prompt + config.max_new_tokens
    if served.context < needed:
        raise RolloutsError(
            f"{server.address} holds {served.context} tokens, but the longest prompt of {longest_prompt} with "
            f"--max-new-tokens {config.max_new_tokens} comes to {needed}; start it with --max-model-len {needed}, or "
            "lower --max-prompt-tokens"
        )
    _require_same_tokens(server, served, tokenizer)
    server.version()
    # Of this run, and of no other: one that began anew in the same place has other options, or none of these weights.
    run = blake2b(json.dumps(dict(identity), sort_keys=True, default=str).encode(), digest_size=6).hexdigest()
    return ServedEngine(config, config.policy, config.trainable, run, server, served)


def _require_same_tokens(server: RolloutServer, served: Served, tokenizer: PreTrainedTokenizerBase) -> None:
    for probe in _PROBES:
        ours = list(tokenizer(probe, add_special_tokens=False)["input_ids"])
        theirs = server.tokens_of(probe, model=served.name)
        if ours != theirs:
            raise RolloutsError(
                f"{server.address} serves {served.name} with another tokenizer than --policy: of {probe!r} it makes "
                f"{theirs[:8]}, and the policy's {ours[:8]}; start it with vllm serve on the policy's own directory"
            )

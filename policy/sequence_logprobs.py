"""log π of whole completions, the prompt computed once for all of its own; and the reference policy's, kept on disk.

The reference policy never changes, so it speaks once: what it says of every completion is a number, kept in the work
directory under the hash of all that it hangs on, and no second network is held while the policy learns.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from language.commandline import Precision, autocast
from language.options import OptionError
from language.parallel import ALONE, Sharing, weight_of
from policy.shared_prompt import PromptGroups, completion_logprobs
from policy.stopping import in_smaller_pieces
from rewardmodel.comparisons import microbatches

REFERENCE_FILE = "reference-logprobs.safetensors"


@runtime_checkable
class Answered(Protocol):
    """A prompt with its completions, as token ids."""

    @property
    def id(self) -> str:
        """Of the record, or of the comparison."""

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The prompt, up to the header that opens the answer."""

    @property
    def completion_ids(self) -> tuple[tuple[int, ...], ...]:
        """Each ending with the end token."""

    @property
    def num_tokens(self) -> int:
        """To be forwarded, the prompt once."""


@dataclass(frozen=True)
class ReferenceLogprobs:
    """log π₀ of every completion of some members, laid end to end, in nats."""

    values: Float[Tensor, " completions"]
    starts: dict[str, int]

    def of(self, members: Sequence[Answered], device: torch.device) -> Float[Tensor, " some"]:
        """Those of some members' completions, laid end to end."""
        parts = [self.values[self.starts[member.id] :][: len(member.completion_ids)] for member in members]
        return torch.cat(parts).to(device)


def sequence_logprobs(
    model: nn.Module, members: Sequence[Answered], *, precision: Precision
) -> Float[Tensor, " completions"]:
    """log π(y|x) of every completion of the members, laid end to end: the sum over its tokens, nats. Gradients flow."""
    device = next(model.parameters()).device
    prompts = tuple(member.prompt_ids for member in members)
    groups = PromptGroups(prompts, tuple(member.completion_ids for member in members), device)
    with autocast(device, precision):
        return completion_logprobs(model, groups, temperature=1.0).sum(dim=1)


def reference_logprobs(
    directory: Path,
    key: dict[str, Any],
    model: nn.Module,
    members: Sequence[Answered],
    *,
    token_budget: int,
    precision: Precision,
    sharing: Sharing = ALONE,
) -> ReferenceLogprobs:
    """What `model`, which is still the start, says of the members; from `directory` where that is kept under `key`.

    `key` names all that the numbers hang on; the tokens themselves are added to it here.
    """
    starts, count = {}, 0
    for member in members:
        starts[member.id] = count
        count += len(member.completion_ids)
    digest = _digest(key, members)
    path = directory / REFERENCE_FILE
    values = sharing.from_main(_read(path, digest, count) if sharing.is_main else None)
    if values is None:
        values = _compute(
            model, members, starts, count, token_budget=token_budget, precision=precision, sharing=sharing
        )
        if sharing.is_main:
            _write(path, values, digest)
    return ReferenceLogprobs(values, starts)


def require_known_tokens(model: nn.Module, members: Sequence[Answered], where: Path) -> None:
    """Raise OptionError where the tokenizer has given ids for which the network has no embedding."""
    known = model.get_input_embeddings().weight.shape[0]  # type: ignore[operator]
    largest = max(max(ids) for member in members for ids in (member.prompt_ids, *member.completion_ids))
    if largest >= known:
        raise OptionError(
            f"{where}: its tokenizer gives token id {largest}, but its network knows only {known} tokens; "
            "the tokenizer is another model's: give a directory that holds both of one model"
        )


@torch.no_grad()
def _compute(
    model: nn.Module,
    members: Sequence[Answered],
    starts: dict[str, int],
    count: int,
    *,
    token_budget: int,
    precision: Precision,
    sharing: Sharing,
) -> Float[Tensor, " completions"]:
    values = torch.zeros(count)  # of which each process fills in its share

    def fill(pieces: list[list[Answered]]) -> None:
        for piece in pieces:
            found = sequence_logprobs(model, piece, precision=precision).float().cpu()
            for member in piece if weight_of(piece) else ():
                own, found = found[: len(member.completion_ids)], found[len(member.completion_ids) :]
                values[starts[member.id] :][: len(own)] = own

    pieces = sharing.pieces_of(microbatches(members, token_budget=token_budget))
    in_smaller_pieces(fill, pieces, sharing=sharing)
    return sharing.add_up(values)


def _digest(key: dict[str, Any], members: Sequence[Answered]) -> str:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode())
    for member in members:
        digest.update(json.dumps([member.id, member.prompt_ids, member.completion_ids]).encode())
    return digest.hexdigest()


def _write(path: Path, values: Float[Tensor, " completions"], digest: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        save_file({"logprobs": values}, part, metadata={"key": digest})
        part.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path}: cannot be written: {error}") from error


def _read(path: Path, digest: str, count: int) -> Float[Tensor, " completions"] | None:
    try:
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("key") != digest:
                return None
            values: Tensor = file.get_tensor("logprobs")
    except (OSError, SafetensorError):
        return None  # not there, or cut short by a kill: computed again
    return values if values.shape == (count,) else None

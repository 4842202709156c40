"""A running batch: completions of any prompts, sampled together a token at a time, joining and leaving.

The prompt is computed once for its K completions. A completion that ends makes room at once. What a
row samples is its own affair: its seed, temperature, truncation and length; batch mates can move its
tokens only by the last bits of floating point.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from language.batching import length_buckets, pad_right
from language.prefixes import Prefixes
from language.slots import Slots, context_length
from language.stop_ids import stop_ids_of
from language.token_sampling import Draws, draw, next_token_probabilities, truncate
from records import SamplingParams
from records.types import FinishReason

# A CPU is busy with one prompt; a GPU wants several at once.
_PREFILL_TOKENS = {"cpu": 1}
_PREFILL_TOKENS_ELSEWHERE = 8192


@dataclass(eq=False)
class Row:
    """One completion on its way. `finish_reason` is None until it has ended.

    `end_token_id` is the template's own; `stop_ids` are the model's others, which end it too.
    """

    params: SamplingParams
    end_token_id: int
    seed: int
    most_tokens: int
    stop_ids: frozenset[int] = frozenset()
    draws: Draws = field(init=False)
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def __post_init__(self) -> None:
        self.draws = Draws(self.seed)

    def restart(self) -> None:
        """Forget what was sampled; the same seed will sample it again."""
        self.token_ids, self.logprobs, self.draws = [], [], Draws(self.seed)

    def take(self, token_id: int, logprob: float) -> None:
        """Append a sampled token and see whether it was the last."""
        self.token_ids.append(token_id)
        self.logprobs.append(logprob)
        if token_id == self.end_token_id:
            self.finish_reason = "stop"
        elif token_id in self.stop_ids:
            self.finish_reason = "other_stop"
        elif len(self.token_ids) >= self.most_tokens:
            self.finish_reason = "length"


class RunningBatch:
    """Rows that are sampled together by `model`. Not for two threads at once."""

    def __init__(self, model: nn.Module, *, prefixes: Prefixes | None = None) -> None:
        self.model = model
        self._prefixes = prefixes
        self._reusing: dict[Row, Sequence[int]] = {}  # rows whose tokens the next turn will continue; their prompts
        self.context_length = context_length(model)
        self._stop_ids = stop_ids_of(model)
        self.rows: list[Row] = []
        self._slots = Slots()
        self._device = next(model.parameters()).device

    def rows_for(
        self, prompt_ids: Sequence[int], params: SamplingParams, *, num_completions: int, end_token_id: int
    ) -> list[Row]:
        """The rows of one prompt, not yet begun; completion i has the seed `params.seed + i`.

        Each stops at `end_token_id`, and at any other end token that the model's configuration names; where
        `end_token_id` is below 0, at none, so that every row has the same length.
        Raises ValueError where the prompt is empty or leaves no room for an answer.
        """
        room = self.context_length - len(prompt_ids)
        if not prompt_ids:
            raise ValueError("the prompt is empty")
        if room < 1:
            raise ValueError(
                f"the prompt has {len(prompt_ids)} tokens and this model holds {self.context_length}; "
                "shorten the dialogue"
            )
        most = min(params.max_new_tokens, room)
        others = self._stop_ids if end_token_id >= 0 else frozenset()
        return [Row(params, end_token_id, params.seed + i, most, others) for i in range(num_completions)]

    @torch.inference_mode()
    def join(self, newcomers: Sequence[tuple[Sequence[int], list[Row]]], *, reuse: bool = False) -> None:
        """Compute each prompt once and sample the first token of each of its rows.

        With `reuse`, what is known of a prompt is not computed again, and what is computed is kept for the
        next turn. Its logits then differ in their last bits from those of a prompt computed at once.
        """
        if reuse and self._prefixes is not None:
            for prompt, rows in newcomers:
                self._prefill_rest(self._prefixes, prompt, rows)
            self._let_go()
            return
        budget = _PREFILL_TOKENS.get(self._device.type, _PREFILL_TOKENS_ELSEWHERE)
        for bucket in length_buckets([len(prompt) for prompt, _ in newcomers], token_budget=budget):
            self._prefill([newcomers[index] for index in bucket])
        self._let_go()

    @torch.inference_mode()
    def step(self) -> None:
        """Sample one more token of every row; those that ended leave the batch."""
        if not self.rows:
            return
        positions, mask = self._slots.begin_token(self._device)
        latest = torch.tensor([[row.token_ids[-1]] for row in self.rows], device=self._device)
        logits: Tensor = self.model(
            input_ids=latest,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self._slots,
            use_cache=True,
        ).logits[:, -1]
        self._slots.end_token()
        _sample(logits, self.rows)
        self._let_go()

    @torch.inference_mode()
    def cancel(self, rows: Sequence[Row]) -> None:
        """End these rows where they are, begun or not."""
        for row in rows:
            row.finish_reason = row.finish_reason or "cancelled"
        self._let_go()

    @torch.inference_mode()
    def release(self, rows: Sequence[Row]) -> None:
        """Take unfinished rows out of the batch, to join again from their beginning, and give memory back."""
        for index in reversed(range(len(self.rows))):
            if self.rows[index] in rows:
                self._drop(index)
        for row in rows:
            self._reusing.pop(row, None)
            row.restart()
        self._slots.shrink()

    def _prefill_rest(self, prefixes: Prefixes, prompt: Sequence[int], rows: list[Row]) -> None:
        known, cache = prefixes.start(prompt)
        rest = torch.tensor([prompt[known:]], device=self._device)
        logits: Tensor = self.model(input_ids=rest, past_key_values=cache, logits_to_keep=1, use_cache=True).logits
        _sample(logits[0, -1].expand(len(rows), -1), rows)
        prefixes.keep(prompt, cache, row=0)
        self._slots.add(cache, index=0, length=len(prompt), copies=len(rows))
        self.rows += rows
        if len(rows) == 1:  # of several answers nobody knows which one will be continued
            self._reusing[rows[0]] = prompt

    def _prefill(self, newcomers: Sequence[tuple[Sequence[int], list[Row]]]) -> None:
        # Padded right, prompts need no mask: what a token attends to is all before the padding.
        batch = pad_right([prompt for prompt, _ in newcomers], pad_token_id=0, device=self._device)
        lasts = torch.tensor([len(prompt) - 1 for prompt, _ in newcomers], device=self._device)
        wanted, places = lasts.unique(return_inverse=True)  # type: ignore[no-untyped-call]
        cache = DynamicCache()
        logits: Tensor = self.model(
            input_ids=batch.input_ids, past_key_values=cache, logits_to_keep=wanted, use_cache=True
        ).logits
        for index, (prompt, rows) in enumerate(newcomers):
            _sample(logits[index, places[index]].expand(len(rows), -1), rows)
            self._slots.add(cache, index=index, length=len(prompt), copies=len(rows))
            self.rows += rows

    def _let_go(self) -> None:
        for index in reversed(range(len(self.rows))):
            if self.rows[index].finish_reason is not None:
                self._keep(index)
                self._drop(index)
        if not self.rows:
            self._slots = Slots()  # give the memory back

    def _keep(self, index: int) -> None:
        """Keep what an answer has added to its prompt; its last token was never fed to the model."""
        row = self.rows[index]
        prompt = self._reusing.pop(row, None)
        if prompt is not None and self._prefixes is not None:
            self._prefixes.keep([*prompt, *row.token_ids[:-1]], self._slots, row=index)

    def _drop(self, index: int) -> None:
        self._slots.drop(index)
        self.rows[index] = self.rows[-1]
        self.rows.pop()


def _sample(logits: Tensor, rows: Sequence[Row]) -> None:
    """Draw the next token of each row from logits (rows, vocabulary).

    Log-probabilities are those of the whole distribution at the row's temperature, before top-k and
    top-p, so that a re-evaluation finds the same; greedy rows have them at temperature 1.
    """
    probabilities = next_token_probabilities(logits, [float(row.params.temperature) for row in rows])
    offered = probabilities
    if any(row.params.top_k or row.params.top_p < 1 for row in rows):
        offered = torch.stack(
            [
                truncate(own, top_k=row.params.top_k, top_p=row.params.top_p) if _truncates(row.params) else own
                for own, row in zip(probabilities, rows, strict=True)
            ]
        )
    uniforms = torch.tensor([row.draws.next() for row in rows], dtype=torch.float64, device=logits.device)
    chosen = draw(offered, uniforms)
    greedy = [index for index, row in enumerate(rows) if row.params.temperature == 0]
    if greedy:
        chosen[greedy] = logits[greedy].argmax(dim=-1)
    logprobs = probabilities.gather(1, chosen.unsqueeze(1)).squeeze(1).log()
    for row, token_id, logprob in zip(rows, chosen.tolist(), logprobs.tolist(), strict=True):
        row.take(token_id, logprob)


def _truncates(params: SamplingParams) -> bool:
    return params.top_k > 0 or params.top_p < 1

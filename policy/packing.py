"""Networks that take sequences end to end in one row, and those that do not.

The row, its spans and the attention over them are `rewardmodel.packing`; here it is asked of any
network whether it computes such a row rightly.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from rewardmodel.comparisons import Comparison
from rewardmodel.packing import PackedRow, pack, shared_prompt_attention
from rewardmodel.reach import reach_of

_ATTENTION = "parley_packed_row"
AttentionInterface.register(_ATTENTION, shared_prompt_attention)

_known: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def pack_row(
    prompts: tuple[tuple[int, ...], ...], completions: tuple[tuple[tuple[int, ...], ...], ...], device: torch.device
) -> PackedRow:
    """Each prompt, then its completions, of which there may be none; end to end."""
    members = zip(prompts, completions, strict=True)
    return pack([Comparison("", prompt, own, (), (), ()) for prompt, own in members], device)


@contextmanager
def attending_by_span(network: nn.Module) -> Iterator[None]:
    """Inside, a forward of `network` needs `layout`, and attends as that says."""
    # The name is in no table of mask functions, so transformers makes no mask and hands None through.
    config = cast(PreTrainedModel, network).config
    usual = config._attn_implementation
    config._attn_implementation = _ATTENTION
    try:
        yield
    finally:
        config._attn_implementation = usual


def packs(network: nn.Module, *, longest: int, row: int = 0) -> bool:
    """Whether `network` computes packed rows rightly: asked of itself, once, and not of its name.

    What bites only on sequences of up to `longest` tokens, or in a row of `row`, is told from the configuration
    (rewardmodel.reach), since a probe would have to be as long.
    """
    reach = reach_of(network)
    if reach.sequence < longest or reach.row < row:
        return False
    if network not in _known:
        _known[network] = _probe(network)
    return _known[network]


@torch.no_grad()
def _probe(network: nn.Module) -> bool:
    first = next(network.parameters())
    prompts, completions = ((1, 2, 3, 4, 5), (6, 7, 8)), (((9, 10), (11, 12, 13)), ((14, 15, 16, 17),))
    row = pack_row(prompts, completions, first.device)
    with torch.autocast(first.device.type, enabled=False):
        try:
            with attending_by_span(network):
                found = _outputs(network, input_ids=row.input_ids, position_ids=row.position_ids, layout=row.layout)
        except (TypeError, ValueError, RuntimeError, KeyError):
            return False  # it does not take the layout, or has attention of its own
        tolerance = 1e-3 if first.dtype == torch.float32 else 0.1
        for span in row.layout.spans:
            for own in span.completions:
                alone = torch.cat([row.input_ids[:, span.prompt], row.input_ids[:, own]], dim=1)
                expected = _outputs(network, input_ids=alone)[:, -(own.stop - own.start) :]
                if not torch.allclose(found[:, own], expected, rtol=tolerance, atol=tolerance):
                    return False
    return True


def _outputs(network: nn.Module, **inputs: Any) -> Tensor:
    """Logits of a language model, states of a trunk."""
    output = network(**inputs, use_cache=False)
    values: Tensor = output.logits if hasattr(output, "logits") else output.last_hidden_state
    return values

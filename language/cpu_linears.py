"""Linear layers of a model that only samples, packed for the CPU.

oneDNN lays weights out once as its kernels want them, instead of at every call: with a few rows at a
time, that halves the cost of a layer. Besides, its kernels give a row the same bits however many rows
stand beside it, so that a completion does not depend on its company (see language.generation).
"""

import torch
from torch import Tensor, nn

_ROWS_HINT = 64  # measured: weights laid out for 64 rows are as fast for 1 and for 128


def pack_linears(model: nn.Module, *, tied: bool = True) -> int:
    """Replace the linear layers of a model on the CPU by packed ones, in place; returns how many.

    The model can be sampled from afterwards, and no more trained or saved. Leaves a model alone that is on
    another device, in another number format than fp32 or bf16, or in a torch without these kernels; and a layer
    whose weights are an embedding's too unless `tied`, since those would then be held twice.
    """
    if not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        return 0
    formats = [torch.float32] + [torch.bfloat16] * torch.ops.mkldnn._is_mkldnn_bf16_supported()
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    found = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear and child.weight.device.type == "cpu"
        if child.weight.dtype in formats and (tied or id(child.weight) not in embeddings)
    ]
    for parent, name, child in found:
        setattr(parent, name, PackedLinear(child))
    return len(found)


class PackedLinear(nn.Module):
    """y = x W^T + b, with W laid out for oneDNN."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, _ROWS_HINT)
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output, of x's shape but for the last dimension."""
        rows = x.reshape(-1, self.in_features)
        # One row alone has a kernel of its own, whose sums may differ in the last bit.
        alone = len(rows) == 1
        y: Tensor = torch.ops.mkldnn._linear_pointwise(
            rows.expand(2, -1).contiguous() if alone else rows, self.packed, self.bias, "none", [], ""
        )
        return (y[:1] if alone else y).view(*x.shape[:-1], self.out_features)

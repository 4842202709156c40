"""An exponential moving average of the weights that are trained: InstructGPT publishes the average (C.4)."""

import torch
from torch import nn

from policy.objective import average_weights


class WeightAverage(nn.Module):
    """The average of a model's trained parameters, as buffers, so that it is saved with a training state."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for index, parameter in enumerate(_trained(model)):
            self.register_buffer(f"average_{index}", parameter.detach().clone())

    @torch.no_grad()
    def update(self, model: nn.Module, *, decay: float) -> None:
        """One step of the average. With adapters it is their two factors that are averaged."""
        for average, parameter in zip(self.buffers(), _trained(model), strict=True):
            average.copy_(average_weights(average, parameter, decay=decay))

    @torch.no_grad()
    def copy_into(self, model: nn.Module) -> None:
        """Give `model` the averaged weights, for publishing."""
        for average, parameter in zip(self.buffers(), _trained(model), strict=True):
            parameter.copy_(average)


def _trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]

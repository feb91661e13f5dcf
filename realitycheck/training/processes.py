"""Several processes that train as one would on all their pictures together.

Accelerate shares out the batches and averages the gradients. What is left to do is what a layer
finds out from, or draws for, a whole batch: batch norms, dropout and noise. Pictures bring the
seeds of their augmentation along (`data.dataset.Draw`).
"""

from typing import Any, cast

import torch
import torch.distributed
from accelerate import Accelerator
from torch import Tensor, nn


def train_as_one(model: nn.Module, accelerator: Accelerator) -> None:
    """Lets the layers of a model see the batches of all processes as one.

    Args:
        model: before it is handed to an optimizer; its parameters and the names in its state stay.
        accelerator: whose processes train it, each on batches as large as the others'.
    """
    if accelerator.num_processes == 1:
        return
    if accelerator.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
    _replace_layers(model, accelerator)


def own_rows(whole: Tensor, processes: int, index: int) -> Tensor:
    """A process's rows of what was drawn alike in all of them, for their batches together."""
    count = len(whole) // processes
    return whole[index * count : (index + 1) * count]


def _replace_layers(module: nn.Module, accelerator: Accelerator) -> None:
    from torchvision.ops import StochasticDepth

    for name, child in module.named_children():
        if isinstance(child, StochasticDepth) or (isinstance(child, nn.Dropout) and child.p > 0):
            setattr(module, name, _SharedNoise(child, accelerator))
        elif isinstance(child, nn.BatchNorm2d):
            # PyTorch's own batch norm of several processes runs on GPUs only.
            setattr(module, name, _JoinedBatchNorm.of(child))
        else:
            _replace_layers(child, accelerator)


class _SharedNoise(nn.Module):
    """Dropout of the batches of all processes, of which each takes its rows.

    All draw the same numbers, because they are seeded alike.
    """

    def __init__(self, noise: nn.Module, accelerator: Accelerator) -> None:
        super().__init__()
        self.noise = noise
        self.processes, self.index = accelerator.num_processes, accelerator.process_index
        self.by_row = getattr(noise, "mode", "") == "row"

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return inputs
        rest = (1,) * (inputs.ndim - 1) if self.by_row else inputs.shape[1:]
        ones = inputs.new_ones((len(inputs) * self.processes, *rest))
        return inputs * own_rows(self.noise(ones), self.processes, self.index)


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes, and of its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)


def _summed(values: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(values))


class _JoinedBatchNorm(nn.BatchNorm2d):
    """A batch norm over the batches of all processes, where there is no GPU.

    As in Ioffe and Szegedy 2015 (arXiv 1502.03167), with sums that travel between processes.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> "_JoinedBatchNorm":
        """The same layer, with the same parameters."""
        new = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        new._parameters, new._buffers = norm._parameters, norm._buffers
        return new.train(norm.training)

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return super().forward(inputs)
        values = inputs.float()
        axes, shape = (0, 2, 3), (1, -1, 1, 1)
        count = inputs.new_tensor([inputs.numel() / inputs.shape[1]], dtype=torch.float32)
        sums = _summed(torch.cat([values.sum(axes), count]))
        count = sums[-1]
        mean = sums[:-1] / count
        centred = values - mean.view(shape)
        # In a second step: a mean of squares less the square of a mean would lose digits.
        variance = _summed(centred.square().sum(axes)) / count
        with torch.no_grad():
            self._remember(mean, variance * count / (count - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(shape) + self.bias.view(shape)).to(inputs.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        cast(Tensor, self.num_batches_tracked).add_(1)
        share = cast(float, self.momentum)
        cast(Tensor, self.running_mean).lerp_(mean, share)
        cast(Tensor, self.running_var).lerp_(variance, share)

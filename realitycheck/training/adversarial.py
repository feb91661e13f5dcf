"""Training on pictures that were changed against the network as it is at that step."""

from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from realitycheck.committee.views import Preprocessing
from realitycheck.training.processes import own_rows

SCALE = 2.0**10  # of the loss, whose sign alone counts: in float16 small gradients would vanish
STEP = 1.25  # of the largest change: longer, and the network learns to foil the attack's one step


class Attack:
    """Changes every second picture of a batch so that its loss grows, by one step of its gradient.

    The fast gradient sign method from a random start (Goodfellow et al. 2015, arXiv 1412.6572;
    Wong et al. 2020, arXiv 2001.03994). The other half stays, so that pictures as they are
    are not forgotten. The network's norms and dropout are as when it is used.

    Args:
        model: maps pictures to logits [N, classes]; its mode is left as it was found.
        loss_fn: of logits and labels.
        most: of a change, in steps of 1/255 of a pixel's value.
        preprocessing: gives mean and std.
        accelerator: that trains it.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[[Tensor, Tensor], Tensor],
        most: float,
        preprocessing: Preprocessing,
        accelerator: Accelerator,
    ) -> None:
        self.model, self.loss_fn, self.accelerator = model, loss_fn, accelerator
        mean, std = (
            torch.tensor(values, device=accelerator.device).view(1, 3, 1, 1)
            for values in (preprocessing.mean, preprocessing.std)
        )
        self._most = most / 255 / std
        self._darkest, self._brightest = -mean / std, (1 - mean) / std

    def __call__(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """The batch [N, 3, H, W] with every second picture changed.

        Args:
            inputs: normalised.
            labels: class indices [N], or probabilities [N, classes].
        """
        changed = inputs.clone()
        # Counted from the first picture of all processes' batches together.
        every = slice(self.accelerator.process_index * len(inputs) % 2, None, 2)
        if len(inputs[every]):
            noise = self._noise(inputs)[every]
            changed[every] = self._attacked(inputs[every], labels[every], noise)
        return changed

    def _noise(self, inputs: Tensor) -> Tensor:
        """In [-1, 1), as large as the batch: the rows that one process alone would draw for it."""
        processes, index = self.accelerator.num_processes, self.accelerator.process_index
        whole = torch.rand((len(inputs) * processes, *inputs.shape[1:]), device=inputs.device)
        return 2 * own_rows(whole, processes, index) - 1

    def _attacked(self, inputs: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
        start = noise * self._most
        gradient = self._gradient(self._within(inputs + start), labels)
        moved = torch.clamp(start + STEP * self._most * gradient.sign(), -self._most, self._most)
        return self._within(inputs + moved)

    def _gradient(self, inputs: Tensor, labels: Tensor) -> Tensor:
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        pixels = inputs.detach().requires_grad_()
        with self.accelerator.autocast():
            logits = self.model(pixels)
        (gradient,) = torch.autograd.grad(SCALE * self.loss_fn(logits.float(), labels), pixels)
        for module, training in modes.items():
            module.training = training
        return gradient

    def _within(self, inputs: Tensor) -> Tensor:
        return torch.clamp(inputs, self._darkest, self._brightest)

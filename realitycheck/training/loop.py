"""One epoch forth, one epoch of testing, through Hugging Face Accelerate.

So one GPU, several, or a CPU need no other code.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from tqdm.auto import tqdm

from realitycheck.data.loading import worker_errors
from realitycheck.errors import RealityCheckError


class DivergedError(RealityCheckError):
    """Training whose loss or weights are no longer numbers; the message is their name."""


def best_precision(choice: str = "auto") -> str:
    """Resolves "auto" to what the machine computes fastest: "bf16", "fp16" or "fp32"."""
    if choice != "auto":
        return choice
    if torch.cuda.is_available():
        # Asked without emulation, which older GPUs offer and which is slow.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if native else "fp16"
    # Without these instructions a CPU emulates bf16, several times slower than fp32.
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "bf16" if native() else "fp32"


def make_accelerator(precision: str = "auto") -> Accelerator:
    """An Accelerator on the GPUs there are, else on the CPU."""
    mixed = best_precision(precision)
    return Accelerator(
        mixed_precision="no" if mixed == "fp32" else mixed, cpu=not torch.cuda.is_available()
    )


class Trained(NamedTuple):
    """What an epoch of training came to.

    Attributes:
        loss: mean over the pictures of all processes.
        accuracy: over the same, in [0, 1].
        data_wait: share of the loop's time that went by between steps, in [0, 1]: without it, the
            network would have been trained that much sooner.
    """

    loss: float
    accuracy: float
    data_wait: float


class _Waits:
    """Tells the time between a loop's steps, spent waiting for data, from that of the steps.

    A GPU computes on while the loop runs ahead, so there its own clock is read, and what a batch
    costs the GPU before the step counts as waiting.
    """

    def __init__(self, device: torch.device) -> None:
        self.on_gpu = device.type == "cuda"
        self.marks: list[Any] = []  # events of the GPU, or seconds

    def batches(self, loader: Iterable[Any]) -> Iterator[Any]:
        """The loader's batches; the time until the next one is asked for is a step's."""
        self._mark()
        for batch in loader:
            self._mark()
            yield batch
            self._mark()
        self._mark()

    def seconds(self) -> tuple[float, float]:
        """How long was waited, and how long the loop took in all."""
        if self.on_gpu:
            torch.cuda.synchronize()
        pairs = zip(self.marks[::2], self.marks[1::2], strict=True)
        waited = sum(self._between(*pair) for pair in pairs)
        return waited, self._between(self.marks[0], self.marks[-1])

    def _mark(self) -> None:
        if not self.on_gpu:
            self.marks.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self.marks.append(event)

    def _between(self, first: Any, last: Any) -> float:
        return float(first.elapsed_time(last) / 1000 if self.on_gpu else last - first)


@worker_errors()
def train_one_epoch(
    model: nn.Module,
    loader: Iterable[Any],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    after_batch: Callable[[], None] = lambda: None,
    change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None,
) -> Trained:
    """Trains for one epoch.

    Args:
        model: maps inputs to logits [N, classes]; in the mode it shall be trained in.
        loader: gives `(inputs, labels)` batches; the labels are class indices [N], or
            probabilities [N, classes], of which the largest counts for the accuracy.
        loss_fn: of logits and labels.
        optimizer: over the model's trainable parameters.
        accelerator: that prepared the model, loader and optimizer.
        after_batch: called after every step of the optimizer.
        change: of a batch and its labels, to what is learned from.

    Raises:
        DivergedError: the loss is no longer a number.
        RealityCheckError: a loader's process was lost.
    """
    totals = torch.zeros(3, device=accelerator.device)  # loss, right, pictures
    waits = _Waits(accelerator.device)
    for inputs, labels in waits.batches(_progress(loader, "train", accelerator)):
        if change is not None:
            inputs, labels = change(inputs, labels)
        with accelerator.autocast():
            logits = model(inputs)
        loss = loss_fn(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        optimizer.step()
        after_batch()
        mostly = labels.argmax(dim=1) if labels.ndim > 1 else labels
        right = (logits.argmax(dim=1) == mostly).sum()
        totals += torch.stack([loss.detach() * len(labels), right, right.new_tensor(len(labels))])
    totals = torch.cat([totals, totals.new_tensor(waits.seconds())])
    loss, right, count, waited, took = accelerator.reduce(totals, "sum").tolist()
    if not math.isfinite(loss):
        raise DivergedError("training loss")
    return Trained(loss / count, right / count, waited / took)


@worker_errors()
def validate(
    model: nn.Module, loader: Iterable[Any], accelerator: Accelerator
) -> tuple[float, float, Tensor, Tensor]:
    """Tests once over a loader.

    Args:
        model: maps inputs to logits [N, classes].
        loader: gives `(inputs, labels)` batches.
        accelerator: that prepared the loader.

    Returns:
        Mean cross-entropy, accuracy in [0, 1], logits [N, classes] and labels [N] over the
        pictures of all processes.

    Raises:
        RealityCheckError: a loader's process was lost.
    """
    model.eval()
    gathered = []
    with torch.inference_mode():
        for inputs, labels in _progress(loader, "test", accelerator):
            with accelerator.autocast():
                logits = model(inputs)
            gathered.append(accelerator.gather_for_metrics((logits.float(), labels)))
    logits, labels = (torch.cat(parts).cpu() for parts in zip(*gathered, strict=True))
    loss = nn.functional.cross_entropy(logits, labels).item()
    accuracy = (torch.softmax(logits, dim=1).argmax(dim=1) == labels).float().mean().item()
    return loss, accuracy, logits, labels


def _progress(loader: Iterable[Any], name: str, accelerator: Accelerator) -> tqdm:
    hidden = not accelerator.is_local_main_process
    return tqdm(loader, desc=name, leave=False, disable=hidden or None, mininterval=1.0)


# The paper's names.
train_step, test_step = train_one_epoch, validate

"""One epoch forth, one epoch of testing, through Hugging Face Accelerate.

So one GPU, several, or a CPU need no other code.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

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


@worker_errors()
def train_one_epoch(
    model: nn.Module,
    loader: Iterable[Any],
    loss_fn: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    after_batch: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """Trains for one epoch.

    Args:
        model: maps inputs to logits [N, classes]; in the mode it shall be trained in.
        loader: gives `(inputs, labels)` batches.
        loss_fn: of logits and labels.
        optimizer: over the model's trainable parameters.
        accelerator: that prepared the model, loader and optimizer.
        after_batch: called after every step of the optimizer.

    Returns:
        Mean loss and accuracy in [0, 1] over the epoch's pictures of all processes.

    Raises:
        DivergedError: the loss is no longer a number.
        RealityCheckError: a loader's process was lost.
    """
    totals = torch.zeros(3, device=accelerator.device)  # loss, right, pictures
    for inputs, labels in _progress(loader, "train", accelerator):
        with accelerator.autocast():
            logits = model(inputs)
        loss = loss_fn(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        accelerator.backward(loss)
        optimizer.step()
        after_batch()
        right = (logits.argmax(dim=1) == labels).sum()
        totals += torch.stack([loss.detach() * len(labels), right, right.new_tensor(len(labels))])
    loss, right, count = accelerator.reduce(totals, "sum").tolist()
    if not math.isfinite(loss):
        raise DivergedError("training loss")
    return loss / count, right / count


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

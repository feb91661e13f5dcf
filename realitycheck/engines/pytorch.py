"""The reference engine: the backbone as PyTorch module."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from realitycheck.committee.committee import Member

CHUNK = 16  # pictures per forward on a CPU: more cost memory and save no time
GPU_CHUNK = 64


class PyTorchEngine:
    """Runs a module on many pictures, without gradients; safe to share between threads.

    On a CPU chunks run side by side, each on one core. Whether that is sooner than each on all
    cores in turn depends: on two AVX-512 cores 32 views are done sooner, a dozen later.

    Args:
        module: in eval mode; moved to the GPU where there is one.
    """

    def __init__(self, module: nn.Module) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = module.to(self.device).to(memory_format=torch.channels_last)
        self._pool = ThreadPoolExecutor(os.cpu_count(), "forward", torch.set_num_threads, (1,))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to the module's outputs [N, ...], on its device."""
        cores = torch.get_num_threads()
        size = min(CHUNK, math.ceil(len(pixels) / cores))
        if self.device.type == "cuda":
            cores, size = 1, GPU_CHUNK
        chunks = pixels.to(self.device).split(size)
        run = self._pool.map if cores > 1 and len(chunks) > 1 else map
        return torch.cat(list(run(self._forward, chunks)))

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Tensor:
        return cast(Tensor, self._module(pixels.contiguous(memory_format=torch.channels_last)))


def with_engine(member: Member) -> Member:
    """A member whose backbone runs on this engine, and its head on the same device."""
    engine = PyTorchEngine(member.backbone)
    return replace(member, engine=engine, head=member.head.to(engine.device))

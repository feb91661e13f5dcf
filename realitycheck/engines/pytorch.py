"""The reference engine: the backbone as PyTorch module; and heads in bfloat16."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import torch
from torch import Tensor, nn

from realitycheck.engines.chunks import CHUNK
from realitycheck.engines.processor import cores

GPU_CHUNK = 64


class PyTorchEngine:
    """Runs a module on many pictures, without gradients; safe to share between threads.

    On a CPU chunks run side by side, each on one core. Whether that is sooner than each on all
    cores in turn depends: on two AVX-512 cores 32 views are done sooner, a dozen later.

    Args:
        module: in eval mode; moved to the GPU where there is one.
        half: multiply in bfloat16. Outputs are float32 all the same.
    """

    def __init__(self, module: nn.Module, half: bool = False) -> None:
        self.half = half
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = module.to(self.device).to(memory_format=torch.channels_last)
        self._pool = ThreadPoolExecutor(cores(), "forward", torch.set_num_threads, (1,))

    def __str__(self) -> str:
        return f"pytorch {'bfloat16' if self.half else 'float32'}"

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to the module's outputs [N, ...], on its device."""
        threads = torch.get_num_threads()
        size = min(CHUNK, math.ceil(len(pixels) / threads))
        if self.device.type == "cuda":
            threads, size = 1, GPU_CHUNK
        chunks = pixels.to(self.device).split(size)
        run = self._pool.map if threads > 1 and len(chunks) > 1 else map
        return torch.cat(list(run(self._forward, chunks)))

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Tensor:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            return cast(Tensor, self._module(pixels)).float()


class HalfPrecision(nn.Module):
    """A module that multiplies in bfloat16, forwards and backwards; what it returns is float32.

    Args:
        module: in eval mode.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, torch.bfloat16):
            return cast(Tensor, self.module(features)).float()

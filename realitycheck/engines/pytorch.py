"""The reference engine: the backbone as PyTorch module."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from realitycheck.committee.committee import Member
from realitycheck.errors import RealityCheckError

VARIABLE = "REALITYCHECK_PRECISION"
PRECISIONS = ("float32", "bfloat16")
CHUNK = 16  # pictures per forward on a CPU: more cost memory and save no time
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
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            return cast(Tensor, self._module(pixels)).float()


def half_precision() -> bool:
    """Whether to multiply in bfloat16: where the processor does, or where it is asked for.

    A processor that only emulates it takes a hundred times longer.

    Raises:
        RealityCheckError: the environment variable asks for something else.
    """
    asked = os.environ.get(VARIABLE)
    if asked:
        if asked not in PRECISIONS:
            raise RealityCheckError(
                f"{VARIABLE} is {asked!r}: set it to {' or '.join(PRECISIONS)}, or to nothing."
            )
        return asked == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    can: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older torch: none
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def with_engine(member: Member) -> Member:
    """A member whose backbone runs on this engine, and its head on the same device."""
    engine = PyTorchEngine(member.backbone, half=member.half and half_precision())
    return replace(member, engine=engine, head=member.head.to(engine.device))

"""What the processor offers: bfloat16, and cores."""

import os

import torch

from realitycheck.errors import RealityCheckError

VARIABLE = "REALITYCHECK_PRECISION"
PRECISIONS = ("float32", "bfloat16")


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
    can = capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def capabilities() -> dict[str, object]:
    """What PyTorch knows of this processor's instructions; empty with an older PyTorch."""
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return found


def cores() -> int:
    """How many cores to use: as OMP_NUM_THREADS asks, else all that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    allowed = getattr(os, "sched_getaffinity", lambda _: ())(0)  # not on every system
    return len(allowed) or os.cpu_count() or 1

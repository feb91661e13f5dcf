"""Weights files as plain tensors: nothing in them is ever run."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from realitycheck.errors import CheckpointError


def read_tensors(
    file: str | Path, wanted: Callable[[str], bool] = lambda _: True
) -> dict[str, Tensor]:
    """Reads a state dict from a `.pth` or `.safetensors` file, without running any of it.

    Args:
        file: to read.
        wanted: which tensors, by their names.

    Raises:
        CheckpointError: no such file, damaged, or it holds more than plain tensors.
    """
    file = Path(file)
    if not file.is_file():
        raise CheckpointError(f"There is no weights file {file}. Check the path.")
    try:
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as opened:
                names = [n for n in opened.keys() if wanted(n.removesuffix("_scale"))]  # noqa: SIM118
                return _multiplied_out({name: opened.get_tensor(name) for name in names})
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{file} is damaged or cut short ({first_line(error)}). Get it again."
        ) from error
    except Exception as error:  # UnpicklingError and whatever else a crafted pickle provokes
        raise CheckpointError(
            f"{file} holds more than plain tensors and was not opened, because such a file can run "
            "code. Save it with torch.save(model.state_dict(), ...)."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{file} is not a plain state dict. Save it with torch.save(model.state_dict(), ...)."
        )
    return {name: tensor for name, tensor in state.items() if wanted(name)}


def _multiplied_out(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Matrices that are kept as int8 rows with a scale each (NAME_scale), as float32."""
    scales = {name for name in state if name.endswith("_scale") and name[:-6] in state}
    return {
        name: value.float() * state[name + "_scale"][:, None]
        if name + "_scale" in scales
        else value
        for name, value in state.items()
        if name not in scales
    }


def part_name(file: str) -> str:
    """Which part of a network a file holds: "transformer.head.safetensors" holds "head"."""
    return file.removesuffix(".safetensors").rpartition(".")[2]


def first_line(error: Exception) -> str:
    """The first line of an error's text, cut at 200 characters; its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__

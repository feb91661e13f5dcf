"""Which network an architecture's name stands for."""

import torch
from torch import Tensor, nn

from realitycheck.committee import cnn
from realitycheck.committee.committee import Member
from realitycheck.committee.views import Preprocessing


def build(
    name: str,
    arch: str,
    preprocessing: Preprocessing,
    classes: int,
    state: dict[str, Tensor],
) -> Member:
    """A member with the weights of a state dict, in eval mode, parameters frozen.

    Args:
        name: within its committee.
        arch: of its network.
        preprocessing: how it wants its pictures.
        classes: number of classes.
        state: its tensors, float32.

    Raises:
        CheckpointError: no such architecture is known.
        RuntimeError: the tensors are not those of this architecture.
    """
    # Without memory: drawing random weights that the state's replace at once takes a second.
    with torch.device("meta"):
        network = cnn.build_model(arch, classes)
    network.load_state_dict(state, assign=True)
    return wrap(name, arch, preprocessing, network.eval().requires_grad_(False))


def wrap(name: str, arch: str, preprocessing: Preprocessing, network: nn.Module) -> Member:
    """A member around a network that was trained here.

    Args:
        name: within its committee.
        arch: of its network.
        preprocessing: how it wants its pictures.
        network: of that architecture.
    """
    return cnn.member(name, arch, preprocessing, network)

"""Which network an architecture's name stands for."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from realitycheck.committee import cnn, transformer
from realitycheck.committee.committee import Member
from realitycheck.committee.views import Preprocessing


def build(
    name: str,
    arch: str,
    preprocessing: Preprocessing,
    classes: int,
    ai_index: int,
    state: dict[str, Tensor],
    families: int = 0,
) -> Member:
    """A member with the weights of a state dict, in eval mode, parameters frozen.

    Args:
        name: within its committee.
        arch: of its network.
        preprocessing: how it wants its pictures.
        classes: number of classes.
        ai_index: position of the AI class.
        state: its tensors, float32.
        families: of generators that it names, where there is such a head for the architecture.

    Raises:
        CheckpointError: no such architecture is known.
        RuntimeError: the tensors are not those of this architecture.
    """
    # Without memory: drawing random weights that the state's replace at once takes a second.
    with torch.device("meta"):
        network = _network(arch, classes, ai_index, state, families)
    network.load_state_dict(state, assign=True)
    return wrap(name, arch, preprocessing, network.eval().requires_grad_(False))


def in_head(arch: str) -> Callable[[str], bool] | None:
    """Which tensors of a network are all that its head needs; None where that is not known.

    Args:
        arch: of the network.
    """
    return transformer.in_head if arch == transformer.ARCH else None


def build_head(
    name: str,
    arch: str,
    preprocessing: Preprocessing,
    ai_index: int,
    state: dict[str, Tensor],
    families: int = 0,
) -> Member:
    """A member without a backbone, for an engine that holds it.

    Args:
        name: within its committee.
        arch: of its network, one for which `in_head` knows the tensors.
        preprocessing: how it wants its pictures.
        ai_index: position of the AI class.
        state: those tensors, float32.
        families: of generators that it names.

    Raises:
        RuntimeError: the tensors are not those of this architecture.
    """
    assert arch == transformer.ARCH
    return transformer.head_member(name, preprocessing, state, ai_index, families)


def wrap(name: str, arch: str, preprocessing: Preprocessing, network: nn.Module) -> Member:
    """A member around a network.

    Args:
        name: within its committee.
        arch: of the network.
        preprocessing: how it wants its pictures.
        network: of that architecture.
    """
    if arch != transformer.ARCH:
        return cnn.member(name, arch, preprocessing, network)
    network = cast(transformer.TransformerNetwork, network)
    return transformer.member(name, preprocessing, network)


def _network(
    arch: str, classes: int, ai_index: int, state: dict[str, Tensor], families: int
) -> nn.Module:
    if arch != transformer.ARCH:
        return cnn.build_model(arch, classes)
    return transformer.build_network(state, ai_index, families)

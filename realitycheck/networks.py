"""From a member's weights files to the member, or to its head alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

from torch import Tensor

from realitycheck.committee import members
from realitycheck.committee.committee import Member
from realitycheck.config import Config, MemberConfig
from realitycheck.errors import CheckpointError
from realitycheck.tensors import first_line, part_name, read_tensors


def load_member(member: MemberConfig, config: Config, files: Sequence[Path]) -> Member:
    """A member, whole.

    Args:
        member: its description.
        config: of the checkpoint.
        files: its weights.

    Raises:
        CheckpointError: damaged, of another architecture, or not plain tensors.
    """
    state = _state(member, files, lambda _: True)
    with_shape = member.name, member.arch, member.preprocessing, len(config.classes)
    try:
        return members.build(*with_shape, config.ai_index, state, member.named)
    except RuntimeError as error:
        raise _other_tensors(member, files, error) from error


def load_head(member: MemberConfig, config: Config, files: Sequence[Path]) -> Member | None:
    """A member without its backbone, for an engine that has that; None where it must be whole.

    Raises:
        CheckpointError: as `load_member`.
    """
    wanted = members.in_head(member.arch)
    if wanted is None:
        return None
    state = _state(member, files, wanted)
    try:
        with_shape = member.name, member.arch, member.preprocessing
        return members.build_head(*with_shape, config.ai_index, state, member.named)
    except RuntimeError as error:
        raise _other_tensors(member, files, error) from error


def _state(
    member: MemberConfig, files: Sequence[Path], wanted: Callable[[str], bool]
) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for file in files:
        # Of several files, each holds the part of the network that its name says.
        prefix = f"{part_name(file.name)}." if len(files) > 1 else ""
        part = _below(wanted, prefix)
        state |= {prefix + name: tensor for name, tensor in read_tensors(file, part).items()}
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def _below(wanted: Callable[[str], bool], prefix: str) -> Callable[[str], bool]:
    return lambda name: wanted(prefix + name)


def _other_tensors(
    member: MemberConfig, files: Sequence[Path], error: Exception
) -> CheckpointError:
    return CheckpointError(
        f"The tensors of {files[0]} are not those of a {member.arch} with this head "
        f"({first_line(error)}). Its config.json names the wrong architecture or classes."
    )

"""Graphs of a backbone for other engines, in int8 too, to keep beside its weights."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from realitycheck.committee.committee import Member
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.data.left_out import LeftOut
from realitycheck.data.samples import Sample
from realitycheck.engines import onnx_runtime, open_vino
from realitycheck.errors import RealityCheckError

if TYPE_CHECKING:
    import onnx

PICTURES = 100  # of training, to fit int8 to
SCOPES = "pkg.torch.onnx.name_scopes"  # where an ONNX node says of which module it was made


def export(
    member: Member, engine: str, folder: Path, mark: str, views: Sequence[Tensor] = ()
) -> None:
    """Writes the graph of a member's backbone for an engine.

    Args:
        member: with its backbone, on the CPU.
        engine: "openvino" or "onnx".
        folder: of the checkpoint.
        mark: of its weights, their SHA-256.
        views: normalised views [N, 3, side, side] of training pictures; with any, the graph is
            quantised to int8 by the ranges of values that they cause (NNCF; with SmoothQuant,
            Xiao et al. 2023, arXiv 2211.10438, where the member is a transformer).

    Raises:
        RealityCheckError: a package is missing; the message names the command that installs it.
        WriteError: the disk is full, or the folder is not writable.
    """
    side = member.preprocessing.size
    try:
        if engine == "openvino":
            graph = open_vino.convert(member.backbone, side, mark)
            if views:
                names = [node.get_friendly_name() for node in graph.get_ops()]
                graph = _quantised(graph, member, _matching(names, names, member), views, 0)
                graph.set_rt_info(mark, open_vino.MARK)
            open_vino.write(graph, folder, member.name)
            return
        proto = onnx_runtime.convert(member.backbone, side)
        if views:
            proto = _quantised_onnx(proto, member, views)
        onnx_runtime.write(proto, folder, member.name, mark, "int8" if views else "float32")
    except ImportError as error:
        extra = "int8" if error.name == "nncf" else engine
        raise RealityCheckError(
            f"This needs one more package ({error.name}): pip install 'realitycheck[{extra}]'"
        ) from error


def calibration(member: Member, samples: Sequence[Sample]) -> list[Tensor]:
    """The member's views of pictures, [V, 3, side, side] each; of those that can be read."""
    read = [picture for s in samples if not isinstance(picture := s.read(), LeftOut)]
    preprocessing = member.preprocessing
    return [
        to_batch([v.pixels for v in evaluation_views(p.image, preprocessing)], preprocessing)
        for p in read
    ]


def _quantised_onnx(
    proto: "onnx.ModelProto", member: Member, views: Sequence[Tensor]
) -> "onnx.ModelProto":
    names, scopes = [], []
    for node in proto.graph.node:
        names.append(node.name)
        scopes.append(" ".join(p.value for p in node.metadata_props if p.key == SCOPES))
    exact = _matching(names, scopes, member)
    found: onnx.ModelProto = _quantised(proto, member, exact, views, onnx_runtime.INPUT)
    return found


def _matching(names: list[str], texts: list[str], member: Member) -> list[str]:
    """Names of the nodes whose modules must keep their precision."""
    exact = re.compile(member.exact or r"(?!)")
    return [name for name, text in zip(names, texts, strict=True) if exact.search(text)]


def _quantised(
    graph: Any, member: Member, exact: list[str], views: Sequence[Tensor], key: int | str
) -> Any:
    os.environ.setdefault("NNCF_CI", "1")  # its own switch: it tells its makers of every use
    import nncf

    inputs: list[dict[int | str, Any]] = [
        {key: np.ascontiguousarray(view[None].numpy())} for batch in views for view in batch
    ]
    return nncf.quantize(
        graph,
        nncf.Dataset(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        model_type=nncf.ModelType.TRANSFORMER if member.exact else None,
        subset_size=len(inputs),
        ignored_scope=nncf.IgnoredScope(names=exact) if exact else None,
    )

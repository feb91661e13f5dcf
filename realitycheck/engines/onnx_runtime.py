"""ONNX Runtime, for graphs that `realitycheck export --engine onnx` wrote."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from realitycheck.engines.chunks import Chunks
from realitycheck.engines.processor import cores
from realitycheck.files import atomic_write

if TYPE_CHECKING:
    import onnx
    import onnxruntime

# Where a graph says of which weights it was made, and of which numbers.
MARK, KIND = "realitycheck_weights", "realitycheck_numbers"
INPUT, OUTPUT = "pictures", "features"


class OnnxEngine:
    """Runs a graph on many pictures; safe to share between threads.

    Args:
        file: the graph.
        side: of its pictures, px.
    """

    def __init__(self, file: Path, side: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # chunks run side by side instead
        session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        said = session.get_modelmeta().custom_metadata_map
        self.mark, self._kind = said.get(MARK), said.get(KIND, "float32")
        self._run = Chunks(cores(), lambda: session, _infer, side)

    def __str__(self) -> str:
        return f"onnx {self._kind}"

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to the backbone's features [N, ...]."""
        return self._run(pixels)


def _infer(session: "onnxruntime.InferenceSession", pixels: Tensor) -> Tensor:
    (found,) = session.run([OUTPUT], {INPUT: pixels.numpy()})
    return torch.from_numpy(found)


def file_name(name: str) -> str:
    """Of a member's graph."""
    return f"{name}.onnx"


def convert(module: nn.Module, side: int) -> "onnx.ModelProto":
    """The graph of a module, in float32.

    Args:
        module: in eval mode, pictures [N, 3, side, side] to features.
        side: of its pictures, px.
    """
    made = torch.onnx.export(
        module,
        (torch.zeros(2, 3, side, side),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("pictures", min=1)},),
        verbose=False,
    )
    assert made is not None  # as it is without a file
    return made.model_proto


def write(graph: "onnx.ModelProto", folder: Path, name: str, mark: str, kind: str) -> None:
    """Writes a member's graph as `NAME.onnx`.

    Args:
        graph: of its backbone.
        folder: to write into.
        name: of the member.
        mark: of its weights.
        kind: of the numbers in it, such as "int8".

    Raises:
        WriteError: the disk is full, or the folder is not writable.
    """
    import onnx

    onnx.helper.set_model_props(graph, {MARK: mark, KIND: kind})
    with atomic_write(folder / file_name(name)) as temporary:
        onnx.save(graph, temporary)

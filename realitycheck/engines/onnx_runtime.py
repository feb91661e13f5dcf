"""ONNX Runtime, for graphs that `realitycheck export --engine onnx` wrote."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from realitycheck.engines.chunks import Chunks
from realitycheck.engines.processor import cores
from realitycheck.files import atomic_write

if TYPE_CHECKING:
    import onnxruntime

MARK = "realitycheck_weights"  # where a graph says of which weights it was made
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
        self.mark = session.get_modelmeta().custom_metadata_map.get(MARK)
        self._kind = session.get_modelmeta().description or "float32"
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


def write(module: nn.Module, side: int, file: Path, mark: str) -> None:
    """Writes the graph of a module, pictures [N, 3, side, side] to features, in float32.

    Args:
        module: in eval mode.
        side: of its pictures, px.
        file: to write.
        mark: of its weights.

    Raises:
        WriteError: the disk is full, or the folder is not writable.
    """
    import onnx

    made = torch.onnx.export(
        module,
        (torch.zeros(2, 3, side, side),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("pictures", min=1)},),
        verbose=False,
    )
    assert made is not None  # as it is without a file
    graph = made.model_proto
    onnx.helper.set_model_props(graph, {MARK: mark})
    with atomic_write(file) as temporary:
        onnx.save(graph, temporary)

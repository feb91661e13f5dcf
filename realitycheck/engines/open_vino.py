"""OpenVINO: on processors without a GPU the fastest of the engines, in either precision.

Its graph is made from the PyTorch module at the first use, which takes seconds, and read from a
cache from then on. Not by `openvino.convert_model`: that tells its makers of every use.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from realitycheck.engines.chunks import Chunks
from realitycheck.engines.processor import cores
from realitycheck.files import atomic_write

if TYPE_CHECKING:
    import openvino

GRAPH = "graph.xml"  # with graph.bin beside it
MARK = ["realitycheck", "weights"]  # where a graph says of which weights it was made
STREAMS = 4  # chunks side by side at most: with more cores each gets several


class OpenVINOEngine:
    """Runs a graph on many pictures; safe to share between threads.

    Args:
        graph: of a backbone.
        side: of its pictures, px.
        half: multiply in bfloat16 what the graph has in float32.
    """

    def __init__(self, graph: "openvino.Model", side: int, half: bool = False) -> None:
        import openvino

        streams = min(cores(), STREAMS)
        self.half = half
        self._int8 = any(node.get_type_name() == "FakeQuantize" for node in graph.get_ops())
        compiled = openvino.Core().compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
                "NUM_STREAMS": streams,
                "INFERENCE_NUM_THREADS": cores(),
            },
        )
        self._run = Chunks(streams, compiled.create_infer_request, _infer, side)

    def __str__(self) -> str:
        return f"openvino {'int8 ' if self._int8 else ''}{'bfloat16' if self.half else 'float32'}"

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to the backbone's features [N, ...]."""
        return self._run(pixels)


def _infer(request: "openvino.InferRequest", pixels: Tensor) -> Tensor:
    (found,) = request.infer([np.ascontiguousarray(pixels.numpy())]).values()
    return torch.from_numpy(np.array(found))  # the request writes over its own


def convert(module: nn.Module, side: int, mark: str) -> "openvino.Model":
    """The graph of a module.

    Args:
        module: in eval mode, pictures [N, 3, side, side] to features.
        side: of its pictures, px.
        mark: of its weights.
    """
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    frontend = FrontEndManager().load_by_framework("pytorch")
    example = (torch.zeros(2, 3, side, side),)
    with warnings.catch_warnings():  # that tracing fixes what depends on sizes, which stay
        warnings.simplefilter("ignore")
        decoder = TorchScriptPythonDecoder(module, example_input=example)
    graph = frontend.convert(frontend.load(decoder))
    graph.reshape(openvino.PartialShape([-1, 3, side, side]))
    graph.set_rt_info(mark, MARK)
    return graph


def write(graph: "openvino.Model", folder: Path, name: str, half: bool = False) -> None:
    """Writes a member's graph into a folder of its own, `NAME.openvino`.

    Args:
        graph: of its backbone.
        folder: to write into.
        name: of the member.
        half: keep weights in float16, which loses nothing that bfloat16 has.

    Raises:
        WriteError: the disk is full, or the folder is not writable.
    """
    import openvino

    with atomic_write(folder / f"{name}.openvino") as temporary:
        temporary.mkdir()
        openvino.save_model(graph, temporary / GRAPH, compress_to_fp16=half)


def read(folder: Path, name: str, mark: str) -> "openvino.Model | None":
    """A graph that `write` wrote; None where there is none, or one of other weights.

    Args:
        folder: that holds `NAME.openvino`.
        name: of the member.
        mark: of its weights.

    Raises:
        RuntimeError: it is damaged.
    """
    import openvino

    file = folder / f"{name}.openvino" / GRAPH
    if not file.is_file():
        return None
    graph = openvino.Core().read_model(file)
    return (
        graph if graph.has_rt_info(MARK) and graph.get_rt_info(MARK).astype(str) == mark else None
    )

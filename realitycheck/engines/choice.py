"""Which engine runs a checkpoint's backbones: the one asked for, or the fastest one here."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from realitycheck.checkpoints import Checkpoint, Found
from realitycheck.committee.committee import Member
from realitycheck.engines import onnx_runtime, open_vino
from realitycheck.engines.cache import Place
from realitycheck.engines.onnx_runtime import OnnxEngine
from realitycheck.engines.open_vino import OpenVINOEngine
from realitycheck.engines.processor import cores, half_precision
from realitycheck.engines.pytorch import HalfPrecision, PyTorchEngine
from realitycheck.errors import RealityCheckError, WriteError

VARIABLE = "REALITYCHECK_ENGINE"
PYTORCH, OPENVINO, ONNX = ENGINES = ("pytorch", "openvino", "onnx")
TRIAL = 2  # views a core that engines are timed on

Engine = Callable[[Tensor], Tensor]
log = logging.getLogger(__name__)


def asked(name: str | None = None) -> str | None:
    """The engine that was asked for, by name or by the environment variable; None for neither.

    Raises:
        RealityCheckError: there is no engine of that name.
    """
    wanted = name or os.environ.get(VARIABLE) or None
    if wanted is not None and wanted not in ENGINES:
        raise RealityCheckError(
            f"There is no engine {wanted!r}: set --engine or {VARIABLE} to one of "
            f"{', '.join(ENGINES)}, or to nothing for the fastest one."
        )
    return wanted


def with_heads(found: Found, name: str | None = None) -> Checkpoint | None:
    """A checkpoint whose backbones lie in graphs that were made before, so that only heads load.

    Args:
        found: the checkpoint.
        name: as `equip` takes it.

    Returns:
        The checkpoint, its members with their engines; None where it must be loaded whole.

    Raises:
        CheckpointError: as `Found.load`.
        RealityCheckError: there is no engine of that name.
    """
    wanted = asked(name)
    place = Place(found.checkpoint.folder, found.checkpoint.sha256)
    names = [member.name for member in found.checkpoint.config.members]
    engines = {wanted or place.remembered(member) for member in names}
    if engines != {OPENVINO} or torch.cuda.is_available():
        return None
    checkpoint = found.load_heads()
    if checkpoint is None:
        return None
    members = []
    for member in checkpoint.members:
        engine = _read_open_vino(member, place)
        if engine is None:
            return None
        members.append(_with(member, engine))
    return replace(checkpoint, members=tuple(members))


def equip(checkpoint: Checkpoint, name: str | None = None) -> tuple[Member, ...]:
    """A checkpoint's members with what runs their backbones.

    Where no engine is asked for, those that are installed are timed when a checkpoint meets a
    machine for the first time, which takes some seconds, and the fastest one is remembered. An
    engine that cannot run is replaced by PyTorch, and the log says so.

    Args:
        checkpoint: loaded. Members that another engine than PyTorch runs keep no backbone; those
            that have an engine are left as they are.
        name: one of `ENGINES`; None for `REALITYCHECK_ENGINE` or, without it, the fastest.

    Raises:
        RealityCheckError: there is no engine of that name.
    """
    wanted = PYTORCH if torch.cuda.is_available() else asked(name)
    place = Place(checkpoint.folder, checkpoint.sha256)
    return tuple(
        member if member.engine else _equipped(member, place, wanted)
        for member in checkpoint.members
    )


def described(members: Sequence[Member]) -> str:
    """What runs members' backbones, and in which numbers: each once, joined by "+"."""
    return "+".join(dict.fromkeys(str(member.engine) for member in members))


def with_pytorch(member: Member) -> Member:
    """A member that PyTorch runs; one that has an engine is left as it is."""
    return member if member.engine else _with(member, _pytorch(member))


def _equipped(member: Member, place: Place, wanted: str | None) -> Member:
    wanted = wanted or place.remembered(member.name) or _fastest(member, place)
    engine = _engine(wanted, member, place) or _pytorch(member)
    if not isinstance(engine, PyTorchEngine):
        # What it runs is its own: the weights would lie in memory twice.
        member = replace(member, network=nn.Identity(), backbone=nn.Identity())
    return _with(member, engine)


def _with(member: Member, engine: Engine) -> Member:
    head = member.head.to(getattr(engine, "device", "cpu"))
    half = member.half and half_precision()
    return replace(member, engine=engine, head=HalfPrecision(head) if half else head)


def _pytorch(member: Member) -> PyTorchEngine:
    return PyTorchEngine(member.backbone, half=member.half and half_precision())


def _engine(name: str, member: Member, place: Place) -> Engine | None:
    """An engine; None, and a line in the log, where it cannot run here."""
    try:
        if name == OPENVINO:
            return _open_vino(member, place)
        if name == ONNX:
            return _onnx(member, place)
        return _pytorch(member)
    except Exception as error:  # whatever a library's own loader raises
        log.warning("The engine %s cannot run here (%s): PyTorch does.", name, _said(error))
        log.debug("An engine failed.", exc_info=True)
        return None


def _said(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _open_vino(member: Member, place: Place) -> OpenVINOEngine:
    engine = _read_open_vino(member, place)
    if engine is not None:
        return engine
    side, half = member.preprocessing.size, member.half and half_precision()
    graph = open_vino.convert(member.backbone, side, place.mark)
    with suppress(WriteError):  # it is made anew next time
        place.make_room()
        open_vino.write(graph, place.cache, member.name, half)
        # Read from there, its weights need no memory of their own.
        graph = open_vino.read(place.cache, member.name, place.mark) or graph
    return OpenVINOEngine(graph, side, half)


def _read_open_vino(member: Member, place: Place) -> OpenVINOEngine | None:
    """What was exported, else what was made here before; None where there is nothing."""
    for folder in (place.folder, place.cache):
        graph = open_vino.read(folder, member.name, place.mark)
        if graph is not None:
            half = member.half and half_precision()
            return OpenVINOEngine(graph, member.preprocessing.size, half)
    return None


def _onnx(member: Member, place: Place) -> OnnxEngine:
    file = place.folder / onnx_runtime.file_name(member.name)
    if not file.is_file():
        raise RealityCheckError(
            f"{file} is not there: write it with `realitycheck export DIR --engine onnx`, and pass "
            "--model DIR"
        )
    engine = OnnxEngine(file, member.preprocessing.size)
    if engine.mark != place.mark:
        raise RealityCheckError(f"{file} was made of other weights: export it again")
    return engine


def _fastest(member: Member, place: Place) -> str:
    """The engine that is done first with a few views, remembered."""
    names = [PYTORCH]
    names += [OPENVINO] if find_spec("openvino") else []
    exported = (place.folder / onnx_runtime.file_name(member.name)).is_file()
    names += [ONNX] if exported and find_spec("onnxruntime") else []
    if len(names) == 1:
        return PYTORCH
    side = member.preprocessing.size
    pixels = torch.zeros(TRIAL * cores(), 3, side, side)
    times = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(cores())  # whatever a busy caller has set for now
    for name in names:
        engine = _engine(name, member, place)
        if engine is not None:
            times[name] = _seconds(engine, pixels)
    torch.set_num_threads(threads)
    place.remember(member.name, times)
    return min(times, key=lambda name: times[name])


def _seconds(engine: Engine, pixels: Tensor) -> float:
    engine(pixels)  # makes requests and memory
    found = []
    for _ in range(2):
        started = time.perf_counter()
        engine(pixels)
        found.append(time.perf_counter() - started)
    return min(found)

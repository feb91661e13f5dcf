"""Which engine runs a checkpoint: asked for, remembered, or replaced by PyTorch in words."""

import json
import logging
import threading
from dataclasses import replace

import pytest
import torch
from helpers import drawing
from torch import nn

from realitycheck.cli import command
from realitycheck.detector import Detector
from realitycheck.engines import cache, choice, chunks, export, open_vino
from realitycheck.engines.chunks import Chunks
from realitycheck.errors import RealityCheckError

OTHERS = (choice.OPENVINO, choice.ONNX)


@pytest.fixture(scope="module")
def exported(loaded, tmp_path_factory):
    """The same in a directory that has its ONNX graph."""
    (member,) = loaded.members
    folder = tmp_path_factory.mktemp("exported")
    export.export(member, choice.ONNX, folder, loaded.sha256)
    return replace(loaded, folder=folder)


def answer(checkpoint, engine=None):
    return Detector(checkpoint, engine).predict(drawing(400, 300))


def test_the_command_line_offers_the_engines():
    assert command.ENGINES == choice.ENGINES


@pytest.mark.parametrize("engine", OTHERS)
def test_every_engine_gives_pytorchs_answer_and_maps(graphs, exported, engine):
    ours, reference = answer(exported, engine), answer(exported, choice.PYTORCH)
    assert ours.model["engine"].split()[0] == engine
    assert ours.probabilities == pytest.approx(reference.probabilities, abs=1e-4)
    for name, values in reference.heatmaps.items():
        assert abs(ours.heatmaps[name] - values).max() < 1e-2


def test_a_graph_is_made_once_and_read_from_then_on(graphs, loaded, monkeypatch):
    answer(loaded, choice.OPENVINO)
    monkeypatch.setattr(open_vino, "convert", lambda *_: pytest.fail("made again"))
    assert answer(loaded, choice.OPENVINO).model["engine"] == "openvino float32"


def test_nobody_is_told_that_a_graph_is_made(graphs, loaded, monkeypatch):
    telemetry = pytest.importorskip("openvino_telemetry")
    monkeypatch.setattr(telemetry.Telemetry, "__init__", lambda *_, **__: pytest.fail("told"))
    assert answer(loaded, choice.OPENVINO).model["engine"] == "openvino float32"


def test_a_graph_of_other_weights_is_not_used(graphs, loaded):
    (member,) = loaded.members
    other = open_vino.convert(member.backbone, member.preprocessing.size, "other weights")
    place = cache.Place(loaded.folder, loaded.sha256)
    open_vino.write(other, place.cache, member.name)
    assert open_vino.read(place.cache, member.name, loaded.sha256) is None
    answer(loaded, choice.OPENVINO)
    assert open_vino.read(place.cache, member.name, loaded.sha256) is not None


def test_a_damaged_graph_means_pytorch_and_one_line(graphs, loaded, caplog):
    (member,) = loaded.members
    folder = cache.Place(loaded.folder, loaded.sha256).cache / f"{member.name}.openvino"
    folder.mkdir(parents=True)
    (folder / open_vino.GRAPH).write_text("<net")
    with caplog.at_level(logging.INFO, "realitycheck"):
        assert answer(loaded, choice.OPENVINO).model["engine"] == "pytorch float32"
    (line,) = caplog.records
    assert line.getMessage().startswith("The engine openvino cannot run here (")


def test_onnx_without_an_export_says_what_to_do(graphs, loaded, caplog):
    assert answer(loaded, choice.ONNX).model["engine"] == "pytorch float32"
    assert "realitycheck export DIR --engine onnx" in caplog.text


def test_an_export_of_other_weights_is_not_used(graphs, exported, caplog):
    wrong = replace(exported, sha256="0" * 64)
    assert answer(wrong, choice.ONNX).model["engine"] == "pytorch float32"
    assert "other weights" in caplog.text


def test_the_fastest_engine_is_timed_once_and_remembered(graphs, exported, monkeypatch):
    first = answer(exported).model["engine"]
    (kept,) = graphs.glob(f"*/{cache.CHOICE}")
    times = json.loads(kept.read_text())["seconds"][exported.members[0].name]
    assert set(times) == set(choice.ENGINES)
    assert first.split()[0] == min(times, key=times.get)
    monkeypatch.setattr(choice, "_seconds", lambda *_: pytest.fail("timed again"))
    assert answer(exported).model["engine"] == first


def test_another_machine_is_timed_anew(graphs, exported, monkeypatch):
    member = exported.members[0].name
    place = cache.Place(exported.folder, exported.sha256)
    place.remember(member, {"pytorch": 2.0, "openvino": 1.0})
    assert place.remembered(member) == "openvino"
    monkeypatch.setattr(cache, "capabilities", lambda: {"sse": True})
    assert place.remembered(member) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"machine": {}, "seconds": []}'])
def test_a_damaged_choice_is_made_anew(graphs, loaded, content):
    place = cache.Place(loaded.folder, loaded.sha256)
    place.cache.mkdir(parents=True)
    (place.cache / cache.CHOICE).write_text(content)
    assert place.remembered("m") is None
    place.remember("m", {"pytorch": 1.0})
    assert place.remembered("m") == "pytorch"


def test_old_graphs_make_room(graphs, tmp_path):
    for number in range(5):
        (graphs / f"old{number}").mkdir()
    cache.Place(tmp_path, "f" * 64).make_room()
    assert len(list(graphs.iterdir())) == cache.KEPT - 1


def test_an_unwritable_cache_changes_nothing(graphs, loaded, monkeypatch):
    graphs.rmdir()
    graphs.write_text("a file is in the way")
    monkeypatch.setattr(cache.Place, "make_room", lambda _: None)
    assert answer(loaded, choice.OPENVINO).model["engine"] == "openvino float32"


def test_an_unknown_engine_is_refused(graphs, loaded, monkeypatch):
    with pytest.raises(RealityCheckError, match="no engine 'tpu'"):
        answer(loaded, "tpu")
    monkeypatch.setenv(choice.VARIABLE, "gpu")
    with pytest.raises(RealityCheckError, match="no engine 'gpu'"):
        answer(loaded)


def test_the_variable_chooses(graphs, loaded, monkeypatch):
    monkeypatch.setenv(choice.VARIABLE, choice.OPENVINO)
    assert answer(loaded).model["engine"] == "openvino float32"


def test_another_engine_leaves_no_second_copy_of_the_weights(graphs, loaded):
    detector = Detector(loaded, choice.OPENVINO)
    assert not detector.checkpoint.members
    for part in (detector.members[0].backbone, detector.members[0].network):
        assert isinstance(part, nn.Identity)


def test_chunks_come_back_in_order_from_threads_with_requests_of_their_own():
    made = []

    def make():
        made.append(threading.get_ident())
        return made[-1]

    def run(request, pixels):
        assert request == threading.get_ident()
        return pixels.mean(dim=(2, 3))

    run_chunks = Chunks(2, make, run, side=4)
    pixels = torch.rand(3 * chunks.CHUNK + 1, 3, 4, 4)
    assert torch.equal(run_chunks(pixels), pixels.mean(dim=(2, 3)))
    assert len(made) == len(set(made)) <= 2

"""Graphs in int8, and what they change."""

import json
import sys
from dataclasses import replace

import pytest
import torch
from helpers import drawing

from realitycheck import checkpoints
from realitycheck.cli import main
from realitycheck.committee.views import to_batch
from realitycheck.data.folders import find
from realitycheck.detector import Detector
from realitycheck.engines import choice, export, open_vino
from realitycheck.engines.cache import Place
from realitycheck.errors import RealityCheckError
from realitycheck.evaluation import parity

OTHERS = (choice.OPENVINO, choice.ONNX)


@pytest.fixture
def views(loaded):
    preprocessing = loaded.members[0].preprocessing
    return [to_batch([drawing(32, 32, seed)], preprocessing) for seed in range(8)]


@pytest.mark.parametrize("engine", OTHERS)
def test_int8_is_near(graphs, loaded, views, tmp_path, engine):
    pytest.importorskip("nncf")
    (member,) = loaded.members
    export.export(member, engine, tmp_path, loaded.sha256, views)
    checkpoint = replace(loaded, folder=tmp_path)
    (equipped,) = choice.equip(checkpoint, engine)
    assert str(equipped.engine).startswith(f"{engine} int8")
    exact = member.backbone(torch.cat(views))
    error = (equipped.engine(torch.cat(views)) - exact).abs().max() / exact.abs().max()
    assert 0 < error < 0.2
    assert Detector(checkpoint).describe()["engine"]  # the choice reads it too


def test_what_must_stay_exact_stays(loaded, views, tmp_path):
    pytest.importorskip("nncf")
    (member,) = loaded.members
    # "0" is the name of the only convolution within the backbone.
    member = replace(member, exact=r"aten::_convolution|\.0/")
    export.export(member, choice.OPENVINO, tmp_path, loaded.sha256, views)
    graph = open_vino.read(tmp_path, member.name, loaded.sha256)
    assert graph is not None
    assert not [n for n in graph.get_ops() if n.get_type_name() == "FakeQuantize"]


def test_a_missing_package_is_named(loaded, views, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(RealityCheckError, match=r"pip install 'realitycheck\[int8\]'"):
        export.export(loaded.members[0], choice.OPENVINO, tmp_path, loaded.sha256, views)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(RealityCheckError, match="pip install"):
        export.export(loaded.members[0], choice.OPENVINO, tmp_path, loaded.sha256)
    assert not list(tmp_path.iterdir())


def test_an_engine_that_says_the_same_is_at_parity(graphs, loaded, folder):
    samples = parity.drawn(find(folder)["train"], 10)
    assert [sample.label for sample in samples] == [0] * 5 + [1] * 5
    found = parity.measure(loaded, choice.equip(loaded, choice.OPENVINO), samples, workers=0)
    assert found.holds
    assert found.pictures == 10
    assert found.largest < 1e-3
    assert found.changed == 0
    assert str(found).startswith("openvino float32, 10 pictures: ")
    assert json.loads(json.dumps(found.to_json()))["engine"] == "openvino float32"


def test_an_engine_that_says_other_things_is_not(loaded, folder):
    samples = parity.drawn(find(folder)["train"], 24)
    (member,) = loaded.members

    def wrong(pixels):
        return 50 * torch.randn(len(pixels), 8, 8, 8, generator=torch.Generator().manual_seed(1))

    found = parity.measure(loaded, [replace(member, engine=wrong)], samples, workers=0)
    assert not found.holds
    assert found.mean > 0.01


def test_pictures_are_drawn_alike_each_time(folder):
    samples = find(folder)["train"]
    assert parity.drawn(samples, 6) == parity.drawn(samples, 6)
    assert len(parity.drawn(samples, 10**6)) == len(samples)


@pytest.mark.parametrize("options", [["--int8"], ["--int8", "--engine", "onnx"], ["--data", "x"]])
def test_int8_needs_pictures_to_be_fitted_to(options, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["export", str(tmp_path / "out"), *options])
    assert stopped.value.code == 2
    assert "--data" in capsys.readouterr().err


def test_an_export_is_what_answers(graphs, quick, tmp_path, capsys):
    out = tmp_path / "fast"
    assert main(["export", str(out), "--model", str(quick), "--engine", "openvino"]) == 0
    assert (out / "efficientnet_b0.openvino" / open_vino.GRAPH).is_file()
    ours = Detector.from_pretrained(out, "openvino")
    reference = Detector.from_pretrained(quick, "pytorch")
    image = drawing(200, 150)
    found, exact = (d.predict(image).probabilities["ai"] for d in (ours, reference))
    assert found == pytest.approx(exact, abs=1e-4)
    assert not any(graphs.iterdir())  # nothing had to be made


def test_int8_that_changes_too_much_is_deleted_again(
    graphs, quick, folder, tmp_path, capsys, monkeypatch
):
    real = export.export
    # Without pictures to be fitted to: how rough the numbers are is not the point here.
    monkeypatch.setattr(export, "export", lambda *a: real(*a[:4]))
    monkeypatch.setattr(parity.Parity, "holds", False)
    out = tmp_path / "fast"
    arguments = ["--engine", "openvino", "--int8", "--data", str(folder), "--workers", "0"]
    assert main(["export", str(out), "--model", str(quick), *arguments]) == 1
    assert "int8 changes more than it may" in capsys.readouterr().err
    assert not list(out.glob("*.openvino"))
    assert checkpoints.load(out).config.arch == "efficientnet_b0"


def test_forgetting_leaves_the_weights(tmp_path):
    (tmp_path / "m.openvino").mkdir()
    (tmp_path / "m.onnx").write_bytes(b"x")
    (tmp_path / "m.safetensors").write_bytes(b"x")
    Place(tmp_path, "f" * 64).forget()
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]

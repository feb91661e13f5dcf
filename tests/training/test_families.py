"""Families of generators, from a manifest's column to a name in a report, on a tiny tower."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import drawing, write_manifest
from PIL import Image
from torch import nn

from realitycheck import Detector, checkpoints
from realitycheck.cli import main
from realitycheck.committee import transformer
from realitycheck.committee.abstention import Abstention
from realitycheck.committee.stack import Stack
from realitycheck.committee.transformer import TokenHead, TransformerNetwork
from realitycheck.config import Config, MemberConfig, read_config
from realitycheck.errors import CheckpointError
from realitycheck.publish import card, push
from realitycheck.results import Record
from realitycheck.training import families as run
from realitycheck.training import transformer_run

FAMILIES = ("Blue", "Red", "other")


class SmallTower(nn.Module):
    """As much of timm's tower as is asked for, with blocks that let tokens pass."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, transformer.WIDTH, 16, 16)
        self.blocks = nn.ModuleList(nn.Identity() for _ in range(transformer.BLOCKS))
        self.norm_pre = nn.Identity()

    def patch_embed(self, pictures):
        return self.embed(pictures).flatten(2).transpose(1, 2)

    def _pos_embed(self, tokens):
        return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)


@pytest.fixture(scope="module", autouse=True)
def small_tower():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformer, "build_tower", SmallTower)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five sources a family, each of its colour, and pictures without a family."""
    root = tmp_path_factory.mktemp("families")
    rows = []
    for label in ("ai", "real"):
        (root / "train" / label).mkdir(parents=True)
    for channel, family in enumerate(FAMILIES):
        for source in range(5):
            for number in range(2):
                name = f"train/ai/{family}{source}-{number}.png"
                save(root / name, 2 - channel, seed=20 * source + number)
                rows.append({"file": name, "set": f"{family} {source}", "family": family})
    for name in ("train/ai/nobody.png", "train/real/somebody.png"):
        save(root / name, 1)
        rows.append({"file": name, "set": "x", "family": ""})
    write_manifest(root, rows)
    return root


def save(path, channel, seed=0):
    pixels = np.asarray(drawing(230, 224, seed=seed)) // 3
    pixels[..., channel] += 150
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A transformer that calls everything AI-made."""
    torch.manual_seed(0)
    head = TokenHead([(transformer.FEATURES, 2)], 0)
    network = TransformerNetwork(SmallTower(), head).eval().requires_grad_(False)
    files = (transformer_run.TOWER, transformer_run.HEAD)
    member = MemberConfig("transformer", transformer.ARCH, transformer.PREPROCESSING, files)
    config = Config(
        ("ai", "real"),
        "ai",
        (member,),
        stack=Stack((0.001,), 5.0),
        calibrated=True,
        abstention=Abstention(ai=0.6, real=0.4),
        version="3",
    )
    folder = tmp_path_factory.mktemp("before") / "RealityCheck"
    checkpoints.save(folder, [network], config, Record(), {})
    return folder


@pytest.fixture(scope="module")
def output(data, checkpoint, tmp_path_factory):
    """Where a head was trained."""
    output = tmp_path_factory.mktemp("after")
    command = ["train", str(data), "--recipe", "families", "--weights", str(checkpoint)]
    assert main([*command, "--output", str(output)]) == 0
    return output


@pytest.fixture
def trained(output, tmp_path):
    """A copy of what was trained."""
    return Path(shutil.copytree(output / "RealityCheck", tmp_path / "RealityCheck"))


def change_families(folder, **values):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["members"][0]["families"].update(values)
    path.write_text(json.dumps(config))


def test_a_trained_head_names_families_and_nothing_else_changes(trained, checkpoint, data, capsys):
    before = Detector.from_pretrained(checkpoint, "pytorch")
    after = Detector.from_pretrained(trained, "pytorch")
    for family in FAMILIES:
        picture = data / "train" / "ai" / f"{family}3-1.png"
        old, new = before.predict(picture), after.predict(picture)
        assert old.family is None
        assert old.report()["family"] is None
        assert new.verdict == old.verdict == "ai"
        assert new.probabilities == pytest.approx(old.probabilities)
        assert np.allclose(new.heatmap, old.heatmap, atol=1e-4)
        if family == "other":
            assert new.family is None
            continue
        assert new.family.name == family
        assert 0.5 < new.family.probability <= 1
        assert new.report()["family"] == {"name": family, "probability": new.family.probability}
        assert f"Resembles pictures by {family}" in new._repr_html_()
        assert f"Resembles pictures by {family}" in repr(new)


def test_no_family_without_the_verdict(trained, data):
    path = trained / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "stack": {"weights": [0.001], "bias": 0.0}}))
    found = Detector.from_pretrained(trained, "pytorch").predict(data / "train/ai/Red0-0.png")
    assert found.verdict == "uncertain"
    assert found.family is None


def test_below_the_threshold_the_family_is_unknown(trained, data):
    change_families(trained, threshold=1.1)
    found = Detector.from_pretrained(trained, "pytorch").predict(data / "train/ai/Red0-0.png")
    assert found.verdict == "ai"
    assert found.family is None


def test_figures_are_kept_and_shown(trained):
    found = checkpoints.load(trained)
    record = found.record()
    assert set(record.families) == {"held out, as they are", "held out, re-saved"}
    clean = record.families["held out, as they are"]
    assert clean.named["Blue"].count == 10
    assert clean.right["all"].value == 1  # colours are easily told apart
    assert clean.named["other"].value == 0
    assert 0 < clean.called["Red"].low < clean.called["Red"].high == 1
    assert set(clean.untaught) == {"all", "Blue", "Red"}
    assert record.training[-1]["recipe"] == "families"
    text = card.text(found.config, record)
    assert "## Families of generators" in text
    row = next(line for line in text.splitlines() if line.startswith("| held out, as they are | R"))
    assert row.count("|") == 8
    assert (trained / "README.md").read_text() == text


def test_versions_that_know_of_no_families_read_the_checkpoint(trained, checkpoint):
    """What they look at says the same as before: files, and the checksums of these."""
    new, old = (json.loads((f / "config.json").read_text()) for f in (trained, checkpoint))
    assert new["format"] == old["format"]
    assert new["version"] == old["version"]
    (member,) = new["members"]
    assert member.pop("families")["file"] == run.FILE
    assert {**old["members"][0], "families": None} == {**member, "families": None}
    for name in member["files"]:
        assert new["sha256"][name] == old["sha256"][name]
    del old["members"][0]["families"]  # as they wrote it
    config, _ = read_config(json.dumps(old))
    assert config.members[0].families is None


def test_a_head_that_does_not_fit_is_refused(trained):
    change_families(trained, names=["Blue", "Red", "Green", "other"])
    with pytest.raises(CheckpointError, match="wrong architecture or classes"):
        checkpoints.load(trained)
    change_families(trained, names=["Blue"])
    with pytest.raises(CheckpointError, match="two names"):
        checkpoints.load(trained)
    (trained / run.FILE).unlink()
    change_families(trained, names=["Blue", "Red", "other"])
    with pytest.raises(CheckpointError, match=f"no {run.FILE}"):
        checkpoints.load(trained)


def test_training_again_replaces_the_families(trained, data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    manifest = tmp_path / "data" / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(",Red", ",Crimson"))
    command = ["train", str(tmp_path / "data"), "--recipe", "families", "--weights", str(trained)]
    assert main([*command, "--output", str(tmp_path / "again")]) == 0
    found = checkpoints.load(tmp_path / "again" / "RealityCheck")
    assert found.config.members[0].families.names == ("Blue", "Crimson", "other")
    assert len(found.record().training) == 2
    picture = data / "train" / "ai" / "Red1-1.png"
    assert Detector(found, "pytorch").predict(picture).family.name == "Crimson"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("family", "kind"), "fewer than two"),
        (lambda text: text.replace("Red 4", "Red 3"), r"too few sources of Red \(4\)"),
    ],
)
def test_too_few_families_or_sources_are_said(data, checkpoint, tmp_path, capsys, change, reason):
    shutil.copytree(data, tmp_path / "data")
    manifest = tmp_path / "data" / "manifest.csv"
    manifest.write_text(change(manifest.read_text().replace("\r\n", "\n")))
    command = ["train", str(tmp_path / "data"), "--recipe", "families"]
    command += ["--weights", str(checkpoint), "--output", str(tmp_path / "out")]
    assert main(command) == 1
    assert re.search(reason, capsys.readouterr().err)


def test_the_file_travels_with_the_checkpoint(trained, tmp_path):
    """To the Hub, and through `export` and `evaluate --export`."""
    found = checkpoints.load(trained)
    assert run.FILE in push._files(trained, found.config)
    assert main(["export", str(tmp_path / "again"), "--model", str(trained)]) == 0
    again = checkpoints.load(tmp_path / "again")
    assert again.config.sha256 == found.config.sha256
    assert again.config.members[0].families == found.config.members[0].families


def test_a_checkpoint_without_a_transformer_is_named(data, quick, tmp_path, capsys):
    command = ["train", str(data), "--recipe", "families", "--weights", str(quick)]
    assert main([*command, "--output", str(tmp_path / "out")]) == 1
    assert "no member that can name families, only efficientnet_b0" in capsys.readouterr().err

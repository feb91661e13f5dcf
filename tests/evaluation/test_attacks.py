"""Attacks: differentiable views beside the real ones, the bound, and what is recorded."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from helpers import drawing
from PIL import Image, ImageOps
from saving import QUICK, QUICK_CONFIG
from torch import nn

from realitycheck import checkpoints
from realitycheck.cli import main
from realitycheck.committee.committee import Member, look, score
from realitycheck.committee.stack import Stack
from realitycheck.committee.views import MODES, Preprocessing, evaluation_views, to_batch
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample
from realitycheck.evaluation import attacks, metrics
from realitycheck.images import borders
from realitycheck.publish import card
from realitycheck.results import Record
from realitycheck.tables import attack_table

SHAPES = [(300, 240), (240, 300), (100, 90), (640, 480), (900, 200), (70, 1000), (64, 64)]


class Roughness(nn.Module):
    """Filters drawn at random, and how strongly they answer: smooth, as trained networks are."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.Softplus())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))

    def member(self, name: str, preprocessing: Preprocessing) -> Member:
        self.eval().requires_grad_(False)
        return Member(name, preprocessing, self, self.backbone, self.head, nn.Identity())


@pytest.fixture(scope="module")
def committee():
    """Two members, each with a way of looking of its own."""
    ways = {"first": QUICK, "second": replace(QUICK, mode="centre", size=96, native_weight=0.3)}
    (described,) = QUICK_CONFIG.members
    config = replace(
        QUICK_CONFIG,
        members=tuple(replace(described, name=n, preprocessing=way) for n, way in ways.items()),
        stack=Stack((1.0, 0.5), 0.2),
    )
    return tuple(Roughness(i).member(*way) for i, way in enumerate(ways.items())), config


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", SHAPES)
def test_soft_views_are_the_views(mode, size):
    preprocessing = Preprocessing(mode, 96, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    image = drawing(*size)
    for picture in (image, ImageOps.expand(image, (0, 40), "black")):
        views = evaluation_views(picture, preprocessing)
        within = borders.inside(picture)
        pixels = attacks._to_tensor(picture)
        soft = attacks.soft_views(pixels, views, within, preprocessing)
        real = to_batch([view.pixels for view in views], preprocessing)
        assert soft.shape == real.shape
        levels = (soft - real).abs() * torch.tensor(preprocessing.std).view(3, 1, 1) * 255
        # Pillow rounds, and cuts of a copy know what lies beside them.
        assert levels.mean() < 2
        assert levels.flatten(1).mean(dim=1).max() < 3


def test_the_lead_that_is_attacked_is_the_one_that_is_answered(committee):
    members, config = committee
    for target in attacks.judges_of(config):
        for seed in range(3):
            image = drawing(300, 240, seed)
            seen = attacks._lead_of(target, members, image)(attacks._to_tensor(image)).item()
            (scored,) = score(members, [look(image, config.preprocessings)])
            leads = attacks.picture_leads(scored.logits, config.ai_index, scored.shares)
            said = target.lead(leads[list(target.columns)]).item()
            assert seen == pytest.approx(said, abs=0.01)


@pytest.mark.parametrize("upwards", [True, False])
def test_an_attack_keeps_within_two_levels_and_moves_the_lead(committee, upwards):
    members, config = committee
    image = drawing(160, 120)
    for target in attacks.judges_of(config):
        lead = attacks._lead_of(target, members, image)
        generator = torch.Generator().manual_seed(0)
        attacked = attacks.attack(image, lead, generator, upwards=upwards)
        change = np.asarray(attacked, int) - np.asarray(image, int)
        assert np.abs(change).max() == 2
        before, after = (lead(attacks._to_tensor(i)).item() for i in (image, attacked))
        noise = np.random.default_rng(0).integers(-2, 3, change.shape)
        random = np.clip(np.asarray(image, int) + noise, 0, 255).astype(np.uint8)
        chance = lead(attacks._to_tensor(Image.fromarray(random))).item()
        moved = after - before if upwards else before - after
        assert moved > 3 * abs(chance - before)


def test_a_committee_of_one_is_attacked_once(committee):
    _, config = committee
    assert [w.name for w in attacks.judges_of(QUICK_CONFIG)] == ["efficientnet_b0"]
    names = ["first", "second", "committee"]
    found = attacks.judges_of(config)
    assert [w.name for w in found] == names
    # One member alone weighs as much as all, as the stack has it.
    assert found[1].lead(torch.tensor([2.0])).item() == pytest.approx(2 * 1.5 + 0.2)
    assert found[2].lead(torch.tensor([2.0, 4.0])).item() == pytest.approx(2 + 2 + 0.2)


def test_pictures_are_drawn_evenly_over_classes_and_sources(tmp_path):
    counts = {("many", 0): 20, ("few", 0): 2, ("one", 0): 1, ("shop", 1): 9}
    samples, sources = [], []
    for (source, label), count in counts.items():
        samples += [Sample(tmp_path / f"{source}{i}", label) for i in range(count)]
        sources += [source] * count
    named = dict(zip(samples, sources, strict=True))
    chosen = attacks.balanced(samples, sources, 0, 12)
    assert len(set(chosen)) == 12
    drawn = [named[sample] for sample in chosen]
    assert {name: drawn.count(name) for name in set(drawn)} == {
        "many": 3, "few": 2, "one": 1, "shop": 6,
    }  # fmt: skip
    assert attacks.balanced(samples, sources, 0, 12) == chosen
    assert attacks.balanced(samples, sources, 0, 12, seed=1) != chosen


def test_every_witness_is_attacked_and_asked(committee, folder, monkeypatch):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    monkeypatch.setattr(attacks, "STEPS", 4)
    members, config = committee
    samples = find(folder)["test"]
    found = attacks.measure(members, config, samples, ["all"] * len(samples), 4, workers=0)
    names = ["first", "second", "committee"]
    asked = [(row.attacked, row.condition, row.judge) for row in found]
    assert asked == [("", "clean", judge) for judge in names] + [
        (target, condition, judge)
        for target in names
        for condition in ("attacked", "attacked-jpeg90")
        for judge in names
    ]
    for row in found:
        assert row.metrics.pictures == {"ai": 2, "real": 2}
        assert (row.pushed is None) == (row.condition == "clean")
        own = row.condition == "attacked" and row.attacked == row.judge
        assert (row.disagreement is not None) == own
        if own:
            assert row.pushed.value > 0
            assert row.disagreement.value < row.pushed.value / 3
    record = Record(attacks={"test": found})
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record
    heads, rows = attack_table(record.attacks)
    assert {len(row) for row in rows} == {len(heads)}
    assert "| test | second | attacked-jpeg90 | committee |" in card.text(config, record)


def test_large_pictures_are_made_smaller_first(tmp_path):
    (tmp_path / "small").mkdir()
    for name, size in (("large", (900, 700)), ("fits", (900, 640))):
        drawing(*size).save(tmp_path / f"{name}.png")
    samples = [Sample(tmp_path / f"{name}.png", 0) for name in ("large", "fits")]
    copies = [sample.read().image for sample in attacks._bounded(samples, tmp_path / "small")]
    assert [copy.size for copy in copies] == [(823, 640), (900, 640)]
    assert np.array_equal(copies[1], drawing(900, 640))


@pytest.mark.slow
def test_the_command_attacks_the_pictures_asked_for(quick, folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(metrics, "RESAMPLES", 10)
    arguments = ["evaluate", str(folder), "--model", str(quick), "--workers", "0", "--attacks"]
    options = ["--attack-pictures", "4", "--output", str(tmp_path), "--export"]
    assert main([*arguments, *options, str(tmp_path / "small")]) == 0
    written = json.loads((tmp_path / "metrics.json").read_text())["attacks"]["test"]
    assert [row["condition"] for row in written] == ["clean", *attacks.CONDITIONS]
    assert written[0]["metrics"]["pictures"] == {"ai": 2, "real": 2}
    assert "| test | efficientnet_b0 | attacked |" in capsys.readouterr().out
    assert "## Attacks" in (tmp_path / "report.md").read_text()
    kept = checkpoints.load(tmp_path / "small").record().attacks["test"]
    assert [asdict(row) for row in kept] == written
    with pytest.raises(SystemExit):
        main([*arguments, "--attack-pictures", "2"])

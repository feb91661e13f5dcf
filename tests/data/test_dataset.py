import numpy as np
import pytest
from helpers import drawing, fill
from PIL import ImageOps

from realitycheck.committee.cnn import MEAN, STD
from realitycheck.committee.views import Preprocessing
from realitycheck.data.augment import centre_view
from realitycheck.data.dataset import EpochSampler, PictureSet
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample
from realitycheck.errors import DataError

NATIVE = Preprocessing("native", 176, MEAN, STD)


def test_unreadable_files_are_counted_and_left_out(tmp_path, caplog):
    fill(tmp_path / "ai", 20, 0)
    fill(tmp_path / "real", 20, 500)
    (tmp_path / "ai" / "broken.jpg").write_bytes(b"not a picture")
    splits = find(tmp_path)
    assert "1 of 41 pictures are left out" in caplog.text
    assert sum(map(len, splits.sets.values())) == 40
    caplog.clear()
    samples = [*splits["train"], Sample(tmp_path / "ai" / "broken.jpg", 0)]
    pictures = PictureSet(samples, centre_view(32, NATIVE))
    assert len(pictures) == len(splits["train"])
    assert f"1 of {len(samples)} pictures" in caplog.text
    with pytest.raises(DataError, match="None of the pictures"):
        PictureSet(samples[-1:], lambda image: image)


def test_pictures_are_the_same_with_and_without_memory(folder):
    samples = find(folder)["val"]
    transform = centre_view(64, NATIVE)
    kept, read_again = (PictureSet(samples, transform, memory) for memory in (2**30, 0))
    for i in range(len(samples)):
        (a, label_a), (b, label_b) = kept[i], read_again[i]
        assert label_a == label_b == samples[i].label
        assert (a == b).all()


@pytest.mark.parametrize("memory", [0, 2**30])
def test_bars_are_cut_off(tmp_path, memory):
    image = drawing(200, 150)
    ImageOps.expand(image, (0, 40), "white").save(tmp_path / "a.png")
    pictures = PictureSet([Sample(tmp_path / "a.png", 0)], lambda image: image, memory)
    assert np.array_equal(pictures.image(0), image)


def test_balanced_epochs_draw_classes_alike_and_repeat_by_seed():
    labels = [0] * 90 + [1] * 10
    sampler = EpochSampler(labels, seed=3, balanced=True)
    first = list(sampler)
    assert len(first) == 100
    assert sum(labels[i] for i in first) == 50
    assert {i for i in first if labels[i]} == set(range(90, 100))
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    plain = list(EpochSampler(labels, seed=3, balanced=False))
    assert sorted(plain) == list(range(100))
    assert plain != sorted(plain)


def test_sources_are_drawn_by_the_root_of_their_size_and_classes_alike():
    labels = [0] * 410 + [1] * 90
    sources = ["many"] * 400 + ["few"] * 10 + ["few"] * 90
    sampler = EpochSampler(labels, seed=1, balanced=True, sources=sources)
    drawn = []
    for epoch in range(40):
        sampler.set_epoch(epoch)
        drawn += list(sampler)
    assert len(drawn) == 40 * 500
    share = {
        part: sum((labels[i], sources[i]) == part for i in drawn) / len(drawn)
        for part in ((0, "many"), (0, "few"), (1, "few"))
    }
    # 400 and 10 pictures: their roots are 20 and 3.16. Another class's source is another source.
    assert share[1, "few"] == pytest.approx(0.5, abs=0.02)
    assert share[0, "few"] / share[0, "many"] == pytest.approx(3.16 / 20, abs=0.02)
    sampler.set_epoch(0)
    assert list(sampler) == drawn[:500]

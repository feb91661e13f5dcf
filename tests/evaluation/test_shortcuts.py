"""The shortcuts learn what they are given to see, and nothing else."""

import numpy as np
import pytest
from PIL import Image

from realitycheck import images
from realitycheck.data.samples import Sample
from realitycheck.errors import DataError
from realitycheck.evaluation import shortcuts

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """AI: PNG of noise on dark; real: JPEG of noise on bright."""
    root = tmp_path_factory.mktemp("shortcuts")
    samples = []
    for number in range(60):
        for label, (suffix, level) in enumerate((("png", 60), ("jpg", 180))):
            pixels = np.clip(RNG.normal(level, 20, (64, 64, 3)), 0, 255)
            path = root / f"{number}.{suffix}"
            Image.fromarray(np.uint8(pixels)).save(path)
            samples.append(Sample(path, label))
    return samples


@pytest.mark.parametrize("name", shortcuts.SHORTCUTS)
def test_a_shortcut_finds_what_gives_the_answer_away(pictures, name):
    describe = shortcuts.SHORTCUTS[name]
    (p_ai, is_ai) = shortcuts.scores(describe, pictures[:80], {"rest": pictures[80:]}, 0)["rest"]
    assert ((p_ai > 0.5) == is_ai).all()
    assert is_ai.sum() == 20


def test_unreadable_pictures_are_left_out_and_named(pictures, tmp_path, caplog):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    samples = [Sample(broken, 0), *pictures[:40]]
    found = shortcuts.scores(shortcuts.thumbnail, samples, {"same": samples}, 0)
    assert len(found["same"][0]) == 40
    assert f"{broken}: This is not a picture" in caplog.text
    with pytest.raises(DataError, match="1 of 1: This is not a picture"):
        shortcuts.scores(shortcuts.thumbnail, [samples[0], pictures[1]], {}, 0)


def test_a_thumbnail_knows_no_size_and_the_facts_no_pixels(tmp_path):
    small = Image.new("RGB", (64, 64), "red")
    small.save(tmp_path / "a.png")
    small.resize((128, 128)).save(tmp_path / "b.png")
    a, b = (images.read(tmp_path / name) for name in ("a.png", "b.png"))
    assert np.array_equal(shortcuts.thumbnail(a), shortcuts.thumbnail(b))
    assert shortcuts.file_facts(a)[1:3] == [64, 64]
    assert shortcuts.file_facts(b)[1:3] == [128, 128]

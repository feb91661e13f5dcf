import numpy as np
from helpers import fill
from PIL import Image

from realitycheck.data.folders import find
from realitycheck.data.splitting import _group


def test_splits_bare_folders_and_keeps_duplicates_on_one_side(tmp_path):
    fill(tmp_path / "ai", 40, 0)
    fill(tmp_path / "real", 60, 1000)
    copies = {}
    for i in range(0, 40, 4):
        original = tmp_path / "ai" / f"{i:03}.png"
        (tmp_path / "ai" / f"exact{i:03}.png").write_bytes(original.read_bytes())
        Image.open(original).save(tmp_path / "ai" / f"near{i:03}.jpg", quality=70)
        copies[original.name] = (f"exact{i:03}.png", f"near{i:03}.jpg")
    splits = find(tmp_path)
    where = {s.path.name: name for name in splits.sets for s in splits[name] if s.label == 0}
    for original, others in copies.items():
        assert {where[other] for other in others} == {where[original]}
    sizes = {name: len(part) for name, part in splits.sets.items()}
    assert sum(sizes.values()) == 120
    assert 90 <= sizes["train"] <= 102
    for name in ("val", "test"):
        assert 9 <= sizes[name] <= 15
        assert {s.label for s in splits[name]} == {0, 1}
    again = find(tmp_path)
    assert again.sets == splits.sets
    assert find(tmp_path, seed=1).sets != splits.sets


def test_near_duplicates_are_found_however_bits_differ():
    rng = np.random.default_rng(0)
    hashes = [int(h) for h in rng.integers(0, 2**63, 50)]
    for i in range(50):
        flipped = hashes[i]
        for bit in rng.choice(63, 4, replace=False):
            flipped ^= 1 << int(bit)
        hashes.append(flipped)
    groups = _group(hashes)
    assert groups[50:] == groups[:50] == list(range(50))

import shutil

import pytest

from realitycheck.data.folders import find
from realitycheck.data.manifest import read_manifest, sources
from realitycheck.errors import DataError
from realitycheck.results import Source


def test_manifest(tmp_path):
    assert read_manifest(tmp_path) == {}
    (tmp_path / "manifest.csv").write_text("file,generator\ntest/ai/a.jpg,DALL-E\n")
    assert read_manifest(tmp_path)["test/ai/a.jpg"]["generator"] == "DALL-E"
    (tmp_path / "manifest.csv").write_text("name\nx\n")
    with pytest.raises(DataError, match='column "file"'):
        read_manifest(tmp_path)


def test_sources_are_counted_from_the_manifest(folder, tmp_path):
    root = tmp_path / "pictures"
    shutil.copytree(folder, root)
    splits = find(root)
    assert sources(splits) == ()
    rows = ["file,set,source_repo,licence"]
    for name in ("train", "val", "test"):
        for sample in splits[name]:
            path = sample.path.relative_to(root).as_posix()
            if splits.classes[sample.label] == "ai":
                rows.append(f"{path},painter,owner/painter,CC0")
            elif name == "train":
                rows.append(f"{path},shop,,")
    (root / "manifest.csv").write_text("\n".join(rows))
    assert sources(splits) == (
        Source("ai", "painter", 18, "owner/painter", "CC0"),
        Source("real", "shop", 12),
    )

import json
from pathlib import Path

from realitycheck import images

EXAMPLES = Path(__file__).parent.parent / "examples"
ENTRIES = json.loads((EXAMPLES / "examples.json").read_text())


def test_every_example_is_readable_listed_and_has_its_origin_stated():
    origins = (EXAMPLES / "README.md").read_text()
    assert len(ENTRIES) >= 4
    assert {entry["label"] for entry in ENTRIES} == {"ai", "real"}
    assert {entry["file"] for entry in ENTRIES} == {p.name for p in EXAMPLES.glob("*.jpg")}
    for entry in ENTRIES:
        assert images.read(EXAMPLES / entry["file"]).format == "JPEG"
        assert f"`{entry['file']}`" in origins
        assert entry["caption"].startswith("AI: " if entry["label"] == "ai" else "Photograph: ")

"""Version 4's answers about forty pictures of several kinds, to hold any later code against.

python tests/version_4.py record FILE [--pictures FOLDER]    write the answers of the bundle
python tests/version_4.py compare FILE [--pictures FOLDER]   largest differences from such a file

Four of them, the 66 px, the strip, the tall and the wide one, answer as version 5 cuts them:
version 4 filled more of their views with mirror images than with picture. Since version 5.1 what
withholds a verdict is the first of the warnings, and the grey one is doubted; since 5.2 its
thresholds are others.

The pictures are made from `examples/` by steps that give the same pixels everywhere; with
--pictures the files of a folder are asked about as well.
"""

import argparse
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).parent / "recorded" / "version-4.json"
EXAMPLES = ("astronaut", "cat-rendered", "cat", "flower", "temple-rendered", "temple")
GRID = 8  # a map is recorded as the means of 8 x 8 parts


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pictures() -> Iterator[tuple[str, bytes | Image.Image]]:
    """Name and picture of each of the forty."""
    opened = {}
    for path in (ROOT / "examples" / f"{name}.jpg" for name in EXAMPLES):
        yield path.name, path.read_bytes()
        with Image.open(path) as image:
            opened[path.stem] = image.convert("RGB")
    for name, image in opened.items():
        half = image.resize([side // 2 for side in image.size], Image.Resampling.BOX)
        yield f"{name}, half", saved(half, "PNG")
        yield f"{name}, quality 20", saved(image, "JPEG", quality=20)
        yield f"{name}, blurred", image.filter(ImageFilter.BoxBlur(2))
    cat = opened["cat"]
    yield "176 px", cat.crop((60, 40, 236, 216))
    yield "strip", cat.crop((0, 60, cat.width, 130))
    yield "tall", cat.crop((100, 0, 180, cat.height))
    yield "66 px", cat.crop((100, 60, 166, 126))
    yield "grey", saved(cat.convert("L"), "PNG")
    yield "palette", saved(cat.quantize(32), "PNG")
    yield "transparent", saved(_faded(cat), "PNG")
    yield "dark", cat.point(lambda value: value // 9)
    yield "enlarged", cat.resize((1600, 1066), Image.Resampling.NEAREST)
    yield "wide", _beside(list(opened.values()))
    yield "flat", Image.new("RGB", (400, 300), (20, 90, 200))
    yield "drawn", _drawn()
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    yield "noise", Image.fromarray(noise)
    yield "negative", cat.point(lambda value: 255 - value)
    yield "mirrored", cat.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    yield "turned", cat.transpose(Image.Transpose.ROTATE_90)


def _faded(image: Image.Image) -> Image.Image:
    faded = image.copy()
    faded.putalpha(Image.linear_gradient("L").resize(image.size))
    return faded


def _beside(images: list[Image.Image]) -> Image.Image:
    wide = Image.new("RGB", (sum(image.width for image in images), 300))
    left = 0
    for image in images:
        wide.paste(image.crop((0, 0, image.width, 300)), (left, 0))
        left += image.width
    return wide


def _drawn() -> Image.Image:
    y, x = np.mgrid[0:300, 0:400]
    bands = np.stack([x // 40 * 25, y // 30 * 25, (x + y) // 50 * 18], axis=-1)
    return Image.fromarray(np.uint8(bands % 256))


def answers(detector: Any, asked: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """What a detector says about each picture, in a form that can be kept."""
    return {name: _answer(detector.predict(picture)) for name, picture in asked}


def _answer(prediction: Any) -> dict[str, Any]:
    return {
        "verdict": prediction.verdict,
        "probabilities": prediction.probabilities,
        "warnings": list(prediction.warnings),
        "maps": {name: _means(heatmap) for name, heatmap in prediction.heatmaps.items()},
    }


def _means(heatmap: np.ndarray) -> list[float]:
    image = Image.fromarray(np.float32(heatmap))
    means = np.asarray(image.resize((GRID, GRID), Image.Resampling.BOX))
    return [round(float(value), 5) for value in means.ravel()]


def differences(known: dict[str, Any], found: dict[str, Any]) -> tuple[float, float, list[str]]:
    """Largest difference of probabilities and of maps, and what differs in words."""
    probability, maps, words = 0.0, 0.0, []
    for name, before in known.items():
        after = found[name]
        for label, value in before["probabilities"].items():
            probability = max(probability, abs(value - after["probabilities"][label]))
        for label, values in before["maps"].items():
            change = np.abs(np.subtract(values, after["maps"][label])).max()
            maps = max(maps, float(change))
        for key in ("verdict", "warnings"):
            if before[key] != after[key]:
                words.append(f"{name}: {key} {after[key]}, was {before[key]}")
    return probability, maps, words


def main() -> int:
    """Runs the command; the exit status is 1 where answers differ."""
    from realitycheck import Detector

    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("command", choices=("record", "compare"))
    p.add_argument("file", type=Path)
    p.add_argument("--pictures", type=Path, metavar="FOLDER")
    p.add_argument("--model", help="checkpoint to ask (default: the bundled one)")
    args = p.parse_args()
    asked = dict(pictures())
    if args.pictures:
        asked |= {str(path): path for path in sorted(args.pictures.rglob("*.jpg"))}
    found = answers(Detector.from_pretrained(args.model), iter(asked.items()))
    if args.command == "record":
        args.file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return 0
    known = json.loads(args.file.read_text(encoding="utf-8"))
    probability, maps, words = differences(known, found)
    print(f"{len(known)} pictures: probabilities differ by {probability:.1e}, maps by {maps:.1e}")
    print("\n".join(words))
    return int(probability > 1e-5 or maps > 1e-3 or bool(words))


if __name__ == "__main__":
    sys.exit(main())

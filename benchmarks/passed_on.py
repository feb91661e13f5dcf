"""Whether doubts outlive a picture's being passed on: python benchmarks/passed_on.py FOLDER

Takes pictures of a folder that nothing has been done to, or little, and does to each what people
do: enlarges a thumbnail of it, saves a JPEG of quality 20 of it again, puts bars or a frame around
it. Counts how often the caveat is the same as before, with the same weight, and how often the
untouched pictures get one of that kind.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps
from tqdm.auto import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from realitycheck import images
from realitycheck.committee.abstention import image_caveats
from realitycheck.data.folders import picture_files
from realitycheck.evaluation.metrics import wilson_ci
from realitycheck.images import borders
from realitycheck.images.perturbations import reencode

THUMBNAIL = (64, 200)  # px, short side
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "Lanczos": Image.Resampling.LANCZOS,
}
SAVED = {
    "PNG": lambda image: image,
    "WebP 80": lambda image: reencode(image, "WEBP", 80),
    "AVIF 70": lambda image: reencode(image, "AVIF", 70),
    "JPEG 95": lambda image: reencode(image, "JPEG", 95),
}
SMALL, SQUEEZED, BARS = "small pictures", "compressed", "Bars"  # in the caveats' sentences


@dataclass(frozen=True)
class Case:
    """A changed picture.

    Attributes:
        image: what is examined.
        says: which caveat it should get.
        abstains: the weight that caveat should have.
        box: of the picture within bars; None where there are none.
    """

    image: Image.Image
    says: str
    abstains: bool
    box: borders.Box | None = None


def enlarged(image: Image.Image, rng: random.Random, name: str, saved: str, side: int) -> Case:
    short = min(rng.randint(*THUMBNAIL), round(min(image.size) / 1.3))
    size = [max(1, round(edge * short / min(image.size))) for edge in image.size]
    thumbnail = image.resize(size, Image.Resampling.LANCZOS)
    again = SAVED[saved](thumbnail.resize(image.size, FILTERS[name]))
    return Case(again, SMALL, short < side / 2)


def squeezed(image: Image.Image, rng: random.Random, saved: str, cut: bool) -> Case:
    poor = reencode(image, "JPEG", 20)
    if cut:
        left, top = rng.randrange(1, 8), rng.randrange(1, 8)
        poor = poor.crop((left, top, poor.width - rng.randrange(8), poor.height - rng.randrange(8)))
    return Case(SAVED[saved](poor), SQUEEZED, True)


def barred(image: Image.Image, rng: random.Random, shape: str, saved: str) -> Case:
    share = rng.uniform(0.03, 0.3)
    across, down = (max(8, round(edge * share)) for edge in image.size)
    wide = {
        "letterbox": (0, down),
        "pillarbox": (across, 0),
        "frame": (min(across, down),) * 2,
    }[shape]
    colour = rng.choice(["black", "white", tuple(rng.randrange(256) for _ in range(3))])
    framed = SAVED[saved](ImageOps.expand(image, wide, colour))
    x, y = wide
    return Case(framed, BARS, False, (x, y, x + image.width, y + image.height))


def kinds(side: int) -> dict[str, Callable[[Image.Image, random.Random], Case]]:
    made: dict[str, Callable[[Image.Image, random.Random], Case]] = {}
    for name, saved in zip(FILTERS, ("PNG", "JPEG 95", "AVIF 70", "WebP 80"), strict=True):
        for kept in dict.fromkeys(("PNG", saved)):
            made[f"thumbnail enlarged ({name}), {kept}"] = lambda image, rng, n=name, s=kept: (
                enlarged(image, rng, n, s, side)
            )
    for saved in SAVED:
        made[f"JPEG 20 saved again as {saved}"] = lambda image, rng, s=saved: squeezed(
            image, rng, s, False
        )
    for saved in ("PNG", "WebP 80"):
        made[f"JPEG 20 cut, {saved}"] = lambda image, rng, s=saved: squeezed(image, rng, s, True)
    for shape in ("letterbox", "pillarbox", "frame"):
        for saved in ("PNG", "WebP 80"):
            made[f"{shape}, {saved}"] = lambda image, rng, sh=shape, s=saved: barred(
                image, rng, sh, s
            )
    made["JPEG 20 in a frame, PNG"] = lambda image, rng: Case(
        barred(squeezed(image, rng, "PNG", False).image, rng, "frame", "PNG").image, SQUEEZED, True
    )
    return made


def caught(case: Case, side: int) -> bool:
    """Whether a changed picture gets the caveat it should."""
    if case.box:
        found = borders.inside(case.image)
        if max(abs(a - b) for a, b in zip(found, case.box, strict=True)) > 2:
            return False
    return any(
        case.says in caveat.sentence and caveat.abstains == case.abstains
        for caveat in image_caveats(case.image, None, side)
    )


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", type=Path, help="of pictures, at any depth")
    p.add_argument("--pictures", type=int, default=300, help="drawn at random (default 300)")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--side", type=int, default=224, help="of the detector's parts, px")
    args = p.parse_args()
    files, _ = picture_files(args.folder)
    drawn = random.Random(args.seed).sample(sorted(files), min(args.pictures, len(files)))
    hits: dict[str, list[bool]] = {name: [] for name in kinds(args.side)}
    doubted: dict[str, list[bool]] = {SMALL: [], SQUEEZED: [], BARS: []}
    says, seconds = {}, []
    for path in tqdm(drawn, disable=None):
        image = images.read(path).image
        started = time.process_time()
        plain = [caveat.sentence for caveat in image_caveats(image, None, args.side)]
        seconds.append(time.process_time() - started)
        truly_small = min(image.size) < args.side
        for word, list_ in doubted.items():
            if word != SMALL or not truly_small:
                list_.append(any(word in sentence for sentence in plain))
        for name, change in kinds(args.side).items():
            case = change(image, random.Random(f"{args.seed}:{path.name}:{name}"))
            says[name] = case.says
            hits[name].append(caught(case, args.side))
    print(f"{len(drawn)} pictures of {args.folder}, seed {args.seed}\n")
    print("| kind | caught, % | untouched doubted so, % |\n|---|---|---|")
    for name, found in hits.items():
        wrong = doubted[says[name]]
        print(
            f"| {name} | {wilson_ci(sum(found), len(found)).percent()} "
            f"| {wilson_ci(sum(wrong), len(wrong)).percent()} |"
        )
    print(f"\nimage_caveats takes {1000 * sorted(seconds)[len(seconds) // 2]:.0f} ms (median)")


if __name__ == "__main__":
    main()

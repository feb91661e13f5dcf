"""How a picture larger than a view is best looked at: python benchmarks/sizes.py DATA

The pictures of DATA are small, so views are made smaller still: each picture is convolved as a
whole, cut into four overlapping crops, and shrunken to the size of one. The mean of the views'
features goes to a linear discriminant that has not seen the picture's source, in four folds of
whole sources; the backbone was trained on all of them, which flatters every way. Each way is asked
about the pictures as they are and re-saved ("hard"), and compared with the first, picture by
picture. Then what each costs on pictures of usual sizes.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from compare import gain
from latency import timed
from search import origins, some

from realitycheck import checkpoints, data, images
from realitycheck.card import percent, table
from realitycheck.data import Sample
from realitycheck.errors import exit_status
from realitycheck.evaluation import auc, interval
from realitycheck.model import ChunkedForward, split
from realitycheck.views import CONDITIONS, Preprocessing, evaluation_views, to_batch

FOLDS = 4
SHRINKAGE = 0.8  # of the discriminant's covariance: sources held out want it high
SMALL = Preprocessing(size=96)
ASKED = ("clean", "hard")
COSTED = ((640, 427), (1600, 1200))  # px
BATCH = 32

Looks = Callable[[Image.Image], list[Image.Image]]
LOOKS: dict[str, Looks] = {
    "whole": lambda image: [image],
    "crops": lambda image: [view.pixels for view in evaluation_views(image, SMALL)],
    "copy": lambda image: [image.resize((SMALL.size,) * 2, Image.Resampling.BICUBIC)],
}
# The mean of all views, as in the detector.
WAYS = {
    "convolved as a whole": ("whole",),
    "mean of crops": ("crops",),
    "small copy": ("copy",),
    "crops and small copy": ("crops", "copy"),
    "whole and small copy": ("whole", "copy"),
}


class Looked(Dataset):
    """Pictures under a condition, as each of `LOOKS` shows them: a tensor [V, 3, S, S] each."""

    def __init__(self, samples: list[Sample], condition: str) -> None:
        self.samples, self.condition = samples, condition

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> dict[str, Tensor]:
        image = images.read(self.samples[position].path).image
        changed = CONDITIONS[self.condition](image)
        return {name: to_batch(look(changed), SMALL) for name, look in LOOKS.items()}


def pooled(model: nn.Module) -> ChunkedForward:
    """A model up to what its classifier receives: views to features [N, C]."""
    features, head = split(model)
    return ChunkedForward(nn.Sequential(features, *list(head)[:-1]).eval())


def features(run: ChunkedForward, samples: list[Sample], condition: str) -> dict[str, np.ndarray]:
    """The mean of the features of each look's views, [N, C]."""
    loader = DataLoader(Looked(samples, condition), BATCH, num_workers=1, collate_fn=list)
    found: dict[str, list[Tensor]] = {name: [] for name in LOOKS}
    for batch in tqdm(loader, desc=condition, leave=False, disable=None):
        for name in LOOKS:
            views = [looked[name] for looked in batch]
            outputs = run(torch.cat(views)).split([len(part) for part in views])
            found[name] += [part.mean(dim=0) for part in outputs]
    return {name: torch.stack(parts).numpy() for name, parts in found.items()}


def mean(found: dict[str, np.ndarray], looks: tuple[str, ...], views: dict[str, int]) -> np.ndarray:
    """The mean of all views' features, [N, C]: linear, so the mean of their scores too."""
    return np.average([found[look] for look in looks], axis=0, weights=[views[k] for k in looks])


def deal(names: list[str]) -> np.ndarray:
    """Deals whole sources to folds, alike in pictures of each class; the fold of each picture."""
    count = {name: names.count(name) for name in sorted(set(names))}
    fold, load = {}, {}
    for name in sorted(count, key=count.get, reverse=True):
        own = load.setdefault(name.split("/")[0], [0] * FOLDS)
        fold[name] = own.index(min(own))
        own[fold[name]] += count[name]
    return np.array([fold[name] for name in names])


def scores(known: list[np.ndarray], folds: np.ndarray, is_ai: np.ndarray) -> list[np.ndarray]:
    """For each condition's features the score of every picture by a stranger, [N] in [0, 1]."""
    found = [np.zeros(len(folds)) for _ in known]
    for fold in range(FOLDS):
        own = folds == fold
        discriminant = LinearDiscriminantAnalysis("lsqr", shrinkage=SHRINKAGE, priors=[0.5, 0.5])
        classifier = make_pipeline(StandardScaler(), discriminant)
        classifier.fit(np.concatenate([k[~own] for k in known]), np.tile(is_ai[~own], len(known)))
        for column, part in zip(found, known, strict=True):
            column[own] = classifier.predict_proba(part[own])[:, 1]
    return found


def chosen(root: Path, most: int) -> tuple[list[Sample], list[str], np.ndarray]:
    """Training pictures, at most so many per class, their sources, and which are AI-made."""
    splits = data.find(root)
    ai_index = splits.classes.index(data.ai_class(splits.classes))
    pairs = some(origins(splits, "train"), most, np.random.default_rng(0))
    samples, names = map(list, zip(*pairs, strict=True))
    return samples, names, np.array([sample.label == ai_index for sample in samples])


def print_accuracy(run: ChunkedForward, root: Path, most: int) -> None:
    samples, names, is_ai = chosen(root, most)
    views = {name: len(look(images.read(samples[0].path).image)) for name, look in LOOKS.items()}
    folds = deal(names)
    found = {condition: features(run, samples, condition) for condition in ASKED}
    lines, first = [], []
    for name, looks in WAYS.items():
        own = scores([mean(found[c], looks, views) for c in ASKED], folds, is_ai)
        first = first or own
        cells = [name, str(sum(views[look] for look in looks))]
        for p_ai, base in zip(own, first, strict=True):
            cells += [percent(interval(auc, p_ai, is_ai)), gain(p_ai, base, is_ai)]
        lines.append(cells)
    heads = [head for c in ASKED for head in (f"AUC, {c}", "against the first")]
    print(f"{len(samples)} pictures of {len(set(names))} sources, each held out; AUC in percent\n")
    print(*table(("way", "views", *heads), lines), sep="\n")


def print_costs(run: ChunkedForward, shape: Preprocessing, times: int) -> None:
    lines = []
    for size in COSTED:
        noise = np.random.default_rng(0).integers(0, 256, (*reversed(size), 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        views = evaluation_views(image, shape)
        native = [view.pixels for view in views if view.kind == "native"]
        copy = [view.pixels for view in views if view.kind != "native"]
        ways = {
            "convolved as a whole": [image],
            "mean of crops": native,
            "small copy": copy,
            "crops and small copy": [*native, *copy],
        }
        batches = {name: to_batch(part, shape) for name, part in ways.items()}
        taken = timed({n: lambda b=b: run(b) for n, b in batches.items()}, times)
        for name, seconds in taken.items():
            cells = (f"{size[0]} x {size[1]}", name, str(len(ways[name])))
            lines.append((*cells, f"{1000 * statistics.median(seconds):.0f}"))
    print(f"\nViews of {shape.size} px, backbone only, {torch.get_num_threads()} threads\n")
    print(*table(("picture, px", "way", "views", "ms"), lines), sep="\n")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("data", metavar="DATA", type=Path, help="folder with a manifest.csv")
    p.add_argument("--model", help="checkpoint (bundled)")
    p.add_argument("--pictures", type=int, default=2500, help="per class, at most (2500)")
    p.add_argument("--times", type=int, default=5, help="each way is timed (5)")
    args = p.parse_args()
    checkpoint = checkpoints.load(args.model)
    run = pooled(checkpoint.model)
    print_accuracy(run, args.data, args.pictures)
    print_costs(run, checkpoint.config.preprocessing, args.times)


if __name__ == "__main__":
    sys.exit(exit_status(main))

"""Short training runs that differ in one thing each: python benchmarks/search.py DATA

Every run starts from nothing and trains for the same time (one for longer) on one thread. It is
then asked about validation pictures, whose sources it knows, and about training pictures from a
quarter of the sources, which no run here is shown: about their middle 64 px, and where it learned
from whole pictures, about those. Finished runs are kept in --output and not repeated; the table
compares all of them with "reference", picture by picture.

Its 95 % intervals cover the choice of pictures only, neither of sources nor of seeds: a difference
within those of the seeds says nothing. Runs count what they see in seconds, so leave the machine to
them.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples")]

from compare import gain

from realitycheck import data, training
from realitycheck.augmentation import centre_view, training_view
from realitycheck.card import percent, table
from realitycheck.data import EpochSampler, PictureSet, Sample, Splits
from realitycheck.errors import DataError, RealityCheckError, exit_status
from realitycheck.evaluation import auc, interval
from realitycheck.files import replacing
from realitycheck.training import RECIPES, Recipe
from realitycheck.views import reencode

ASKED = 64  # px, side of what every run is asked about
HELD_OUT = 4  # one in so many sources of each class
PER_CLASS = 500  # pictures that are asked about, at most, per class and kind
RENDERERS = 4  # autoencoders for pseudo-fakes; their training is not counted as time
REFERENCE = replace(RECIPES["full"], crop_sizes=(48,), batch_size=32, strength=0.3)


@dataclass(frozen=True)
class Design:
    """What a run does.

    Attributes:
        recipe: of the product's own choices.
        longer: times the others' training time.
        resized: share of training views that show the whole picture, resized to a crop's size.
        masked: probability that each 16 px patch of a training view is blanked.
        pseudo_fakes: share of AI pictures that are replaced by real ones as a small up-sampling
            autoencoder repeats them.
        sources_alike: draw every source of a class equally often.
        residual: "", or where what a picture loses when it is halved and enlarged again goes:
            "beside" the colours or "instead" of them (Tan et al. 2024, arXiv 2312.10461).
        full_resolution: no down-sampling in the first convolution and pooling (Gragnaniello et
            al. 2021, arXiv 2104.02617).
    """

    recipe: Recipe = REFERENCE
    longer: float = 1.0
    resized: float = 0.0
    masked: float = 0.0
    pseudo_fakes: float = 0.0
    sources_alike: bool = False
    residual: str = ""
    full_resolution: bool = False


def changed(**choices) -> Design:
    """The reference with other choices of its recipe."""
    return Design(replace(REFERENCE, **choices))


DESIGNS = {
    "reference": Design(),
    "seed 1": changed(seed=1),
    "seed 2": changed(seed=2),
    "four times as long": Design(longer=4),
    "crops of 64 px": changed(crop_sizes=(64,)),
    "crops of 96 px": changed(crop_sizes=(96,)),
    "crops of 128 px": changed(crop_sizes=(128,)),
    "whole pictures resized": Design(resized=1),
    "half of them resized": Design(resized=0.5),
    "augmentation 0": changed(strength=0.0),
    "augmentation 1": changed(strength=1.0),
    "random first filters": changed(stem="random"),
    "residual beside colours": Design(residual="beside"),
    "residual instead of colours": Design(residual="instead"),
    "full-resolution stem": Design(full_resolution=True),
    "patches masked": Design(masked=0.2),
    "classes as they come": changed(balanced=False),
    "sources alike": Design(sources_alike=True),
    "no moving average": changed(ema=0.0),
    "no label smoothing": changed(label_smoothing=0.0),
    "pseudo-fakes": Design(pseudo_fakes=0.3),
}


# --- pictures -----------------------------------------------------------------------------


@dataclass
class Sources:
    """The pictures of all runs.

    Attributes:
        train: of the sources that may be learned.
        known: validation pictures of those sources.
        unknown: training pictures of the others.
        origins: the source of each picture in `train`.
        ai_index: index of the AI class.
        fingerprint: of which pictures these are.
    """

    train: PictureSet
    known: PictureSet
    unknown: PictureSet
    origins: list[str]
    ai_index: int
    fingerprint: str


def origins(splits: Splits, name: str) -> list[tuple[Sample, str]]:
    """The pictures of a set, each with its source: class index and `set` of the manifest."""
    rows = data.manifest_rows(splits[name], splits.root)
    if not all(row.get("set") for row in rows):
        raise DataError(f"{splits.root} needs a manifest.csv with the set of every picture.")
    return [(s, f"{s.label}/{r['set']}") for s, r in zip(splits[name], rows, strict=True)]


def some(
    pairs: list[tuple[Sample, str]], most: int, rng: np.random.Generator
) -> list[tuple[Sample, str]]:
    """At most so many pictures of each class, drawn at random and kept in order."""
    found = []
    for label in sorted({sample.label for sample, _ in pairs}):
        own = [pair for pair in pairs if pair[0].label == label]
        found += [own[i] for i in sorted(rng.permutation(len(own))[:most])]
    return found


def deal(root: Path) -> Sources:
    """Reads the pictures and holds whole sources out, always the same ones."""
    splits = data.find(root)
    rng = np.random.default_rng(0)
    trainable = origins(splits, "train")
    names = sorted({name for _, name in trainable})
    held = set()
    for label in range(len(splits.classes)):
        own = [name for name in names if name.startswith(f"{label}/")]
        held |= set(rng.permutation(own)[: len(own) // HELD_OUT].tolist())

    def asked(pairs: list[tuple[Sample, str]]) -> PictureSet:
        chosen = [sample for sample, _ in some(pairs, PER_CLASS, rng)]
        return PictureSet(chosen, centre_view(ASKED, REFERENCE.preprocessing))

    print("held out:", ", ".join(sorted(held)))
    names_of = {sample.path: name for sample, name in trainable if name not in held}
    train = PictureSet([s for s, _ in trainable if s.path in names_of], lambda image: image)
    return Sources(
        train=train,
        known=asked([pair for pair in origins(splits, "val") if pair[1] not in held]),
        unknown=asked([pair for pair in trainable if pair[1] in held]),
        origins=[names_of[sample.path] for sample in train.samples],
        ai_index=splits.classes.index(data.ai_class(splits.classes)),
        fingerprint=data.fingerprint(train.samples, splits.root),
    )


class Views(Dataset):
    """Training views of a design."""

    def __init__(self, sources: Sources, design: Design) -> None:
        recipe = design.recipe
        self.sources, self.design, self.size = sources, design, recipe.crop_sizes[0]
        self.view = training_view(self.size, recipe.preprocessing, recipe.strength)
        labels = sources.train.labels
        self.real = [i for i, label in enumerate(labels) if label != sources.ai_index]
        self.renderers = renderers(sources, self.real) if design.pseudo_fakes else []

    def __len__(self) -> int:
        return len(self.sources.train)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        design, pictures = self.design, self.sources.train
        label = pictures.samples[index].label
        if label == self.sources.ai_index and torch.rand(()) < design.pseudo_fakes:
            image = self.rendered()
        else:
            image = pictures.image(index)
        if torch.rand(()) < design.resized:
            image = image.resize((self.size, self.size), Image.Resampling.BICUBIC)
        pixels = self.view(image)
        if design.masked:
            _, height, width = pixels.shape
            kept = torch.rand(-(-height // 16), -(-width // 16)) >= design.masked
            kept = kept.repeat_interleave(16, 0).repeat_interleave(16, 1)
            pixels = pixels * kept[:height, :width]
        return pixels, label

    def rendered(self) -> Image.Image:
        """A part of a real picture as an autoencoder repeats it, saved like all pictures."""
        chosen = self.real[int(torch.randint(len(self.real), ()))]
        part = crops(self.sources, [chosen], 2 * ASKED)
        render = self.renderers[int(torch.randint(len(self.renderers), ()))]
        return reencode(render(part[0]), "JPEG", int(torch.randint(72, 97, ())))


def crops(sources: Sources, chosen: list[int], side: int) -> Tensor:
    """Random parts of training pictures, [N, 3, side, side] in [-1, 1]."""
    parts = []
    for i in chosen:
        pixels = torch.from_numpy(np.array(sources.train.image(i))).permute(2, 0, 1)
        y = int(torch.randint(pixels.shape[1] - side + 1, ()))
        x = int(torch.randint(pixels.shape[2] - side + 1, ()))
        parts.append(pixels[:, y : y + side, x : x + side] / 127.5 - 1)
    return torch.stack(parts)


def renderers(sources: Sources, real: list[int], steps: int = 250) -> list[Callable]:
    """Autoencoders of differing width and up-sampling that repeat real pictures.

    Returns:
        Functions from a picture [3, H, W] in [-1, 1] to an image.
    """
    # Needs scikit-image, as the script that made the examples.
    from make import autoencoder, render

    found = []
    for number in range(RENDERERS):
        model = autoencoder(width=16 + 8 * (number % 3))
        for i, layer in enumerate(model):
            if isinstance(layer, nn.Upsample) and number % 2:
                model[i] = nn.Upsample(scale_factor=2, mode="bilinear")
        optimizer = torch.optim.Adam(model.parameters(), 3e-3)
        for _ in range(steps):
            chosen = [real[int(torch.randint(len(real), ()))] for _ in range(8)]
            batch = crops(sources, chosen, ASKED)
            loss = nn.functional.l1_loss(model(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found.append(partial(render, model.eval()))
    return found


# --- networks -----------------------------------------------------------------------------


class WithResidual(nn.Module):
    """A network that receives what a picture loses when it is halved and enlarged again."""

    def __init__(self, network: nn.Module, place: str) -> None:
        super().__init__()
        self.network, self.place = network, place
        if place == "beside":
            old = network.conv1
            network.conv1 = nn.Conv2d(6, old.out_channels, 7, 2, 3, bias=False)
            with torch.no_grad():  # each half as the reference starts
                network.conv1.weight.copy_(old.weight.repeat(1, 2, 1, 1) / 2)

    def forward(self, pixels: Tensor) -> Tensor:
        small = nn.functional.interpolate(pixels, scale_factor=0.5, mode="nearest")
        lost = pixels - nn.functional.interpolate(small, size=pixels.shape[2:], mode="nearest")
        return self.network(torch.cat([pixels, lost], 1) if self.place == "beside" else lost)


def network(design: Design) -> nn.Module:
    """An untrained network."""
    model = training.starting_model(replace(design.recipe, weights="none"), 2)
    if design.full_resolution:
        model.conv1.stride, model.maxpool.stride = (1, 1), 1
    return WithResidual(model, design.residual) if design.residual else model


# --- runs ---------------------------------------------------------------------------------


def order(sources: Sources, recipe: Recipe, design: Design):
    """In which order, and how often, a design sees the training pictures."""
    if not design.sources_alike:
        return EpochSampler(sources.train.labels, recipe.seed, recipe.balanced)
    counts = Counter(sources.origins)
    kinds = Counter(name.split("/")[0] for name in counts)
    weights = [1 / counts[name] / kinds[name.split("/")[0]] for name in sources.origins]
    return WeightedRandomSampler(weights, len(weights))


def train(design: Design, sources: Sources, seconds: float) -> tuple[nn.Module, int]:
    """Trains until the time is over; returns the network and how many crops it saw."""
    recipe = design.recipe
    training.set_seed(recipe.seed)
    model = network(design).to(memory_format=torch.channels_last)
    views = Views(sources, design)
    sampler = order(sources, recipe, design)
    loader = DataLoader(views, recipe.batch_size, sampler=sampler, drop_last=True)
    accelerator = training.make_accelerator(recipe.precision)
    run = training.new_run(recipe, model, model, 1)
    seen, seconds, started = 0, seconds * design.longer, time.monotonic()

    def share() -> float:
        return (time.monotonic() - started) / seconds

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal seen
        for epoch in range(10**6):
            if isinstance(sampler, EpochSampler):
                sampler.set_epoch(epoch)
            for pixels, labels in loader:
                if share() >= 1:
                    return
                seen += len(labels)
                yield pixels.contiguous(memory_format=torch.channels_last), labels

    def after_batch() -> None:
        for group in run.optimizer.param_groups:
            group["lr"] = recipe.lr * training.rate(recipe, int(share() * 1000), 1000)
        if run.average is not None and seen // recipe.batch_size % training.AVERAGE_EVERY == 0:
            run.average.update_parameters(model)

    after_batch()
    loss_fn = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    model.train()
    training.train_step(model, batches(), loss_fn, run.optimizer, accelerator, after_batch)
    return (run.average.module if run.average is not None else model).eval(), seen


def questions(design: Design) -> list[Callable]:
    """The views of a picture that a design is asked about: of the kinds it learned from."""
    size, shape = design.recipe.crop_sizes[0], design.recipe.preprocessing
    small = centre_view(size, shape)
    whole = lambda image: small(image.resize((size, size), Image.Resampling.BICUBIC))  # noqa: E731
    kinds = {centre_view(ASKED, shape): design.resized < 1, whole: design.resized > 0}
    return [view for view, learned in kinds.items() if learned]


@torch.inference_mode()
def ask(
    model: nn.Module, pictures: PictureSet, views: list[Callable], ai_index: int
) -> tuple[np.ndarray, np.ndarray]:
    """The AI class's lead in logits, mean of the views, and which are AI-made, each [N]."""
    leads = []
    for pictures.transform in views:
        logits = [
            model(pixels.contiguous(memory_format=torch.channels_last))
            for pixels, _ in DataLoader(pictures, 50)
        ]
        leads.append(2 * torch.cat(logits)[:, ai_index] - torch.cat(logits).sum(dim=1))
    return torch.stack(leads).mean(dim=0).numpy(), np.array(pictures.labels) == ai_index


def terms(name: str, sources: Sources, seconds: float) -> str:
    """What a finished run must have been made with to stand in the same table."""
    return json.dumps([asdict(DESIGNS[name]), seconds, sources.fingerprint])


def finished(path: Path, wanted: str) -> bool:
    """Whether a run is there already.

    Raises:
        RealityCheckError: it is, but made with other choices.
    """
    if not path.is_file():
        return False
    if str(np.load(path)["terms"]) != wanted:
        raise RealityCheckError(f"{path} was made with other choices: delete it or pass --output.")
    return True


def perform(design: Design, sources: Sources, seconds: float, made_with: str, path: Path) -> None:
    """Trains and asks; keeps the answers and what they were made with."""
    found = {"terms": made_with}
    model, found["crops"] = train(design, sources, seconds)
    for kind in ("known", "unknown"):
        pictures = getattr(sources, kind)
        leads, is_ai = ask(model, pictures, questions(design), sources.ai_index)
        found |= {kind: leads, f"{kind} is_ai": is_ai}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **found)


# --- the table ----------------------------------------------------------------------------


def report(output: Path) -> None:
    """Prints a row per finished run."""
    runs = {name: np.load(path) for name in DESIGNS if (path := output / f"{name}.npz").is_file()}
    if "reference" not in runs:
        print("The reference has not been run yet: nothing to compare with.")
        return
    first, lines = runs["reference"], []
    for name, run in runs.items():
        cells = [name, f"{int(run['crops']):,}"]
        for kind in ("known", "unknown"):
            is_ai = run[f"{kind} is_ai"]
            cells.append(percent(interval(auc, run[kind], is_ai)))
            cells.append(gain(run[kind], first[kind], is_ai))
        lines.append(cells)
    compared = "against reference"
    heads = ("run", "crops seen", "AUC, known sources", compared, "AUC, held out", compared)
    print("", *table(heads, lines), sep="\n")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("data", metavar="DATA", type=Path, help="folder with a manifest.csv")
    p.add_argument("--output", type=Path, default=Path("Models/search"))
    p.add_argument("--seconds", type=float, default=240, help="of training, per run (240)")
    p.add_argument("--only", nargs="+", metavar="NAME", choices=list(DESIGNS), help="some of them")
    args = p.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # so that two processes on two cores do not disturb each other
    sources = deal(args.data)
    for name in args.only or DESIGNS:
        path, made_with = args.output / f"{name}.npz", terms(name, sources, args.seconds)
        if not finished(path, made_with):
            print(f"{name} ...", flush=True)
            perform(DESIGNS[name], sources, args.seconds, made_with, path)
    report(args.output)


if __name__ == "__main__":
    sys.exit(exit_status(main))

"""Attacks: pictures changed by at most two levels of 255 so that the answer becomes wrong.

Projected gradient descent (Madry et al. 2018, arXiv 1706.06083) within L-infinity, ten steps of a
quarter of the distance from a random start, by somebody who holds the weights. What is followed is
the gradient of a picture's lead, through a differentiable copy of the views. The changed pictures
are then rounded to 8 bits, saved as files, and asked about as any others.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from realitycheck.committee.committee import Look, Member, look
from realitycheck.committee.stack import picture_leads
from realitycheck.committee.views import Preprocessing, View, view_shares
from realitycheck.config import Config
from realitycheck.data.left_out import LeftOut, warn_left_out
from realitycheck.data.samples import Sample
from realitycheck.engines.processor import half_precision
from realitycheck.evaluation import metrics
from realitycheck.evaluation.score import Outputs, is_ai, run_committee
from realitycheck.images import borders
from realitycheck.images.perturbations import scale
from realitycheck.results import AttackMetrics, Interval, SetMetrics

EPSILON = 2 / 255
STEPS, STEP = 10, EPSILON / 4
SHORT = 640  # px, at most, of a picture's short side: larger ones are made smaller first
COMMITTEE = "committee"
CONDITIONS = {"attacked": "clean", "attacked-jpeg90": "q90"}  # to how the changed files are read

Lead = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Judge:
    """Whom an attack aims at, and who is asked: one member alone, or the committee.

    Attributes:
        name: of the member; "committee" of several.
        columns: positions of its members in the committee.
        config: of a committee of these alone; one member of several answers with the weight of all,
            as if the others said the same.
    """

    name: str
    columns: tuple[int, ...]
    config: Config

    def lead(self, leads: Tensor) -> Tensor:
        """The weighted sum [...] of the leads [..., M] of its members."""
        return leads @ leads.new_tensor(self.config.stack.weights) + self.config.stack.bias

    def said(self, outputs: Outputs) -> Outputs:
        """What its members said, of what the whole committee did."""
        logits, shares = (
            [tuple(said[column] for column in self.columns) for said in part]
            for part in (outputs.logits, outputs.shares)
        )
        return replace(outputs, logits=logits, shares=shares)

    def leads(self, outputs: Outputs) -> metrics.Floats:
        """Its lead on each of N pictures, [N]."""
        leads = self.said(outputs).leads(self.config.ai_index)
        return np.asarray(self.lead(torch.from_numpy(leads)).numpy())


def judges_of(config: Config) -> list[Judge]:
    """Every member alone, then the committee; of a committee of one, that member."""
    every = tuple(range(len(config.members)))
    if len(every) == 1:
        return [Judge(config.members[0].name, every, config)]
    alone = [
        Judge(member.name, (column,), config.alone(column))
        for column, member in enumerate(config.members)
    ]
    return [*alone, Judge(COMMITTEE, every, config)]


def measure(
    members: Sequence[Member],
    config: Config,
    samples: list[Sample],
    sources: list[str],
    most: int,
    workers: int = 1,
    seed: int = 0,
) -> list[AttackMetrics]:
    """Attacks every witness on held-out pictures, and asks all of them about the results.

    Args:
        members: of the committee, whole, without engines: gradients go through their modules.
        config: of its checkpoint.
        samples: held-out pictures of both classes.
        sources: a name per picture: its generator or its real source.
        most: pictures to use, half of each class, spread over the sources.
        workers: loader processes.
        seed: of the draw and of the random starts.

    Raises:
        DataError: the pictures that can be used are all of one class.
    """
    with TemporaryDirectory() as folder:
        before = _bounded(balanced(samples, sources, config.ai_index, most, seed), Path(folder))
        plain = run_committee(members, config, before, workers=workers)
        judges = judges_of(config)
        found = [AttackMetrics("", "clean", j.name, _metrics(j, plain)) for j in judges]
        for target in judges:
            place = Path(folder) / str(target.columns)
            changed, seen = _attack_all(target, members, plain.samples, place, seed)
            for condition, read_as in CONDITIONS.items():
                after = run_committee(members, config, changed, read_as, workers=workers)
                for judge in judges:
                    row = AttackMetrics(target.name, condition, judge.name, _metrics(judge, after))
                    found.append(replace(row, pushed=_pushed(judge, plain, after)))
                    if judge is target and read_as == "clean":
                        apart = metrics.mean_ci(np.abs(judge.leads(after) - seen))
                        found[-1] = replace(found[-1], disagreement=apart)
    return found


def balanced(
    samples: list[Sample], sources: list[str], ai_index: int, most: int, seed: int = 0
) -> list[Sample]:
    """Up to `most` pictures, half of each class, one of each source in turn.

    Args:
        samples: of a set.
        sources: a name for each.
        ai_index: label of the AI class.
        most: pictures.
        seed: of the draw.
    """
    rng = random.Random(seed)
    chosen: list[Sample] = []
    for side in (True, False):
        by_source: dict[str, list[Sample]] = {}
        for sample, source in zip(samples, sources, strict=True):
            if (sample.label == ai_index) == side:
                by_source.setdefault(source, []).append(sample)
        queues = [rng.sample(found, len(found)) for _, found in sorted(by_source.items())]
        rng.shuffle(queues)
        longest = max(map(len, queues), default=0)
        turns = [q[turn] for turn in range(longest) for q in queues if turn < len(q)]
        chosen += turns[: most // 2]
    return chosen


def _bounded(samples: list[Sample], folder: Path) -> list[Sample]:
    """Copies of pictures without loss, at most `SHORT` px on their short side."""
    kept, left_out = [], []
    for position, sample in enumerate(samples):
        picture = sample.read()
        if isinstance(picture, LeftOut):
            left_out.append(picture)
            continue
        image = picture.image
        factor = SHORT / min(image.size)
        copy = scale(image, factor, Image.Resampling.LANCZOS) if factor < 1 else image
        kept.append(replace(sample, path=folder / f"{position:05}.png"))
        copy.save(kept[-1].path)
    warn_left_out(left_out, len(samples))
    return kept


def _attack_all(
    target: Judge, members: Sequence[Member], samples: list[Sample], folder: Path, seed: int
) -> tuple[list[Sample], metrics.Floats]:
    """Attacked copies of N pictures, and the lead that the attack saw for each at its end, [N]."""
    folder.mkdir()
    generator = torch.Generator().manual_seed(seed)
    changed, seen = [], []
    for sample in tqdm(samples, desc=f"attack on {target.name}", leave=False, disable=None):
        with Image.open(sample.path) as image:
            lead = _lead_of(target, members, image)
            is_ai = sample.label == target.config.ai_index
            attacked = attack(image, lead, generator, upwards=not is_ai)
        with torch.no_grad():
            seen.append(lead(_to_tensor(attacked)).item())
        changed.append(replace(sample, path=folder / sample.path.name))
        attacked.save(changed[-1].path)
    return changed, np.array(seen)


def attack(
    image: Image.Image, lead: Lead, generator: torch.Generator, *, upwards: bool
) -> Image.Image:
    """A picture whose lead was pushed up or down, within `EPSILON` of every value.

    Args:
        image: RGB picture.
        lead: differentiable, of pixels [3, H, W] in [0, 1].
        generator: of the random start.
        upwards: push towards the AI class.
    """
    original = _to_tensor(image)
    low, high = (original - EPSILON).clamp(min=0), (original + EPSILON).clamp(max=1)
    start = torch.rand(original.shape, generator=generator)
    changed = torch.lerp(low, high, start)
    for _ in range(STEPS):
        changed.requires_grad_()
        (gradient,) = torch.autograd.grad(lead(changed), changed)
        step = STEP * gradient.sign()
        changed = (changed.detach() + (step if upwards else -step)).clamp(low, high)
    levels = (changed * 255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).numpy())


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)


def _lead_of(target: Judge, members: Sequence[Member], image: Image.Image) -> Lead:
    """The target's lead on a picture as a differentiable function of its pixels [3, H, W]."""
    within = borders.inside(image)
    views: Look = look(image, target.config.preprocessings)
    shares = [view_shares(parts) for parts in views]
    asked = [members[column] for column in target.columns]

    def lead(pixels: Tensor) -> Tensor:
        logits = []
        for member, parts in zip(asked, views, strict=True):
            device = next(member.network.parameters()).device
            batch = soft_views(pixels.to(device), parts, within, member.preprocessing)
            # In the numbers in which the pipeline would answer: twice as fast where that is half.
            half = member.half and half_precision()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                said, _ = member.read(member.backbone(batch))
            logits.append(said.float().cpu())
        return target.lead(picture_leads(logits, target.config.ai_index, shares))

    return lead


def soft_views(
    pixels: Tensor, views: list[View], within: borders.Box, preprocessing: Preprocessing
) -> Tensor:
    """The views of a picture as a differentiable function of its pixels.

    The same places, by PyTorch's bicubic filter with antialiasing in place of Pillow's, which
    rounds to 8 bits.

    Args:
        pixels: [3, H, W] in [0, 1].
        views: of `evaluation_views`, which say the places.
        within: the part of the picture within bars and frames.
        preprocessing: of the network.

    Returns:
        A normalised batch [V, 3, S, S].
    """
    left, top, right, bottom = within
    inner, size = pixels[:, top:bottom, left:right], preprocessing.size
    copies = {inner.shape[1:]: inner}
    cut = []
    for view in views:
        x0, y0, x1, y1 = view.box
        down, across = (y1 - y0) / size, (x1 - x0) / size  # pixels of the picture per pixel
        shape = torch.Size([round((bottom - top) / down), round((right - left) / across)])
        if shape not in copies:
            copies[shape] = _resized(inner, shape)
        rows = _mirrored(round((y0 - top) / down), size, shape[0], pixels.device)
        columns = _mirrored(round((x0 - left) / across), size, shape[1], pixels.device)
        cut.append(copies[shape].index_select(1, rows).index_select(2, columns))
    mean, std = (
        pixels.new_tensor(v).view(3, 1, 1) for v in (preprocessing.mean, preprocessing.std)
    )
    return (torch.stack(cut) - mean) / std


def _resized(pixels: Tensor, shape: torch.Size) -> Tensor:
    wanted = [max(1, side) for side in shape]
    resized = torch.nn.functional.interpolate(pixels[None], wanted, mode="bicubic", antialias=True)
    return resized[0].clamp(0, 1)  # bicubic filters overshoot


def _mirrored(start: int, size: int, length: int, device: torch.device) -> Tensor:
    """Places of a line of `length` pixels, from `start` on, mirrored where it ends."""
    places = torch.arange(start, start + size, device=device) % (2 * length)
    return torch.minimum(places, 2 * length - 1 - places)


def _metrics(judge: Judge, outputs: Outputs) -> SetMetrics:
    mine, samples = judge.said(outputs), outputs.samples
    p_ai, truth = mine.p_ai(judge.config), is_ai(samples, judge.config)
    verdicts = mine.verdicts(judge.config)
    return metrics.summarise(p_ai, truth, verdicts, [""] * len(samples)).without_groups()


def _pushed(judge: Judge, before: Outputs, after: Outputs) -> Interval:
    """How far the pictures' leads went to the wrong side, mean."""
    wrong = np.where(is_ai(before.samples, judge.config), -1.0, 1.0)
    return metrics.mean_ci(wrong * (judge.leads(after) - judge.leads(before)))

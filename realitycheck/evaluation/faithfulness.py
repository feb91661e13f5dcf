"""Whether a map points at what moved the score: two tests of Grad-CAM, beside random maps.

*Deletion*: blur the regions that a map ranks first, then those that it ranks last, and see how
much lower the score is in the first case (Petsiuk et al. 2018, arXiv 1806.07421, in the form with
both orders of Rong et al. 2022, arXiv 2202.00449; the grad-cam package's implementation, whose
own way of filling regions takes a second or more for each copy of a picture). *Pasting*: set a
patch of an AI picture into a photograph and see how much of the map lies on it.
"""

import random
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from PIL import Image
from pytorch_grad_cam.metrics.perturbation_confidence import (
    PerturbationConfidenceMetric,
    RemoveLeastRelevantFirst,
    RemoveMostRelevantFirst,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from torch import Tensor, nn
from tqdm.auto import tqdm

from realitycheck.committee.committee import Member
from realitycheck.committee.gradcam import FloatArray, class_maps, to_unit
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.config import Config
from realitycheck.data.left_out import LeftOut, none_left, warn_left_out
from realitycheck.data.samples import Sample
from realitycheck.evaluation.metrics import mean_ci
from realitycheck.results import Groups

PICTURES = 200
KEPT = (20, 50, 80)  # percent of a view's pixels that deletion keeps
BLUR = 8.0  # px, deviation: more than any trace of a generator is wide
PATCH = 0.5  # of a view's side: a quarter of its area


def measure(
    member: Member, config: Config, samples: list[Sample], most: int = PICTURES, seed: int = 0
) -> Groups:
    """Tests the maps of a member on the first view of held-out pictures.

    Args:
        member: of a committee, on the CPU.
        config: of its checkpoint.
        samples: held-out pictures of both classes.
        most: pictures to use, half of each class, drawn at random.
        seed: of the draw, the places of the patches and the random maps.

    Returns:
        Name of a figure to its mean over the pictures, with a 95 % bootstrap interval.
        "deletion" and "deletion_random" are differences of
        the score of the more probable class, in [-1, 1]; above 0 a map is better than none.
        "patch", "patch_random" and "patch_before" are shares in [0, 1] of the AI class's map
        that lie on the patch, of a random map, and of the map at the same place before
        anything was pasted. A map that looks nowhere in particular has 0.25.

    Raises:
        DataError: a class has fewer than two pictures that can be used.
    """
    rng = random.Random(seed)
    noise = np.random.default_rng(seed)
    ai, real = _views(member, config, samples, most // 2, rng)
    found: dict[str, list[float]] = {}
    for view in tqdm([*ai, *real], desc="deletion", leave=False, disable=None):
        for name, score in _deletion(member, view, noise).items():
            found.setdefault(name, []).append(score)
    for photograph, source in tqdm(
        list(zip(real, ai, strict=False)), desc="pasting", leave=False, disable=None
    ):
        for name, share in _paste(member, config.ai_index, photograph, source, rng, noise).items():
            found.setdefault(name, []).append(share)
    return {name: mean_ci(np.array(values)) for name, values in found.items()}


def _views(
    member: Member, config: Config, samples: list[Sample], most: int, rng: random.Random
) -> list[list[Image.Image]]:
    """The first view of up to `most` pictures, of the AI class and of the others."""
    order = rng.sample(samples, len(samples))
    sides: list[list[Image.Image]] = [[], []]
    left_out: list[LeftOut] = []
    for sample in order:
        side = sides[sample.label != config.ai_index]
        if len(side) == most:
            continue
        picture = sample.read()
        if isinstance(picture, LeftOut):
            left_out.append(picture)
            continue
        side.append(evaluation_views(picture.image, member.preprocessing)[0].pixels)
    warn_left_out(left_out, len(samples))
    if min(map(len, sides)) < 2:
        what = "Testing the maps needs two pictures or more of each class"
        raise none_left(what, left_out, len(samples))
    return sides


def _map(
    member: Member, view: Image.Image, class_index: int | None = None
) -> tuple[FloatArray, int]:
    """A view's map [S, S] in [0, 1], of a class or of the most probable one, and that class."""
    with torch.inference_mode():
        seen = member.backbone(to_batch([view], member.preprocessing))
    if class_index is None:
        class_index = int(member.read(seen)[0].argmax())
    return to_unit(class_maps(member, seen, [class_index])[0, 0], view.size), class_index


def _random_map(like: Image.Image, noise: np.random.Generator) -> FloatArray:
    """Noise as coarse as the last features of the usual networks (a 32nd of the side)."""
    cells = max(2, round(like.width / 32))
    return to_unit(noise.random((cells, cells), dtype=np.float32), like.size)


def _blurred(pixels: Tensor, kept: Tensor) -> Tensor:
    # OpenCV blurs rows, then columns; torchvision both at once, which is far slower.
    blurred = cv2.GaussianBlur(pixels.permute(1, 2, 0).numpy(), (0, 0), BLUR)
    return torch.where(kept > 0.5, pixels, torch.from_numpy(blurred).permute(2, 0, 1))


def _deletion(member: Member, view: Image.Image, noise: np.random.Generator) -> dict[str, float]:
    heatmap, class_index = _map(member, view)
    batch = to_batch([view, view], member.preprocessing)
    both = np.stack([heatmap, _random_map(view, noise)])
    targets = [ClassifierOutputSoftmaxTarget(class_index)] * 2
    network = nn.Sequential(member.backbone, member.head)

    def score(order: type) -> FloatArray:
        metrics = [PerturbationConfidenceMetric(order(kept, _blurred)) for kept in KEPT]
        scores = [m(batch, both, targets, network, return_diff=False) for m in metrics]
        return np.asarray(np.mean(scores, axis=0), np.float32)

    of_map, of_random = score(RemoveLeastRelevantFirst) - score(RemoveMostRelevantFirst)
    return {"deletion": float(of_map), "deletion_random": float(of_random)}


def _paste(
    member: Member,
    ai_index: int,
    photograph: Image.Image,
    source: Image.Image,
    rng: random.Random,
    noise: np.random.Generator,
) -> dict[str, float]:
    side = round(PATCH * photograph.width)
    x, y, from_x, from_y = (rng.randint(0, photograph.width - side) for _ in range(4))
    pasted = photograph.copy()
    pasted.paste(source.crop((from_x, from_y, from_x + side, from_y + side)), (x, y))
    inside = np.s_[y : y + side, x : x + side]
    before, _ = _map(member, photograph, ai_index)
    after, _ = _map(member, pasted, ai_index)
    return {
        "patch": _share(after, inside),
        "patch_before": _share(before, inside),
        "patch_random": _share(_random_map(pasted, noise), inside),
    }


def _share(heatmap: FloatArray, inside: tuple[slice, slice]) -> float:
    total = float(heatmap.sum())
    # An empty map prefers no place.
    return float(heatmap[inside].sum()) / total if total else heatmap[inside].size / heatmap.size


def lines(name: str, found: Groups) -> Iterator[str]:
    """The printed report of one set."""
    yield f"\n{name}, maps: mean of {found['deletion'].count} pictures, 95 % interval"
    for label, key in (
        ("deletion", "deletion"),
        ("deletion, random map", "deletion_random"),
        ("share of the map on a pasted AI patch", "patch"),
        ("the same place before", "patch_before"),
        ("share of a random map", "patch_random"),
    ):
        figure = found[key]
        values = f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
        yield f"  {label:40}{values}"

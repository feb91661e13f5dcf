"""Distillation: what another checkpoint says of the training pictures, as labels to learn from."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm.auto import tqdm

from realitycheck import checkpoints
from realitycheck.checkpoints import Checkpoint
from realitycheck.committee import stack
from realitycheck.committee.committee import look, score
from realitycheck.data.left_out import LeftOut
from realitycheck.data.samples import Sample
from realitycheck.errors import CheckpointError, PictureError
from realitycheck.files import atomic_write
from realitycheck.training.recipe import Recipe

log = logging.getLogger(__name__)

FILE = "teacher.safetensors"
BATCH = 16  # pictures


def soft_labels(
    recipe: Recipe, samples: Sequence[Sample], classes: Sequence[str], output: Path
) -> Tensor:
    """Labels that lie between what a picture is and what the teacher says of it.

    As in Hinton et al. 2015 (arXiv 1503.02531), at a temperature of 1: the teacher's probabilities
    are calibrated.

    Args:
        recipe: names the teacher, and how much it counts.
        samples: the training pictures.
        classes: in the order of the labels.
        output: folder that keeps what the teacher said, for a run that is resumed.

    Returns:
        A probability for each class, [N, classes].

    Raises:
        CheckpointError: there is no such teacher, or it tells other classes apart.
        PictureError: a picture can no longer be read.
    """
    teacher = checkpoints.load(recipe.teacher)
    if sorted(teacher.config.classes) != sorted(classes):
        raise CheckpointError(
            f"The teacher {recipe.teacher} tells {', '.join(teacher.config.classes)} apart, not "
            f"{', '.join(classes)}. Pass another --teacher, or none."
        )
    said = _said(teacher, samples, classes, output / FILE)
    hard = torch.eye(len(classes))[[sample.label for sample in samples]]
    return torch.lerp(hard, said, recipe.teacher_share)


def _said(
    teacher: Checkpoint, samples: Sequence[Sample], classes: Sequence[str], file: Path
) -> Tensor:
    """What a teacher says of pictures [N, classes], from its file where that is there already."""
    mark = _mark(teacher, samples, classes)
    if file.is_file():
        try:
            kept = load_file(file)
            if mark in kept:
                return kept[mark]
        except (SafetensorError, OSError):
            log.warning("%s is damaged: the teacher is asked anew.", file)
    said = torch.tensor(list(_answers(teacher, samples, classes)))
    with atomic_write(file) as temporary:
        save_file({mark: said}, temporary)
    return said


def _mark(teacher: Checkpoint, samples: Sequence[Sample], classes: Sequence[str]) -> str:
    files = [(sample.path.name, sample.path.stat().st_size) for sample in samples]
    text = json.dumps([teacher.sha256, list(classes), files])
    return hashlib.sha256(text.encode()).hexdigest()


def _answers(
    teacher: Checkpoint, samples: Sequence[Sample], classes: Sequence[str]
) -> Iterator[list[float]]:
    config, members = teacher.config, teacher.members
    preprocessings = [member.preprocessing for member in members]
    with tqdm(total=len(samples), desc="teacher", leave=False, disable=None) as progress:
        for start in range(0, len(samples), BATCH):
            batch = samples[start : start + BATCH]
            looks = [look(_image(sample), preprocessings) for sample in batch]
            for scored in score(members, looks):
                judged = stack.judge(config.stack, scored.logits, config.ai_index, scored.shares)
                shares = stack.probabilities(
                    judged.p_ai, scored.logits, config.classes, config.ai_index, scored.shares
                )
                yield [shares[name] for name in classes]
            progress.update(len(batch))


def _image(sample: Sample) -> Image.Image:
    picture = sample.read()
    if isinstance(picture, LeftOut):
        raise PictureError(f"{picture.path} can no longer be read: {picture.why}")
    return picture.image

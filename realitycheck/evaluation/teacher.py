"""Distillation: what another checkpoint says of the training pictures, to be learned from.

As in Hinton et al. 2015 (arXiv 1503.02531) at a temperature of 1: the teacher's probabilities are
calibrated. Each picture is asked about once, whole and as it is.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from realitycheck import checkpoints
from realitycheck.checkpoints import Found
from realitycheck.committee import stack
from realitycheck.committee.committee import Member
from realitycheck.data.samples import Sample, Splits
from realitycheck.engines.choice import with_pytorch
from realitycheck.errors import CheckpointError
from realitycheck.evaluation.score import run_committee
from realitycheck.files import atomic_write
from realitycheck.training.distillation import Taught
from realitycheck.training.recipe import Recipe

log = logging.getLogger(__name__)

Tensors = dict[str, torch.Tensor]

FOLDER = "teacher"
PART = 512  # pictures whose answers are kept together
BUNDLED = "bundled"  # its name on the command line


def find(recipe: Recipe, classes: Sequence[str]) -> Found:
    """The teacher that a recipe names, before it is loaded.

    Args:
        recipe: with a teacher.
        classes: that it must tell apart.

    Raises:
        CheckpointError: there is no such checkpoint, or it tells other classes apart.
        HubError: the Hub refused or cannot be reached.
    """
    found = checkpoints.find(checkpoints.BUNDLE if recipe.teacher == BUNDLED else recipe.teacher)
    known = found.checkpoint.config.classes
    if sorted(known) != sorted(classes):
        raise CheckpointError(
            f"The teacher {recipe.teacher} tells {', '.join(known)} apart, not "
            f"{', '.join(classes)}. Pass another --teacher, or none."
        )
    return found


def ask(
    recipe: Recipe, splits: Splits, output: Path, accelerator: Accelerator, workers: int = 1
) -> Taught | None:
    """Asks the teacher about all training pictures, those of a part in each process in turn.

    Args:
        recipe: names it; without one, nothing is asked.
        splits: with "train".
        output: folder that keeps the answers, for a run that is begun again or resumed.
        accelerator: whose processes share the work.
        workers: loader processes of each.

    Raises:
        CheckpointError: as `find`; or what it says is no number.
        DataError: pictures of a class cannot be used.
        RealityCheckError: a loader's process was lost.
    """
    if not recipe.teacher:
        return None
    found = find(recipe, splits.classes)
    asked = _Asked(found, splits.classes, output / FOLDER, workers)
    own: dict[str, list[float]] = {}
    for number, part in enumerate(_parts(splits["train"], accelerator.num_processes)):
        if number % accelerator.num_processes == accelerator.process_index:
            own |= asked.about(part)
    everyone = gather_object([own]) if accelerator.num_processes > 1 else [own]
    said = {Path(path): tuple(shares) for part in everyone for path, shares in part.items()}
    return Taught(found.checkpoint.sha256, said)


def _parts(samples: list[Sample], processes: int) -> list[list[Sample]]:
    """Pictures in parts that hold some of every class, at least one for each process."""
    rarest = min(Counter(sample.label for sample in samples).values())
    count = max(processes, min(-(-len(samples) // PART), rarest // 2))
    by_class = sorted(samples, key=lambda sample: (sample.label, sample.path))
    return [by_class[start::count] for start in range(count)]


class _Asked:
    """A teacher that is loaded when it is asked for the first time."""

    def __init__(self, found: Found, classes: Sequence[str], folder: Path, workers: int) -> None:
        self.found, self.classes = found, tuple(classes)
        self.folder, self.workers = folder, workers

    @cached_property
    def members(self) -> list[Member]:
        """Its networks, on the GPU where there is one."""
        return [with_pytorch(member) for member in self.found.load().members]

    def about(self, samples: list[Sample]) -> dict[str, list[float]]:
        """Path to a probability for each class, of the pictures that can be read."""
        file = self.folder / f"{self._mark(samples)}.safetensors"
        kept = _kept(file)
        if kept is None:
            kept = self._answers(samples)
            with atomic_write(file) as temporary:
                save_file(kept, temporary)
        rows = zip(kept["picture"].tolist(), kept["said"].tolist(), strict=True)
        return {str(samples[place].path): shares for place, shares in rows}

    def _mark(self, samples: list[Sample]) -> str:
        files = [(sample.path.name, sample.path.stat().st_size) for sample in samples]
        text = repr((self.found.checkpoint.sha256, self.classes, files))
        return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]

    def _answers(self, samples: list[Sample]) -> Tensors:
        config = self.found.checkpoint.config
        outputs = run_committee(self.members, config, samples, workers=self.workers)
        places = {sample.path: place for place, sample in enumerate(samples)}
        said = []
        rows = zip(outputs.p_ai(config).tolist(), outputs.logits, outputs.shares, strict=True)
        for p_ai, logits, shares in rows:
            found = stack.probabilities(p_ai, logits, config.classes, config.ai_index, shares)
            said.append([found[name] for name in self.classes])
        return {
            "picture": torch.tensor([places[sample.path] for sample in outputs.samples]),
            "said": torch.tensor(said),
        }


def _kept(file: Path) -> Tensors | None:
    """What an earlier run left; None where that is nothing, or damaged."""
    if not file.is_file():
        return None
    try:
        kept = load_file(file)
        if len(kept["picture"]) == len(kept["said"]):
            return kept
    except (SafetensorError, OSError, KeyError):
        pass
    log.warning("%s is damaged: the teacher is asked about its pictures anew.", file)
    return None

"""Every choice of a training run."""

import math
from dataclasses import dataclass, replace

from realitycheck.committee import cnn
from realitycheck.committee.cnn import architecture
from realitycheck.committee.views import Preprocessing
from realitycheck.errors import RealityCheckError
from realitycheck.images import MIN_SIDE

MAX_LR = 1000  # far beyond any use, and within what an optimizer can compute with


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training run.

    Attributes:
        name: a key of `RECIPES`.
        arch: a key of `cnn.ARCHITECTURES`.
        weights: "imagenet" (torchvision's DEFAULT), a torchvision name such as
            "ResNet50_Weights.IMAGENET1K_V2", "none", a weights file or a checkpoint directory.
        frozen: train the classifier only.
        cache_features: with a frozen backbone, run it once and train on its output.
        cache_pixels: keep squares of all pictures in memory, or on the GPU, and augment them in
            batches.
        copies: of every training picture among the cached features: the first as it is, the
            others augmented once; or among the cached squares, see `training.pixels`.
        mode: preprocessing mode, see `views.Preprocessing`.
        view_size: side of an evaluation view, px; the paper's training size too.
        crop_sizes: sides of training crops, px, in turn, each for an equal share of epochs.
        epochs: passes over the training set.
        batch_size: pictures per step and process.
        optimizer: "adam", "adamw" or "sgd".
        lr: peak learning rate.
        weight_decay: of weights; biases and norms are spared.
        warmup: share of all steps in which the rate rises from zero.
        cosine: let the rate fall to zero on a cosine.
        ema: decay of the weights' moving average per step; 0 for none.
        label_smoothing: of the cross-entropy, in [0, 1).
        dropout: in the classifier.
        feature_noise: standard deviation of the Gaussian noise on cached features.
        strength: of the augmentation, see `data.augment.training_view`.
        balanced: draw every class equally often.
        by_source: and within a class draw sources by the root of their size: a source's second
            hundred pictures show less than another source.
        mixup: parameter of the Beta distribution by which two pictures of a batch are blended
            (Zhang et al. 2018, arXiv 1710.09412); 0 for none.
        teacher: a checkpoint whose answers are learned beside the labels, see
            `evaluation.teacher`; empty for none.
        teacher_share: how much its answers count, in (0, 1]; the labels count the rest.
        adversarial: by how many steps of 1/255 every second picture of a batch is changed against
            the network, see `training.adversarial`; 0 for none.
        seed: of weights, order and augmentation.
        precision: "auto", "fp32", "bf16" or "fp16".
        min_side: px that a picture's short side must have.
    """

    name: str
    arch: str = "resnet50"
    weights: str = "imagenet"
    frozen: bool = False
    cache_features: bool = False
    cache_pixels: bool = False
    copies: int = 1
    mode: str = "native"
    view_size: int = 176
    crop_sizes: tuple[int, ...] = (128,)
    epochs: int = 30
    batch_size: int = 64
    optimizer: str = "adamw"
    lr: float = 6e-4
    weight_decay: float = 0.05
    warmup: float = 0.05
    cosine: bool = True
    ema: float = 0.995
    label_smoothing: float = 0.05
    dropout: float = 0.3
    feature_noise: float = 0.0
    strength: float = 1.0
    balanced: bool = True
    by_source: bool = False
    mixup: float = 0.0
    teacher: str = ""
    teacher_share: float = 0.5
    adversarial: float = 0.0
    seed: int = 0
    precision: str = "auto"
    min_side: int = MIN_SIDE

    def __post_init__(self) -> None:
        if self.cache_features and not self.frozen:
            raise RealityCheckError("Features can only be cached when the backbone is frozen.")
        if self.cache_features and self.cache_pixels:
            raise RealityCheckError(
                "With --cache-features every picture is looked at once: drop --cache-pixels."
            )
        if self.cache_features and (self.by_source or self.mixup):
            raise RealityCheckError(
                "--by-source and --mixup take pictures: drop them, or --cache-features."
            )
        if self.cache_features and (self.teacher or self.adversarial):
            raise RealityCheckError(
                "--teacher and --adversarial take pictures: drop them, or --cache-features."
            )
        if self.by_source and not self.balanced:
            raise RealityCheckError("--by-source draws classes equally often: drop --no-balanced.")
        if self.copies < 1 or (self.copies > 1 and not (self.cache_features or self.cache_pixels)):
            raise RealityCheckError(
                "--copies is 1, or more together with --cache-features or --cache-pixels."
            )
        if self.epochs < 1 or self.batch_size < 2:
            raise RealityCheckError("Training needs at least 1 epoch and batches of 2 pictures.")
        if min(self.view_size, *self.crop_sizes) < 32:
            raise RealityCheckError("--view-size and --crop-sizes must be 32 px or more.")
        if not 0 < self.lr <= MAX_LR:
            raise RealityCheckError(f"--lr must be above 0 and at most {MAX_LR}.")
        for name in ("weight_decay", "strength", "feature_noise", "mixup", "adversarial"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RealityCheckError(f"--{name.replace('_', '-')} must be 0 or more.")
        for name in ("dropout", "label_smoothing", "ema", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise RealityCheckError(f"--{option} must be at least 0 and below 1.")
        if not 0 < self.teacher_share <= 1:
            raise RealityCheckError("--teacher-share must be above 0 and at most 1.")
        if self.adversarial > 255:
            raise RealityCheckError("--adversarial must be 255 or less, and 2 is usual.")
        fixed = architecture(self.arch).input_size
        if fixed and {self.view_size, *self.crop_sizes} != {fixed}:
            raise RealityCheckError(
                f"{self.arch} takes {fixed} px only: pass --view-size {fixed} --crop-sizes {fixed}."
            )

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared for a checkpoint of this recipe."""
        return Preprocessing(self.mode, self.view_size, cnn.MEAN, cnn.STD)

    def crop_size(self, epoch: int) -> int:
        """Side of the training crops in an epoch (counted from 0), px."""
        return self.crop_sizes[epoch * len(self.crop_sizes) // self.epochs]


RECIPES = {
    "paper": Recipe(
        "paper",
        frozen=True,
        mode="whole",
        view_size=224,
        crop_sizes=(224,),
        epochs=10,
        batch_size=32,
        optimizer="adam",
        lr=1e-3,
        weight_decay=0.0,
        warmup=0.0,
        cosine=False,
        ema=0.0,
        label_smoothing=0.0,
        dropout=0.5,
        balanced=False,
    ),
    "full": Recipe("full"),
    "resnet50": Recipe(
        "resnet50",
        view_size=224,
        crop_sizes=(160,),
        weight_decay=0.03,
        by_source=True,
    ),
}


def for_architecture(recipe: Recipe, arch: str) -> Recipe:
    """The recipe for another architecture, with pictures of the only size that it takes, if any.

    Raises:
        CheckpointError: no such architecture is known.
    """
    side = architecture(arch).input_size
    if side:
        recipe = replace(recipe, arch=arch, view_size=side, crop_sizes=(side,))
    return replace(recipe, arch=arch)

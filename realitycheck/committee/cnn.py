"""Member `resnet50` and the paper's other networks: torchvision models with the paper's head.

Models stay plain torchvision modules whose last layer is replaced, so a state dict written by any
torchvision script loads here and the other way round. `split` gives the two halves of such a
model without copying it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from realitycheck.committee.committee import Member
from realitycheck.committee.views import Preprocessing
from realitycheck.errors import CheckpointError

if TYPE_CHECKING:
    import torchvision.models as tv  # takes a second: imported where a network is built

HEAD_WIDTHS = (1000, 500)
# Statistics of ImageNet, which every torchvision weight set expects.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Halves:
    """The two halves of a model, sharing its parameters.

    Attributes:
        backbone: pictures [N, 3, H, W] to features [N, C, h, w], or tokens [N, 1 + h * w, C].
        head: features to logits, `head(backbone(pictures)) == model(pictures)` in eval mode.
        to_grid: features to [N, C, h, w].
    """

    backbone: nn.Module
    head: nn.Module
    to_grid: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Architecture:
    """What differs between the supported torchvision architectures.

    Attributes:
        default_weights: name of the torchvision weights that `DEFAULT` stands for; "" for none.
        head_name: attribute that holds the classifier.
        width: number of features the classifier receives.
        halves: cuts a model in two.
        options: for the constructor.
        input_size: the only picture side the network takes, in pixels; None if any.
        build: makes the network where torchvision has none of this name.
    """

    default_weights: str
    head_name: str
    width: int
    halves: Callable[[nn.Module], Halves]
    options: tuple[tuple[str, object], ...] = ()
    input_size: int | None = None
    build: Callable[..., nn.Module] | None = None


def _grid(features: Tensor) -> Tensor:
    return features


def _tokens_to_grid(tokens: Tensor) -> Tensor:
    """A ViT's tokens [N, 1 + h * w, C] without the class token, as [N, C, h, w]."""
    side = round((tokens.shape[1] - 1) ** 0.5)
    return cast(Tensor, tokens[:, 1:].transpose(1, 2).unflatten(2, (side, side)))


def _resnet_halves(model: nn.Module) -> Halves:
    children = dict(model.named_children())
    classifier, pool = children.pop("fc"), children.pop("avgpool")
    head = nn.Sequential(pool, nn.Flatten(), classifier)
    return Halves(nn.Sequential(*children.values()), head, _grid)


def _efficientnet_halves(model: nn.Module) -> Halves:
    network = cast("tv.EfficientNet", model)
    head = nn.Sequential(network.avgpool, nn.Flatten(), network.classifier)
    return Halves(network.features, head, _grid)


def _vit_halves(model: nn.Module) -> Halves:
    network = cast("tv.VisionTransformer", model)
    return Halves(_VitBackbone(network), _VitHead(network), _tokens_to_grid)


def _half_resnet50(**options: object) -> nn.Module:
    """torchvision's ResNet-50 with half as many channels behind its stem: a quarter of the work.

    As Yahoo's open_nsfw (2016) and its source, ResNet-50-thin, have it.
    """
    from torchvision.models.resnet import Bottleneck, ResNet

    class HalfResNet50(ResNet):
        def _make_layer(self, block: Any, planes: int, *args: Any, **kwargs: Any) -> nn.Sequential:
            half = super()._make_layer(block, planes // 2, *args, **kwargs)
            return cast(nn.Sequential, half)

    return HalfResNet50(Bottleneck, [3, 4, 6, 3], **options)


class _VitBackbone(nn.Module):
    """A ViT up to its last encoder block: pictures [N, 3, 224, 224] to tokens [N, 197, 768].

    The cut is before the last block, because behind it only the class token reaches the
    classifier and patch tokens get no gradient to explain anything with.
    """

    def __init__(self, model: "tv.VisionTransformer") -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> Tensor:
        tokens = self.model._process_input(pictures)
        class_token = self.model.class_token.expand(len(tokens), -1, -1)
        encoder = self.model.encoder
        tokens = encoder.dropout(torch.cat([class_token, tokens], dim=1) + encoder.pos_embedding)
        return cast(Tensor, encoder.layers[:-1](tokens))


class _VitHead(nn.Module):
    """The last encoder block, norm and classifier: tokens [N, 197, 768] to logits."""

    def __init__(self, model: "tv.VisionTransformer") -> None:
        super().__init__()
        self.block = model.encoder.layers[-1]
        self.norm = model.encoder.ln
        self.classifier = model.heads

    def forward(self, tokens: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.norm(self.block(tokens))[:, 0]))


ARCHITECTURES = {
    "resnet50": Architecture(
        "ResNet50_Weights",
        "fc",
        2048,
        _resnet_halves,
        # Residual branches that start at zero let a ResNet train from scratch at higher learning
        # rates (Goyal et al. 2017, arXiv 1706.02677).
        options=(("zero_init_residual", True),),
    ),
    "resnet50_half": Architecture(
        "", "fc", 1024, _resnet_halves, (("zero_init_residual", True),), build=_half_resnet50
    ),
    "efficientnet_b0": Architecture(
        "EfficientNet_B0_Weights", "classifier", 1280, _efficientnet_halves
    ),
    "vit_b_16": Architecture("ViT_B_16_Weights", "heads", 768, _vit_halves, input_size=224),
}


def architecture(name: str) -> Architecture:
    """Looks an architecture up by its torchvision name.

    Raises:
        CheckpointError: the name is not one of `ARCHITECTURES`.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise CheckpointError(f"Unknown architecture {name!r}. Choose one of: {known}.") from None


def make_head(width: int, classes: int, dropout: float = 0.5) -> nn.Sequential:
    """The paper's classifier: Linear, ReLU, Linear, ReLU, Dropout, Linear.

    Args:
        width: number of input features.
        classes: number of output logits.
        dropout: probability that a unit is dropped while training, in [0, 1).
    """
    first, second = HEAD_WIDTHS
    return nn.Sequential(
        nn.Linear(width, first),
        nn.ReLU(),
        nn.Linear(first, second),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(second, classes),
    )


def build_model(arch: str, classes: int, dropout: float = 0.5) -> nn.Module:
    """Builds a model of torchvision's kind with random weights and the paper's head.

    Args:
        arch: a key of `ARCHITECTURES`.
        classes: number of classes.
        dropout: dropout probability in the head.

    Returns:
        A module that maps pictures [N, 3, H, W] (normalised float) to logits [N, classes].
    """
    import torchvision.models as tv

    spec = architecture(arch)
    build = spec.build or partial(tv.get_model, arch, weights=None)
    model = cast(nn.Module, build(**dict(spec.options)))
    setattr(model, spec.head_name, make_head(spec.width, classes, dropout))
    return model


def split(model: nn.Module, arch: str) -> Halves:
    """The two halves of a model from `build_model`."""
    return architecture(arch).halves(model)


def member(name: str, arch: str, preprocessing: Preprocessing, model: nn.Module) -> Member:
    """A member of a committee.

    Args:
        name: within the committee.
        arch: a key of `ARCHITECTURES`.
        preprocessing: how it wants its pictures.
        model: from `build_model`, in eval mode.
    """
    halves = split(model, arch)
    return Member(name, preprocessing, model, halves.backbone, halves.head.eval(), halves.to_grid)


def freeze_backbone(model: nn.Module, arch: str) -> None:
    """Leaves only the classifier trainable."""
    model.requires_grad_(False)
    getattr(model, architecture(arch).head_name).requires_grad_(True)

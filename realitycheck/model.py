"""The network: a torchvision backbone (`features`) and a classifier (`head`).

Models stay plain torchvision modules whose last layer is replaced, so a state dict
written by any torchvision script loads here and the other way round. `split` gives the
two halves of such a model without copying it.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision.models as tv
from torch import Tensor, nn

from realitycheck.errors import CheckpointError
from realitycheck.residuals import Residuals

HEAD_WIDTHS = (1000, 500)
RESIDUAL_WIDTH = 512
RESIDUAL_LIMIT = 6.0  # standard deviations
CHUNK = 16  # pictures per forward on a CPU: more cost memory and save no time
GPU_CHUNK = 64


@dataclass(frozen=True)
class Architecture:
    """What differs between the supported torchvision architectures.

    Attributes:
        build: torchvision constructor, called without weights.
        default_weights: name of the torchvision weights that `DEFAULT` stands for.
        head_name: attribute that holds the classifier.
        width: number of features the classifier receives.
        input_size: the only picture side the network takes, in pixels; None if any.
    """

    build: Callable[..., nn.Module]
    default_weights: str
    head_name: str
    width: int
    input_size: int | None = None


class ResidualResNet(tv.ResNet):
    """A ResNet-50 whose classifier also receives `residuals.Residuals` of the picture.

    The convolutions keep torchvision's names, so that weights of a ResNet-50 load into them. The
    statistics stand on the grid of its last features, and Grad-CAM explains both together.
    """

    def __init__(self, weights: None = None, **options) -> None:
        super().__init__(tv.resnet.Bottleneck, [3, 4, 6, 3], **options)
        self.residuals = Residuals(RESIDUAL_WIDTH)
        # Drawings and screenshots have statistics far from any photograph's. How far is no
        # evidence, and must not decide alone.
        self.limit = nn.Hardtanh(-RESIDUAL_LIMIT, RESIDUAL_LIMIT)

    def features(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to features [N, 2048 + 512, H / 32, W / 32]."""
        found = self.maxpool(self.relu(self.bn1(self.conv1(pixels))))
        found = self.layer4(self.layer3(self.layer2(self.layer1(found))))
        return torch.cat([found, self.residuals(pixels, tuple(found.shape[2:]))], dim=1)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.fc(self.limit(torch.flatten(self.avgpool(self.features(x)), 1)))


ARCHITECTURES = {
    "resnet50": Architecture(tv.resnet50, "ResNet50_Weights", "fc", 2048),
    "resnet50_residuals": Architecture(
        ResidualResNet, "ResNet50_Weights", "fc", 2048 + RESIDUAL_WIDTH
    ),
    "efficientnet_b0": Architecture(
        tv.efficientnet_b0, "EfficientNet_B0_Weights", "classifier", 1280
    ),
    "efficientnet_v2_s": Architecture(
        tv.efficientnet_v2_s, "EfficientNet_V2_S_Weights", "classifier", 1280
    ),
    "vit_b_16": Architecture(tv.vit_b_16, "ViT_B_16_Weights", "heads", 768, input_size=224),
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
    """Builds a torchvision model with random weights and the paper's head.

    Args:
        arch: a key of `ARCHITECTURES`.
        classes: number of classes.
        dropout: dropout probability in the head.

    Returns:
        A module that maps pictures [N, 3, H, W] (normalised float) to logits [N, classes].
    """
    spec = architecture(arch)
    # Residual branches that start at zero let a ResNet train from scratch at higher
    # learning rates (Goyal et al. 2017, arXiv 1706.02677).
    options = {"zero_init_residual": True} if arch.startswith("resnet") else {}
    model = spec.build(weights=None, **options)
    setattr(model, spec.head_name, make_head(spec.width, classes, dropout))
    return model


def frequency_stem(model: nn.Module) -> None:
    """Starts a ResNet's first 7 x 7 convolution as a bank of DCT filters.

    Luminance gets the 49 two-dimensional DCT-II basis functions, two opponent colours the
    lowest ones. Random filters all answer to the low frequencies that dominate pictures; in
    this bank every band has a channel of its own, which batch norm then brings to the same
    strength, so that a network trained from scratch hears the faint high bands from the
    first step. The filters are trained on like any others. The DCT basis as a convolution:
    Ulicny et al. 2019, "Harmonic Networks", arXiv 1905.00135.
    """
    conv = model.conv1
    size, count = conv.kernel_size[0], conv.out_channels
    positions = torch.arange(size) + 0.5
    basis = torch.stack([torch.cos(torch.pi * u * positions / size) for u in range(size)])
    basis = nn.functional.normalize(basis, dim=1)
    bands = sorted(
        ((u, v) for u in range(size) for v in range(size)), key=lambda band: (sum(band), band)
    )
    luminance, *opponents = nn.functional.normalize(
        torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]]), dim=1
    )
    low = -(-(count - len(bands)) // len(opponents))
    colours = [(luminance, band) for band in bands]
    colours += [(colour, band) for colour in opponents for band in bands[:low]]
    filters = [
        colour[:, None, None] * basis[u][:, None] * basis[v] for colour, (u, v) in colours[:count]
    ]
    with torch.no_grad():
        conv.weight.copy_(torch.stack(filters))


def load_pretrained(model: nn.Module, arch: str, state: dict[str, Tensor]) -> list[str]:
    """Copies the tensors of `state` that fit into `model`, classifier included.

    ImageNet weights bring a classifier of another shape; it is left out.

    Args:
        model: a model from `build_model`.
        arch: its architecture.
        state: a torchvision state dict.

    Returns:
        Names of model tensors that `state` did not fill.

    Raises:
        CheckpointError: no backbone tensor fits: the weights are of another architecture.
    """
    own = model.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    # Residual statistics are fitted to the training pictures, not to anybody's network.
    others = (architecture(arch).head_name + ".", "residuals.")
    backbone = [k for k in own if not k.startswith(others)]
    missing = [k for k in backbone if k not in fitting]
    # num_batches_tracked is absent from old torchvision files and does not change the output.
    if any(not k.endswith("num_batches_tracked") for k in missing):
        raise CheckpointError(
            f"These weights are not a {arch}: {len(missing)} of {len(backbone)} backbone tensors "
            f"are missing or of another shape (first: {missing[0]}). Pass the matching --arch."
        )
    model.load_state_dict(fitting, strict=False)
    return [k for k in own if k not in fitting]


def imagenet_state(arch: str, name: str = "imagenet") -> dict[str, Tensor]:
    """ImageNet weights of torchvision, from its cache or download server.

    Args:
        arch: the architecture.
        name: torchvision's name, such as "ResNet50_Weights.IMAGENET1K_V2"; or "imagenet" or
            "DEFAULT" for its best ones.

    Raises:
        CheckpointError: no weights of this name for this architecture, or the download failed.
    """
    choices = getattr(tv, architecture(arch).default_weights)
    try:
        weights = choices.DEFAULT if name in ("imagenet", "DEFAULT") else tv.get_weight(name)
        if not isinstance(weights, choices):
            raise ValueError(f"{name} is not of {choices.__name__}")
    except (ValueError, AttributeError, KeyError) as error:
        known = ", ".join(map(str, choices))
        raise CheckpointError(f"No such weights for {arch}: {error}. Choose: {known}.") from error
    try:
        return weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        target = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        raise CheckpointError(
            f"Could not download ImageNet weights for {arch} ({error}). Put the file from "
            f"{weights.url} at {target}, pass --weights FILE, or train with --weights none."
        ) from error


class _VitFeatures(nn.Module):
    """A ViT up to its last encoder block: pictures [N, 3, 224, 224] to tokens [N, 197, 768].

    The cut is before the last block, because behind it only the class token reaches the
    classifier and patch tokens get no gradient to explain anything with.
    """

    def __init__(self, model: tv.VisionTransformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> Tensor:
        tokens = self.model._process_input(pictures)
        class_token = self.model.class_token.expand(len(tokens), -1, -1)
        encoder = self.model.encoder
        tokens = encoder.dropout(torch.cat([class_token, tokens], dim=1) + encoder.pos_embedding)
        return encoder.layers[:-1](tokens)


class _VitHead(nn.Module):
    """The last encoder block, norm and classifier: tokens [N, 197, 768] to logits."""

    def __init__(self, model: tv.VisionTransformer) -> None:
        super().__init__()
        self.block = model.encoder.layers[-1]
        self.norm = model.encoder.ln
        self.classifier = model.heads

    def forward(self, tokens: Tensor) -> Tensor:
        return self.classifier(self.norm(self.block(tokens))[:, 0])


class _ResidualFeatures(nn.Module):
    """A `ResidualResNet` without its classifier."""

    def __init__(self, model: ResidualResNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, pictures: Tensor) -> Tensor:
        return self.model.features(pictures)


def split(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The two halves of a model, sharing its parameters.

    Args:
        model: a model from `build_model`.

    Returns:
        `(features, head)` with `head(features(pictures)) == model(pictures)` in eval mode.
        Features are [N, C, h, w], or tokens [N, 1 + h * w, C] for a ViT.
    """
    if isinstance(model, tv.VisionTransformer):
        return _VitFeatures(model), _VitHead(model)
    if isinstance(model, ResidualResNet):
        head = nn.Sequential(model.avgpool, nn.Flatten(), model.limit, model.fc)
        return _ResidualFeatures(model), head
    if isinstance(model, tv.ResNet):
        children = dict(model.named_children())
        classifier = children.pop("fc")
        pool = children.pop("avgpool")
        return nn.Sequential(*children.values()), nn.Sequential(pool, nn.Flatten(), classifier)
    head = nn.Sequential(model.avgpool, nn.Flatten(), model.classifier)
    return model.features, head


class ChunkedForward:
    """Runs a module on many pictures, without gradients; safe to share between threads.

    On a CPU chunks run side by side, each on one core. Whether that is sooner than each on all
    cores in turn depends: on two AVX-512 cores 32 views are done sooner, a dozen later.

    Args:
        module: in eval mode; moved to the GPU where there is one.
    """

    def __init__(self, module: nn.Module) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = module.to(device=self.device, memory_format=torch.channels_last)
        self._pool = ThreadPoolExecutor(os.cpu_count(), "forward", torch.set_num_threads, (1,))

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] to the module's outputs [N, ...], on its device."""
        cores = torch.get_num_threads()
        size = min(CHUNK, math.ceil(len(pixels) / cores))
        if self.device.type == "cuda":
            cores, size = 1, GPU_CHUNK
        chunks = pixels.to(self.device).split(size)
        run = self._pool.map if cores > 1 and len(chunks) > 1 else map
        return torch.cat(list(run(self._forward, chunks)))

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Tensor:
        return self._module(pixels.contiguous(memory_format=torch.channels_last))


def freeze_backbone(model: nn.Module, arch: str) -> None:
    """Leaves only the classifier trainable."""
    model.requires_grad_(False)
    getattr(model, architecture(arch).head_name).requires_grad_(True)


def train_mode(model: nn.Module) -> None:
    """Puts the trainable parts of a model in training mode and its frozen parts in eval mode.

    A frozen backbone whose batch norms kept updating would not stay the backbone it was.
    """
    model.train()
    for child in model.children():
        # `all`, so that a layer without parameters, such as dropout, trains as well.
        child.train(all(p.requires_grad for p in child.parameters()))

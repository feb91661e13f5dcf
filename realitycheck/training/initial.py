"""What a run starts from: ImageNet weights, a file, a checkpoint, or nothing."""

import logging
from pathlib import Path

import torch
import torchvision.models as tv
from torch import Tensor, nn

from realitycheck import checkpoints
from realitycheck.committee.cnn import architecture, build_model
from realitycheck.errors import CheckpointError
from realitycheck.tensors import read_tensors
from realitycheck.training.recipe import Recipe

log = logging.getLogger(__name__)


def starting_model(recipe: Recipe, classes: int) -> nn.Module:
    """The model that a recipe starts from.

    Raises:
        CheckpointError: its starting weights cannot be had.
    """
    model = build_model(recipe.arch, classes, recipe.dropout)
    if recipe.weights == "none":
        return model
    path = Path(recipe.weights)
    named = recipe.weights in ("imagenet", "DEFAULT") or "_Weights." in recipe.weights
    if path.is_dir():
        state = checkpoints.load(path).members[0].network.state_dict()
    elif named and not path.is_file():
        state = imagenet_state(recipe.arch, recipe.weights)
    else:
        state = read_tensors(recipe.weights)
    if not all(bool(tensor.isfinite().all()) for tensor in state.values()):
        raise CheckpointError(f"{recipe.weights} holds values that are no numbers. Pass others.")
    fresh = load_pretrained(model, recipe.arch, state)
    log.info("Starting weights: %s; %d tensors start at random.", recipe.weights, len(fresh))
    return model


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
    classifier = architecture(arch).head_name + "."
    backbone = [k for k in own if not k.startswith(classifier)]
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
    kind = architecture(arch).default_weights
    if not kind:
        raise CheckpointError(
            f"There are no ImageNet weights of {arch}: pass --weights none, FILE or a checkpoint."
        )
    choices = getattr(tv, kind)
    try:
        weights = choices.DEFAULT if name in ("imagenet", "DEFAULT") else tv.get_weight(name)
        if not isinstance(weights, choices):
            raise ValueError(f"{name} is not of {choices.__name__}")
    except (ValueError, AttributeError, KeyError) as error:
        known = ", ".join(map(str, choices))
        raise CheckpointError(f"No such weights for {arch}: {error}. Choose: {known}.") from error
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True)
        return state
    except (OSError, RuntimeError) as error:
        target = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        raise CheckpointError(
            f"Could not download ImageNet weights for {arch} ({error}). Put the file from "
            f"{weights.url} at {target}, pass --weights FILE, or train with --weights none."
        ) from error

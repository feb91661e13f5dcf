"""Saving a committee of one as training does, for the tests of checkpoints and of the Hub."""

from dataclasses import replace
from pathlib import Path

import torch
from helpers import drawing
from loopback_hub import Repo
from torch import nn

from realitycheck import checkpoints
from realitycheck.committee.abstention import Abstention
from realitycheck.committee.cnn import build_model
from realitycheck.committee.stack import Stack
from realitycheck.committee.views import Preprocessing, to_batch
from realitycheck.config import Config, MemberConfig
from realitycheck.publish import card
from realitycheck.results import Record

PREPROCESSING = Preprocessing("native", 176, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def config_of(arch: str, **values) -> Config:
    """The configuration of one network."""
    return Config(("ai", "real"), "ai", (MemberConfig(arch, arch, PREPROCESSING),), **values)


HUB_REPO = "owner/detector"
HUB_CONFIG = config_of("efficientnet_b0", version="1.2")


def with_arch(config: Config, arch: str) -> Config:
    member = replace(config.members[0], name=arch, arch=arch)
    return replace(config, members=(member,))


def save(
    folder: Path, network: nn.Module, config: Config, record: Record | None = None, **options
) -> Config:
    """Writes a checkpoint with its card."""
    record = record or Record()
    documents = {checkpoints.CARD: card.text(config, record)}
    return checkpoints.save(folder, [network], config, record, documents, **options)


def publish_other(repo: Repo, **changes: bytes | None) -> str:
    """Commits other files, as somebody without our tools would; None deletes one."""
    files = {**repo.files, **changes}
    return repo.commit({name: data for name, data in files.items() if data is not None})


# --- a quick checkpoint ---------------------------------------------------------------------------

QUICK = Preprocessing("native", 64, PREPROCESSING.mean, PREPROCESSING.std)
QUICK_CONFIG = Config(
    ("ai", "real"),
    "ai",
    (MemberConfig("efficientnet_b0", "efficientnet_b0", QUICK),),
    calibrated=True,
    abstention=Abstention(ai=0.52, real=0.48),
    version="0.1",
)


TWO = ("resnet50", "transformer")  # members of the committee of two, by their names alone
TWO_CONFIG = replace(
    QUICK_CONFIG,
    members=tuple(
        replace(
            QUICK_CONFIG.members[0],
            name=name,
            preprocessing=replace(QUICK, mode=mode),
            files=(f"{name}.safetensors",),
        )
        for name, mode in zip(TWO, ("native", "whole"), strict=True)
    ),
    stack=Stack((0.4, 0.8)),
)


def save_two(folder: Path) -> Config:
    """Writes a committee of two quick networks, of which the second weighs more."""
    networks = [lively_network(seed) for seed in range(2)]
    documents = {checkpoints.CARD: card.text(TWO_CONFIG, Record())}
    return checkpoints.save(folder, networks, TWO_CONFIG, Record(), documents)


def lively_network(seed: int = 0) -> nn.Module:
    """A random network whose answers differ from picture to picture, to both sides of a half."""
    torch.manual_seed(seed)
    network = build_model("efficientnet_b0", 2, dropout=0.0)
    pixels = to_batch([drawing(QUICK.size, QUICK.size, seed) for seed in range(16)], QUICK)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None  # as it is, signals die out: give it these pictures' means
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
        network.train()(pixels)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_var.clamp_(min=1e-3)  # or rounding would show
        logits = network.eval()(pixels)
        last = network.classifier[-1]
        last.weight /= 3 * logits.diff().std()
        last.bias -= network(pixels).mean(dim=0)
    return network

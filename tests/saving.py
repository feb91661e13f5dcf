"""Saving a committee of one as training does, for the tests of checkpoints and of the Hub."""

from dataclasses import replace
from pathlib import Path

from loopback_hub import Repo
from torch import nn

from realitycheck import checkpoints
from realitycheck.committee.views import Preprocessing
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

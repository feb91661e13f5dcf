"""Where weights come from and go to: the bundle, a directory, a file, the Hugging Face Hub.

A checkpoint is a directory, the same in all of them: `config.json` (what is needed to run), a
`*.safetensors` file or more for each member, `record.json` (its training and figures), its card.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from realitycheck import hub, networks
from realitycheck.committee.committee import Member
from realitycheck.config import CONFIG, Config, MemberConfig, read_config
from realitycheck.errors import CheckpointError, HubError
from realitycheck.files import atomic_write, sha256, sha256_of_all
from realitycheck.results import Confusion, Record
from realitycheck.tensors import part_name
from realitycheck.track_record import track_record

RECORD, CARD, CURVES = "record.json", "README.md", "curves.png"
BUNDLE = Path(__file__).parent / "weights"
FILE_SUFFIXES = (".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        members: the committee's networks in eval mode, float32, on the CPU, parameters frozen.
        config: its configuration.
        source: "bundled", a path, or "owner/name".
        revision: commit on the Hub; None elsewhere.
        folder: the directory that it was read from.
        sha256: of its weights file; of the list of their checksums where it has several.
        old_record: what a config of format 1 held; None of format 2.
        quick: whether its config is that of quick mode, see `Config.quick`.
    """

    members: tuple[Member, ...]
    config: Config
    source: str
    revision: str | None
    folder: Path
    sha256: str
    old_record: Record | None = None
    quick: bool = False

    def describe(self) -> dict[str, Any]:
        """Which model this is and how its verdicts fared, for reports: JSON-ready."""
        return {
            "source": self.source,
            "revision": self.revision,
            "version": self.config.version,
            "arch": self.config.arch,
            "sha256": self.sha256,
            "mode": "quick" if self.quick else "full",
            "ai_class": self.config.ai_class,
            "thresholds": self.config.abstention.thresholds,
            "calls": self._calls(),
        }

    def _calls(self) -> dict[str, Confusion]:
        with suppress(CheckpointError):  # the weights work without it
            # Nothing is recorded of the quick mode's verdicts.
            return {} if self.quick else track_record(self.record().metrics)
        return {}

    def record(self) -> Record:
        """How it was trained and measured; an empty record where nothing was kept.

        Raises:
            CheckpointError: the file is damaged.
        """
        return self._record

    @cached_property
    def _record(self) -> Record:
        return self.old_record or read_record(self.folder)


def load(source: str | Path | None = None) -> Checkpoint:
    """Loads a checkpoint.

    Args:
        source: a checkpoint directory, a `.pth` or `.safetensors` file with a `config.json`,
            or a Hub id `owner/name[@revision]`. None: the variable `REALITYCHECK_MODEL`,
            or, where that is not set, the bundled checkpoint.

    Raises:
        CheckpointError: not found, damaged, of another architecture, or not plain tensors.
            A named source that fails is never replaced silently by another.
        HubError: the Hub refused or cannot be reached; see `hub.download`.
    """
    return find(source).load()


def find(source: str | Path | None = None) -> "Found":
    """Finds a checkpoint and sees that its files belong together, which is quick.

    Args:
        source: as `load` takes it.

    Raises:
        CheckpointError: not found, or its weights are not those that its config describes.
        HubError: the Hub refused or cannot be reached; see `hub.download`.
    """
    source = source or os.environ.get(hub.VARIABLE) or BUNDLE
    path, revision = _locate(source)
    config, old_record, folder = _read_config(path)
    files = [_weights(path, folder, member) for member in config.members]
    digests = {file: _verified_sha256(file, config) for parts in files for file in parts}
    name = "bundled" if path == BUNDLE else str(source)
    unloaded = Checkpoint((), config, name, revision, folder, sha256_of_all(digests), old_record)
    return Found(unloaded, files)


@dataclass(frozen=True)
class Found:
    """A checkpoint whose networks are not loaded yet.

    Attributes:
        checkpoint: without members.
        files: the weights files of each member.
    """

    checkpoint: Checkpoint
    files: list[list[Path]]

    def quick(self) -> "Found":
        """The same for quick mode: one member, whose verdicts ask for more."""
        config = self.checkpoint.config
        checkpoint = replace(self.checkpoint, config=config.quick(), quick=True)
        return Found(checkpoint, [self.files[config.quick_member]])

    def load(self) -> Checkpoint:
        """Loads the networks.

        Raises:
            CheckpointError: damaged, of another architecture, or not plain tensors.
        """
        config = self.checkpoint.config
        loaded = tuple(
            networks.load_member(member, config, parts)
            for member, parts in zip(config.members, self.files, strict=True)
        )
        return replace(self.checkpoint, members=loaded)

    def load_heads(self) -> Checkpoint | None:
        """Loads of each member what no other engine than PyTorch runs, which is quick.

        Returns:
            The checkpoint, its members without backbones; None where a member must be whole.

        Raises:
            CheckpointError: as `load`.
        """
        config, heads = self.checkpoint.config, []
        for member, parts in zip(config.members, self.files, strict=True):
            head = networks.load_head(member, config, parts)
            if head is None:
                return None
            heads.append(head)
        return replace(self.checkpoint, members=tuple(heads))


def _locate(source: str | Path) -> tuple[Path, str | None]:
    path = Path(source).expanduser()
    if path.exists():
        return path, None
    wanted = hub.parse_id(str(source))
    if isinstance(source, Path) or wanted is None or path.suffix in FILE_SUFFIXES:
        raise CheckpointError(
            f"There is no checkpoint {source}. Name a directory, a .pth or .safetensors file, or a "
            "Hub id like owner/name."
        )
    return _download(*wanted)


def _download(repo: str, revision: str | None) -> tuple[Path, str]:
    """Fetches a checkpoint's files: its config first, which names the others."""
    folder, commit = hub.download(repo, revision, CONFIG, lambda path: _parsed(path)[0].weights)
    if _parsed(folder / CONFIG)[1] is None:
        with suppress(HubError):  # it is not needed to run
            hub.download(repo, commit, RECORD)
    return folder, commit


def _read_config(path: Path) -> tuple[Config, Record | None, Path]:
    # Training writes Models/RealityCheck.pth beside Models/RealityCheck/config.json.
    candidates = [path] if path.is_dir() else [path.with_suffix(""), path.parent]
    folder = next((c for c in candidates if (c / CONFIG).is_file()), None)
    if folder is None:
        raise CheckpointError(
            f"{path} has no {CONFIG}, which names classes and preprocessing. Expected it at "
            f"{candidates[0] / CONFIG}. Use a directory that training wrote."
        )
    return *_parsed(folder / CONFIG), folder


def _parsed(path: Path) -> tuple[Config, Record | None]:
    try:
        return read_config(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"Cannot read {path}: {error}.") from error


def read_record(folder: Path) -> Record:
    """Reads a checkpoint directory's `record.json`; an empty record where there is none.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / RECORD
    if not path.is_file():
        return Record()
    try:
        return Record.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}). Download the checkpoint again, or delete that file: the "
            "weights work without it."
        ) from error


def _weights(path: Path, folder: Path, member: MemberConfig) -> list[Path]:
    if path.is_file():
        return [path]
    files = [folder / name for name in member.weights]
    for file in files:
        if not file.is_file():
            raise CheckpointError(
                f"{path} has no {file.name}. Download or train the checkpoint again."
            )
    return files


def _verified_sha256(file: Path, config: Config) -> str:
    digest, expected = sha256(file), config.sha256.get(file.name)
    if expected is None:
        raise CheckpointError(
            f"{CONFIG} holds no SHA-256 for {file.name}, so it may belong to other weights. "
            "Use the files that training wrote together."
        )
    if digest != expected:
        raise CheckpointError(
            f"{file} is not the file its {CONFIG} describes (SHA-256 {digest[:12]}..., expected "
            f"{expected[:12]}...). It is damaged or was replaced: delete it and get it again."
        )
    return digest


def save(
    folder: str | Path,
    networks: Sequence[nn.Module],
    config: Config,
    record: Record,
    documents: Mapping[str, str],
    *,
    half: bool = False,
    copies: Mapping[str, Path] | None = None,
) -> Config:
    """Writes a checkpoint directory; of one network, the bare state dict beside it as `.pth`.

    Args:
        folder: directory to write or replace.
        networks: the members' modules, in the config's order.
        config: its configuration; the checksums are filled in here.
        record: how it was trained and measured.
        documents: further files by name, such as the card.
        half: store matrices and filters as float16 (loaded as float32), without a `.pth`.
        copies: weights files by name that are copied instead of written anew, such as a tower
            that nothing has trained.

    Returns:
        The configuration as written.

    Raises:
        WriteError: the disk is full, or the place is not writable; the old checkpoint is whole.
    """
    folder, digests = Path(folder), {}
    copies = copies or {}
    bare = folder.with_suffix(".pth") if not half and not copies and len(networks) == 1 else None
    # Both are written before either takes its place: the old ones belong together too.
    with atomic_write(folder) as temporary, atomic_write(bare) if bare else nullcontext() as beside:
        temporary.mkdir(parents=True)
        if bare and beside:
            torch.save(_state(networks[0]), beside)
            digests[bare.name] = sha256(beside)
        for member, network in zip(config.members, networks, strict=True):
            for name in member.weights:
                _write_part(temporary / name, member, network, half, copies)
                digests[name] = sha256(temporary / name)
        config = replace(config, sha256=digests)
        texts = {CONFIG: config.to_json(), RECORD: record_json(record), **documents}
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
    return config


def _write_part(
    file: Path, member: MemberConfig, network: nn.Module, half: bool, copies: Mapping[str, Path]
) -> None:
    """Writes one of a member's weights files; of several, each holds a part of its network."""
    if file.name in copies:
        with copies[file.name].open("rb") as source, file.open("wb") as target:
            shutil.copyfileobj(source, target)
        return
    part = network.get_submodule(part_name(file.name)) if len(member.weights) > 1 else network
    save_file(_state(part, half=half), file, metadata={"format": "pt"})
    file.chmod(0o644)  # safetensors writes for the owner alone


def parts(checkpoint: "Checkpoint") -> dict[str, Path]:
    """The files of those members that have several, to pass to `save` as copies."""
    several = [m for m in checkpoint.config.members if len(m.weights) > 1]
    return {name: checkpoint.folder / name for member in several for name in member.weights}


def record_json(record: Record) -> str:
    """The text of `record.json`."""
    return json.dumps(record.to_json(), indent=1, ensure_ascii=False) + "\n"


def _state(network: nn.Module, *, half: bool = False) -> dict[str, Tensor]:
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    return {k: v.half() if half and _halves(v) else v for k, v in state.items()}


def _halves(tensor: Tensor) -> bool:
    # Vectors are few, and some (means that are subtracted) need every digit.
    return tensor.is_floating_point() and tensor.ndim > 1


def round_to_half(network: nn.Module) -> None:
    """Rounds a network's tensors to what `save(..., half=True)` keeps of them."""
    for tensor in network.state_dict().values():
        if _halves(tensor):
            tensor.copy_(tensor.half())

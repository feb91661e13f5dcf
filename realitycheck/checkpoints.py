"""Where weights come from and go to: the bundle, a directory, a file, the Hugging Face Hub.

A checkpoint is a directory with `config.json`, `model.safetensors` and `README.md`, the names
that the Hub's own `PyTorchModelHubMixin` uses.

    python -m realitycheck.checkpoints push Models/RealityCheck OWNER/NAME
"""

import argparse
import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from realitycheck import card, hub
from realitycheck.errors import CheckpointError, HubError, exit_status
from realitycheck.files import replacing, sha256
from realitycheck.model import architecture, build_model
from realitycheck.views import Preprocessing

FORMAT = 1
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
CURVES = "curves.png"
BUNDLE = Path(__file__).parent / "weights"
FILE_SUFFIXES = (".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class Config:
    """Everything about a checkpoint but its tensors.

    Attributes:
        arch: torchvision architecture.
        classes: class names in the order of the logits.
        ai_class: which of them means "made by an AI".
        preprocessing: how pictures are prepared.
        temperature: mean logits are divided by it before the softmax.
        shift: added to the AI class's logit after that.
        calibrated: whether temperature and shift were fitted on held-out pictures.
        thresholds: "ai": lowest AI probability of verdict `ai`; "real": highest of `real`.
        version: of these weights.
        sha256: file name to SHA-256 of the weights it belongs to.
        training: how it was trained.
        data: what it was trained on.
        sources: where those pictures come from, see `data.sources`.
        metrics: what was measured on which split.
        explanations: how its maps did on which split, see `faithfulness.measure`.
        format: version of this file's layout.
    """

    arch: str
    classes: list[str]
    ai_class: str
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: float = 1.0
    shift: float = 0.0
    calibrated: bool = False
    thresholds: dict[str, float] = field(default_factory=lambda: {"ai": 0.5, "real": 0.5})
    version: str = "0"
    sha256: dict[str, str] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    sources: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    explanations: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        architecture(self.arch)
        if len(self.classes) < 2 or self.ai_class not in self.classes:
            raise CheckpointError(
                f"A checkpoint needs two classes or more, one of them its ai_class; got "
                f"{self.classes} and {self.ai_class!r}."
            )
        low, high = self.thresholds["real"], self.thresholds["ai"]
        if not (0 <= low <= high <= 1 and self.temperature > 0):
            raise CheckpointError(
                f"Thresholds must satisfy 0 <= real <= ai <= 1 and the temperature be positive; "
                f"got {self.thresholds} and {self.temperature}."
            )

    @property
    def ai_index(self) -> int:
        """Position of the AI class among the logits."""
        return self.classes.index(self.ai_class)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Calibrated class probabilities of logits [..., classes]."""
        calibrated = logits.double() / self.temperature
        calibrated[..., self.ai_index] += self.shift
        return torch.softmax(calibrated, dim=-1)

    def verdict(self, p_ai: float) -> str:
        """`ai`, `real` or `uncertain` for a calibrated AI probability."""
        if p_ai >= self.thresholds["ai"]:
            return "ai"
        return "real" if p_ai <= self.thresholds["real"] else "uncertain"

    def to_json(self) -> str:
        """The text of `config.json`."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """Reads the text of a `config.json`.

        Raises:
            CheckpointError: not JSON, of a newer layout, or fields are missing or wrong.
        """
        try:
            values = json.loads(text)
            if values.get("format", FORMAT) > FORMAT:
                raise CheckpointError(
                    f"This checkpoint has layout {values['format']}; this version of RealityCheck "
                    f"reads up to {FORMAT}. Update RealityCheck."
                )
            known = {f.name for f in fields(cls)}
            values = {k: v for k, v in values.items() if k in known}
            shape = values.get("preprocessing", {})
            shape = {k: tuple(v) if isinstance(v, list) else v for k, v in shape.items()}
            return cls(**{**values, "preprocessing": Preprocessing(**shape)})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise CheckpointError(
                f"{CONFIG} is not a RealityCheck configuration ({error}). Download the checkpoint "
                "again or train a new one."
            ) from error


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Attributes:
        model: torchvision module in eval mode, float32, on the CPU, parameters frozen.
        config: its configuration.
        source: "bundled", a path, or "owner/name".
        revision: commit on the Hub; None elsewhere.
        file: weights file that was read.
        sha256: of that file.
    """

    model: nn.Module
    config: Config
    source: str
    revision: str | None
    file: Path
    sha256: str

    def describe(self) -> dict[str, Any]:
        """Which model this is, for reports: JSON-ready."""
        return {
            "source": self.source,
            "revision": self.revision,
            "version": self.config.version,
            "arch": self.config.arch,
            "sha256": self.sha256,
        }


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
    source = source or os.environ.get(hub.VARIABLE) or BUNDLE
    folder_or_file, revision = _locate(source)
    file, config = _find_files(folder_or_file)
    digest = _verified_sha256(file, config)
    # A ViT's truncated draws are repeated until they fit, so they cannot be left out.
    with contextlib.nullcontext() if config.arch.startswith("vit") else _Undrawn():
        model = build_model(config.arch, len(config.classes))
    _fill(model, read_tensors(file), config.arch, file)
    model.eval().requires_grad_(False)
    name = "bundled" if folder_or_file == BUNDLE else str(source)
    return Checkpoint(model, config, name, revision, file, digest)


class _Undrawn(TorchFunctionMode):
    """Spares drawing random weights that the file's replace at once."""

    DRAWING = ("normal_", "uniform_", "kaiming_uniform_")

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in self.DRAWING:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


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
    return hub.download(*wanted, [CONFIG, WEIGHTS])


def _find_files(path: Path) -> tuple[Path, Config]:
    if path.is_dir():
        file, configs = path / WEIGHTS, [path / CONFIG]
    else:
        # train.py writes Models/RealityCheck.pth beside Models/RealityCheck/config.json.
        file, configs = path, [path.with_suffix("") / CONFIG, path.parent / CONFIG]
    config = next((c for c in configs if c.is_file()), None)
    if config is None:
        raise CheckpointError(
            f"{path} has no {CONFIG}, which names classes and preprocessing. Expected it at "
            f"{configs[0]}. Use a directory that train.py wrote."
        )
    if not file.is_file():
        raise CheckpointError(f"{path} has no {WEIGHTS}. Download or train the checkpoint again.")
    try:
        return file, Config.from_json(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"Cannot read {config}: {error}.") from error


def _verified_sha256(file: Path, config: Config) -> str:
    digest, expected = sha256(file), config.sha256.get(file.name)
    if expected is None:
        raise CheckpointError(
            f"{CONFIG} holds no SHA-256 for {file.name}, so it may belong to other weights. "
            "Use the files that train.py wrote together."
        )
    if digest != expected:
        raise CheckpointError(
            f"{file} is not the file its {CONFIG} describes (SHA-256 {digest[:12]}..., expected "
            f"{expected[:12]}...). It is damaged or was replaced: delete it and get it again."
        )
    return digest


def read_tensors(file: str | Path) -> dict[str, Tensor]:
    """Reads a state dict from a `.pth` or `.safetensors` file, without running any of it.

    Raises:
        CheckpointError: no such file, damaged, or it holds more than plain tensors.
    """
    file = Path(file)
    if not file.is_file():
        raise CheckpointError(f"There is no weights file {file}. Check the path.")
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{file} is damaged or cut short ({_first_line(error)}). Get it again."
        ) from error
    except Exception as error:  # UnpicklingError and whatever else a crafted pickle provokes
        raise CheckpointError(
            f"{file} holds more than plain tensors and was not opened, because such a file can run "
            "code. Save it with torch.save(model.state_dict(), ...)."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{file} is not a plain state dict. Save it with torch.save(model.state_dict(), ...)."
        )
    return state


def _fill(model: nn.Module, state: dict[str, Tensor], arch: str, file: Path) -> None:
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"The tensors of {file} are not those of a {arch} with this head "
            f"({_first_line(error)}). Its {CONFIG} names the wrong architecture or classes."
        ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def save(folder: str | Path, model: nn.Module, config: Config, half: bool = False) -> Config:
    """Writes a checkpoint directory, and the bare state dict beside it as `<folder>.pth`.

    Args:
        folder: directory to write or replace.
        model: the torchvision module.
        config: its configuration; the checksums are filled in here.
        half: store matrices and filters as float16 (half the size; loaded as float32), without
            a `.pth`.

    Returns:
        The configuration as written.
    """
    folder = Path(folder)
    state = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    digests = {}
    if half:
        state = {k: v.half() if _halves(v) else v for k, v in state.items()}
    else:
        bare = folder.with_suffix(".pth")
        with replacing(bare) as temporary:
            torch.save(state, temporary)
        digests[bare.name] = sha256(bare)
    with replacing(folder) as temporary:
        temporary.mkdir(parents=True)
        save_file(state, temporary / WEIGHTS, metadata={"format": "pt"})
        (temporary / WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        digests[WEIGHTS] = sha256(temporary / WEIGHTS)
        config = replace(config, sha256=digests)
        (temporary / CONFIG).write_text(config.to_json(), encoding="utf-8")
        (temporary / CARD).write_text(card.text(config), encoding="utf-8")
    return config


def _halves(tensor: Tensor) -> bool:
    # Vectors are few, and some (means that are subtracted) need every digit.
    return tensor.is_floating_point() and tensor.ndim > 1


def round_to_half(model: nn.Module) -> None:
    """Rounds a model's tensors to what `save(..., half=True)` keeps of them."""
    for tensor in model.state_dict().values():
        if _halves(tensor):
            tensor.copy_(tensor.half())


# --- publishing -----------------------------------------------------------------------------


def push(folder: str | Path, repo: str, private: bool = False) -> str:
    """Publishes a checkpoint directory on the Hub, in one commit tagged with its version.

    Sends config, tensors and model card, and what training left beside them: the `.pth` file
    and the curves. Where nothing changed, no commit is made.

    Args:
        folder: a checkpoint directory, such as `Models/RealityCheck`.
        repo: "owner/name"; made if it is not there.
        private: hide a new repository from others.

    Returns:
        The commit.

    Raises:
        CheckpointError: the directory is no sound checkpoint.
        HubError: the Hub refused or cannot be reached, or the version was already published
            with other weights.
    """
    folder = Path(folder)
    checkpoint = load(folder)
    paths = [folder / CONFIG, folder / WEIGHTS, folder / CARD]
    beside = (folder.with_suffix(".pth"), folder.parent / CURVES)
    files = {path.name: path for path in paths + [path for path in beside if path.is_file()]}
    hub.create(repo, private=private)
    name = "v" + checkpoint.config.version
    published = hub.tags(repo)
    if name in published:
        _refuse_other_weights(repo, name, checkpoint.sha256)
    commit = hub.upload(repo, files, f"Version {checkpoint.config.version}")
    if name not in published:
        hub.tag(repo, name, commit)
    return commit


def _refuse_other_weights(repo: str, tag: str, digest: str) -> None:
    folder, _ = hub.download(repo, tag, [CONFIG])
    config = Config.from_json((folder / CONFIG).read_text(encoding="utf-8"))
    if config.sha256.get(WEIGHTS) != digest:
        raise HubError(
            f"{repo} already has a {tag}, with other weights, and somebody may rely on it. Give "
            f'these a version of their own ("version" in {CONFIG}, or train.py --version).'
        )


def main(arguments: list[str] | None = None) -> int:
    """The command `python -m realitycheck.checkpoints`; returns the exit status."""
    p = argparse.ArgumentParser(
        prog="python -m realitycheck.checkpoints", description=push.__doc__.splitlines()[0]
    )
    commands = p.add_subparsers(required=True, metavar="COMMAND")
    pushing = commands.add_parser("push", help="publish a checkpoint directory on the Hub")
    pushing.add_argument("folder", metavar="DIR", type=Path)
    pushing.add_argument("repo", metavar="OWNER/NAME")
    pushing.add_argument("--private", action="store_true", help="hide a new repository from others")
    args = p.parse_args(arguments)
    return exit_status(lambda: _push_and_tell(args))


def _push_and_tell(args: argparse.Namespace) -> None:
    commit = push(args.folder, args.repo, args.private)
    print(f"{hub.address(args.repo)} holds it, commit {commit[:12]}.")


if __name__ == "__main__":
    sys.exit(main())

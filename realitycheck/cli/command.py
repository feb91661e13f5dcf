"""What a command is made of, and the options and steps that several have."""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from realitycheck.config import Config
    from realitycheck.results import Record

ENGINES = ("pytorch", "openvino", "onnx")
NAME = "RealityCheck"  # of what training writes
MODEL = "checkpoint directory, file, or Hub id owner/name[@revision]"
CHOSEN = f"{MODEL} (default: $REALITYCHECK_MODEL, else the bundled one)"


@dataclass(frozen=True)
class Command:
    """One command of the command line.

    Attributes:
        run: what it does, from its arguments to the exit status.
        summary: one line of help, without its first capital and full stop.
        example: its name and arguments.
        options: adds its arguments to its parser.
        failure: exit status of an error.
    """

    run: Callable[[argparse.Namespace], int]
    summary: str
    example: str
    options: Callable[[argparse.ArgumentParser], None]
    failure: int = 1


def data_options(p: argparse.ArgumentParser, output: str) -> None:
    """Adds the pictures, the folder to write, and the loaders.

    Args:
        p: of the command.
        output: help for the folder to write.
    """
    p.add_argument("data", metavar="DATA", type=Path, help="folder of pictures")
    p.add_argument("--output", type=Path, default=Path("Models"), help=output)
    loading_options(p)


def loading_options(p: argparse.ArgumentParser) -> None:
    """Adds how pictures are loaded."""
    p.add_argument("--workers", type=int, help="loader processes per process; 0: none")
    p.add_argument(
        "--min-side",
        type=int,
        metavar="PX",
        help="use pictures from this size on (64, or what the checkpoint was trained with)",
    )


def measuring_options(p: argparse.ArgumentParser, help_: str | None = None) -> None:
    """Adds what `evaluate` measures.

    Args:
        p: of the command.
        help_: in place of the help of each, such as `argparse.SUPPRESS`.
    """
    p.add_argument(
        "--splits",
        nargs="+",
        metavar="NAME",
        help=help_ or "sets to measure (all but train and val)",
    )
    p.add_argument(
        "--conditions",
        nargs="+",
        default=["clean"],
        metavar="NAME",
        help=help_ or 'or "all", with shortcuts',
    )
    p.add_argument(
        "--explanations",
        action="store_true",
        help=help_ or "test the maps too, on 200 pictures of each set",
    )
    p.add_argument(
        "--attacks",
        action="store_true",
        help=help_ or "measure pictures too that were changed to fool it (minutes on a CPU)",
    )
    p.add_argument(
        "--attack-pictures",
        type=int,
        default=100,
        metavar="N",
        help=help_ or "pictures of each set to attack, half of each class (100)",
    )
    p.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help=help_ or "write what was measured as a float16 checkpoint",
    )


def engine_option(p: argparse.ArgumentParser) -> None:
    """Adds what runs the networks."""
    p.add_argument(
        "--engine",
        choices=ENGINES,
        help="what runs the networks (default: $REALITYCHECK_ENGINE, else the fastest one here)",
    )


def quick_option(p: argparse.ArgumentParser) -> None:
    """Adds the quick mode."""
    p.add_argument(
        "--quick",
        action="store_true",
        help="look at a small copy of the whole alone: faster, more is left uncertain",
    )


def workers(args: argparse.Namespace) -> int:
    """How many loader processes: as asked for, else one to two cores, at most 8."""
    if args.workers is not None:
        return max(0, int(args.workers))
    return max(1, min(8, (os.cpu_count() or 2) // 2))


def save(
    folder: Path,
    networks: "Sequence[nn.Module]",
    config: "Config",
    record: "Record",
    copies: dict[str, Path] | None = None,
    *,
    half: bool = False,
) -> None:
    """Saves a checkpoint with its card.

    Args:
        folder: to write.
        networks: the members' networks.
        config: of the checkpoint.
        record: of how it was trained and measured.
        copies: files to copy as they are, by their names in the checkpoint.
        half: store the others' matrices as float16.
    """
    from realitycheck import checkpoints
    from realitycheck.publish import card

    documents = {checkpoints.CARD: card.text(config, record)}
    checkpoints.save(folder, networks, config, record, documents, half=half, copies=copies)

"""python -m realitycheck PATH...: a verdict for every picture."""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from realitycheck import images, rows
from realitycheck.data import picture_files
from realitycheck.errors import PictureError, RealityCheckError
from realitycheck.files import replacing


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m realitycheck",
        description="Tells photographs from pictures made by an AI.",
        epilog="Exit status: 0, 1 if any picture could not be examined, 2 for wrong usage.",
    )
    p.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="picture, or folder of them")
    p.add_argument("--model", help="checkpoint directory, file, or Hub id owner/name[@revision]")
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per picture")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write a table instead of printing")
    p.add_argument("--heatmaps", type=Path, metavar="DIR", help="write a Grad-CAM picture of each")
    return p


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    p = parser()
    args = p.parse_args(arguments)
    for path in args.paths:
        if not path.exists():
            p.error(f"there is no file or folder {path}")
    files = list(_files(args.paths))
    if not files:
        p.error(f"no pictures found (looked for {' '.join(images.SUFFIXES)})")
    try:
        return _examine(files, args)
    except RealityCheckError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
    return 2


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from picture_files(path)
        else:
            yield path


def _examine(files: list[Path], args: argparse.Namespace) -> int:
    from realitycheck.detector import Detector

    detector = Detector.from_pretrained(args.model)
    failed = 0
    with ExitStack() as stack:
        write = _writer(stack, args, detector.config.classes)
        predictions = detector.predict_batch(files, explain=args.heatmaps is not None)
        progress = tqdm(files, unit="picture", disable=None)
        for file, prediction in zip(progress, predictions, strict=True):
            if isinstance(prediction, PictureError):
                failed += 1
                write(rows.failed(str(file), prediction))
                continue
            if args.heatmaps:
                _save_heatmap(prediction, args.heatmaps / _heatmap_name(file, prediction.label))
            write(rows.row(str(file), prediction.report()))
    return 1 if failed else 0


def _writer(stack: ExitStack, args: argparse.Namespace, classes: list[str]):
    """How a row is written: to the CSV file, as JSON, or as a line to read."""
    if args.json:
        return lambda row: tqdm.write(json.dumps(row, ensure_ascii=False), file=sys.stdout)
    if not args.csv:
        return lambda row: tqdm.write(_line(row), file=sys.stdout)
    temporary = stack.enter_context(replacing(args.csv))
    file = stack.enter_context(temporary.open("w", newline="", encoding="utf-8"))
    return rows.csv_writer(file, classes)


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['file']}: error: {row['error']}"
    shares = ", ".join(f"{name} {value:.1%}" for name, value in row["probabilities"].items())
    notes = "".join(f"\n  note: {warning}" for warning in row["warnings"])
    return f"{row['file']}: {row['verdict']} ({shares}) [{rows.model_name(row['model'])}]{notes}"


def _heatmap_name(file: Path, label: str) -> str:
    # Two folders may hold the same file name, so a mark of the whole path is in it.
    mark = hashlib.sha256(str(file.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{file.stem[:100]}.{mark}.{label}.png"


def _save_heatmap(prediction, target: Path) -> None:
    from realitycheck.explain import overlay

    drawn = overlay(
        prediction.picture.image, prediction.heatmap, f"raised the score of “{prediction.label}”"
    )
    with replacing(target) as temporary:
        drawn.save(temporary)


if __name__ == "__main__":
    sys.exit(main())

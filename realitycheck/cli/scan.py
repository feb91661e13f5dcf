"""scan: a verdict for every picture."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realitycheck.cli.command import CHOSEN, Command
from realitycheck.cli.console import stoppable

if TYPE_CHECKING:
    from realitycheck.scan.table import Table


def _scan(args: argparse.Namespace) -> int:
    from realitycheck import images
    from realitycheck.scan import local

    for path in args.paths:
        if not os.path.lexists(path):
            args.parser.error(f"there is no file or folder {path}")
    files, left_out = local.find(args.paths)
    if not files and not left_out:
        args.parser.error(
            f"no pictures found (looked for {' '.join(images.SUFFIXES)}, and at the beginning of "
            "other files)"
        )
    done = failed = 0
    kept: list[Table] = []
    with stoppable() as status:
        try:
            from tqdm import tqdm

            from realitycheck.detector import Detector

            detector = Detector.from_pretrained(args.model)
            with ExitStack() as stack:
                write = _row_writer(stack, args, detector.config.classes, kept)
                rows = local.scan(detector, files, args.heatmaps, left_out)
                total = len(files) + len(left_out)
                for row in tqdm(rows, total=total, unit="picture", disable=None):
                    write(row)
                    failed += "error" in row
                    done += 1
        except KeyboardInterrupt:
            text = f"stopped after {done} of {len(files) + len(left_out)} pictures."
            if kept and kept[0].kept:
                text += f" Their rows are in {kept[0].kept}."
            print(text, file=sys.stderr)
            return status[0]
    return 1 if failed else 0


def _row_writer(
    stack: ExitStack, args: argparse.Namespace, classes: tuple[str, ...], kept: "list[Table]"
) -> Callable[[dict[str, Any]], Any]:
    """How a row is written: to the CSV file, as JSON, or as a line to read.

    Args:
        stack: closes the file.
        args: of `scan`.
        classes: the detector's.
        kept: where the table is put, if one is written, to be asked for what was kept of it.
    """
    from tqdm import tqdm

    from realitycheck.scan import rows
    from realitycheck.scan.table import table

    if args.json:
        return lambda row: tqdm.write(json.dumps(row, ensure_ascii=False), file=sys.stdout)
    if not args.csv:
        return lambda row: tqdm.write(rows.line(row), file=sys.stdout)
    writing = stack.enter_context(table(args.csv, classes))
    kept.append(writing)
    return writing.write


def _scan_options(p: argparse.ArgumentParser) -> None:
    p.description = (
        "A verdict for every picture. Exit status: 0, 1 if any picture could not be examined, 2 "
        "for wrong usage."
    )
    p.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="picture, or folder of them")
    p.add_argument("--model", help=CHOSEN)
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per picture")
    form.add_argument("--csv", type=Path, metavar="FILE", help="write a table instead of printing")
    p.add_argument("--heatmaps", type=Path, metavar="DIR", help="write a Grad-CAM picture of each")


SCAN = Command(
    _scan,
    "give a verdict for pictures",
    "scan holiday/ --csv verdicts.csv",
    _scan_options,
    failure=2,
)

"""scan: a verdict for every picture."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from realitycheck.cli.command import CHOSEN, Command, engine_option
from realitycheck.cli.console import stoppable

if TYPE_CHECKING:
    from realitycheck.data.left_out import LeftOut
    from realitycheck.detector import Detector
    from realitycheck.scan.journal import Journal
    from realitycheck.scan.local import Items

_DESCRIPTION = """\
A verdict for every picture. Pictures inside .zip and .tar files (also .tar.gz, .tar.bz2 and
.tar.xz) are looked at where they lie. With --out or --csv, a scan that was stopped or killed goes
on where it was when the same command is called again, and pictures of the same content are
examined once.

exit status:
  0    every picture was examined
  1    some could not be examined; their rows say why
  2    wrong usage, no such checkpoint, or results that cannot be written
  130  stopped by Ctrl+C (143: by SIGTERM)
"""


@dataclass
class _Run:
    """How far a scan is.

    Attributes:
        items: what it has to do.
        kept: where its rows are, should it be stopped.
        done: pictures that are done, those of earlier calls among them.
        examined: pictures that this call has done.
        started: when, s of `time.monotonic`.
    """

    items: "Items | None" = None
    kept: Path | None = None
    done: int = 0
    examined: int = 0
    started: float = field(default_factory=time.monotonic)

    def stopped(self) -> str:
        """What is said where it was stopped."""
        total = self.items.total if self.items else 0
        text = f"stopped after {self.done} of {total} pictures."
        if self.kept and self.done:
            text += f" Their rows are in {self.kept}. The same command goes on from there."
        return text


def _scan(args: argparse.Namespace) -> int:
    from realitycheck import images
    from realitycheck.scan import archives, local

    target, form = _target(args)
    for path in args.paths:
        if not os.path.lexists(path):
            args.parser.error(f"there is no file or folder {path}")
    found = local.find(args.paths, args.heatmaps)
    if not any(found):
        args.parser.error(
            f"no pictures found (looked for {' '.join((*images.SUFFIXES, *archives.SUFFIXES))}, "
            "and at the beginning of other files)"
        )
    run = _Run()
    with stoppable() as status:
        try:
            from realitycheck.detector import Detector

            detector = Detector.from_pretrained(args.model, args.engine)
            if target is None:
                return _print(args, detector, found, run)
            return _write(args, detector, found, target, form, run)
        except KeyboardInterrupt:
            print(run.stopped(), file=sys.stderr)
            return status[0]


def _target(args: argparse.Namespace) -> tuple[Path | None, str]:
    """The file to write, if any, and its form; whatever is wrong with it is said now."""
    from realitycheck.errors import RealityCheckError
    from realitycheck.scan import outputs

    target: Path | None = args.out or args.csv
    form = ".csv" if args.csv else args.out.suffix.lower() if args.out else ""
    if target is None:
        if args.restart:
            args.parser.error("--restart needs --out or --csv: nothing else is kept")
        return None, form
    if target.is_dir():
        args.parser.error(f"{target} is a folder: name a file in it")
    try:
        outputs.check_form(form)
    except RealityCheckError as error:
        args.parser.error(str(error))
    return target, form


def _print(
    args: argparse.Namespace,
    detector: "Detector",
    found: "tuple[list[Path], list[LeftOut]]",
    run: _Run,
) -> int:
    """Prints a row for each picture, and a summary beside them where there are several."""
    from tqdm import tqdm

    from realitycheck.scan import local, rows
    from realitycheck.scan.summary import Summary

    run.items = local.Items(*found)
    summary = Summary()
    for row in _rows(args, detector, run, None):
        text = json.dumps(row, ensure_ascii=False) if args.json else rows.line(row)
        tqdm.write(text, file=sys.stdout)
        summary.add(row)
    if summary.total > 1:
        _tell(summary.lines(run.examined, time.monotonic() - run.started), sys.stderr)
    return 1 if summary.failed else 0


def _write(
    args: argparse.Namespace,
    detector: "Detector",
    found: "tuple[list[Path], list[LeftOut]]",
    target: Path,
    form: str,
    run: _Run,
) -> int:
    """Writes a file of rows, by way of a journal that outlives being stopped."""
    from realitycheck.scan import local, outputs
    from realitycheck.scan.journal import Journal
    from realitycheck.scan.summary import Summary

    with Journal(target, _setting(args, detector), args.restart) as journal:
        run.kept, run.done = journal.path, journal.rows
        run.items = local.Items(*found, journal.done)
        for _ in _rows(args, detector, run, journal):
            pass
        seconds = time.monotonic() - run.started
        summary = Summary()
        outputs.write(target, form, detector.config.classes, summary.counted(journal.all()))
        journal.delete()
    _tell([*summary.lines(run.examined, seconds), f"Wrote {target}."], sys.stdout)
    return 1 if summary.failed else 0


def _rows(
    args: argparse.Namespace, detector: "Detector", run: _Run, journal: "Journal | None"
) -> Iterator[dict[str, Any]]:
    """The rows as they come, under a bar that shows the rate and the time left."""
    from tqdm import tqdm

    from realitycheck.scan import local

    assert run.items is not None
    run.started = time.monotonic()
    total = run.items.total
    with tqdm(total=total, initial=run.done, unit=" pictures", disable=None) as bar:
        for row in local.scan(detector, run.items, args.heatmaps, journal):
            yield row
            run.done += 1
            run.examined += 1
            bar.total = run.items.total  # the members of tar files come to it as they are met
            bar.update()


def _setting(args: argparse.Namespace, detector: "Detector") -> dict[str, Any]:
    """What makes a scan another: the rows of two such must not be mixed."""
    from realitycheck import __version__

    model = {f"model's {k}": v for k, v in detector.describe().items() if k != "calls"}
    paths = [str(path) for path in args.paths]
    return {
        "pictures": paths,
        "working folder": "" if all(map(os.path.isabs, paths)) else os.getcwd(),
        "--heatmaps": str(args.heatmaps or ""),
        "version of RealityCheck": __version__,
        **model,
    }


def _tell(lines: list[str], stream: TextIO) -> None:
    sys.stdout.flush()
    print("\n".join(lines), file=stream)


def _scan_options(p: argparse.ArgumentParser) -> None:
    p.description = _DESCRIPTION
    p.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="picture, archive, or folder of them"
    )
    p.add_argument("--model", help=CHOSEN)
    engine_option(p)
    form = p.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per picture")
    form.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write FILE.parquet, FILE.csv or FILE.jsonl instead of printing",
    )
    form.add_argument(
        "--csv", type=Path, metavar="FILE", help="the same, a CSV file of whatever name"
    )
    p.add_argument(
        "--restart",
        action="store_true",
        help="begin anew: throw away what a scan into the same file kept when it was stopped",
    )
    p.add_argument("--heatmaps", type=Path, metavar="DIR", help="write a Grad-CAM picture of each")


SCAN = Command(
    _scan,
    "give a verdict for pictures",
    "scan holiday/ --out verdicts.csv",
    _scan_options,
    failure=2,
)

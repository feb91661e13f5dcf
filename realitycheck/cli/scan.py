"""scan: a verdict for every picture."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from realitycheck.cli.command import CHOSEN, Command, engine_option, quick_option
from realitycheck.cli.console import stoppable

if TYPE_CHECKING:
    from realitycheck.scan.journal import Journal

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


Rows = Iterator[dict[str, Any]]


@dataclass
class _Run:
    """How far a scan is.

    Attributes:
        total: gives how many pictures there are; a scan may find more on its way.
        kept: where its rows are, should it be stopped.
        done: pictures that are done, those of earlier calls among them.
        examined: pictures that this call has done.
        started: when, s of `time.monotonic`.
    """

    total: Callable[[], int] = lambda: 0
    kept: Path | None = None
    done: int = 0
    examined: int = 0
    started: float = field(default_factory=time.monotonic)

    def stopped(self) -> str:
        """What is said where it was stopped."""
        text = f"stopped after {self.done} of {self.total()} pictures."
        if self.kept and self.done:
            text += f" Their rows are in {self.kept}. The same command goes on from there."
        return text

    def under_bar(self, rows: Rows) -> Rows:
        """The rows as they come, under a bar that shows the rate and the time left."""
        from tqdm import tqdm

        self.started = time.monotonic()
        total = self.total()
        with tqdm(total=total, initial=self.done, unit=" pictures", disable=None) as bar:
            for row in rows:
                yield row
                self.done += 1
                self.examined += 1
                bar.total = self.total()
                bar.update()


def _scan(args: argparse.Namespace) -> int:
    target, form = _target(args)
    run = _Run()
    with stoppable() as status:
        try:
            if args.cluster is not None:
                return _on_cluster(args, target, form, run)
            return _here(args, target, form, run)
        except KeyboardInterrupt:
            print(run.stopped(), file=sys.stderr)
            return status[0]


def _target(args: argparse.Namespace) -> tuple[Path | None, str]:
    """The file to write, if any, and its form; whatever is wrong with the usage is said now."""
    from realitycheck.errors import RealityCheckError
    from realitycheck.scan import outputs

    target: Path | None = args.out or args.csv
    form = ".csv" if args.csv else args.out.suffix.lower() if args.out else ""
    if args.cluster is not None and args.heatmaps:
        args.parser.error("--heatmaps needs a scan without --cluster")
    if args.cluster is not None and args.engine:
        args.parser.error("--engine needs a scan without --cluster: each machine takes its fastest")
    if target is None:
        for option in ("cluster", "restart"):
            if getattr(args, option) not in (None, False):
                args.parser.error(f"--{option} needs --out or --csv")
        return None, form
    if target.is_dir():
        args.parser.error(f"{target} is a folder: name a file in it")
    if ":/" in str(target):
        args.parser.error(f"{target} is not on this machine: write a file here, and copy it")
    try:
        outputs.check_form(form)
    except RealityCheckError as error:
        args.parser.error(str(error))
    return target, form


def _here(args: argparse.Namespace, target: Path | None, form: str, run: _Run) -> int:
    """Scans files, folders and archives with this process."""
    from realitycheck import images
    from realitycheck.scan import archives, local

    for path in args.paths:
        if not os.path.lexists(path):
            elsewhere = ": pictures elsewhere are read with --cluster" * ("://" in path)
            args.parser.error(f"there is no file or folder {path}{elsewhere}")
    found = local.find(map(Path, args.paths), args.heatmaps)
    if not any(found):
        args.parser.error(
            f"no pictures found (looked for {' '.join((*images.SUFFIXES, *archives.SUFFIXES))}, "
            "and at the beginning of other files)"
        )
    from realitycheck.detector import Detector

    detector = Detector.from_pretrained(args.model, args.engine, quick=args.quick)
    if target is None:
        items = local.Items(*found)
        run.total = lambda: items.total
        return _print(args, run, local.scan(detector, items, args.heatmaps))

    def rows(journal: "Journal") -> Rows:
        items = local.Items(*found, journal.done)
        run.total = lambda: items.total
        return local.scan(detector, items, args.heatmaps, journal)

    from realitycheck.scan.journal import Journal

    with Journal(target, _setting(args, detector.describe()), args.restart) as journal:
        return _write(target, form, run, detector.config.classes, journal, rows(journal))


def _on_cluster(args: argparse.Namespace, target: Path | None, form: str, run: _Run) -> int:
    """Scans files, folders and what URIs name with the actors of a cluster."""
    from realitycheck import __version__, checkpoints
    from realitycheck.scan import cluster, connection, stores
    from realitycheck.scan.journal import Journal

    assert target is not None  # _target has seen to it
    connection.check_packages()
    for path in args.paths:
        if not (os.path.lexists(path) or stores.is_uri(path)):
            args.parser.error(f"there is no file or folder {path}")
    found = stores.find(args.paths)
    if not found:
        args.parser.error("no pictures found (looked for their suffixes, and files without any)")
    model = checkpoints.find(args.model)
    checkpoint = (model.quick() if args.quick else model).checkpoint
    wanted = (__version__, checkpoint.sha256)
    scan = cluster.Scan(found, args.model, wanted, args.cluster, quick=args.quick)
    run.total = lambda: scan.total
    setting = _setting(args, checkpoint.describe())
    with Journal(target, setting, args.restart, scan.marks()) as journal:
        return _write(target, form, run, checkpoint.config.classes, journal, scan.rows(journal))


def _print(args: argparse.Namespace, run: _Run, scanned: Rows) -> int:
    """Prints a row for each picture, and a summary beside them where there are several."""
    from tqdm import tqdm

    from realitycheck.scan import rows
    from realitycheck.scan.summary import Summary

    summary = Summary()
    for row in run.under_bar(scanned):
        text = json.dumps(row, ensure_ascii=False) if args.json else rows.line(row)
        tqdm.write(text, file=sys.stdout)
        summary.add(row)
    if summary.total > 1:
        _tell(summary.lines(run.examined, time.monotonic() - run.started), sys.stderr)
    return 1 if summary.failed else 0


def _write(
    target: Path,
    form: str,
    run: _Run,
    classes: Sequence[str],
    journal: "Journal",
    scanned: Rows,
) -> int:
    """Writes a file of rows, by way of a journal that outlives being stopped.

    Args:
        target: the file.
        form: its suffix.
        run: how far the scan is.
        classes: the detector's.
        journal: has the rows of earlier calls.
        scanned: the other rows, each of which is in the journal before it comes.
    """
    from realitycheck.scan import outputs
    from realitycheck.scan.summary import Summary

    run.kept, run.done = journal.path, journal.rows
    for _ in run.under_bar(scanned):
        pass
    seconds = time.monotonic() - run.started
    summary = Summary()
    outputs.write(target, form, classes, summary.counted(journal.all()))
    journal.delete()
    _tell([*summary.lines(run.examined, seconds), f"Wrote {target}."], sys.stdout)
    return 1 if summary.failed else 0


def _setting(args: argparse.Namespace, model: dict[str, Any]) -> dict[str, Any]:
    """What makes a scan another: the rows of two such must not be mixed."""
    from realitycheck import __version__
    from realitycheck.scan import stores

    uris = list(map(stores.is_uri, args.paths))
    local_paths = [p for p, uri in zip(args.paths, uris, strict=True) if not uri]
    return {
        # Without keys that a URI may hold.
        "pictures": [
            stores.public(p) if uri else p for p, uri in zip(args.paths, uris, strict=True)
        ],
        "working folder": "" if all(map(os.path.isabs, local_paths)) else os.getcwd(),
        "--heatmaps": str(args.heatmaps or ""),
        "version of RealityCheck": __version__,
        **{f"model's {k}": v for k, v in model.items() if k != "calls"},
    }


def _tell(lines: list[str], stream: TextIO) -> None:
    sys.stdout.flush()
    print("\n".join(lines), file=stream)


def _path(text: str) -> str:
    """A path as `Path` writes it; a URI as it is."""
    return text if "://" in text else str(Path(text))


def _scan_options(p: argparse.ArgumentParser) -> None:
    p.description = _DESCRIPTION
    p.add_argument(
        "paths",
        nargs="+",
        type=_path,
        metavar="PATH",
        help="picture, archive, or folder of them; with --cluster also a URI such as s3://BUCKET/KEY",
    )
    p.add_argument("--model", help=CHOSEN)
    engine_option(p)
    quick_option(p)
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
    p.add_argument(
        "--cluster",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="examine on all cores of a Ray cluster; without ADDRESS, of one on this machine",
    )


SCAN = Command(
    _scan,
    "give a verdict for pictures",
    "scan holiday/ --out verdicts.csv",
    _scan_options,
    failure=2,
)

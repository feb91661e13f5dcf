"""The one door: realitycheck scan | serve | train | evaluate | calibrate | export | push | ...

This file alone prints; the library logs.
"""

import argparse
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realitycheck import __version__
from realitycheck.errors import HubError, RealityCheckError

if TYPE_CHECKING:
    from torch import nn

    from realitycheck.config import Config
    from realitycheck.results import Record
    from realitycheck.scan.table import Table
    from realitycheck.training.recipe import Recipe
    from realitycheck.training.transformer_run import TransformerRecipe

log = logging.getLogger("realitycheck")

INTERRUPTED = 130  # exit status after Ctrl+C, as shells have it
TERMINATED = 143  # and after SIGTERM
MODEL = "checkpoint directory, file, or Hub id owner/name[@revision]"
NAME = "RealityCheck"  # of what training writes
CHOSEN = f"{MODEL} (default: $REALITYCHECK_MODEL, else the bundled one)"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    p, commands = parser()
    if arguments and arguments[0] not in (*commands, "-h", "--help", "--version"):
        arguments = ["scan", *arguments]
    args = p.parse_args(arguments)
    _log_to_console()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name may hold what the console cannot show; that must not end anything.
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return INTERRUPTED
    except RealityCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(args.failure)
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return int(args.failure)
    return status


class _Console(logging.Handler):
    """What the library logs: news to standard output, warnings to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        warns = record.levelno >= logging.WARNING
        text = self.format(record)
        if warns:
            text = f"{record.levelname.lower()}: {text}"
        tqdm.write(text, file=sys.stderr if warns else sys.stdout)
        sys.stdout.flush()


def _log_to_console() -> None:
    log.setLevel(logging.INFO)
    log.propagate = False
    if not any(isinstance(handler, _Console) for handler in log.handlers):
        log.addHandler(_Console())


# --- scan ---------------------------------------------------------------------------------------


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
    with _terminated() as status:
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


@contextmanager
def _terminated() -> Iterator[list[int]]:
    """Within the block SIGTERM stops as Ctrl+C does; gives the exit status for what stopped it."""
    status = [INTERRUPTED]

    def stop(*_: object) -> None:
        status[0] = TERMINATED
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # only there can it be caught
        yield status
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield status
    finally:
        signal.signal(signal.SIGTERM, before)


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


# --- serve --------------------------------------------------------------------------------------


def _serve(args: argparse.Namespace) -> int:
    from realitycheck.web.start import start

    return start(args.model, host=args.host, port=args.port, share=args.share, mcp=args.mcp)


# --- train --------------------------------------------------------------------------------------


def _train(args: argparse.Namespace) -> int:
    if args.evaluate:  # as train.py took it before `evaluate` was a command of its own
        args.model = None if args.evaluate == "bundled" else args.evaluate
        return _evaluate(args)
    from realitycheck.data.samples import list_left_out

    with list_left_out(args.output):
        return _train_transformer(args) if args.recipe == "transformer" else _train_network(args)


def _train_network(args: argparse.Namespace) -> int:
    # What comes after training too, so that a package that is missing is missed before.
    from realitycheck.committee import members as networks
    from realitycheck.data import folders
    from realitycheck.evaluation import calibration
    from realitycheck.files import check_writable
    from realitycheck.publish.push import prepare
    from realitycheck.training import record as records
    from realitycheck.training.loop import make_accelerator
    from realitycheck.training.run import fit

    recipe = chosen_recipe(args)
    check_writable(args.output)
    if args.push_to_hub:
        # Before training, so that a wrong token or name costs no hours.
        prepare(args.push_to_hub, args.private)
    # Before any picture is read, which takes long.
    ai_class = folders.ai_class(folders.class_names(args.data), args.ai_class)
    splits = folders.find(args.data, recipe.seed)
    accelerator = make_accelerator(recipe.precision)
    started = time.monotonic()
    network, history = fit(
        recipe,
        splits,
        args.output,
        accelerator,
        resume=args.resume,
        workers=_workers(args),
        memory=int(args.memory * 2**30),
    )
    if not accelerator.is_main_process:
        return 0
    print(f"Training took {time.monotonic() - started:.1f} s in this call.")
    config, record = records.new_checkpoint(recipe, splits, ai_class, history, args.version)
    folder = args.output / NAME
    # Saved before it is calibrated too: hours of training must not be lost to a failure in it.
    _save(folder, [network], config, record)
    members = [networks.wrap(m.name, m.arch, m.preprocessing, network) for m in config.members]
    config = calibration.calibrated(config, members, splits, workers=_workers(args))
    if args.push_to_hub and splits.sets.get("test"):
        from realitycheck.evaluation.run import measure

        figures, _ = measure(members, config, splits, ["test"], ["clean"], _workers(args))
        record = replace(record, metrics=figures)
    _save(folder, [network.cpu()], config, record)
    print(f"Wrote {folder} and {folder.with_suffix('.pth')}.")
    if args.push_to_hub:
        _push_and_tell(folder, args.push_to_hub, args.private)
    return 0


def _train_transformer(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from realitycheck.committee import transformer
    from realitycheck.config import Config, MemberConfig
    from realitycheck.data import folders
    from realitycheck.evaluation import calibration
    from realitycheck.publish import upload
    from realitycheck.training import record as records
    from realitycheck.training import transformer_run as run

    recipe = _transformer_recipe(args)
    if args.push_to_hub:
        upload.create(args.push_to_hub, private=args.private)
    # Before any picture is read, which takes long.
    ai_class = folders.ai_class(folders.class_names(args.data), args.ai_class)
    splits = folders.find(args.data, recipe.seed)
    started = time.monotonic()
    fitted = run.fit(recipe, splits, args.output, splits.classes.index(ai_class))
    took = time.monotonic() - started
    print(f"Training took {took:.1f} s in this call.")
    settings = {"recipe": "transformer", **asdict(recipe), **asdict(recipe.head)}
    del settings["head"]
    step = records.finished_step(settings, recipe.weights, fitted.views, took)
    member = MemberConfig(
        "transformer", transformer.ARCH, transformer.PREPROCESSING, (run.TOWER, run.HEAD)
    )
    config = Config(tuple(splits.classes), ai_class, (member,), version=args.version)
    held_out = fitted.held_out
    config = calibration.calibrated_on_held_out(
        config, held_out.leads[:, None], held_out.is_ai, held_out.condition
    )
    for line in calibration.held_out_lines(
        config, held_out.leads, held_out.is_ai, held_out.condition
    ):
        print(line)
    folder = args.output / NAME
    record = records.new_record(splits, (step,))
    _save(folder, [fitted.network.cpu()], config, record, {run.TOWER: fitted.tower})
    print(f"Wrote {folder}.")
    if args.push_to_hub:
        _push_and_tell(folder, args.push_to_hub, args.private)
    return 0


def _transformer_recipe(args: argparse.Namespace) -> "TransformerRecipe":
    from realitycheck.checkpoints import BUNDLE
    from realitycheck.training.tokens import HeadRecipe
    from realitycheck.training.transformer_run import TransformerRecipe

    given = {name: value for name, value in vars(args).items() if value is not None}
    head = HeadRecipe(**{k: v for k, v in given.items() if k in HeadRecipe.__dataclass_fields__})
    chosen = {k: given[k] for k in ("per_source", "copies", "seed") if k in given}
    return TransformerRecipe(weights=args.weights or str(BUNDLE), head=head, **chosen)


def chosen_recipe(args: argparse.Namespace) -> "Recipe":
    """The recipe that the arguments of `train` describe."""
    from realitycheck.training.recipe import RECIPES, Recipe, for_architecture

    names = set(Recipe.__dataclass_fields__) & set(vars(args)) - {"recipe"}
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if "crop_sizes" in given:
        given["crop_sizes"] = tuple(given["crop_sizes"])
    base = RECIPES[args.recipe]
    return replace(for_architecture(base, given.get("arch", base.arch)), **given)


def _save(
    folder: Path,
    networks: "Sequence[nn.Module]",
    config: "Config",
    record: "Record",
    copies: dict[str, Path] | None = None,
) -> None:
    from realitycheck import checkpoints
    from realitycheck.publish import card

    documents = {checkpoints.CARD: card.text(config, record)}
    checkpoints.save(folder, networks, config, record, documents, copies=copies)


def _workers(args: argparse.Namespace) -> int:
    if args.workers is not None:
        return max(0, int(args.workers))
    return max(1, min(8, (os.cpu_count() or 2) // 2))


# --- measure, calibrate, export -----------------------------------------------------------------


def _evaluate(args: argparse.Namespace) -> int:
    from realitycheck.evaluation.run import Choices, run
    from realitycheck.files import check_writable

    check_writable(args.output)
    choices = Choices(
        output=args.output,
        splits=args.splits,
        conditions=tuple(args.conditions),
        explanations=args.explanations,
        workers=_workers(args),
        export=args.export,
    )
    run(args.data, args.model, choices)
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from realitycheck import checkpoints
    from realitycheck.data import folders
    from realitycheck.evaluation import calibration
    from realitycheck.files import check_writable

    check_writable(args.folder.parent)
    checkpoint = checkpoints.load(args.model)
    record = checkpoint.record()
    splits = folders.find(args.data, args.seed, checkpoint.config.classes)
    config = calibration.calibrated(
        checkpoint.config, checkpoint.members, splits, workers=_workers(args)
    )
    # Figures that were measured with the thresholds of before say nothing of these.
    record = replace(record, metrics={})
    networks = [member.network for member in checkpoint.members]
    _save(args.folder, networks, config, record, checkpoints.parts(checkpoint))
    rule = config.abstention
    print(f"Wrote {args.folder}: `ai` from {rule.ai:.3f}, `real` up to {rule.real:.3f}.")
    return 0


def _export(args: argparse.Namespace) -> int:
    from realitycheck import checkpoints
    from realitycheck.publish import card

    checkpoint = checkpoints.load(args.model)
    config, record = checkpoint.config, checkpoint.record()
    documents = {checkpoints.CARD: card.text(config, record)}
    networks = [member.network for member in checkpoint.members]
    checkpoints.save(
        args.folder,
        networks,
        config,
        record,
        documents,
        half=args.half,
        copies=checkpoints.parts(checkpoint),
    )
    print(f"Wrote {args.folder}.")
    return 0


# --- publish ------------------------------------------------------------------------------------


def _push(args: argparse.Namespace) -> int:
    _push_and_tell(args.folder, args.repo, args.private, args.replace)
    return 0


def _push_and_tell(folder: Path, repo: str, private: bool, replace_: bool = False) -> None:
    from realitycheck import hub
    from realitycheck.publish.push import push

    try:
        commit = push(folder, repo, private, replace_)
    except HubError as error:
        raise HubError(
            f"{error} The checkpoint is whole in {folder}; once that is mended: "
            f"realitycheck push {folder} {repo}"
        ) from error
    print(f"{hub.address(repo)} holds it, commit {commit[:12]}.")


def _publish_space(args: argparse.Namespace) -> int:
    from realitycheck.publish import space

    if args.dry_run:
        print("\n".join(sorted(space.files(args.model))))
        return 0
    url = space.publish(
        args.space,
        args.model,
        private=args.private,
        hardware=args.hardware,
        replace=args.replace,
    )
    print(f"{url} is running.")
    return 0


# --- the parsers --------------------------------------------------------------------------------


def parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """The command line, and the names of its commands."""
    p = argparse.ArgumentParser(
        prog="realitycheck",
        description="Tells photographs from pictures made by an AI.",
        epilog="`realitycheck PICTURE` is short for `realitycheck scan PICTURE`.",
    )
    p.add_argument("--version", action="version", version=f"realitycheck {__version__}")
    commands = p.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, summary, example, add, failure) in _COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:  realitycheck {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add(command)
        command.set_defaults(run=run, parser=command, failure=failure)
    return p, list(_COMMANDS)


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


def _serve_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--model", help=CHOSEN)
    p.add_argument("--share", action="store_true", help="ask for a temporary public link")
    p.add_argument("--mcp", action="store_true", help="answer MCP clients too (starts slower)")
    p.add_argument("--host", help="address to listen on (127.0.0.1)")
    p.add_argument("--port", type=int, help="port to listen on (7860, or the next free one)")


def _train_options(p: argparse.ArgumentParser) -> None:
    p.description = (
        "Trains a detector. DATA holds train/, val/ and test/ folders of class folders (ai/ and "
        "real/),\nor the class folders alone, which are then split 80/10/10."
    )
    _data_options(p, output="folder to write (Models)")
    recipe = p.add_argument_group("recipe (defaults come from --recipe)")
    recipe.add_argument("--recipe", choices=("paper", "full", "transformer"), default="full")
    recipe.add_argument("--arch", help="resnet50, efficientnet_b0 or vit_b_16")
    recipe.add_argument(
        "--weights",
        help='starting weights: "imagenet", "none", a .pth or .safetensors file, or a checkpoint',
    )
    recipe.add_argument("--epochs", type=int)
    recipe.add_argument("--batch-size", type=int, help="pictures per step and process")
    recipe.add_argument("--optimizer", choices=("adam", "adamw", "sgd"))
    recipe.add_argument("--lr", type=float, help="peak learning rate")
    recipe.add_argument("--weight-decay", type=float)
    recipe.add_argument("--warmup", type=float, help="share of all steps")
    recipe.add_argument("--ema", type=float, help="decay of the weights' EMA; 0: none")
    recipe.add_argument("--label-smoothing", type=float)
    recipe.add_argument("--dropout", type=float, help="in the classifier")
    recipe.add_argument("--feature-noise", type=float, help="deviation of noise on cached features")
    recipe.add_argument("--strength", type=float, help="of the augmentation; 0: crops and flips")
    recipe.add_argument("--crop-sizes", type=int, nargs="+", metavar="PX", help="in turn")
    recipe.add_argument("--view-size", type=int, metavar="PX", help="of an evaluation view")
    recipe.add_argument(
        "--balanced", action=argparse.BooleanOptionalAction, help="class-balanced sampling"
    )
    recipe.add_argument(
        "--frozen", action=argparse.BooleanOptionalAction, help="train the classifier only"
    )
    recipe.add_argument(
        "--cache-features",
        action="store_true",
        default=None,
        help="frozen backbone: run it once and train on its output; see --copies",
    )
    recipe.add_argument(
        "--copies", type=int, help="of each picture among cached features, all but one augmented"
    )
    recipe.add_argument("--per-source", type=int, help="transformer: pictures of each source (60)")
    recipe.add_argument("--steps", type=int, help="transformer: batches for each of its networks")
    recipe.add_argument("--networks", type=int, help="transformer: how many are averaged")
    recipe.add_argument("--hidden", type=int, help="transformer: units of each of them")
    recipe.add_argument("--seed", type=int)
    recipe.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"))
    recipe.add_argument("--ai-class", help="name of the class made by an AI")

    running = p.add_argument_group("running")
    running.add_argument("--resume", action="store_true", help="resume from OUTPUT/state.pt")
    running.add_argument("--version", default="1", help="of the weights; the Hub tags it (1)")
    running.add_argument(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="measure on the test set, if there is one, and publish at the end",
    )
    running.add_argument("--private", action="store_true", help="publish for yourself alone")
    running.add_argument(
        "--memory", type=float, default=8, metavar="GB", help="decoded pictures kept per set (8)"
    )
    p.add_argument("--evaluate", metavar="CHECKPOINT", help=argparse.SUPPRESS)
    _measuring_options(p, help_=argparse.SUPPRESS)


def _evaluate_options(p: argparse.ArgumentParser) -> None:
    _data_options(p, output="folder for metrics.json, scores.csv and report.md (Models)")
    p.add_argument("--model", help=CHOSEN)
    _measuring_options(p)


def _data_options(p: argparse.ArgumentParser, output: str) -> None:
    p.add_argument("data", metavar="DATA", type=Path, help="folder of pictures")
    p.add_argument("--output", type=Path, default=Path("Models"), help=output)
    p.add_argument("--workers", type=int, help="loader processes per process")


def _measuring_options(p: argparse.ArgumentParser, help_: str | None = None) -> None:
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
        "--export",
        type=Path,
        metavar="DIR",
        help=help_ or "write what was measured as a float16 checkpoint",
    )


def _calibrate_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("data", metavar="DATA", type=Path, help="folder with validation pictures")
    p.add_argument("folder", metavar="DIR", type=Path, help="checkpoint directory to write")
    p.add_argument("--model", help=CHOSEN)
    p.add_argument("--seed", type=int, default=0, help="of the split, where DATA has none (0)")
    p.add_argument("--workers", type=int, help="loader processes")


def _export_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="DIR", type=Path, help="checkpoint directory to write")
    p.add_argument("--model", help=CHOSEN)
    p.add_argument("--half", action="store_true", help="in float16: half the size")


def _push_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="DIR", type=Path, help="such as Models/RealityCheck")
    p.add_argument("repo", metavar="OWNER/NAME")
    p.add_argument("--private", action="store_true", help="hide a new repository from others")
    p.add_argument(
        "--replace", action="store_true", help="delete whatever else the repository holds"
    )


def _publish_space_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("space", metavar="OWNER/SPACE")
    p.add_argument(
        "--model", metavar="OWNER/NAME[@REV]", help="to answer with (default: bundled weights)"
    )
    p.add_argument("--private", action="store_true", help="hide a new Space from others")
    p.add_argument("--hardware", help="such as cpu-basic or t4-small")
    p.add_argument("--replace", action="store_true", help="delete whatever else the Space holds")
    p.add_argument("--dry-run", action="store_true", help="only list the files")


# Name: what it runs, a summary, an example, its options, the exit status of an error.
_COMMANDS = {
    "scan": (
        _scan,
        "give a verdict for pictures",
        "scan holiday/ --csv verdicts.csv",
        _scan_options,
        2,
    ),
    "serve": (_serve, "open the demo", "serve --port 8000", _serve_options, 1),
    "train": (
        _train,
        "train a detector on your own pictures",
        "train DATA --recipe paper",
        _train_options,
        1,
    ),
    "evaluate": (
        _evaluate,
        "measure a checkpoint on a folder",
        "evaluate DATA --model Models/RealityCheck",
        _evaluate_options,
        1,
    ),
    "calibrate": (
        _calibrate,
        "fit probabilities and thresholds anew",
        "calibrate DATA Models/Calibrated",
        _calibrate_options,
        1,
    ),
    "export": (
        _export,
        "write a checkpoint in another form",
        "export Models/Half --half",
        _export_options,
        1,
    ),
    "push": (
        _push,
        "publish a checkpoint directory on the Hub",
        "push Models/RealityCheck OWNER/NAME",
        _push_options,
        1,
    ),
    "publish-space": (
        _publish_space,
        "create or update a Space with the demo",
        "publish-space OWNER/SPACE --dry-run",
        _publish_space_options,
        1,
    ),
}


if __name__ == "__main__":
    sys.exit(main())

"""evaluate and calibrate: what needs a checkpoint and pictures with their classes."""

import argparse
from dataclasses import replace
from pathlib import Path

from realitycheck.cli.command import (
    CHOSEN,
    Command,
    data_options,
    engine_option,
    loading_options,
    measuring_options,
    quick_option,
    save,
    workers,
)


def _evaluate(args: argparse.Namespace) -> int:
    from realitycheck.data.left_out import list_left_out
    from realitycheck.evaluation.run import Choices, run
    from realitycheck.files import check_writable

    if args.export and args.engine not in (None, "pytorch"):
        args.parser.error("--export measures rounded weights, which PyTorch runs: leave --engine")
    if args.attacks and args.attack_pictures < 4:
        args.parser.error("--attack-pictures must be 4 or more: two of each class")
    if args.quick and (args.export or args.explanations or args.attacks):
        args.parser.error(
            "--export, --explanations and --attacks are of the full mode: leave --quick"
        )
    check_writable(args.output)
    choices = Choices(
        output=args.output,
        splits=args.splits,
        conditions=tuple(args.conditions),
        explanations=args.explanations,
        attacks=args.attack_pictures if args.attacks else 0,
        workers=workers(args),
        export=args.export,
        min_side=args.min_side,
        engine=args.engine,
        quick=args.quick,
    )
    with list_left_out(args.output):
        run(args.data, args.model, choices)
    return 0


def _evaluate_options(p: argparse.ArgumentParser) -> None:
    data_options(p, output="folder for metrics.json, scores.csv and report.md (Models)")
    p.add_argument("--model", help=CHOSEN)
    engine_option(p)
    quick_option(p)
    measuring_options(p)


def _calibrate(args: argparse.Namespace) -> int:
    from realitycheck import checkpoints
    from realitycheck.data import folders
    from realitycheck.data.left_out import list_left_out
    from realitycheck.data.samples import smallest_side
    from realitycheck.evaluation import calibration
    from realitycheck.files import check_writable

    check_writable(args.folder.parent)
    checkpoint = checkpoints.load(args.model)
    record = checkpoint.record()
    with list_left_out(args.folder.parent):
        splits = folders.find(
            args.data,
            args.seed,
            checkpoint.config.classes,
            min_side=smallest_side(record, args.min_side),
            validation=True,
        )
        config = calibration.calibrated(
            checkpoint.config, checkpoint.members, splits, workers=workers(args)
        )
    # Figures that were measured with the thresholds of before say nothing of these.
    record = replace(record, metrics={})
    networks = [member.network for member in checkpoint.members]
    save(args.folder, networks, config, record, checkpoints.parts(checkpoint))
    rule = config.abstention
    verdicts = f"`ai` from {rule.ai:.3f}, `real` up to {rule.real:.3f}"
    print(f"Wrote {args.folder}: {verdicts if rule.decides else 'no verdicts'}.")
    return 0


def _calibrate_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("data", metavar="DATA", type=Path, help="folder with validation pictures")
    p.add_argument("folder", metavar="DIR", type=Path, help="checkpoint directory to write")
    p.add_argument("--model", help=CHOSEN)
    p.add_argument("--seed", type=int, default=0, help="of the split, where DATA has none (0)")
    loading_options(p)


EVALUATE = Command(
    _evaluate,
    "measure a checkpoint on a folder",
    "evaluate DATA --model Models/RealityCheck",
    _evaluate_options,
)
CALIBRATE = Command(
    _calibrate,
    "fit probabilities and thresholds anew",
    "calibrate DATA Models/Calibrated",
    _calibrate_options,
)

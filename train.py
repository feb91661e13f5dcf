"""Train a detector on your own pictures, or measure one.

    python train.py DATA                          fine-tune a ResNet-50 on your pictures
    python train.py DATA --recipe paper           the paper's method
    python train.py DATA --resume                 go on after an interruption
    python train.py DATA --evaluate CHECKPOINT    measure a checkpoint on DATA
    accelerate launch train.py DATA               on several GPUs

DATA holds train/, val/ and test/ folders of class folders (ai/ and real/), or the class
folders alone, which are then split 80/10/10.
"""

import argparse
import logging
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from realitycheck.errors import HubError, RealityCheckError, exit_status


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("data", metavar="DATA", type=Path, help="folder of pictures")
    p.add_argument("--output", type=Path, default=Path("Models"), help="folder to write (Models)")

    recipe = p.add_argument_group("recipe (defaults come from --recipe)")
    recipe.add_argument("--recipe", choices=("paper", "full"), default="full")
    recipe.add_argument(
        "--arch",
        help="resnet50, resnet50_residuals, efficientnet_b0, efficientnet_v2_s or vit_b_16",
    )
    recipe.add_argument(
        "--weights",
        help='starting weights: "imagenet", "none", a .pth or .safetensors file, or a checkpoint',
    )
    recipe.add_argument(
        "--stem", choices=("frequency", "random"), help="first filters of a new ResNet"
    )
    recipe.add_argument("--epochs", type=int)
    recipe.add_argument("--batch-size", type=int, help="pictures per step and process")
    recipe.add_argument("--optimizer", choices=("adam", "adamw", "sgd"))
    recipe.add_argument("--lr", type=float, help="peak learning rate")
    recipe.add_argument("--weight-decay", type=float)
    recipe.add_argument("--warmup", type=float, help="share of all steps")
    recipe.add_argument("--ema", type=float, help="decay of the weights' moving average; 0: none")
    recipe.add_argument("--label-smoothing", type=float)
    recipe.add_argument("--dropout", type=float, help="in the classifier")
    recipe.add_argument(
        "--feature-noise", type=float, help="standard deviation of noise on cached features"
    )
    recipe.add_argument("--strength", type=float, help="of the augmentation; 0: crops and flips")
    recipe.add_argument(
        "--crop-sizes", type=int, nargs="+", metavar="PX", help="of training crops, in turn"
    )
    recipe.add_argument("--view-size", type=int, metavar="PX", help="of an evaluation view")
    recipe.add_argument("--balanced", action=argparse.BooleanOptionalAction, help="classes alike")
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
        "--copies",
        type=int,
        help="of each training picture among the cached features, all but the first augmented",
    )
    recipe.add_argument(
        "--pretext",
        metavar="COLUMN",
        help="learn to name each picture's COLUMN of manifest.csv instead, as a start for the "
        "backbone: writes OUTPUT/RealityCheck.pth, for --weights",
    )
    recipe.add_argument("--seed", type=int)
    recipe.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"))
    recipe.add_argument("--ai-class", help="name of the class made by an AI")

    running = p.add_argument_group("running")
    running.add_argument("--resume", action="store_true", help="go on from OUTPUT/state.pt")
    running.add_argument("--workers", type=int, help="loader processes per training process")
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

    measuring = p.add_argument_group("measuring")
    measuring.add_argument(
        "--evaluate",
        metavar="CHECKPOINT",
        help='measure a directory, file or Hub id ("bundled": the one in this repository)',
    )
    measuring.add_argument(
        "--splits", nargs="+", metavar="NAME", help="sets to measure (all but train and val)"
    )
    measuring.add_argument(
        "--conditions", nargs="+", default=["clean"], metavar="NAME", help='or "all", with controls'
    )
    measuring.add_argument(
        "--explanations", action="store_true", help="test the maps too, on 200 pictures of each set"
    )
    measuring.add_argument(
        "--export", type=Path, metavar="DIR", help="write what was measured as a float16 checkpoint"
    )
    return p


def chosen_recipe(args: argparse.Namespace):
    """The recipe that the arguments describe."""
    from realitycheck.training import RECIPES, Recipe, for_architecture

    names = set(Recipe.__dataclass_fields__) & set(vars(args)) - {"recipe"}
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if "crop_sizes" in given:
        given["crop_sizes"] = tuple(given["crop_sizes"])
    base = RECIPES[args.recipe]
    return replace(for_architecture(base, given.get("arch", base.arch)), **given)


def train(args: argparse.Namespace) -> None:
    """Trains, calibrates and saves a checkpoint."""
    # What comes after training too, so that a package that is missing is missed before.
    from realitycheck import data, evaluation, hub, training

    recipe = chosen_recipe(args)
    if args.pretext and args.push_to_hub:
        raise RealityCheckError("What --pretext trains is no detector yet: do not publish it.")
    if args.push_to_hub:
        # Before training, so that a wrong token costs no hours.
        hub.create(args.push_to_hub, private=args.private)
    splits = data.find(args.data, recipe.seed)
    if args.pretext:
        splits = data.by_column(splits, args.pretext)
    else:
        ai_class = data.ai_class(splits.classes, args.ai_class)
    accelerator = training.make_accelerator(recipe.precision)
    started = time.monotonic()
    model, history = training.fit(
        recipe,
        splits,
        args.output,
        accelerator,
        resume=args.resume,
        workers=_workers(args),
        memory=int(args.memory * 2**30),
    )
    if not accelerator.is_main_process:
        return
    print(f"Training took {time.monotonic() - started:.1f} s in this call.")
    if args.pretext:
        file = training.save_weights(args.output, model)
        print(f"Wrote {file}: go on with --weights {file}.")
        return
    config = evaluation.uncalibrated_config(recipe, splits, ai_class, history, args.version)
    # Saved before it is calibrated too: hours of training shall not hang on what comes last.
    training.save_checkpoint(args.output, model, config)
    config = evaluation.calibrated(config, model, splits, workers=_workers(args))
    if args.push_to_hub and splits.sets.get("test"):
        figures, _ = evaluation.measure(model, config, splits, ["test"], ["clean"], _workers(args))
        config = replace(config, metrics=figures)
    folder = training.save_checkpoint(args.output, model.cpu(), config)
    print(f"Wrote {folder} and {folder.with_suffix('.pth')}.")
    if args.push_to_hub:
        publish(folder, args.push_to_hub, args.private)


def publish(folder: Path, repo: str, private: bool) -> None:
    """Puts a finished checkpoint on the Hub.

    Raises:
        HubError: the Hub refused; the message says how to try again without training.
    """
    from realitycheck import checkpoints, hub

    try:
        commit = checkpoints.push(folder, repo, private)
    except HubError as error:
        raise HubError(
            f"{error} The checkpoint is whole in {folder}; once that is mended: "
            f"python -m realitycheck.checkpoints push {folder} {repo}"
        ) from error
    print(f"{hub.address(repo)} holds it, commit {commit[:12]}.")


def evaluate(args: argparse.Namespace) -> None:
    """Measures a checkpoint and prints the report."""
    from realitycheck import evaluation

    evaluation.run(
        args.data,
        None if args.evaluate == "bundled" else args.evaluate,
        output=args.output,
        splits=args.splits,
        conditions=args.conditions,
        explanations=args.explanations,
        workers=_workers(args),
        export=args.export,
    )


def _workers(args: argparse.Namespace) -> int:
    if args.workers is not None:
        return max(0, args.workers)
    return max(1, min(8, (os.cpu_count() or 2) // 2))


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    for library in ("httpx", "httpx2"):  # the Hub's client: a line per request otherwise
        logging.getLogger(library).setLevel(logging.WARNING)
    args = parser().parse_args(arguments)
    return exit_status(lambda: evaluate(args) if args.evaluate else train(args))


if __name__ == "__main__":
    sys.exit(main())

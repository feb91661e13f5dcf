"""train: a detector for one's own pictures."""

import argparse
import time
from dataclasses import replace

from realitycheck.cli.command import (
    NAME,
    Command,
    data_options,
    measuring_options,
    save,
    workers,
)
from realitycheck.cli.evaluate import EVALUATE
from realitycheck.cli.publish import push_and_tell
from realitycheck.cli.recipes import PIXEL_COPIES, begun


def _train(args: argparse.Namespace) -> int:
    if args.evaluate:  # as train.py took it before `evaluate` was a command of its own
        args.model = None if args.evaluate == "bundled" else args.evaluate
        args.engine, args.quick = None, False
        return EVALUATE.run(args)
    from realitycheck.cli import train_witnesses
    from realitycheck.data.left_out import list_left_out

    if args.recipe != "families":  # which goes on from a checkpoint that has a version
        args.version = args.version or "1"
    with list_left_out(args.output):
        own = {
            "transformer": train_witnesses.transformer,
            "committee": train_witnesses.committee,
            "families": train_witnesses.families,
        }
        return own.get(args.recipe, _train_network)(args)


def _train_network(args: argparse.Namespace) -> int:
    # What comes after training too, so that a package that is missing is missed before.
    from realitycheck.committee import members as networks
    from realitycheck.evaluation import calibration, teacher
    from realitycheck.training import record as records
    from realitycheck.training.loop import make_accelerator
    from realitycheck.training.run import fit

    recipe, ai_class, splits = begun(args)
    accelerator = make_accelerator(recipe.precision)
    started = time.monotonic()
    network, history = fit(
        recipe,
        splits,
        args.output,
        accelerator,
        taught=teacher.ask(recipe, splits, args.output, accelerator, workers(args)),
        resume=args.resume,
        workers=workers(args),
        memory=int(args.memory * 2**30),
    )
    if not accelerator.is_main_process:
        return 0
    print(f"Training took {time.monotonic() - started:.1f} s in this call.")
    config, record = records.new_checkpoint(recipe, splits, ai_class, history, args.version)
    folder = args.output / NAME
    # Saved before it is calibrated too: hours of training must not be lost to a failure in it.
    save(folder, [network], config, record)
    members = [networks.wrap(m.name, m.arch, m.preprocessing, network) for m in config.members]
    config = calibration.calibrated(config, members, splits, workers=workers(args))
    if args.push_to_hub and splits.sets.get("test"):
        from realitycheck.evaluation.run import measure

        figures, _ = measure(members, config, splits, ["test"], ["clean"], workers(args))
        record = replace(record, metrics=figures)
    save(folder, [network.cpu()], config, record)
    print(f"Wrote {folder} and {folder.with_suffix('.pth')}.")
    stopped = len(history) < recipe.epochs  # why was said then
    if args.push_to_hub and stopped:
        print(f"Not published: `realitycheck push {folder} {args.push_to_hub}` does it as it is.")
    elif args.push_to_hub:
        push_and_tell(folder, args.push_to_hub, args.private)
    return 1 if stopped else 0


def _train_options(p: argparse.ArgumentParser) -> None:
    p.description = (
        "Trains a detector. DATA holds train/, val/ and test/ folders of class folders (ai/ and "
        "real/),\nor the class folders alone, which are then split 80/10/10."
    )
    data_options(p, output="folder to write (Models)")
    _recipe_options(p)
    _running_options(p)
    p.add_argument("--evaluate", metavar="CHECKPOINT", help=argparse.SUPPRESS)
    measuring_options(p, help_=argparse.SUPPRESS)


def _recipe_options(p: argparse.ArgumentParser) -> None:
    recipe = p.add_argument_group("recipe (defaults come from --recipe)")
    recipe.add_argument(
        "--recipe",
        choices=("paper", "full", "resnet50", "transformer", "committee", "families"),
        default="full",
    )
    recipe.add_argument("--arch", help="resnet50, resnet50_half, efficientnet_b0 or vit_b_16")
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
    _drawing_options(recipe)
    _witness_options(recipe)
    recipe.add_argument("--seed", type=int)
    recipe.add_argument("--precision", choices=("auto", "fp32", "bf16", "fp16"))
    recipe.add_argument("--ai-class", help="name of the class made by an AI")


def _drawing_options(recipe: argparse._ArgumentGroup) -> None:
    recipe.add_argument("--strength", type=float, help="of the augmentation; 0: crops and flips")
    recipe.add_argument("--crop-sizes", type=int, nargs="+", metavar="PX", help="in turn")
    recipe.add_argument("--view-size", type=int, metavar="PX", help="of an evaluation view")
    recipe.add_argument(
        "--balanced", action=argparse.BooleanOptionalAction, help="class-balanced sampling"
    )
    recipe.add_argument(
        "--by-source",
        action=argparse.BooleanOptionalAction,
        help="draw the pictures of small sources more often",
    )
    recipe.add_argument("--mixup", type=float, help="how strongly pictures are blended; 0: not")
    recipe.add_argument(
        "--teacher",
        metavar="CHECKPOINT",
        help='learn what it says of the pictures, too; "bundled": what ships with this',
    )
    recipe.add_argument(
        "--teacher-share", type=float, help="how much that counts beside the labels (0.5)"
    )
    recipe.add_argument(
        "--adversarial",
        type=float,
        metavar="STEPS",
        help="change half of the pictures against the network, by so many 255ths; 0: none",
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
        "--cache-pixels",
        action="store_true",
        default=None,
        help="keep squares of all pictures in memory or on the GPU, augment there; see --copies",
    )
    recipe.add_argument(
        "--copies",
        type=int,
        help="of each picture among cached features, all but one augmented (1), "
        f"or pixels, some of them re-saved ({PIXEL_COPIES})",
    )


def _witness_options(recipe: argparse._ArgumentGroup) -> None:
    recipe.add_argument(
        "--tower", help="committee: the transformer's, a file or a checkpoint (the bundled one)"
    )
    recipe.add_argument(
        "--per-source", type=int, help="transformer, committee, families: pictures of each source"
    )
    recipe.add_argument("--steps", type=int, help="transformer: batches for each of its networks")
    recipe.add_argument("--networks", type=int, help="transformer: how many are averaged")
    recipe.add_argument("--hidden", type=int, help="transformer: units of each of them")


def _running_options(p: argparse.ArgumentParser) -> None:
    running = p.add_argument_group("running")
    running.add_argument("--resume", action="store_true", help="resume from OUTPUT/state.pt")
    running.add_argument("--version", help="of the weights; the Hub tags it (1)")
    running.add_argument(
        "--push-to-hub",
        metavar="OWNER/NAME",
        help="measure on the test set, if there is one, and publish at the end",
    )
    running.add_argument("--private", action="store_true", help="publish for yourself alone")
    running.add_argument(
        "--memory", type=float, default=8, metavar="GB", help="decoded pictures kept per set (8)"
    )


TRAIN = Command(
    _train, "train a detector on your own pictures", "train DATA --recipe paper", _train_options
)

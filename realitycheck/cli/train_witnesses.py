"""train, for witnesses that are not one network trained as a whole."""

import argparse
import time
from dataclasses import replace

from realitycheck.cli.command import NAME, save, workers
from realitycheck.cli.publish import push_and_tell
from realitycheck.cli.recipes import begun, refuse_pixels, transformer_recipe


def transformer(args: argparse.Namespace) -> int:
    """Recipe `transformer`: a head on the frozen tower."""
    from realitycheck.config import Config
    from realitycheck.data import folders
    from realitycheck.evaluation import calibration
    from realitycheck.files import check_writable
    from realitycheck.publish.push import prepare
    from realitycheck.training import record as records
    from realitycheck.training import transformer_run as run

    recipe = transformer_recipe(args)
    check_writable(args.output)
    if args.push_to_hub:
        prepare(args.push_to_hub, args.private)
    # Before any picture is read, which takes long.
    ai_class = folders.ai_class(folders.class_names(args.data), args.ai_class)
    splits = folders.find(args.data, recipe.seed, min_side=recipe.min_side)
    started = time.monotonic()
    fitted = run.fit(recipe, splits, args.output, splits.classes.index(ai_class))
    took = time.monotonic() - started
    print(f"Training took {took:.1f} s in this call.")
    step = records.finished_step(run.settings(recipe), recipe.weights, fitted.views, took)
    members = (run.MEMBER,)
    config = Config(
        tuple(splits.classes), ai_class, members, abstention=run.RULE, version=args.version
    )
    held_out = fitted.held_out
    config = calibration.calibrated_on_held_out(
        config, held_out.leads[:, None], held_out.is_ai, held_out.condition
    )
    for line in calibration.held_out_lines(
        config, held_out.leads[:, None], held_out.is_ai, held_out.condition
    ):
        print(line)
    folder = args.output / NAME
    record = records.new_record(splits, (step,))
    save(folder, [fitted.network.cpu()], config, record, {run.TOWER: fitted.tower})
    print(f"Wrote {folder}.")
    if args.push_to_hub:
        push_and_tell(folder, args.push_to_hub, args.private)
    return 0


def committee(args: argparse.Namespace) -> int:
    """Recipe `committee`: both witnesses, then the stack."""
    from realitycheck.evaluation import stacking, teacher
    from realitycheck.training import committee_run as run
    from realitycheck.training import record as records
    from realitycheck.training.loop import make_accelerator
    from realitycheck.training.transformer_run import TOWER, settings

    first = transformer_recipe(args)
    second, ai_class, splits = begun(args)
    config = run.config_of(second, splits, ai_class, args.version)
    accelerator = make_accelerator(second.precision)
    options = {
        "taught": teacher.ask(second, splits, args.output, accelerator, workers(args)),
        "resume": args.resume,
        "workers": workers(args),
        "memory": int(args.memory * 2**30),
    }
    started = time.monotonic()
    both = run.fit(first, second, splits, args.output, accelerator, config.ai_index, **options)
    if not accelerator.is_main_process:
        return 0
    took = time.monotonic() - started
    print(f"Training took {took:.1f} s in this call.")
    _, own = records.new_checkpoint(second, splits, ai_class, both.history, args.version)
    rest = max(0.0, took - sum(row["seconds"] for row in both.history))
    views = both.transformer.views
    step = records.finished_step(settings(first), first.weights, views, rest)
    record = replace(own, training=(*own.training, step))
    asked = stacking.ask(both.blind(config), config, both.held_out, workers(args))
    config = stacking.calibrated(config, asked)
    for line in stacking.lines(config, asked):
        print(line)
    folder = args.output / NAME
    save(folder, both.networks, config, record, {TOWER: both.transformer.tower})
    print(f"Wrote {folder}.")
    if args.push_to_hub:
        push_and_tell(folder, args.push_to_hub, args.private)
    return 0


def families(args: argparse.Namespace) -> int:
    """Recipe `families`: names of generators, for a checkpoint that there is."""
    from dataclasses import asdict

    from realitycheck import checkpoints
    from realitycheck.data import folders
    from realitycheck.evaluation import families as naming
    from realitycheck.files import check_writable
    from realitycheck.publish.push import prepare
    from realitycheck.training import families as run
    from realitycheck.training import record as records

    refuse_pixels(args)
    given = {k: v for k, v in vars(args).items() if v is not None}
    names = ("per_source", "copies", "seed", "min_side")
    recipe = run.FamiliesRecipe(
        args.weights or str(checkpoints.BUNDLE), **{k: given[k] for k in names if k in given}
    )
    check_writable(args.output)
    if args.push_to_hub:
        prepare(args.push_to_hub, args.private)
    checkpoint = checkpoints.load(recipe.weights)
    config, record = checkpoint.config, checkpoint.record()
    position = run.transformer_of(checkpoint)
    splits = folders.find(args.data, recipe.seed, config.classes, min_side=recipe.min_side)
    started = time.monotonic()
    fitted = run.fit(recipe, checkpoint, splits, args.output, config.ai_index)
    took = time.monotonic() - started
    print(f"Training took {took:.1f} s in this call.")
    families = naming.calibrated(fitted.held_out)
    figures = naming.measure(families, fitted)
    for line in naming.lines(families, figures):
        print(line)
    members = list(config.members)
    members[position] = replace(members[position], families=families)
    config = replace(config, members=tuple(members), version=args.version or config.version)
    settings = {"recipe": "families", **asdict(recipe)}
    step = records.finished_step(settings, recipe.weights, fitted.views, took)
    record = replace(record, training=(*record.training, step), families=figures)
    networks = [member.network for member in checkpoint.members]
    networks[position].families = fitted.head
    kept = {k: p for k, p in checkpoints.parts(checkpoint).items() if k != run.FILE}
    folder = args.output / NAME
    save(folder, networks, config, record, kept, half=True)
    print(f"Wrote {folder}.")
    if args.push_to_hub:
        push_and_tell(folder, args.push_to_hub, args.private)
    return 0

"""Which recipe the arguments of `train` describe."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from realitycheck.errors import RealityCheckError

if TYPE_CHECKING:
    from realitycheck.data.samples import Splits
    from realitycheck.training.recipe import Recipe
    from realitycheck.training.transformer_run import TransformerRecipe

PIXEL_COPIES = 4  # squares of each picture that --cache-pixels keeps, if nothing else is said


def chosen_recipe(args: argparse.Namespace) -> "Recipe":
    """The recipe of the network that is trained as a whole."""
    from realitycheck.training.recipe import RECIPES, Recipe, for_architecture

    names = set(Recipe.__dataclass_fields__) & set(vars(args)) - {"recipe"}
    if args.recipe == "committee":  # whose --copies are the transformer's
        names -= {"copies"}
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if "crop_sizes" in given:
        given["crop_sizes"] = tuple(given["crop_sizes"])
    base = RECIPES["resnet50" if args.recipe == "committee" else args.recipe]
    if given.get("cache_pixels") and base.mode != "whole":
        given.setdefault("copies", PIXEL_COPIES)
    return replace(for_architecture(base, given.get("arch", base.arch)), **given)


def begun(args: argparse.Namespace) -> "tuple[Recipe, str, Splits]":
    """Sees to all that could end a network's training early, before any picture is read.

    Returns:
        The recipe, as the run that is gone on with has it; the AI class's name; and the pictures.

    Raises:
        RealityCheckError: an argument is wrong, the output cannot be written or is another run's,
            the Hub refuses, or the pictures cannot be used.
    """
    from realitycheck.data import folders
    from realitycheck.evaluation import teacher
    from realitycheck.files import check_writable
    from realitycheck.publish.push import prepare
    from realitycheck.training.record import continued

    recipe = chosen_recipe(args)
    check_writable(args.output)
    given = [name for name, value in vars(args).items() if value is not None]
    recipe = continued(recipe, args.output, given, resume=args.resume)
    classes = folders.class_names(args.data)
    if recipe.teacher:
        teacher.find(recipe, classes)
    if args.push_to_hub:
        # Before training, so that a wrong token or name costs no hours.
        prepare(args.push_to_hub, args.private)
    # Before any picture is read, which takes long.
    ai_class = folders.ai_class(classes, args.ai_class)
    splits = folders.find(args.data, recipe.seed, min_side=recipe.min_side, validation=True)
    return recipe, ai_class, splits


def refuse_pixels(args: argparse.Namespace) -> None:
    """Refuses what only a network can do that is trained on pixels.

    Raises:
        RealityCheckError: it was asked for.
    """
    for name in ("teacher", "teacher_share", "adversarial"):
        if getattr(args, name):
            raise RealityCheckError(
                f"--{name.replace('_', '-')} is for networks that are trained on pixels: drop it, "
                "or pass --recipe resnet50 or committee."
            )


def transformer_recipe(args: argparse.Namespace) -> "TransformerRecipe":
    """The recipe of a head on the frozen tower.

    Raises:
        RealityCheckError: an option does not go with it.
    """
    from realitycheck.checkpoints import BUNDLE
    from realitycheck.training.tokens import HeadRecipe
    from realitycheck.training.transformer_run import TransformerRecipe

    given = {name: value for name, value in vars(args).items() if value is not None}
    of_head = set(HeadRecipe.__dataclass_fields__)
    if args.recipe == "committee":  # the other choices are those of the second network
        of_head, weights = {"steps", "networks", "hidden", "seed"}, args.tower
    else:
        weights = args.weights
        if args.cache_pixels:
            raise RealityCheckError(
                "--recipe transformer keeps features of its pictures already: drop --cache-pixels."
            )
        refuse_pixels(args)
    head = HeadRecipe(**{k: v for k, v in given.items() if k in of_head})
    chosen = {k: given[k] for k in ("per_source", "copies", "seed", "min_side") if k in given}
    return TransformerRecipe(weights=weights or str(BUNDLE), head=head, **chosen)

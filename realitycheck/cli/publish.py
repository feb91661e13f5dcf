"""export, push and publish-space: checkpoints and the demo for others."""

import argparse
from pathlib import Path

from realitycheck.cli.command import CHOSEN, ENGINES, Command, save, workers
from realitycheck.errors import HubError, RealityCheckError


def _export(args: argparse.Namespace) -> int:
    from realitycheck import checkpoints

    if args.int8 and not (args.engine and args.data):
        args.parser.error("--int8 needs --engine, and --data with pictures to be fitted to")
    if args.data and not args.engine:
        args.parser.error("--data is for --engine")
    checkpoint = checkpoints.load(args.model)
    networks = [member.network for member in checkpoint.members]
    save(
        args.folder,
        networks,
        checkpoint.config,
        checkpoint.record(),
        checkpoints.parts(checkpoint),
        half=args.half,
    )
    if args.engine:
        _export_graphs(args)
    print(f"Wrote {args.folder}.")
    return 0


def _export_graphs(args: argparse.Namespace) -> None:
    """Writes the graphs beside the weights, and compares their answers with PyTorch's.

    Raises:
        RealityCheckError: int8 changes too much; its graphs are deleted again.
    """
    from realitycheck import checkpoints
    from realitycheck.data import folders
    from realitycheck.engines import cache, choice, export
    from realitycheck.evaluation import parity

    checkpoint = checkpoints.load(args.folder)
    classes = checkpoint.config.classes
    splits = folders.find(args.data, 0, classes, validation=True) if args.data else None
    for member in checkpoint.members:
        views = []
        if args.int8 and splits:
            views = export.calibration(member, parity.drawn(splits["train"], export.PICTURES))
        export.export(member, args.engine, args.folder, checkpoint.sha256, views)
    if splits is None:
        return
    members = choice.equip(checkpoint, args.engine)
    samples = parity.drawn(splits["val"], parity.PICTURES)
    found = parity.measure(checkpoint, members, samples, workers(args))
    print(found)
    if args.int8 and not found.holds:
        cache.Place(args.folder, checkpoint.sha256).forget()
        raise RealityCheckError(
            f"int8 changes more than it may ({parity.MOST_CHANGED:.0%} of verdicts, "
            f"{100 * parity.MOST_LOST:.1f} points of accuracy): its graph was deleted again, and "
            f"{args.folder} is a checkpoint without one. Leave out --int8."
        )


def _export_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="DIR", type=Path, help="checkpoint directory to write")
    p.add_argument("--model", help=CHOSEN)
    p.add_argument("--half", action="store_true", help="in float16: half the size")
    p.add_argument(
        "--engine", choices=ENGINES[1:], help="write graphs of the networks for this engine too"
    )
    p.add_argument("--int8", action="store_true", help="those graphs in int8: faster, less exact")
    p.add_argument(
        "--data",
        metavar="DATA",
        type=Path,
        help="pictures: of train to fit int8 to, of val to compare the answers on",
    )
    p.add_argument("--workers", type=int, help="loader processes; 0: none")


def _push(args: argparse.Namespace) -> int:
    push_and_tell(args.folder, args.repo, args.private, args.replace)
    return 0


def _push_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="DIR", type=Path, help="such as Models/RealityCheck")
    p.add_argument("repo", metavar="OWNER/NAME")
    p.add_argument("--private", action="store_true", help="hide a new repository from others")
    p.add_argument(
        "--replace", action="store_true", help="delete whatever else the repository holds"
    )


def push_and_tell(folder: Path, repo: str, private: bool, replace_: bool = False) -> None:
    """Publishes a checkpoint directory and prints where it is.

    Raises:
        HubError: it failed; says how to try again without training again.
    """
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


def _publish_space_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("space", metavar="OWNER/SPACE")
    p.add_argument(
        "--model", metavar="OWNER/NAME[@REV]", help="to answer with (default: bundled weights)"
    )
    p.add_argument("--private", action="store_true", help="hide a new Space from others")
    p.add_argument("--hardware", help="such as cpu-basic or t4-small")
    p.add_argument("--replace", action="store_true", help="delete whatever else the Space holds")
    p.add_argument("--dry-run", action="store_true", help="only list the files")


EXPORT = Command(
    _export,
    "write a checkpoint in another form",
    "export Models/Fast --engine openvino --int8 --data DATA",
    _export_options,
)
PUSH = Command(
    _push,
    "publish a checkpoint directory on the Hub",
    "push Models/RealityCheck OWNER/NAME",
    _push_options,
)
PUBLISH_SPACE = Command(
    _publish_space,
    "create or update a Space with the demo",
    "publish-space OWNER/SPACE --dry-run",
    _publish_space_options,
)

"""export, push and publish-space: checkpoints and the demo for others."""

import argparse
from pathlib import Path

from realitycheck.cli.command import CHOSEN, Command
from realitycheck.errors import HubError


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


def _export_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("folder", metavar="DIR", type=Path, help="checkpoint directory to write")
    p.add_argument("--model", help=CHOSEN)
    p.add_argument("--half", action="store_true", help="in float16: half the size")


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
    _export, "write a checkpoint in another form", "export Models/Half --half", _export_options
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

"""The one door: realitycheck scan | serve | train | evaluate | calibrate | export | push | ...

This package alone prints; the library logs. A command's module imports what it runs when it runs.
"""

import argparse
import io
import sys

from realitycheck import __version__
from realitycheck.cli import console, evaluate, publish, scan, serve, train
from realitycheck.errors import RealityCheckError

COMMANDS = {
    "scan": scan.SCAN,
    "serve": serve.SERVE,
    "train": train.TRAIN,
    "evaluate": evaluate.EVALUATE,
    "calibrate": evaluate.CALIBRATE,
    "export": publish.EXPORT,
    "push": publish.PUSH,
    "publish-space": publish.PUBLISH_SPACE,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    p, commands = parser()
    if arguments and arguments[0] not in (*commands, "-h", "--help", "--version"):
        arguments = ["scan", *arguments]
    args = p.parse_args(arguments)
    console.log_to_console()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name may hold what the console cannot show; that must not end anything.
            stream.reconfigure(errors="backslashreplace")
    try:
        status: int = args.run(args)
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return console.INTERRUPTED
    except RealityCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(args.failure)
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return int(args.failure)
    return status


def parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """The command line, and the names of its commands."""
    p = argparse.ArgumentParser(
        prog="realitycheck",
        description="Tells photographs from pictures made by an AI.",
        epilog="`realitycheck PICTURE` is short for `realitycheck scan PICTURE`.",
    )
    p.add_argument("--version", action="version", version=f"realitycheck {__version__}")
    commands = p.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = command.summary
        inner = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=f"example:  realitycheck {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.options(inner)
        inner.set_defaults(run=command.run, parser=inner, failure=command.failure)
    return p, list(COMMANDS)

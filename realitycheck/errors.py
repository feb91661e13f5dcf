"""Errors a user can meet. Each message names the cause and the next step."""

import sys
from collections.abc import Callable


class RealityCheckError(Exception):
    """Base of every error this package raises on purpose."""


class PictureError(RealityCheckError):
    """A picture that cannot be examined."""


class CheckpointError(RealityCheckError):
    """Weights or a checkpoint that cannot be found, read or trusted."""


class HubError(CheckpointError):
    """The Hugging Face Hub refused, could not be reached, or lacks what was asked for."""


class DataError(RealityCheckError):
    """A training or test folder that cannot be used."""


def exit_status(command: Callable[[], None]) -> int:
    """Runs a command; an error a user can meet ends in one line.

    Returns:
        0, or 1 after an error.
    """
    try:
        command()
    except RealityCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.strerror or error}: {error.filename or ''}", file=sys.stderr)
        return 1
    return 0

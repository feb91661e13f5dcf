"""Errors a user can meet. Each message names the cause and the next step.

RealityCheckError
├── PictureError        a picture that cannot be examined
│   └── TooSmallError   it has too few pixels
├── CheckpointError     weights that cannot be found, read or trusted
│   └── HubError        the Hugging Face Hub refused or cannot be reached
├── DataError           a training or test folder that cannot be used
└── WriteError          a file that cannot be written; an OSError too
"""


class RealityCheckError(Exception):
    """Base of every error this package raises on purpose."""


class PictureError(RealityCheckError):
    """A picture that cannot be examined."""


class TooSmallError(PictureError):
    """A picture with too few pixels.

    Args:
        message: the sentence.
        size: its width and height, px.
        least: how many px its short side must have.
    """

    def __init__(self, message: str, size: tuple[int, int] = (0, 0), least: int = 0) -> None:
        super().__init__(message)
        self.size, self.least = size, least


class CheckpointError(RealityCheckError):
    """Weights or a checkpoint that cannot be found, read or trusted."""


class HubError(CheckpointError):
    """The Hugging Face Hub refused, could not be reached, or lacks what was asked for."""


class DataError(RealityCheckError):
    """A training or test folder that cannot be used."""


class WriteError(RealityCheckError, OSError):
    """A file that cannot be written. What was there before is whole."""

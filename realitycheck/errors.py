"""Errors a user can meet. Each message names the cause and the next step.

RealityCheckError
├── PictureError        a picture that cannot be examined
├── CheckpointError     weights that cannot be found, read or trusted
│   └── HubError        the Hugging Face Hub refused or cannot be reached
├── DataError           a training or test folder that cannot be used
└── WriteError          a file that cannot be written; an OSError too
"""


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


class WriteError(RealityCheckError, OSError):
    """A file that cannot be written. What was there before is whole."""

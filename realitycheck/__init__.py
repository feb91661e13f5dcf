"""RealityCheck: is this picture a photograph, or was it made by an AI?

from realitycheck import Detector

prediction = Detector.from_pretrained().predict("picture.jpg")
print(prediction.verdict, prediction.probabilities)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realitycheck.detector import Detector
    from realitycheck.errors import (
        CheckpointError,
        DataError,
        HubError,
        PictureError,
        RealityCheckError,
    )
    from realitycheck.prediction import Prediction

__version__ = "5.3.0"
__all__ = [
    "CheckpointError",
    "DataError",
    "Detector",
    "HubError",
    "PictureError",
    "Prediction",
    "RealityCheckError",
    "__version__",
]

_HOMES = {"Detector": "detector", "Prediction": "prediction"}


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that a submodule can be imported without torch.
    if name in __all__:
        home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
        return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

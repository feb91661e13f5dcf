"""RealityCheck: is this picture a photograph, or was it made by an AI?

from realitycheck import Detector

prediction = Detector.from_pretrained().predict("picture.jpg")
print(prediction.verdict, prediction.probabilities)
"""

import importlib
from typing import Any

_HOMES = {
    "Detector": "realitycheck.detector",
    "Prediction": "realitycheck.detector",
    "RealityCheckError": "realitycheck.errors",
    "PictureError": "realitycheck.errors",
    "CheckpointError": "realitycheck.errors",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that a submodule can be imported without torch.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

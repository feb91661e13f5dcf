"""The packaged detector `sahu65` (CLIP ViT-B/16 in int8, ONNX Runtime), for `latency.py`.

Nothing of it is part of this project: it is installed into a folder of its own, and shares only the
packages that are here already.
"""

import importlib
import io
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from realitycheck.data.folders import picture_files
from realitycheck.engines.processor import cores
from realitycheck.evaluation import metrics, report
from realitycheck.results import UNGROUPED

NAME = "sahu65"
INSTALL = f"pip install --no-deps --target FOLDER {NAME}==1.1.0"
FORMATS = ("JPEG", "PNG", "WEBP")  # that it reads
VERDICTS = {  # its own to ours
    "likely_ai": "ai",
    "ai_generated_verified": "ai",
    "inconclusive": "uncertain",
    "likely_real": "real",
}


class PeerError(Exception):
    """It cannot run here, and what to do."""


class Peer:
    """The other detector, loaded, on as many threads as ours has.

    Args:
        folder: that it was installed into.

    Raises:
        PeerError: it is not there, or a package that it needs is not.
    """

    def __init__(self, folder: Path | None) -> None:
        sys.path += [str(folder)] if folder else []  # last: what is installed here comes first
        try:
            package = importlib.import_module(NAME)
            settings = importlib.import_module(f"{NAME}.config").Settings
        except ImportError as error:
            raise PeerError(
                f"{NAME} is left out, for there is no package {error.name}: "
                + (f"{INSTALL}, then --peer FOLDER" if error.name == NAME else "install that too")
            ) from error
        self._detector = package.LocalDetector(settings(ort_intra_threads=cores())).warm()

    def ask(self, data: bytes) -> Any:
        """What it says of a picture's file: `verdict`, `ai_probability` in [0, 1], and more."""
        return self._detector.detect_bytes(data)


def accuracy(peer: Peer, folder: Path) -> Iterator[str]:
    """Its figures on pictures, as lines to print.

    Args:
        peer: that answers.
        folder: with the pictures in ai/ and real/; those of a format that it does not read are left
            out.
    """
    found = {side: picture_files(folder / side)[0] for side in ("ai", "real")}
    left_out: Counter[str] = Counter()
    p_ai, truth, verdicts = [], [], []
    for side, files in found.items():
        for file in files:
            data = file.read_bytes()
            with Image.open(io.BytesIO(data)) as image:
                form = image.format or ""
            if form not in FORMATS:
                left_out[form] += 1
                continue
            answer = peer.ask(data)
            p_ai.append(answer.ai_probability)
            truth.append(side == "ai")
            verdicts.append(VERDICTS[answer.verdict])
    groups, kinds = [UNGROUPED] * len(truth), [""] * len(truth)
    figures = metrics.summarise(np.array(p_ai), np.array(truth), np.array(verdicts), groups, kinds)
    yield from report.lines(NAME, folder.name, figures)
    if left_out:
        yield f"left out: {', '.join(f'{count} {form}' for form, count in left_out.items())}"

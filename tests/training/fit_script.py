"""Trains in as many processes as a launcher starts: fit_script.py DATA OUTPUT WORKERS CHANGES.

CHANGES is JSON of what differs from the tests' small recipe.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from helpers import FULL

from realitycheck.committee import cnn
from realitycheck.data.folders import find
from realitycheck.training.loop import make_accelerator
from realitycheck.training.run import fit

if __name__ == "__main__":
    data, output, workers, changes = sys.argv[1:]
    cnn.ARCHITECTURES["resnet18"] = replace(cnn.ARCHITECTURES["resnet50"], width=512)
    recipe = replace(FULL, **json.loads(changes))
    fit(recipe, find(Path(data)), Path(output), make_accelerator("fp32"), workers=int(workers))

"""How long an answer takes: python benchmarks/latency.py [PICTURE] [--runs N]

Times, in turn and in one process, for one picture and the bundled model: the forwards an
answer contains; `predict` with its maps; and the usual way to the same maps, Grad-CAM with
hooks on the whole network (forward and backward) after a forward for the probabilities.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from realitycheck import images
from realitycheck.committee.committee import Member
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.detector import Detector
from realitycheck.engines.pytorch import CHUNK


def usual_way(member: Member, pixels: torch.Tensor, classes: int) -> None:
    whole = torch.nn.Sequential(member.backbone, member.head)
    with torch.inference_mode():
        for chunk in pixels.split(CHUNK):
            whole(chunk)
    for chunk in pixels.split(CHUNK):
        with GradCAM(whole, [member.backbone], member.to_grid) as cam:
            for index in range(classes):
                cam(chunk, [ClassifierOutputTarget(index)] * len(chunk))


def timed(ways: dict[str, Callable], runs: int) -> dict[str, list[float]]:
    """Seconds of each way, the ways taking turns so that drift hits all alike."""
    for way in ways.values():
        way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[name].append(time.perf_counter() - started)
    return times


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("picture", nargs="?", type=Path, default=ROOT / "examples" / "temple.jpg")
    p.add_argument("--runs", type=int, default=15)
    args = p.parse_args()
    detector = Detector.from_pretrained()
    picture = images.read(args.picture)
    member, classes = detector.members[0], len(detector.config.classes)
    found = evaluation_views(picture.image, member.preprocessing)
    pixels = to_batch([view.pixels for view in found], member.preprocessing)
    device = next(member.head.parameters()).device
    pixels = pixels.to(device, memory_format=torch.channels_last)
    # Hooks need gradients somewhere below the layer: let the input carry them.
    traced = pixels.clone().requires_grad_(True)

    def forwards() -> None:
        with torch.inference_mode():
            for chunk in pixels.split(CHUNK):
                member.head(member.backbone(chunk))

    times = timed(
        {
            "forwards alone": forwards,
            "predict without maps": lambda: detector.predict(args.picture, explain=False),
            "predict with maps": lambda: detector.predict(args.picture),
            "usual way (hooks)": lambda: usual_way(member, traced, classes),
        },
        args.runs,
    )
    width, height = picture.image.size
    print(f"{args.picture.name}, {width} x {height} px, {len(found)} views", end="")
    print(f" of {member.preprocessing.size} px, for {member.name}")
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {args.runs} runs each\n")
    print(f"{'':24}{'median ms':>10}{'min':>8}{'max':>8}{'ratio':>8}")
    base = times["forwards alone"]
    for name, values in times.items():
        # Ratios pair by pair: the machine's speed drifts between runs.
        ratio = statistics.median(v / b for v, b in zip(values, base, strict=True))
        milliseconds = [1000 * v for v in (statistics.median(values), min(values), max(values))]
        print(
            f"{name:24}{milliseconds[0]:10.0f}{milliseconds[1]:8.0f}{milliseconds[2]:8.0f}", end=""
        )
        print(f"{ratio:8.2f}")


if __name__ == "__main__":
    main()

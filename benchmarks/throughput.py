"""Pictures per second in a batch, beside one at a time: python benchmarks/throughput.py [--runs N]

Times, in turn and in one process, `predict` in a loop and `predict_batch` over the same pictures,
both without maps, for pictures of several sizes; the answers must be the same.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from load import pictures

from realitycheck import Detector

SIZES = ((224, 224), (640, 427), (1600, 1200))


def seconds(run: Callable[[], list[float]]) -> tuple[float, list[float]]:
    started = time.perf_counter()
    answers = run()
    return time.perf_counter() - started, answers


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--pictures", type=int, default=64)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--model")
    args = p.parse_args()
    detector = Detector.from_pretrained(args.model)
    ai = detector.config.ai_class

    def loop(files: list[bytes]) -> list[float]:
        return [detector.predict(file, explain=False).probabilities[ai] for file in files]

    def batch(files: list[bytes]) -> list[float]:
        return [answer.probabilities[ai] for answer in detector.predict_batch(files)]

    print(f"{args.pictures} pictures, {args.runs} runs, {torch.get_num_threads()} threads")
    print(f"{'px':>12}{'loop, 1/s':>12}{'batch, 1/s':>12}{'ratio':>8}")
    for size in SIZES:
        files = pictures(size, args.pictures)
        loop(files[:8])
        batch(files[:8])
        pairs = []
        for _ in range(args.runs):
            alone, one = seconds(lambda files=files: loop(files))
            together, other = seconds(lambda files=files: batch(files))
            worst = max(abs(a - b) for a, b in zip(one, other, strict=True))
            assert worst < 1e-4, f"answers differ by {worst}"
            pairs.append((alone, together))
        alone, together = (statistics.median(values) for values in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        rates = args.pictures / alone, args.pictures / together
        name = f"{size[0]} x {size[1]}"
        print(f"{name:>12}{rates[0]:12.1f}{rates[1]:12.1f}{ratio:8.2f}")


if __name__ == "__main__":
    main()

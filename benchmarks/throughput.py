"""Pictures per second in a batch, beside one at a time: python benchmarks/throughput.py [--runs N]

Times, in turn and in one process, `predict` in a loop, `predict_batch` over the same pictures, and
`predict_batch` in the quick mode, all without maps, for pictures of several sizes; the first two
must give the same answers.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from load import FLAGS, pictures

from realitycheck import Detector
from realitycheck.engines.processor import capabilities, cores

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
    quick_detector = Detector.from_pretrained(args.model, quick=True)
    ai = detector.config.ai_class

    def loop(files: list[bytes]) -> list[float]:
        return [detector.predict(file, explain=False).probabilities[ai] for file in files]

    def batch(files: list[bytes]) -> list[float]:
        return [answer.probabilities[ai] for answer in detector.predict_batch(files)]

    def quick(files: list[bytes]) -> list[float]:
        return [answer.probabilities[ai] for answer in quick_detector.predict_batch(files)]

    flags = " ".join(flag for flag in FLAGS if capabilities().get(flag))
    engine = quick_detector.describe()["engine"]
    print(f"{args.pictures} pictures, {args.runs} runs, {cores()} cores ({flags}), {engine}")
    print(
        f"{'px':>12}" + "".join(f"{f'{name}, 1/s':>12}" for name in ("loop", "batch", "quick")),
        end="",
    )
    print(f"{'batch/loop':>12}{'quick/batch':>13}")
    for size in SIZES:
        files = pictures(size, args.pictures)
        ways = (loop, batch, quick)
        for way in ways:
            way(files[:8])
        rounds = []
        for _ in range(args.runs):
            times, answers = zip(
                *(seconds(lambda w=way, f=files: w(f)) for way in ways), strict=True
            )
            worst = max(abs(a - b) for a, b in zip(*answers[:2], strict=True))
            assert worst < 1e-4, f"answers differ by {worst}"
            rounds.append(times)
        rates = [args.pictures / statistics.median(column) for column in zip(*rounds, strict=True)]
        ratios = [statistics.median(times[i] / times[i + 1] for times in rounds) for i in (0, 1)]
        print(
            f"{f'{size[0]} x {size[1]}':>12}" + "".join(f"{rate:12.1f}" for rate in rates), end=""
        )
        print(f"{ratios[0]:12.2f}{ratios[1]:13.2f}", flush=True)


if __name__ == "__main__":
    main()

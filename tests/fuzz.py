"""Reads thousands of mutated files with every decoder; says what crashed, hung or grew.

PYTHONPATH=. python tests/fuzz.py [COUNT] [--seed N]             read by this process
PYTHONPATH=. python tests/fuzz.py [COUNT] [--seed N] --server    sent to a running app.py

The exit status is 1 where anything went wrong.
"""

import argparse
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from helpers import drawing
from odd_files import PROMPT, SETTINGS, exif, label, png, saved, utf16

from realitycheck import images
from realitycheck.errors import PictureError
from realitycheck.images import provenance

if TYPE_CHECKING:
    from demo_server import Server

LONGEST = 2.0  # s of one file
ANSWERED = 30.0  # s within which a visitor has an answer, maps included
GROWTH = 500  # MB over all of them


def seeds() -> list[bytes]:
    """Good files of every format, with metadata."""
    image = drawing(96, 80)
    blob = b"Exif\0\0" + exif(utf16(PROMPT + SETTINGS), t271="Canon", t272="EOS")
    made = [
        saved(kind, image, exif=blob, xmp=label().encode())
        for kind in ("JPEG", "WEBP", "AVIF", "HEIF")
    ]
    made += [saved("JPEG", image, progressive=True, exif=blob), png(parameters=PROMPT + SETTINGS)]
    made += [saved(kind, image) for kind in ("GIF", "BMP", "TIFF")]
    made += [saved("TIFF", image, compression="tiff_lzw"), saved("WEBP", image, lossless=True)]
    return [*made, saved("JPEG", image.convert("CMYK")), saved("PNG", image.convert("P"))]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """A file with some bytes turned, cut out, repeated or put in."""
    bad = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        reach = len(bad) if rng.random() < 0.5 else min(len(bad), 600)
        place = int(rng.integers(0, max(1, reach)))
        size = int(rng.integers(1, 40))
        kind = rng.integers(5)
        if kind == 0:
            del bad[place : place + size]
        elif kind == 1:
            bad[place:place] = rng.bytes(size)
        elif kind == 2:
            bad[place:place] = bad[place : place + size]
        elif kind == 3:
            bad[place : place + 4] = rng.choice([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"])
        elif bad:
            bad[min(place, len(bad) - 1)] ^= int(rng.integers(1, 256))
    return bytes(bad[: int(rng.integers(0, len(bad) + 1))] if rng.random() < 0.1 else bad)


def run(count: int, seed: int = 0) -> list[str]:
    """Reads so many files.

    Returns:
        A line for each that raised anything but a refusal, or took too long; and for memory.
    """
    rng, good, wrong = np.random.default_rng(seed), seeds(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        data = mutated(good[number % len(good)], rng)
        started = time.process_time()
        try:
            provenance.examine(data)
            images.read(data)
        except PictureError:
            pass
        except Exception as error:  # what is looked for
            wrong.append(f"file {number}: {type(error).__name__}: {error}")
        taken = time.process_time() - started
        if taken > LONGEST:
            wrong.append(f"file {number}: {taken:.1f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    if grown > GROWTH:
        wrong.append(f"memory grew by {grown} MB")
    return wrong


def ask(server: "Server", count: int, seed: int = 0) -> tuple[list[str], str]:
    """Sends so many files to a running demo, one after the other, as a visitor does.

    Returns:
        A line for each that got neither a prediction nor a sentence, or got it late, or after
        which the demo was not well; and for memory. And how it went.
    """
    rng, good, wrong = np.random.default_rng(seed), seeds(), []
    for data in good:  # every decoder is in memory before it is measured
        _answer(server, data)
    before, detector, got = server.memory(), server.detector(), Counter[str]()
    largest, slowest = before, 0.0
    for number in range(count):
        started = time.monotonic()
        try:
            got[_answer(server, mutated(good[number % len(good)], rng))] += 1
            server.check_alive()
            if server.detector() != detector:
                detector = server.detector()
                wrong.append(f"file {number}: it brought the detector down")
        except Exception as error:  # what is looked for
            wrong.append(f"file {number}: {type(error).__name__}: {error}")
        taken = time.monotonic() - started
        largest, slowest = max(largest, server.memory()), max(slowest, taken)
        if taken > ANSWERED:
            wrong.append(f"file {number}: {taken:.1f} s")
    grown = (largest - before) >> 20
    if grown > GROWTH:
        wrong.append(f"memory grew by {grown} MB")
    told = ", ".join(f"{n} {kind}" for kind, n in got.items())
    told += f"; {before >> 20} MB and at most {grown} more; the slowest took {slowest:.1f} s"
    return wrong, told


def _answer(server: "Server", data: bytes) -> str:
    """What a visitor gets for a file: "predicted" or "refused"."""
    from demo_server import assert_right_kind, single_answer

    (picture,) = server.upload([("picture", data)])
    answer = single_answer(server, picture)
    assert_right_kind(answer, server)
    return "refused" if "error" in answer else "predicted"


def run_server(count: int, seed: int = 0) -> list[str]:
    """Starts app.py and sends it so many files; prints how it went, and returns as `ask`."""
    from demo_server import running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as server:
        wrong, told = ask(server, count, seed)
    print(told)
    return wrong


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("count", nargs="?", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--server", action="store_true", help="send them to a running app.py")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    started = time.monotonic()
    wrong = (run_server if args.server else run)(args.count, args.seed)
    print(*wrong, sep="\n")
    seconds = time.monotonic() - started
    print(f"{args.count} files in {seconds:.0f} s: {len(wrong)} went wrong")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

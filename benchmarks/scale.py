"""What many pictures cost, worked out from measured rates: python benchmarks/scale.py [--measure]

Prints the tables of docs/scale.md from the inputs below. With --measure it measures those of them
that are about the process which asks a cluster (rows a second, bytes a row, memory a picture); the
others come from the commands that stand beside them. Time is the processor's, so other work on the
machine counts little.
"""

import argparse
import random
import resource
import tempfile
import time
from dataclasses import dataclass, fields, replace
from pathlib import Path

from realitycheck.errors import PictureError
from realitycheck.scan import outputs, rows
from realitycheck.scan.journal import Entry, Journal
from realitycheck.scan.stores import Found

DAY = 86_400  # s


@dataclass(frozen=True)
class Inputs:
    """Measured rates.

    Attributes:
        rate: pictures a second that one core examines, 1600 x 1200 JPEGs, bundled weights:
            benchmarks/throughput.py, column "batch", divided by its cores.
        actor: MB resident of an actor with the bundled weights.
        picture: MB of a picture's file, an assumption: 1600 x 1200 JPEGs of quality 90.
        rows: rows a second that the process which asks keeps and writes (--measure).
        line: bytes of a row in the journal (--measure).
        parquet: bytes of a row in Parquet (--measure).
        asker: bytes of memory a picture in the process that asks (--measure).
    """

    rate: float = 3.5
    actor: float = 1100
    picture: float = 0.6
    rows: float = 26_000
    line: float = 640
    parquet: float = 29
    asker: float = 610


@dataclass(frozen=True)
class Task:
    """How many pictures in how many days."""

    name: str
    pictures: float
    days: float


TASKS = (
    Task("a million a day, every day", 1e6, 1),
    Task("a billion, in 30 days", 1e9, 30),
    Task("a billion, in a week", 1e9, 7),
)
BUSY = 0.7  # share of the time in which cores work: starts, stragglers, peaks
LINK = 1.25e9  # bytes a second of a machine's network, 10 Gbit/s
MACHINE = 16  # cores of a machine


def costs(inputs: Inputs, task: Task) -> list[str]:
    """A row of the table."""
    rate = task.pictures / task.days / DAY
    cores = rate / inputs.rate / BUSY
    return [
        task.name,
        f"{rate:,.1f}",
        f"{cores:,.0f}",
        f"{cores * inputs.actor / 1000:,.0f} GB",
        f"{task.pictures * inputs.picture / 1e6:,.1f} TB",
        f"{rate * inputs.picture * 8 / 1000:,.2f} Gbit/s",
        f"{task.pictures * inputs.line / 1e9:,.1f} GB",
        f"{task.pictures * inputs.parquet / 1e9:,.2f} GB",
        f"{task.pictures * inputs.asker / 1e9:,.1f} GB",
    ]


def limits(inputs: Inputs) -> list[list[str]]:
    """How many pictures a second each part bears, and how many cores that keeps busy."""
    found = {
        "a core": inputs.rate,
        f"a machine of {MACHINE} cores": inputs.rate * MACHINE,
        "the process that asks (one for each call)": inputs.rows,
        "the network of one machine, 10 Gbit/s": LINK / (inputs.picture * 1e6),
    }
    return [[name, f"{rate:,.2f}", f"{rate / inputs.rate:,.0f}"] for name, rate in found.items()]


def markdown(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])


def tables(inputs: Inputs) -> str:
    """Everything that docs/scale.md repeats."""
    shown = [[f.name, f"{getattr(inputs, f.name):,g}"] for f in fields(inputs)]
    head = ["task", "pictures a second", "cores", "memory", "files read", "network"]
    head += ["journal", "Parquet", "memory of who asks"]
    return "\n\n".join(
        [
            markdown(["input", "value"], shown),
            markdown(head, [costs(inputs, task) for task in TASKS]),
            markdown(["part", "pictures a second", "cores kept busy"], limits(inputs)),
        ]
    )


def measured(inputs: Inputs, count: int) -> Inputs:
    """The inputs about the process that asks, over `count` made-up rows."""
    model = {"source": "bundled", "revision": None, "version": "5", "arch": "vit", "ai_class": "ai"}
    model |= {"sha256": "0" * 64, "thresholds": {"ai": 0.9, "real": 0.1}}
    report = {"verdict": "real", "provenance": [], "warnings": ["A sentence of warning."] * 2}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.parquet"
        before, started = _resident(), time.process_time()
        chance = random.Random(0)
        found = [_found(chance.getrandbits(64), number) for number in range(count)]
        with Journal(target, {}) as journal:
            for number, one in enumerate(found):
                name, share = one.name, chance.random()
                told = {**report, "probabilities": {"ai": share, "real": 1 - share}, "model": model}
                row = (
                    rows.row(name, told) if number % 50 else rows.failed(name, PictureError("No."))
                )
                journal.add(Entry(name, name, one.mark, f"{number:064x}", row))
            size = journal.path.stat().st_size
            held = _resident() - before
            outputs.write(target, ".parquet", ("ai", "real"), journal.all())
        seconds = time.process_time() - started
        return replace(
            inputs,
            rows=round(count / seconds, -2),
            line=round(size / count),
            parquet=round(target.stat().st_size / count),
            asker=round(held / count),
        )


def _found(key: int, number: int) -> Found:
    path = f"bucket/2026/11/28/{key:016x}.jpg"
    return Found(f"s3://{path}", path, None, (number, number))


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--measure", action="store_true")
    p.add_argument("--count", type=int, default=100_000, help="rows that are measured")
    for field in fields(Inputs):
        p.add_argument(f"--{field.name}", type=float, default=field.default)
    args = p.parse_args()
    inputs = Inputs(**{field.name: getattr(args, field.name) for field in fields(Inputs)})
    print(tables(measured(inputs, args.count) if args.measure else inputs))


if __name__ == "__main__":
    main()

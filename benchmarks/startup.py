"""How soon the demo answers after its start, beside the bare imports of what it is made of.

python benchmarks/startup.py [--against FOLDER]

With --against, another checkout is started in turn with this one, so that both meet the same
machine; its times follow in a second table.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from gradio_client import Client, handle_file

ROOT = Path(__file__).parent.parent
IMPORTS = "import torch, torchvision, gradio"
PORT = 7869

Times = dict[str, list[float]]


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def import_all() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def start_and_ask(checkout: Path, picture: Path) -> dict[str, float]:
    started = time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(PORT)]
    server = subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url, times = f"http://127.0.0.1:{PORT}", {}
    try:
        while "server up" not in times:
            if server.poll() is not None:
                sys.exit(f"app.py ended with status {server.returncode}: is port {PORT} in use?")
            with contextlib.suppress(OSError):
                json.load(urllib.request.urlopen(url + "/healthz", timeout=5))
                times["server up"] = time.perf_counter() - started
            time.sleep(0.02)
        urllib.request.urlopen(url, timeout=30).read()
        times["first page"] = time.perf_counter() - started
        with tempfile.TemporaryDirectory() as downloads:
            client = Client(url, verbose=False, download_files=downloads)

            def ask() -> object:
                return client.predict(handle_file(picture), api_name="/predict")

            ask()
            times["first answer"] = time.perf_counter() - started
            times["later answer"] = statistics.median(seconds(ask) for _ in range(3))
    finally:
        server.terminate()
        server.wait(20)
    return times


def print_table(found: Times, base: float) -> None:
    print(f"{'':18}{'median s':>9}{'min':>8}{'max':>8}{'ratio':>8}")
    for name, values in found.items():
        median = statistics.median(values)
        row = f"{name:18}{median:9.2f}{min(values):8.2f}{max(values):8.2f}"
        print(f"{row}{median / base:8.2f}")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--picture", type=Path, default=ROOT / "examples" / "cat.jpg")
    p.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    args = p.parse_args()
    checkouts = [ROOT, *([args.against.resolve()] if args.against else [])]
    found: dict[Path, Times] = {checkout: {} for checkout in checkouts}
    imports = []
    for _ in range(args.runs):
        imports.append(seconds(import_all))
        for checkout in checkouts:
            for name, value in start_and_ask(checkout, args.picture.resolve()).items():
                found[checkout].setdefault(name, []).append(value)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{args.picture.name}, {args.runs} runs; imports alone: {IMPORTS}; load {load}")
    base = statistics.median(imports)
    for checkout in checkouts:
        print(f"\n{checkout}")
        print_table({"imports alone": imports, **found[checkout]}, base)


if __name__ == "__main__":
    main()

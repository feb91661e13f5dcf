"""How soon the demo answers after its start, beside the bare imports of what it is made of.

python benchmarks/startup.py
"""

import argparse
import contextlib
import json
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
IMPORTS = "import torch, torchvision, gradio, pytorch_grad_cam"
PORT = 7869


def seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def import_all() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def start_and_ask(picture: Path) -> dict[str, float]:
    started = time.perf_counter()
    command = [sys.executable, "app.py", "--port", str(PORT)]
    server = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
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


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--picture", type=Path, default=ROOT / "examples" / "cat.jpg")
    args = p.parse_args()
    found: dict[str, list[float]] = {}
    for _ in range(args.runs):
        times = {"imports alone": seconds(import_all)}
        for name, value in (times | start_and_ask(args.picture)).items():
            found.setdefault(name, []).append(value)
    print(f"{args.picture.name}, {args.runs} runs; imports alone: {IMPORTS}\n")
    print(f"{'':18}{'median s':>9}{'min':>8}{'max':>8}{'ratio':>8}")
    base = statistics.median(found["imports alone"])
    for name, values in found.items():
        median = statistics.median(values)
        row = f"{name:18}{median:9.2f}{min(values):8.2f}{max(values):8.2f}"
        print(f"{row}{median / base:8.2f}")


if __name__ == "__main__":
    main()

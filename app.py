"""The demo: python app.py [--model ID|DIR|FILE] [--share]. Also a Space's entry point."""

import argparse
import os
import sys
import threading

# Before gradio is imported: it asks outside hosts for its version otherwise.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from PIL import Image

from realitycheck.checkpoints import VARIABLE
from realitycheck.detector import Detector
from realitycheck.errors import RealityCheckError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument(
        "--model",
        help="checkpoint directory, file, or Hub id owner/name[@revision] "
        f"(default: ${VARIABLE}, else the bundled one)",
    )
    p.add_argument("--share", action="store_true", help="ask for a temporary public link")
    p.add_argument("--host", help="address to listen on (127.0.0.1)")
    p.add_argument("--port", type=int, help="port to listen on (7860, or the next free one)")
    return p


def warm_up(detector: Detector) -> None:
    """Answers once, so that the first visitor does not wait for imports and memory."""
    detector.predict(Image.new("RGB", (512, 512)))


def main() -> int:
    """Runs the demo; returns the exit status."""
    args = parser().parse_args()
    try:
        detector = Detector.from_pretrained(args.model)
    except RealityCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    threading.Thread(target=warm_up, args=(detector,), daemon=True).start()

    from realitycheck.demo import build_demo, launch

    try:
        launch(
            build_demo(detector),
            share=args.share,
            server_name=args.host,
            server_port=args.port,
        )
    except OSError as error:
        print(f"error: {error} Pass another --host or --port.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

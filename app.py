"""The demo: python app.py [--model ID|DIR|FILE] [--share] [--mcp]. Also a Space's entry point."""

import argparse
import gc
import os
import sys
import tempfile
from importlib.util import find_spec

from realitycheck.errors import RealityCheckError
from realitycheck.leave_out import disarmed, left_out


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument(
        "--model",
        help="checkpoint directory, file, or Hub id owner/name[@revision] "
        "(default: $REALITYCHECK_MODEL, else the bundled one)",
    )
    p.add_argument("--share", action="store_true", help="ask for a temporary public link")
    p.add_argument("--mcp", action="store_true", help="answer MCP clients too (starts slower)")
    p.add_argument("--host", help="address to listen on (127.0.0.1)")
    p.add_argument("--port", type=int, help="port to listen on (7860, or the next free one)")
    return p


def main() -> int:
    """Runs the demo; returns the exit status."""
    p = parser()
    args = p.parse_args()
    if args.mcp and find_spec("mcp") is None:  # Gradio would say nothing and leave it out
        p.error("--mcp needs more packages: pip install -r requirements-extras.txt")
    with tempfile.TemporaryDirectory(prefix="realitycheck-", ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("GRADIO_TEMP_DIR", folder)  # Gradio's own is every app's
        return run(args)


def run(args: argparse.Namespace) -> int:
    """Runs the demo until it is stopped."""
    from realitycheck.service import Service

    service = Service(args.model)  # loads in a process of its own while this one imports gradio
    # Before gradio is imported: it asks outside hosts for its version otherwise.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    gc.disable()  # imports make a million objects that stay: looking for garbage takes seconds
    # On every start Gradio writes type stubs for editors, which takes half of its import.
    # Where the package for MCP is installed Gradio loads it, needed or not.
    unused = () if args.mcp or "GRADIO_MCP_SERVER" in os.environ else ("mcp",)
    with disarmed("gradio.component_meta", "create_or_modify_pyi"), left_out(*unused):
        from realitycheck.demo import build_demo, launch

    gc.freeze()
    gc.enable()
    try:
        launch(
            build_demo(service),
            share=args.share,
            server_name=args.host,
            server_port=args.port,
            mcp_server=args.mcp or None,  # None: Gradio's own variable decides
        )
    except RealityCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error} Pass another --host or --port.", file=sys.stderr)
        return 1
    finally:
        service.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

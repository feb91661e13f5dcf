"""serve: the demo."""

import argparse

from realitycheck.cli.command import CHOSEN, Command, engine_option


def _serve(args: argparse.Namespace) -> int:
    from realitycheck.web.start import start

    return start(
        args.model,
        engine=args.engine,
        host=args.host,
        port=args.port,
        share=args.share,
        mcp=args.mcp,
        feedback=args.feedback,
    )


def _serve_options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--model", help=CHOSEN)
    engine_option(p)
    p.add_argument("--share", action="store_true", help="ask for a temporary public link")
    p.add_argument("--mcp", action="store_true", help="answer MCP clients too (starts slower)")
    p.add_argument(
        "--feedback",
        metavar="OWNER/NAME",
        help="ask visitors what pictures truly are, and keep that in this dataset on the Hub",
    )
    p.add_argument("--host", help="address to listen on (127.0.0.1)")
    p.add_argument("--port", type=int, help="port to listen on (7860, or the next free one)")


SERVE = Command(_serve, "open the demo", "serve --port 8000", _serve_options)

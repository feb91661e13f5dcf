"""The demo: python app.py [--model ID|DIR|FILE] [--share] [--mcp]. Also a Space's entry point."""

import sys

from realitycheck.cli import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))

"""Train a detector on your own pictures: python train.py DATA, the same as `realitycheck train`."""

import sys

from realitycheck.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))

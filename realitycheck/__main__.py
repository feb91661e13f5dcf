"""python -m realitycheck: the same as the command `realitycheck`."""

import sys

from realitycheck.cli import main

if __name__ == "__main__":
    sys.exit(main())

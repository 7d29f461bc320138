"""`python -m benchmarks.kills`: see `cli`."""

import sys

from benchmarks.kills.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Run what a user would run instead of autarky: each contender is one whole process.

    python benchmarks/contend.py FILE.FUNCTION OUTPUT INPUT...

FILE is one of `contenders/`.  Prints nothing; leaves its result at OUTPUT (a Parquet file, or a directory of them).
"""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> int:
    """Run one contender."""
    name, output, *inputs = sys.argv[1:]
    file, _, function = name.partition(".")
    getattr(import_module(f"contenders.{file}"), function)(output, inputs)
    return 0


if __name__ == "__main__":
    sys.exit(main())

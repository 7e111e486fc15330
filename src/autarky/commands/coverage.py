"""`autarky coverage`."""

from __future__ import annotations

import argparse

from autarky.output import add_output, print_frame

SUMMARY = "what the store holds: source, code system, reporters, periods, rows, value"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--store", required=True, metavar="DIR")
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Print the coverage."""
    from autarky import engine, store

    print_frame(store.Store(args.store).coverage(engine.connect()), args)
    return 0

"""`autarky coverage`."""

from __future__ import annotations

import argparse

from autarky.output import add_output, print_frame, say

SUMMARY = "what the store holds: source, code system, reporters, periods, rows, value; or its macro series"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--macro", action="store_true", help="the macro series (GDP, exchange rates) instead of flows")
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Print the coverage."""
    from autarky import engine
    from autarky.errors import NoDataError
    from autarky.store import Store

    held = Store(args.store)
    series = held.macro()
    if not args.macro:
        print_frame(held.coverage(engine.connect()), args)
        if series is not None:
            say(f"and {series.frame['name'].nunique()} macro series: autarky coverage --macro")
        return 0
    if series is None:
        raise NoDataError(f"{args.store}: the store holds no macro series; ingest a source such as worldbank or rates")
    print_frame(series.coverage(), args)
    return 0

"""`autarky demo`."""

from __future__ import annotations

import argparse

from autarky.output import progress, say

SUMMARY = "the whole job on synthetic data: panel, store, study, report"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--out", default="autarky-demo", metavar="DIR", help="where to put it (default: autarky-demo)")


def call(args: argparse.Namespace) -> int:
    """Run the demo and say where the report is."""
    from autarky import demo

    with progress() as bar:
        page = demo.run(args.out, say, bar)
    say(f"report: {page}")
    return 0

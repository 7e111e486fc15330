"""`autarky watchlist`."""

from __future__ import annotations

import argparse

from autarky.output import add_output, print_frame

SUMMARY = "show a watch list"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("show",))
    parser.add_argument("id", metavar="ID", help="see `autarky list watchlists`; or a YAML file of your own")
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Print the list, a row a code."""
    from autarky import watchlists

    print_frame(watchlists.load(args.id).frame(), args)
    return 0

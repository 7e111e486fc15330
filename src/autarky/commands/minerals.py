"""`autarky minerals`."""

from __future__ import annotations

import argparse

from autarky.output import add_output, print_frame, say

SUMMARY = "lists of critical minerals: what is in which"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    said = "the minerals of a list, or of all lists"
    show = actions.add_parser("list", help=said, description=said)
    show.add_argument("ids", nargs="*", metavar="ID", help="as CN or US, or a YAML file of your own (default: all)")
    said = "which minerals are in both lists, and which in one only"
    compare = actions.add_parser("compare", help=said, description=said)
    compare.add_argument("ids", nargs="+", metavar="ID", help="two lists or more, as CN US")
    compare.add_argument("--members", action="store_true", help="rare earths element by element, not as one")
    for command in (show, compare):
        add_output(command)


def call(args: argparse.Namespace) -> int:
    """Print the minerals, a row each."""
    from autarky import minerals

    if args.action == "list":
        print_frame(minerals.frame(*args.ids), args)
        return 0
    frame = minerals.compare(*args.ids, members=args.members)
    print_frame(frame, args)
    counts = frame["set"].value_counts()
    say(f"{len(frame)} minerals: {', '.join(f'{name} {n}' for name, n in sorted(counts.items()))}")
    return 0

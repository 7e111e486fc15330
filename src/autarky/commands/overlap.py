"""`autarky overlap`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from autarky.commands.measure import add_selection, selected
from autarky.output import add_output, print_frame, say

if TYPE_CHECKING:
    from autarky.watchlists import WatchList

SUMMARY = "measure how much of the trade in one watch list's goods is in goods of another"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    lists = "an id (`autarky list watchlists`), a YAML file, or a CSV file with a column `code`"
    parser.add_argument("left", metavar="LEFT", help=lists)
    parser.add_argument("right", metavar="RIGHT", help="the same, for the other list")
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--reporter", default="CHN", metavar="ISO3", help="whose trade (default: CHN)")
    parser.add_argument("--partner", metavar="ISO3", help="default: the world total, or the sum of the partners")
    parser.add_argument("--flow", choices=("import", "export"), default="import", help="default: import")
    add_selection(parser)
    of_csv = "what the codes of a CSV list are codes of (default: as the other list's, else GACC8)"
    parser.add_argument("--nomenclature", metavar="N", help=of_csv)
    windows = "whether a code counts in all years, or only in those that its list prints (default: ignored)"
    parser.add_argument("--windows", choices=("ignored", "printed"), default="ignored", help=windows)
    parser.add_argument("--shared", action="store_true", help="print the shared codes and not the sums")
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Measure and print."""
    from autarky import engine, overlap

    con = engine.connect()
    left, right = _lists(args)
    with engine.failures():
        flows = overlap.choose(selected(con, args), args.reporter, args.partner, args.flow)
        found = overlap.overlap(flows, con, left, right, windows=args.windows)
    span = f"{found.since:%Y-%m} to {found.until:%Y-%m}"
    say(f"{args.flow}s of {args.reporter}, {span}; left: {left.id}; right: {right.id}")
    print_frame(found.shared if args.shared else found.summary, args)
    return 0


def _lists(args: argparse.Namespace) -> list[WatchList]:
    from autarky import watchlists

    cards = {n: watchlists.load(n) for n in (args.left, args.right) if not n.endswith(".csv")}
    own = next((card.nomenclature for card in cards.values()), "GACC8")
    return [cards[n] if n in cards else watchlists.load(n, args.nomenclature or own) for n in (args.left, args.right)]

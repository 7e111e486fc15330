"""`autarky convert`."""

from __future__ import annotations

import argparse

from autarky import memory
from autarky.commands.measure import add_engine, add_selection, selected
from autarky.output import add_output, form_of, print_expression, say

SUMMARY = "convert 6-digit HS flows to another edition, to BEC or to SITC"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--to", required=True, metavar="N", help="HS1992 … HS2022, BEC4, BEC5, SITC1 … SITC4")
    add_selection(parser)
    weights = "how to divide a code that leads to several: equal, overlap, overlap,equal, or a table (see the docs)"
    parser.add_argument("--weights", metavar="W", help=weights)
    dual = "BEC5 of a product of two uses: the first (default), half to each, or the pair as a code of its own"
    parser.add_argument("--dual-use", choices=("first", "split", "separate"), default="first", help=dual)
    parser.add_argument("--reference", metavar="DIR", help="the reference tables (default: AUTARKY_REFERENCE)")
    memory.add_option(parser)
    add_engine(parser)
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Convert, print the flows, and say in one line what came in and what went out."""
    allowed = memory.asked(args)
    from autarky import conversion, engine

    con = engine.connect(args.engine, memory=allowed, route=args.route)
    flows = selected(con, args)
    # A panel can be large: what goes to a Parquet file is written there at once, not copied from a temporary one.
    into = args.output if form_of(args) == "parquet" else None
    options = {"weights": args.weights, "dual_use": args.dual_use, "reference": args.reference, "into": into}
    done = conversion.convert(flows, args.to, con=con, **options)
    if not into:
        with engine.failures():
            print_expression(con, done.flows.table, args)
    say(done.summary())
    return 0

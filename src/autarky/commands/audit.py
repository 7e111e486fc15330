"""`autarky audit`."""

from __future__ import annotations

import argparse

from autarky.errors import MeasureError, NoDataError
from autarky.output import add_output, form_of, print_frame

SUMMARY = "set the codes of a watch list against the yearly lists of its nomenclature"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("watchlist", metavar="WATCHLIST", help="an id (`autarky list watchlists`) or a YAML file")
    parser.add_argument("--nomenclature", default="GACC8", metavar="N", help="of the list (default: GACC8)")
    parser.add_argument("--since", type=int, default=2015, metavar="YEAR", help="first year (default: 2015)")
    parser.add_argument("--until", type=int, default=2024, metavar="YEAR", help="last year (default: 2024)")
    parser.add_argument("--reference", metavar="DIR", help="where the lists are; see `autarky reference`")
    parser.add_argument("--store", metavar="DIR", help="a store, to fill value_share from")
    parser.add_argument("--source", metavar="S", help="only this source of the store")
    parser.add_argument("--reporter", default="CHN", metavar="ISO3", help="whose imports (default: CHN)")
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Print the findings, a row each."""
    from autarky import audit, engine, store
    from autarky.tables import Condition

    if args.source and not args.store:
        raise MeasureError(f"--source {args.source} chooses from a store: add --store DIR")
    flows = store.Store(args.store).flows(engine.connect()) if args.store else None
    if flows and args.source:
        flows = flows.where([Condition("source", (args.source,))])
        if flows.coverage.empty:
            raise NoDataError(f"{args.store} holds no source {args.source!r}; `autarky coverage` shows what it holds")
    frame = audit.audit(
        args.watchlist,
        nomenclature=args.nomenclature,
        since=args.since,
        until=args.until,
        reference=args.reference,
        flows=flows,
        reporter=args.reporter,
    )
    if form_of(args) in ("csv", "table"):
        frame = frame.assign(covered=frame["covered"].map({True: "true", False: "false"})).astype(object)
        frame = frame.where(frame.notna(), None)
    print_frame(frame, args)
    return 0

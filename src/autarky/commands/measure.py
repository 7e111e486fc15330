"""`autarky measure`."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autarky import memory
from autarky.errors import CoverageWarning, MeasureError, NoDataError
from autarky.output import add_output, print_measures

if TYPE_CHECKING:
    from autarky.indicators import Indicator

SUMMARY = "measure indicators of every group of flows"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    names = "see `autarky list indicators`; options as in growth:base=first-year"
    keys = "keys of a group: a column of flows, or year, level, hs2, hs4, hs6"
    parser.add_argument("indicators", metavar="IND[,IND…]", help=names)
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--by", required=True, metavar="F[,F…]", help=keys)
    parser.add_argument("--over", metavar="F", help="the dimension to look along (default: the indicator's own)")
    add_selection(parser)
    absent = "what a missing row is: absent (default), or a zero"
    parser.add_argument("--absent", choices=("absent", "zero"), default="absent", help=absent)
    memory.add_option(parser)
    add_engine(parser)
    add_output(parser)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose what runs the work."""
    parser.add_argument(
        "--engine", default="duckdb", metavar="E", help="duckdb (default), or spark://HOST:PORT; see docs/scale.md"
    )
    said = "how a cluster works: a DuckDB query a year, or Spark SQL (default: the question decides)"
    parser.add_argument("--route", choices=("partitions", "sql"), help=said)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose flows."""
    parser.add_argument("--source", metavar="S", help="only this source")
    parser.add_argument(
        "--where", nargs="+", action="extend", default=[], metavar="F=V[,V…]", help="only these rows; F!=V excludes"
    )
    parser.add_argument("--since", metavar="P", help="first period, as 2015 or 2015-03")
    parser.add_argument("--until", metavar="P", help="last period, inclusive")
    parser.add_argument("--as-of", type=int, metavar="N", help="read version N of the store")


def call(args: argparse.Namespace) -> int:
    """Measure and print."""
    allowed = memory.asked(args)
    from autarky import engine, measure

    con = engine.connect(args.engine, memory=allowed, route=args.route)
    flows = selected(con, args)
    with engine.failures():
        found = measure.measure(
            flows, args.indicators.split(","), args.by.split(","), over=args.over, absent=args.absent
        )
        if engine.is_empty(con, flows.table):
            raise NoDataError("no data matched; `autarky coverage` shows what the store holds")
        _say_narrowed(found.indicators, args.where)
        print_measures(con, found.pieces, args)
    return 0


def _say_narrowed(indicators: Sequence[Indicator], texts: Sequence[str]) -> None:
    """Warn where a choice of rows is also a choice of what they are compared with."""
    from autarky.tables import Condition

    for condition in map(Condition.parse, texts):
        compared = [i.name for i in indicators if i.options.get("among") == condition.field]
        if compared and not condition.negated:
            warnings.warn(
                f"{compared[0]} compares the {condition.field}s chosen with --where among themselves, not with all: to "
                f"see some of all, leave --where {condition.field} out and choose from the result",
                CoverageWarning,
                stacklevel=2,
            )


def selected(con: Any, args: argparse.Namespace) -> Any:
    """Return the flows of a store that the options choose."""
    from autarky import store
    from autarky.tables import Condition, parse_period, parse_until

    texts = [*([f"source={args.source}"] if args.source else []), *args.where]
    since = parse_period(args.since) if args.since else None
    until = parse_until(args.until) if args.until else None
    if since and until and since > until:
        raise MeasureError(f"--since {args.since} is after --until {args.until}")
    flows = store.Store(args.store, args.as_of).flows(con)
    return flows.where([Condition.parse(t) for t in texts], since, until)

"""`autarky run`."""

from __future__ import annotations

import argparse
from typing import Any

from autarky import memory
from autarky.commands.measure import add_engine
from autarky.output import say

SUMMARY = "run a study and write its report, tables and figures"
# Options that a command does not know belong to the study.
OPEN = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("study", metavar="STUDY", help="see `autarky list studies`")
    parser.add_argument("--store", required=True, metavar="DIR")
    parser.add_argument("--out", required=True, metavar="DIR", help="where to write the report and its data")
    parser.add_argument("--since", metavar="P", help="first period, as 2015 or 2015-03")
    parser.add_argument("--until", metavar="P", help="last period, inclusive")
    said = "a number: read this version of the store; a day: the study looks at what held on it"
    parser.add_argument("--as-of", action="append", default=[], metavar="N|DAY", help=said)
    memory.add_option(parser)
    add_engine(parser)
    parser.epilog = "A study's own options (--reporter, --partner, --watchlist, …) are shown by `autarky list studies`."


def call(args: argparse.Namespace) -> int:
    """Run the study and write what it found."""
    from pathlib import Path

    allowed = memory.asked(args)
    from autarky import engine, registry, report, store
    from autarky.tables import parse_period, parse_until

    study = registry.study(args.study)
    version = _version(study, args)
    options = _own_options(study, args)
    since = parse_period(args.since) if args.since else None
    until = parse_until(args.until) if args.until else None
    con = engine.connect(args.engine, memory=allowed, route=args.route)
    held = store.Store(args.store, version)
    flows = held.flows(con)
    if _takes_macro(study):
        options["macro"] = held.macro()
    with engine.failures():
        findings = study.run(flows, con, since=since, until=until, **options)
    page = report.write(findings, Path(args.out), say)
    say(f"report: {page}")
    return 0


def parameters(study: Any) -> dict[str, Any]:
    """Return a study's own keyword parameters: its options."""
    import inspect

    found = inspect.signature(study.run).parameters
    return {n: p for n, p in found.items() if p.default is not p.empty and n not in ("since", "until", "macro")}


def _takes_macro(study: Any) -> bool:
    """Return whether a study asks for the macro series of the store; they are no option of the user's."""
    import inspect

    return "macro" in inspect.signature(study.run).parameters


def _version(study: Any, args: argparse.Namespace) -> int | None:
    """Return the version of the store; a day that stands in its place goes to the study, if it asks for one."""
    from autarky.errors import AutarkyError

    numbers = [v for v in args.as_of if v.isdigit()]
    days = [v for v in args.as_of if not v.isdigit()]
    if days and "as_of" not in parameters(study):
        raise AutarkyError(f"--as-of {days[0]}: expected the number of a version; `autarky log` lists them")
    args.rest = [*args.rest, *(f"--as-of={day}" for day in days)]
    return int(numbers[-1]) if numbers else None


def _own_options(study: Any, args: argparse.Namespace) -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog=f"autarky run {args.study}", usage="%(prog)s --store DIR --out DIR [options]")
    for name, parameter in parameters(study).items():
        choices = getattr(study, "CHOICES", {}).get(name)
        kind = type(parameter.default) if parameter.default is not None else str
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, dest=name, default=parameter.default, choices=choices, type=kind)
    return vars(parser.parse_args(args.rest))

"""`autarky controls`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from autarky import screening_command
from autarky.output import add_output, form_of, print_frame, say

if TYPE_CHECKING:
    import pandas as pd

    from autarky.controls import Registry

SUMMARY = "export controls: what is controlled since when, and what answered what"

# What a person reads; csv and json have every column.
_SHOWN = {
    "as-of": ("product", "text", "control", "hs10", "match", "kind", "destination", "since", "status"),
    "timeline": ("date", "issuer", "kind", "title", "responds_to", "lag_days", "link"),
    "diff": ("change", "product", "text", "hs10", "match", "kind", "destination", "since", "until"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    as_of = _action(actions, "as-of", "the items controlled at a date, by which action, with which status")
    as_of.add_argument("date", metavar="DATE", help="as 2025-04-24")
    as_of.add_argument("--ended", action="store_true", help="also what has ended")
    timeline = _action(actions, "timeline", "the actions by date, and the days from trigger to response")
    timeline.add_argument("--trend", action="store_true", help="how the days moved, instead of the actions")
    timeline.add_argument("--figure", metavar="FILE", help="also draw it, as svg, png or html")
    diff = _action(actions, "diff", "what changed between two dates")
    diff.add_argument("dates", nargs=2, metavar="DATE", help="as 2024-12-02 2024-12-03")
    for command in (as_of, diff):
        command.add_argument("--destination", metavar="ISO3", help="only what holds for exports to this country")
    show = _action(actions, "show", "all that is known of an action or an item")
    show.add_argument("id", metavar="ID", help="of an action (`autarky controls timeline`) or an item (`as-of`)")
    screening_command.arguments(_action(actions, "screen", screening_command.SUMMARY))
    said = "where the codes of the registry and of the notices of China's Ministry of Commerce differ"
    compare = _action(actions, "compare-notices", said)
    compare.add_argument("file", metavar="FILE", help="tab-separated: date, announcement_file, code10")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, said: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=said, description=said)
    parser.add_argument("--cards", metavar="DIR", help="a folder with cards of your own, beside those of the package")
    add_output(parser)
    return parser


def call(args: argparse.Namespace) -> int:
    """Print one view of the registry."""
    from autarky import controls

    registry = controls.load(args.cards)
    if args.action == "screen":
        return screening_command.call(args, registry)
    if args.action == "as-of":
        _print(registry.as_of(args.date, args.destination, ended=args.ended), args)
    elif args.action == "diff":
        _print(registry.diff(args.dates[0], args.dates[1], args.destination), args)
    elif args.action == "show":
        _print(registry.show(args.id), args)
    elif args.action == "compare-notices":
        frame = registry.against(args.file)
        _print(frame, args)
        counts = frame["difference"].value_counts()
        say(f"{len(frame)} differences: {', '.join(f'{name} {n}' for name, n in counts.items())}")
    else:
        _timeline(registry, args)
    return 0


def _timeline(registry: Registry, args: argparse.Namespace) -> None:
    trend = registry.trend()
    _print(trend if args.trend else registry.timeline(), args)
    for row in trend.dropna(subset=["slope_days_per_year"]).itertuples():
        say(
            f"days from {row.trigger} trigger to answer: mean {row.lag_mean_days:.1f}, slope "
            f"{row.slope_days_per_year:+.1f} a year ({row.confidence:.0%} interval {row.low:+.1f} to {row.high:+.1f}), "
            f"{row.answers} answers" + (f"; {row.note}" if isinstance(row.note, str) else "")
        )
    if args.figure:
        from autarky import controls_chart

        controls_chart.save(registry, args.figure)
        say(f"drew {args.figure}")


def _print(frame: pd.DataFrame, args: argparse.Namespace) -> None:
    days = frame.select_dtypes("datetime").columns
    frame = frame.assign(**{c: frame[c].dt.strftime("%Y-%m-%d") for c in days})
    trend = args.action == "timeline" and args.trend
    if form_of(args) == "table" and args.action in _SHOWN and not trend:
        frame = frame[list(_SHOWN[args.action])]
    print_frame(frame, args)

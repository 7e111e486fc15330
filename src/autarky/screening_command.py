"""`autarky controls screen`: arguments and call, hooked into the command by `commands/controls.py`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from autarky.errors import MeasureError
from autarky.output import form_of, print_frame, progress, say

if TYPE_CHECKING:
    from autarky.screening import Registry

SUMMARY = "which lines of a bill of materials are controlled: exactly, possibly, by their words, or not"
SHOWN = 5
NOMENCLATURES = ("HS6", "CN8", "GACC8", "HTS10", "GACC10", "unknown")
# What a person reads; csv and json have every column.
_READ = ("row", "code", "text", "verdict", "score", "item", "kind", "destination", "status", "why")
_EPILOG = (
    "Exit code 0 when the file was read: a line that cannot be read is in the result as `bad line`, "
    "and the last line on standard error counts them."
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments; those of output and `--cards` are added by who calls."""
    parser.add_argument("bom", metavar="BOM.(csv|xlsx)", help="bill of materials; its first row names the columns")
    parser.add_argument("--as-of", required=True, metavar="DATE", help="the day, as 2025-04-10")
    mapped = "which column is code, text, nomenclature; usual names are found"
    parser.add_argument("--map", nargs="+", action="extend", default=[], metavar="FIELD=COLUMN", help=mapped)
    system = (
        "system of the codes where no column says it (default: unknown; 10 digits are then taken for the issuer's own)"
    )
    parser.add_argument("--nomenclature", choices=NOMENCLATURES, default="unknown", help=system)
    parser.add_argument("--destination", metavar="ISO3", help="only controls on exports to this country")
    parser.add_argument("--threshold", type=float, metavar="N", help="least score of words, 0 to 100 (default: 70)")
    parser.epilog = _EPILOG


def call(args: argparse.Namespace, registry: Registry) -> int:
    """Screen and print."""
    from autarky import screening, screening_bom
    from autarky.screening_text import THRESHOLD

    frame = screening_bom.read(args.bom, dict(_pair(text) for text in args.map))
    if "text" not in frame:
        say("no column of texts: items without a line of their own cannot be found (--map text=COLUMN)")
    threshold = THRESHOLD if args.threshold is None else args.threshold
    with progress() as bar:
        found = screening.screen(
            frame,
            registry,
            args.as_of,
            nomenclature=args.nomenclature,
            destination=args.destination,
            threshold=threshold,
            progress=bar,
        )
    print_frame(found[list(_READ)] if form_of(args) == "table" else found, args)
    bad = found[found["verdict"] == screening.BAD]
    for row, why in bad[["row", "why"]].head(SHOWN).itertuples(index=False):
        say(f"bad line in row {row}: {why}")
    if len(bad) > SHOWN:
        say(f"and {len(bad) - SHOWN:,} more bad lines; the result has them all")
    counts = ", ".join(f"{verdict} {number:,}" for verdict, number in screening.summary(found).items())
    say(f"{len(found):,} lines at {args.as_of}: {counts}")
    return 0


def _pair(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not equals:
        raise MeasureError(f"--map {text!r}: expected FIELD=COLUMN, such as code=HSCODE")
    return field, column

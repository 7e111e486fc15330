"""`autarky log`."""

from __future__ import annotations

import argparse

from autarky.output import add_output, print_frame

SUMMARY = "the versions of the store and what each added: of the flows, then of the macro series"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--store", required=True, metavar="DIR")
    add_output(parser)


def call(args: argparse.Namespace) -> int:
    """Print the log."""
    import pandas as pd

    from autarky.store import Store, vacuumed

    held = Store(args.store)
    tables = {"flows": held.log(), "macro": held.macro_log()}
    gone = {table: vacuumed(held.path, table) for table in tables}
    rows = [
        {
            "version": v.version,
            "when": v.when,
            "source": v.source,
            "files": ", ".join(f.name for f in v.files),
            "rows_added": v.rows_added,
            "rows_replaced": v.rows_replaced,
            "rows_unchanged": v.rows_unchanged,
            "value_usd": v.value_added,
            "sha256": ", ".join(f.sha256[:12] for f in v.files),
            "table": table,
            # When its files were freed, so that it can no longer be read; empty = it can.
            "vacuumed": gone[table].get(v.version, ""),
        }
        for table, versions in tables.items()
        for v in versions
    ]
    print_frame(pd.DataFrame(rows), args)
    return 0

"""`autarky store`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from autarky import memory
from autarky.output import add_output, print_frame, progress, say

if TYPE_CHECKING:
    from autarky.vacuum import Vacuumed

SUMMARY = "look after a store: lay its files out anew, free what only old versions need"
_WAITING = "waiting for an ingest into this store to finish"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    said = "make every place and year one sorted file, as a new version that holds the same rows"
    optimize = actions.add_parser("optimize", help=said, description=said)
    optimize.add_argument("--store", required=True, metavar="DIR")
    memory.add_option(optimize)
    said = "free the files that only versions replaced before a stated time need; these can then no longer be read"
    vacuum = actions.add_parser("vacuum", help=said, description=said)
    vacuum.add_argument("--store", required=True, metavar="DIR")
    vacuum.add_argument("--older-than", required=True, metavar="AGE", help="12h, 30d, 8w; at least an hour")
    vacuum.add_argument("--dry-run", action="store_true", help="only say what would be freed")
    vacuum.add_argument("--force", action="store_true", help="allow less than an hour; only when nobody uses the store")
    add_output(vacuum)


def call(args: argparse.Namespace) -> int:
    """Run one action."""
    return {"optimize": _optimize, "vacuum": _vacuum}[args.action](args)


def _optimize(args: argparse.Namespace) -> int:
    allowed = memory.asked(args)
    from autarky import optimize

    with progress() as bar:
        done = optimize.optimize(args.store, progress=bar, waiting=lambda: say(_WAITING), memory=allowed)
    say(done.summary())
    return 0


def _vacuum(args: argparse.Namespace) -> int:
    """List the files, and say what goes before and after it goes."""
    from autarky import vacuum

    def telling(found: Vacuumed) -> None:
        if found.files:
            say(found.summary("to be freed:", args.older_than))

    found = vacuum.vacuum(
        args.store,
        args.older_than,
        dry_run=args.dry_run,
        force=args.force,
        telling=telling,
        waiting=lambda: say(_WAITING),
    )
    if found.files:
        _list(found, args)
    say(found.summary("would be freed:" if args.dry_run else "freed:", args.older_than))
    return 0


def _list(found: Vacuumed, args: argparse.Namespace) -> None:
    import pandas as pd

    from autarky.store import moment

    rows = [
        {
            "table": f.table,
            "file": f.path.name,
            "bytes": f.size,
            "first_version": f.versions[0] if f.versions else None,
            "last_version": f.versions[-1] if f.versions else None,
            "replaced": moment(f.since),
        }
        for f in found.files
    ]
    frame = pd.DataFrame(rows)
    print_frame(frame.astype({"first_version": "Int64", "last_version": "Int64"}), args)

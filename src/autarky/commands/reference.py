"""`autarky reference`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from autarky.output import add_output, print_frame, progress, say

if TYPE_CHECKING:
    from autarky import references

SUMMARY = "the tables of codes and correspondences: add files, fetch the UN's, say what is here"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = _action(actions, "add", "take files that you have; each is known by its columns")
    add.add_argument("paths", nargs="+", metavar="FILE|DIR", help="the UN's workbooks, yearly lists, csv, Parquet")
    fetch = _action(actions, "fetch", "download the UN's tables that are not here yet")
    fetch.add_argument("ids", nargs="*", metavar="ID", help="only these; see `autarky reference status`")
    fetch.add_argument("--base-url", metavar="URL", help="a mirror to take the files from, by their own names")
    fetch.add_argument("--refresh", action="store_true", help="fetch also what is here")
    add_output(_action(actions, "status", "what is here, and what is known to exist"))
    agreement = _action(actions, "agreement", "the UN's end use of every code of a watch list, beside the list's own")
    agreement.add_argument("watchlist", metavar="WATCHLIST", help="see `autarky list watchlists`")
    add_output(agreement)


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, said: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=said, description=said)
    where = "default: AUTARKY_REFERENCE, else the user's data directory"
    parser.add_argument("--reference", metavar="DIR", help=where)
    return parser


def call(args: argparse.Namespace) -> int:
    """Run one action."""
    return {"add": _add, "fetch": _fetch, "status": _status, "agreement": _agreement}[args.action](args)


def _add(args: argparse.Namespace) -> int:
    from autarky import references

    _report(references.add(args.paths, args.reference), args)
    return 0


def _fetch(args: argparse.Namespace) -> int:
    from autarky import references

    with progress() as bar:
        done = references.fetch(args.reference, args.base_url, args.ids, refresh=args.refresh, progress=bar)
    _report(done, args)
    return 0


def _report(done: list[references.Added], args: argparse.Namespace) -> None:
    from autarky import references

    for table in done:
        say(f"{table.status:9} {table.id}: {table.rows:,} rows from {table.file} (sha256 {table.sha256[:12]})")
    changed = sum(table.status != "unchanged" for table in done)
    nothing = "everything that is served is here already" if not done else f"{changed} of {len(done)} tables changed"
    say(f"{nothing}; in {references.directory(args.reference)}")


def _status(args: argparse.Namespace) -> int:
    from autarky import references

    frame = references.status(args.reference)
    print_frame(frame, args)
    say(f"{int(frame['present'].sum())} of {len(frame)} tables are in {references.directory(args.reference)}")
    return 0


def _agreement(args: argparse.Namespace) -> int:
    from autarky import end_use

    frame = end_use.agreement(args.watchlist, args.reference)
    print_frame(frame, args)
    for name in ("bec4", "bec5"):
        counts = frame[f"agrees_{name}"].fillna("not told").value_counts()
        say(f"{name.upper()}: {', '.join(f'{k} {n}' for k, n in counts.items())}")
    return 0

"""`autarky ingest`."""

from __future__ import annotations

import argparse
from typing import Any

from autarky import memory
from autarky.errors import AutarkyError
from autarky.output import progress, say

SUMMARY = "read files of a source into the store, as one new version"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    many: dict[str, Any] = {"nargs": "+", "action": "extend", "default": []}
    parser.add_argument(
        "source", metavar="SOURCE", help="gacc, comtrade, baci, tidy, worldbank, …; see `autarky list sources`"
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, or directories of files")
    parser.add_argument("--store", required=True, metavar="DIR", help="the store; made if it is not there")
    parser.add_argument("--map", metavar="F=C", help="field F is in the file's column C", **many)
    parser.add_argument("--set", metavar="F=V", help="field F is V in every row", **many)
    parser.add_argument("--rates", metavar="FILE", help="months and CNY per USD, for values in yuan")
    conflict = "what to do with rows that give one key different values (default: error)"
    parser.add_argument("--conflict", choices=("error", "largest"), default="error", help=conflict)
    memory.add_option(parser)


def call(args: argparse.Namespace) -> int:
    """Ingest, and say in one line what was read, kept and refused."""
    from pathlib import Path

    allowed = memory.asked(args)
    from autarky import commit, reader

    options = reader.Options(
        dict(_pair(t, "--map", "FIELD=COLUMN") for t in args.map),
        dict(_pair(t, "--set", "FIELD=VALUE") for t in args.set),
        Path(args.rates) if args.rates else None,
        args.conflict,
    )
    waiting = "waiting for another ingest into this store to finish"
    with progress() as bar:
        done = commit.ingest(
            args.store,
            args.source,
            args.paths,
            options,
            progress=bar,
            waiting=lambda: say(waiting),
            memory=allowed,
        )
    if done.changed and done.known:
        say(f"already ingested, passed over: {', '.join(done.known)}")
    say(done.summary)
    return 0


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise AutarkyError(f"{flag} {text}: expected {form} (paths come before the options)")
    return name, value

"""`autarky list`."""

from __future__ import annotations

import argparse
import sys

SUMMARY = "what there is: indicators, sources, studies and cards of every kind"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    from autarky import registry

    parser.add_argument("what", choices=("indicators", "sources", "studies", *registry.card_folders()))


def call(args: argparse.Namespace) -> int:
    """Print a line a thing."""
    from autarky import registry

    for name in registry.names(args.what):
        shown = name.replace("_", "-") if args.what == "studies" else name
        sys.stdout.write(f"{shown:32} {_about(args.what, name)}\n")
    return 0


def _about(what: str, name: str) -> str:
    from autarky import registry
    from autarky.commands.run import parameters

    if what in registry.card_folders():
        return str(registry.card(what, name)["title"])
    if what == "indicators":
        found = registry.indicator(name)
        return f"{(found.function.__doc__ or '').splitlines()[0]}  [unit {found.unit}, over {found.over}]"
    module = registry.source(name) if what == "sources" else registry.study(name)
    first = (module.__doc__ or "").splitlines()[0]
    if what == "studies":
        options = " ".join(f"[--{n.replace('_', '-')} {p.default}]" for n, p in parameters(module).items())
        return f"{first}\n{'':32} options: {options}"
    return first

"""How much memory a command may use: what the user allowed, checked before work starts, and what the engine gets."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from autarky.errors import AutarkyError

# What the program takes beside the engine (Python, its libraries, small tables), and the least that the engine needs
# for each of its threads (its own documentation says 125 MB); measured, see docs/method.md.
PROGRAM = 400_000_000
# What the engine may use when nothing is said.
ENGINE = "3GB"
A_THREAD = 125_000_000
_UNITS = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add `--memory` to a command."""
    said = "the most that the command may use, as in 2GB; what does not fit goes to disk while it works"
    parser.add_argument("--memory", metavar="SIZE", help=said)


def asked(args: argparse.Namespace) -> str:
    """Return what the engine may use of the memory that the user allows; see `for_engine`."""
    return for_engine(args.memory) if args.memory else ENGINE


def for_engine(text: str) -> str:
    """Return what the engine may use so that the whole program stays within `text` ("2GB", "1.5 GiB", "900MB").

    Raises
    ------
    AutarkyError : not a size; less than the least for this machine's threads; more than the machine has
    """
    allowed, least, most = parse(text), PROGRAM + A_THREAD * threads(), machine()
    if allowed < least:
        raise AutarkyError(
            f"--memory {text}: with {threads()} threads the least is {_said(least)} ({_said(PROGRAM)} for the program "
            f"and {_said(A_THREAD)} for each thread of the engine)"
        )
    if most is not None and allowed > most:
        raise AutarkyError(f"--memory {text}: this machine has {_said(most)}; ask for less")
    return f"{(allowed - PROGRAM) // 1000}KB"


def parse(text: str) -> int:
    """Return a size in bytes; GB is 10⁹ and GiB is 2³⁰."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B)", text.strip().upper())
    if not match:
        raise AutarkyError(f"--memory {text}: expected a number and a unit, as in 900MB, 2GB or 1.5GiB")
    return int(float(match[1]) * _UNITS[match[2]])


def threads() -> int:
    """Return how many threads the engine starts: one a processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> int | None:
    """Return how much memory there is, in bytes: the machine's, or less where a container sets less; None = unknown."""
    found = [int(text) for p in _LIMITS if p.is_file() and (text := p.read_text().strip()).isdigit()]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(found) if found else None


def _said(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"

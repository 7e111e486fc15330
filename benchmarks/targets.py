"""What the project holds itself to, and whether a run met it; a run that lacks a size or a contender says nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

Row = dict[str, Any]
Line = tuple[str, str, str]
MIDDLE, LARGE = 55_000_000, 300_000_000
SQL = "hand-written SQL"


def all_of(rows: list[Row], starts: dict[str, list[float]]) -> list[Line]:
    """Return target, what was found, and whether it was met."""
    return [*_ratios(rows), *_large(rows), *_starts(starts)]


def _ratios(rows: list[Row]) -> Iterator[Line]:
    ingest, year = _of(rows, "ingest", None), "a year's ingest takes at most {} × DuckDB's CSV → sorted Parquet"
    four = _of(rows, "four", MIDDLE)
    best = _best(four, (SQL, f"{SQL}, year by year"))
    at = f"{MIDDLE:,} rows: "
    four_at = f"{at}four indicators take at most {{}} × "
    yield from _within(best, 1.15, f"{four_at}the best hand-written SQL with the same result")
    yield from _within(_named(four, f"{SQL}, files in CEPII's order"), 1, f"{four_at}the same SQL on CEPII's order")
    yield from _within(
        _named(four, "pandas, as users write it"),
        1 / 8,
        f"{at}four indicators take at most {{}} × pandas as users write it",
    )
    yield from _within(_named(four, "bare scan of the columns"), 5, f"{four_at}the bare scan of the columns")
    for target in ("HS2012", "BEC4"):
        found = _named(_of(rows, f"convert-{target}", MIDDLE), SQL)
        yield from _within(found, 1.3, f"{at}conversion to {target} takes at most {{}} × {SQL}")
    yield from _within(_named(ingest, "DuckDB CSV → sorted Parquet"), 2, year)


def _large(rows: list[Row]) -> Iterator[Line]:
    sizes = [r["rows"] for r in rows if r["kind"] == "four" and r["rows"] >= LARGE]
    if not sizes:
        return
    size = max(sizes)
    large = next(r for r in _of(rows, "four", size) if r["own"])
    country = next(r for r in _of(rows, "country", size) if r["own"])
    yield _line(f"{size:,} rows: four indicators within {{}} MB of memory", large["memory"], 4000, "{:,.0f} MB")
    yield _line(f"{size:,} rows: one country and one year in under {{}} s", country["seconds"], 1, "{:.2f} s")
    middle = next((r for r in _of(rows, "four", MIDDLE) if r["own"]), None)
    if middle:
        span = f"from {MIDDLE:,} to {size:,} rows four indicators take at most {{}} × "
        grown = (large["seconds"] / large["rows"]) / (middle["seconds"] / middle["rows"])
        yield _line(f"{span}the time a row", grown, 1.3, "{:.2f} ×")
        yield _line(f"{span}the peak memory", large["memory"] / middle["memory"], 1.2, "{:.2f} ×")


def _starts(starts: dict[str, list[float]]) -> Iterator[Line]:
    named = {"help": ("`autarky --help` under {} s", 0.3), "answer": ("a first answer, small store, under {} s", 1.5)}
    for name, (target, limit) in named.items():
        yield _line(target, statistics.median(starts[name]), limit, "{:.2f} s")


def _of(rows: list[Row], kind: str, size: int | None) -> list[Row]:
    return [r for r in rows if r["kind"] == kind and size in (None, r["rows"]) and not r["without"]]


def _named(rows: list[Row], name: str) -> list[float]:
    """Return autarky's seconds as a multiple of a contender's, round by round."""
    return [1 / ratio for r in rows if r["name"] == name for ratio in r["ratios"]]


def _best(rows: list[Row], names: tuple[str, ...]) -> list[float]:
    found = [_named(rows, name) for name in names]
    return [max(pair) for pair in zip(*found, strict=True)]


def _within(found: list[float], limit: float, target: str) -> Iterator[Line]:
    if found:
        middle = statistics.median(found)
        spread = f" ({min(found):.2f}–{max(found):.2f})" if len(found) > 1 else " (one round)"
        noise = "; within the noise" if min(found) <= limit <= max(found) and len(found) > 1 else ""
        yield target.format(f"{limit:g}"), f"{middle:.2f} ×{spread}", _verdict(middle, limit) + noise


def _line(target: str, found: float, limit: float, form: str) -> Line:
    return target.format(f"{limit:,}"), form.format(found), _verdict(found, limit)


def _verdict(found: float, limit: float) -> str:
    return "met" if found <= limit else f"missed by {found / limit - 1:.0%}"

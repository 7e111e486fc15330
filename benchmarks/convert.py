"""Paired timings of `autarky convert` and of a hand-written DuckDB join; writes its section of the table of results.

    python benchmarks/convert.py             # 5 years x 11,000,000 rows, two rounds
    python benchmarks/convert.py --small     # 2 years x 200,000 rows, one round: does everything work?

The panel has the HS6 of an edition (`panel.py --edition`), which are in the reference tables: without them this says so
and times nothing.  Both sides get the same mapping, and the result of one is checked against that of the other.
Everything else is as in `run.py`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import run
from run import HERE, Contender, Job

EDITION = "HS2017"
TARGETS = ("HS2012", "BEC4")
HAND = "hand-written SQL"
LIMIT = 1.5
# Bytes on disk a row: CSV, store, results of both sides, spill.
DISK_PER_ROW = 120


def main(argv: Sequence[str] | None = None) -> int:
    """Run both conversions and write the section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path, help="where to work; default: a new temporary directory")
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--rows", type=int, default=11_000_000, help="rows a year")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=2, metavar="N", help="rounds (default: 2)")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md", help="the table; default: beside this file")
    parser.add_argument("--keep", action="store_true", help="leave panel and store where they are")
    parser.add_argument("--small", action="store_true", help="2 years x 200,000 rows, one round")
    args = parser.parse_args(argv)
    if args.small:
        args.years, args.rows, args.repeat = 2, 200_000, 1
    directory = args.directory or Path(tempfile.mkdtemp(prefix="autarky-bench-"))
    work = directory / "convert"
    work.mkdir(parents=True, exist_ok=True)
    run.need_disk(directory, args.years * args.rows * DISK_PER_ROW)
    try:
        if lacking := _lacking(work):
            run.say(f"skipped: {lacking}")
            return 0
        files = _stored(work, args)
        jobs = [_job(target, work, files, args.years * args.rows) for target in TARGETS]
        for job in jobs:
            run.compete(job, args.repeat)
        text = args.out.read_text(encoding="utf-8") if args.out.is_file() else ""
        head = text.removesuffix(run.conversion_of(args.out))
        args.out.write_text(head + _section(jobs, args), encoding="utf-8")
        run.say(f"written: {args.out}")
    except run.WrongResult as error:
        run.say(f"error: {error}")
        return 1
    finally:
        if not args.keep:
            shutil.rmtree(work, ignore_errors=True)
            if not any(directory.iterdir()):
                directory.rmdir()
    return 0


def _lacking(work: Path) -> str:
    """Write the mappings; return why they cannot be had, when a reference table is absent."""
    for target in TARGETS:
        command = [sys.executable, str(HERE / "contenders.py"), "links", str(_links(work, target)), EDITION, target]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            if "CodeError" not in last:
                raise run.WrongResult(last)
            return last.partition("CodeError: ")[2]
    return ""


def _links(work: Path, target: str) -> Path:
    return work / f"links-{target}.parquet"


def _stored(work: Path, args: argparse.Namespace) -> list[Path]:
    """Make panel and store, or take those that a run with the same parameters kept; return the store's files."""
    stamp, store = work / "parameters", work / "store"
    wanted = f"{args.years} {args.rows} {args.seed}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        stamp.unlink(missing_ok=True)
        run.remove(store, work / "panel")
        numbers = [f"--{name}={getattr(args, name)}" for name in ("years", "rows", "seed")]
        panel = [sys.executable, str(HERE / "panel.py"), str(work / "panel"), f"--edition={EDITION}", *numbers]
        subprocess.run(panel, check=True)
        subprocess.run(run.autarky("ingest", "baci", work / "panel", "--store", store), check=True)
        run.remove(work / "panel")
        stamp.write_text(wanted)
    return sorted((store / "flows").rglob("*.parquet"))


def _job(target: str, work: Path, files: list[Path], rows: int) -> Job:
    own, hand = work / f"autarky-{target}.parquet", work / f"sql-{target}.parquet"
    command = run.autarky("convert", "--store", work / "store", "--to", target, "--format", "parquet", "-o", own)
    contenders = [
        Contender("autarky convert", command, own, rows),
        Contender(HAND, run.other("convert_sql", hand, [_links(work, target), *files]), hand, rows),
    ]
    return Job(f"{EDITION} to {target}", "convert", rows, contenders, HAND)


def _section(jobs: list[Job], args: argparse.Namespace) -> str:
    lines = [
        run.CONVERSION.rstrip("\n"),
        "",
        f"Written by `benchmarks/convert.py` on {datetime.date.today()}; the panel has the products of {EDITION}, "
        "otherwise invented.",
        "",
        f"- {args.years} years x {args.rows:,} rows, seed {args.seed}; rounds in turn: {args.repeat}; load average at "
        f"the end {os.getloadavg()[0]:.1f}",
        "- Both sides write Parquet with all columns of flows; compared: rows, totals, value and weight of a sample",
        "",
        "| target | found | |",
        "|---|---|---|",
    ]
    for job in jobs:
        times = 1 / job.times(HAND)
        verdict = "met" if times <= LIMIT else f"missed by {times / LIMIT - 1:.0%}"
        own, hand = job.contenders
        found = f"{times:.2f} times (processor time {own.processor / hand.processor:.2f})"
        lines.append(f"| {job.title} takes at most {LIMIT} times {HAND} | {found} | {verdict} |")
    for job in jobs:
        lines += run.section(job, "###")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())

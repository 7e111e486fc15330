"""Paired timings of autarky and of what a user would run instead; writes a page and a chart.

    python benchmarks/run.py                    # 11, 55, 110 and 308 million rows, three rounds
    python benchmarks/run.py --small            # 1 and 2 years x 200,000 rows, one round: does everything work?
    python benchmarks/run.py DIR --years 1,5    # one and five years only, working in DIR

Every run is a whole process of its own, from start to exit.  Contenders take turns within a round, so that a busy
minute of the machine falls on all of them.  Every result is checked before its time counts; a wrong one is an error.
A time never fails anything.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jobs
import racing
from jobs import EDITION, TARGETS, Panel
from racing import HERE, Job, autarky, other, remove, say, timed

LIBRARIES = ("autarky", "duckdb", "ibis-framework", "polars", "pandas", "pyarrow", "deltalake")
YEARS, ROWS, FIRST = (1, 5, 10, 28), 11_000_000, 1995
# A round of the largest size takes as long as three of the others.
LARGE, LARGE_ROUNDS = 200_000_000, 2
# Bytes on disk a row: CSV 33, store 6, its copy in another order 9, results and what is spilled 60.
DISK_PER_ROW = 110
SMALL = "period,reporter,partner,flow,nomenclature,product,value_usd\n2020,CHN,DEU,import,HS2022,848620,3\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run all jobs at all sizes, and write page and chart."""
    args = _parser().parse_args(argv)
    products = 5_000
    if args.small:
        args.rows, args.repeat, products = 200_000, 1, 100
        args.years = [1, 2] if args.years == list(YEARS) else args.years
    directory = args.directory or Path(tempfile.mkdtemp(prefix="autarky-bench-"))
    work = directory / "work"
    work.mkdir(parents=True, exist_ok=True)
    _need_disk(directory, max(args.years) * args.rows * DISK_PER_ROW)
    try:
        panel, whole = _panel(work, args, products)
        raced = [jobs.ingest(panel)]
        racing.compete(raced[0], args.repeat)
        raced += [whole]
        for count in args.years:
            for job in jobs.at(panel, panel.years[:count]):
                racing.compete(job, min(args.repeat, LARGE_ROUNDS) if job.rows > LARGE else args.repeat)
                raced.append(job)
        starts = _starts(work)
        setting = _setting(args) | {"linked": panel.linked}
        results = {"setting": setting, "jobs": [_told(job) for job in raced], "starts": starts}
        written = subprocess.run(
            [sys.executable, str(HERE / "report.py"), str(args.out)], input=json.dumps(results), text=True
        )
        say(f"written: {args.out}/benchmarks.md")
        return written.returncode
    except racing.WrongResult as error:
        say(f"error: {error}")
        return 1
    finally:
        if not args.keep:
            shutil.rmtree(work, ignore_errors=True)
            if not any(directory.iterdir()):
                directory.rmdir()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path, help="where to work; default: a new temporary directory")
    listed = lambda text: [int(t) for t in text.split(",")]  # noqa: E731
    parser.add_argument("--years", type=listed, default=list(YEARS), metavar="N[,N…]", help="sizes, in years")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows a year")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help=f"rounds; beyond {LARGE:,} rows at most 2")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs", help="where page and chart go")
    parser.add_argument("--keep", action="store_true", help="leave panel and store where they are")
    parser.add_argument("--small", action="store_true", help="1 and 2 years x 200,000 rows, one round")
    return parser


def _need_disk(directory: Path, size: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < size:
        raise SystemExit(f"{directory}: {size / 1e9:.1f} GB of disk are needed, {free / 1e9:.1f} GB are free")


def _setting(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "date": str(datetime.date.today()),
        "load": os.getloadavg()[0],
        "machine": f"{os.cpu_count()} cores ({_processor()}), {racing.memory('MemTotal') / 1e9:.0f} GB memory, "
        f"{platform.system()}, Python {platform.python_version()}",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "rows": args.rows,
        "seed": args.seed,
        "rounds": args.repeat,
        "years": args.years,
    }


def _panel(work: Path, args: argparse.Namespace, products: int) -> tuple[Panel, Job]:
    """Make the panel: a store, its files in CEPII's order, the first CSV; with what the ingest of all took."""
    linked = _links(work)
    codes = [f"--edition={EDITION}"] if linked else [f"--products={products}"]
    numbers = [f"--years={max(args.years)}", f"--rows={args.rows}", f"--seed={args.seed}", f"--first={FIRST}"]
    years = [FIRST + n for n in range(max(args.years))]
    rows = args.rows * len(years)
    own = racing.Contender("autarky ingest", [], work / "store", checked=False)
    job = Job("ingest-all", f"Ingest of {len(years)} years' CSV", rows, len(years), [own])
    stamp, wanted = work / "parameters", " ".join([*codes, *numbers])
    if not stamp.is_file() or stamp.read_text() != wanted:
        remove(*work.glob("*"))
        linked = _links(work)
        subprocess.run([sys.executable, str(HERE / "panel.py"), str(work / "panel"), *codes, *numbers], check=True)
        files = sorted((work / "panel").glob("BACI_*.csv"))
        own.command = autarky("ingest", "baci", *files, "--store", work / "store")
        own.runs.append(timed(own.command, work / "log"))
        say(f"{job.title}: {own.runs[0].seconds:.1f} s, {own.runs[0].memory:,.0f} MB")
        remove(*files[1:])
        (work / "baci").mkdir()
        panel = Panel(work, args.rows, years, files[0], linked)
        timed(other("ingest.as_baci", work / "baci", *panel.files(years)), work / "log")
        (work / "ingest.json").write_text(json.dumps(asdict(own.runs[0])))
        stamp.write_text(wanted)
    own.runs = [racing.Run(**json.loads((work / "ingest.json").read_text()))]
    first = next((work / "panel").glob("BACI_*.csv"))
    return Panel(work, args.rows, years, first, linked), job


def _links(work: Path) -> bool:
    """Write the mappings; say why they cannot be had, when a reference table is absent."""
    for target in TARGETS:
        command = other("conversion.links", work / f"links-{target}.parquet", EDITION, target)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1]
            if "CodeError" not in last:
                raise racing.WrongResult(last)
            say(f"conversion is left out: {last.partition('CodeError: ')[2]}")
            return False
    return True


def _starts(work: Path) -> dict[str, list[float]]:
    """Return the seconds of `--help`, and of a first answer on a store of one row."""
    store, rows = work / "small", work / "small.csv"
    rows.write_text(SMALL)
    remove(store)
    timed(autarky("ingest", "tidy", rows, "--store", store), work / "log")
    answer = autarky("measure", "herfindahl", "--by", "reporter,product,period", "--over", "partner", "--store", store)
    asked = {"help": autarky("--help"), "answer": answer}
    return {name: [timed(command, work / "log").seconds for _ in range(10)] for name, command in asked.items()}


def _told(job: Job) -> dict[str, Any]:
    told = asdict(job)
    for contender in told["contenders"]:
        del contender["command"], contender["output"]
    return told


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())

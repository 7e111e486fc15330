"""Paired timings of autarky and of what a user would run instead; writes a Markdown table.

    python benchmarks/run.py                 # 5 years x 11,000,000 rows, three rounds
    python benchmarks/run.py --small         # 2 years x 200,000 rows, one round: does everything work?

Every run is a whole process of its own, from start to exit.  Contenders take turns within a round, so that a busy
minute of the machine falls on all of them.  Every result is checked before its time counts; a wrong one is an error.
A time never fails anything.  (This process stays small and imports nothing large: a child's peak memory includes
that of its parent at the moment it is born.)
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
INDICATORS = "herfindahl,effective_number,entropy,top_share"
KEYS = "reporter,product,period"
LIBRARIES = ("autarky", "duckdb", "ibis-framework", "polars", "pandas", "pyarrow", "deltalake")
# Bytes on disk a row: CSV, stores and copies of one year and of all, results, spill.
DISK_PER_ROW = 250
# Bytes of memory a row that pandas needs at its peak.
PANDAS_PER_ROW = 200
# Figures are compared for one in so many (reporter, product).
SAMPLED = 97
COPY = "DuckDB CSV → Parquet"
CONVERSION = "\n## Conversion\n"


class WrongResult(Exception):
    """A contender's figures are not those of the reference."""


@dataclass(frozen=True)
class Run:
    """Seconds of wall clock and of processor, and peak memory in MB, of one process."""

    seconds: float
    processor: float
    memory: float


@dataclass
class Contender:
    """One way to do a job.  `rows` may be fewer than the job's, when all do not fit."""

    name: str
    command: list[str]
    output: Path
    rows: int
    runs: list[Run] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Median wall clock."""
        return statistics.median(r.seconds for r in self.runs)

    @property
    def processor(self) -> float:
        """Median processor time, user and system, of all threads."""
        return statistics.median(r.processor for r in self.runs)

    @property
    def memory(self) -> float:
        """Largest peak."""
        return max(r.memory for r in self.runs)


@dataclass
class Job:
    """One piece of work; the first contender is autarky, `reference` is the one that the others must agree with."""

    title: str
    check: str
    rows: int
    contenders: list[Contender]
    reference: str

    def named(self, name: str) -> Contender:
        """Return one contender."""
        return next(c for c in self.contenders if c.name == name)

    def times(self, name: str) -> float:
        """Return how often autarky's seconds a row go into those of contender `name`."""
        own, other = self.contenders[0], self.named(name)
        return (other.seconds / other.rows) / (own.seconds / own.rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all jobs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path, help="where to work; default: a new temporary directory")
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--rows", type=int, default=11_000_000, help="rows a year")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md", help="the table; default: beside this file")
    parser.add_argument("--keep", action="store_true", help="leave panel, stores and results where they are")
    parser.add_argument("--small", action="store_true", help="2 years x 200,000 rows, one round")
    args = parser.parse_args(argv)
    products = 5_000
    if args.small:
        args.years, args.rows, args.repeat, products = 2, 200_000, 1, 100
    directory = args.directory or Path(tempfile.mkdtemp(prefix="autarky-bench-"))
    directory.mkdir(parents=True, exist_ok=True)
    need_disk(directory, args.years * args.rows * DISK_PER_ROW)
    work = directory / "work"
    try:
        panel = _panel(directory / "panel", args, products)
        work.mkdir(exist_ok=True)
        jobs = _ingests(panel, work, args.rows)
        for job in jobs:
            compete(job, args.repeat, keep={c.output for c in job.contenders[:1]})
        jobs += _measures(work, args.years, args.rows)
        for job in jobs[2:]:
            compete(job, args.repeat)
        starts = [_timed(autarky("--help"), work / "log").seconds for _ in range(10)]
        args.out.write_text(_table(jobs, starts, args) + conversion_of(args.out), encoding="utf-8")
        say(f"written: {args.out}")
    except WrongResult as error:
        say(f"error: {error}")
        return 1
    finally:
        if not args.keep:
            for made in (work, directory / "panel"):
                shutil.rmtree(made, ignore_errors=True)
            if not any(directory.iterdir()):
                directory.rmdir()
    return 0


def conversion_of(results: Path) -> str:
    """Return the section that `convert.py` wrote into a table of results, which another run leaves as it is."""
    text = results.read_text(encoding="utf-8") if results.is_file() else ""
    return text[text.index(CONVERSION) :] if CONVERSION in text else ""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def need_disk(directory: Path, size: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < size:
        raise SystemExit(f"{directory}: {size / 1e9:.1f} GB of disk are needed, {free / 1e9:.1f} GB are free")


def _panel(directory: Path, args: argparse.Namespace, products: int) -> list[Path]:
    """Make the panel, or take the one that a run with the same parameters kept."""
    stamp = directory / "parameters"
    wanted = f"{args.years} {args.rows} {args.seed} {products}"
    if not stamp.is_file() or stamp.read_text() != wanted:
        subprocess.run(
            [
                sys.executable,
                str(HERE / "panel.py"),
                str(directory),
                f"--years={args.years}",
                f"--rows={args.rows}",
                f"--seed={args.seed}",
                f"--products={products}",
            ],
            check=True,
        )
        stamp.write_text(wanted)
    return sorted(directory.glob("BACI_*.csv"))[: args.years]


def autarky(*arguments: object) -> list[str]:
    script = Path(sys.executable).with_name("autarky")
    start = [str(script)] if script.is_file() else [sys.executable, "-m", "autarky.cli"]
    return [*start, *map(str, arguments)]


def other(name: str, output: Path, files: Iterable[Path]) -> list[str]:
    return [sys.executable, str(HERE / "contenders.py"), name, str(output), *map(str, files)]


def _ingests(panel: list[Path], work: Path, rows: int) -> list[Job]:
    jobs = []
    for files in ([panel[0]], panel):
        label = "one" if len(files) == 1 else "all"
        total = len(files) * rows
        own = Contender(
            "autarky ingest",
            autarky("ingest", "baci", *files, "--store", work / f"store-{label}"),
            work / f"store-{label}",
            total,
        )
        others = [
            Contender(title, other(name, work / f"{label}-{name}", files), work / f"{label}-{name}", total)
            for title, name in (
                (COPY, "ingest_duckdb"),
                ("DuckDB CSV → sorted Parquet", "ingest_duckdb_sorted"),
                ("Polars scan_csv → sink_parquet", "ingest_polars"),
                ("pandas read_csv → to_parquet", "ingest_pandas"),
            )
        ]
        years = "one year" if len(files) == 1 else f"{len(files)} years"
        jobs.append(Job(f"Ingest {years}", "ingest", total, [own, *others], COPY))
    return jobs


def _measures(work: Path, years: int, rows: int) -> list[Job]:
    jobs = []
    for label, count in (("one", 1), ("all", years)):
        files = sorted((work / f"store-{label}" / "flows").rglob("*.parquet"))
        result = work / f"measure-{label}-autarky.parquet"
        command = autarky(
            "measure",
            INDICATORS,
            "--by",
            KEYS,
            "--over",
            "partner",
            "--store",
            work / f"store-{label}",
            "--format",
            "parquet",
            "-o",
            result,
        )
        contenders = [Contender("autarky measure", command, result, count * rows)]
        fit = min(count, max(1, int(_available() / (PANDAS_PER_ROW * rows))))
        for title, name, held in (
            ("hand-written SQL", "measure_sql", count),
            ("hand-written SQL, wide result", "measure_sql_wide", count),
            ("Polars", "measure_polars", count),
            ("pandas", "measure_pandas", fit),
        ):
            target = work / f"{label}-{name}.parquet"
            contenders.append(Contender(title, other(name, target, files[:held]), target, held * rows))
        title = "one year" if label == "one" else f"{years} years"
        jobs.append(Job(f"Measure four indicators, {title}", "measure", count * rows, contenders, "hand-written SQL"))
    return jobs


def compete(job: Job, repeat: int, keep: Iterable[Path] = ()) -> None:
    """Run all contenders in turn, `repeat` times; check the results of the first round; keep the named outputs."""
    for turn in range(repeat):
        for contender in job.contenders:
            remove(contender.output)
            run = _timed(contender.command, contender.output.parent / "log")
            contender.runs.append(run)
            spent = f"{run.seconds:.2f} s, processor {run.processor:.2f} s, {run.memory:,.0f} MB"
            say(f"{job.title}: {contender.name}: {spent}")
            if turn:
                remove(*({contender.output} - set(keep)))
        if not turn:
            reference = job.named(job.reference)
            for contender in job.contenders:
                if contender is not reference and contender.rows == reference.rows:
                    _check(job, reference, contender)
            # The reference for fewer rows is made for the occasion.
            for contender in (c for c in job.contenders if c.rows < reference.rows):
                target = reference.output.with_suffix(".part")
                command = other("measure_sql", target, map(Path, contender.command[4:]))
                part = Contender("reference", command, target, contender.rows)
                _timed(part.command, part.output.parent / "log")
                _check(job, part, contender)
                remove(part.output)
            remove(*({c.output for c in job.contenders} - set(keep)))


def _check(job: Job, reference: Contender, contender: Contender) -> None:
    sample = [] if job.check == "ingest" else [str(min(SAMPLED, 1 + job.rows // 100_000))]
    compared = [str(reference.output), str(contender.output), *sample]
    command = [sys.executable, str(HERE / "checks.py"), job.check, *compared]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise WrongResult(f"{job.title}: {contender.name}: {done.stdout.strip() or done.stderr.strip()[-2000:]}")


def _timed(command: list[str], log: Path) -> Run:
    """Run a command to its end in a process of its own."""
    os.sync()
    with log.open("wb") as target:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=target, stderr=target)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        last = log.read_text(errors="replace")[-2000:]
        raise WrongResult(f"{' '.join(command[:4])} … ended with {child.returncode}: {last}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / unit)


def remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _memory(field_name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{field_name}:"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/meminfo has no {field_name}")


def _available() -> int:
    return _memory("MemAvailable")


def _table(jobs: list[Job], starts: list[float], args: argparse.Namespace) -> str:
    machine = f"{os.cpu_count()} cores ({_processor()}), {_memory('MemTotal') / 1e9:.0f} GB memory, {platform.system()}"
    lines = [
        "# Benchmark",
        "",
        f"Written by `benchmarks/run.py` on {datetime.date.today()}; nothing in it is typed by hand.",
        "",
        f"- Machine: {machine}, Python {platform.python_version()}; load average at the end {os.getloadavg()[0]:.1f}",
        f"- Libraries: {', '.join(f'{name} {version(name)}' for name in LIBRARIES)}",
        f"- Panel: {args.years} years x {args.rows:,} rows, seed {args.seed} (`benchmarks/panel.py`, invented)",
        f"- {args.repeat} rounds, contenders in turn; seconds of the whole process: median (least–most)",
        "- Processor: seconds of all threads, median; memory: largest peak",
        "- Ratio: seconds a row as a multiple of autarky's (above 1: autarky is faster)",
        "- Results checked against the reference before any ratio: 1e-9 · max(1, |a|)",
        "",
        "## Targets",
        "",
        "| target | found | |",
        "|---|---|---|",
    ]
    lines += [f"| {target} | {found} | {verdict} |" for target, found, verdict in _targets(jobs, starts)]
    for job in jobs:
        lines += section(job)
    lines += [
        "",
        "## Start",
        "",
        f"`autarky --help`: median of {len(starts)} {statistics.median(starts):.2f} s "
        f"({min(starts):.2f}–{max(starts):.2f})",
        "",
    ]
    return "\n".join(lines)


def section(job: Job, level: str = "##") -> list[str]:
    """Return the lines of a job's table."""
    lines = [
        "",
        f"{level} {job.title}: {job.rows:,} rows",
        "",
        "| | seconds | processor | ratio | peak memory MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for c in job.contenders:
        low, high = min(r.seconds for r in c.runs), max(r.seconds for r in c.runs)
        note = "" if c.rows == job.rows else f" (on {c.rows:,} rows; the ratio is by row)"
        cells = (
            f"{c.name}{note}",
            f"{c.seconds:.2f} ({low:.2f}–{high:.2f})",
            f"{c.processor:.2f}",
            f"{job.times(c.name):.2f}",
            f"{c.memory:,.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _targets(jobs: list[Job], starts: list[float]) -> list[tuple[str, str, str]]:
    """Return target, what was found, and whether it was met."""
    year, all_years, small, large = jobs
    peak = max(j.contenders[0].memory for j in jobs)
    growth = (large.contenders[0].seconds / large.rows) / (small.contenders[0].seconds / small.rows)
    rows = [
        ("measure takes at most 1.3 times hand-written SQL", 1 / large.times("hand-written SQL"), 1.3, "{:.2f} times"),
        ("ingest takes at most 2.5 times DuckDB's CSV → Parquet", 1 / all_years.times(COPY), 2.5, "{:.2f} times"),
        ("the same, one year", 1 / year.times(COPY), 2.5, "{:.2f} times"),
        ("peak memory under 4,000 MB", peak, 4000, "{:,.0f} MB"),
        (f"time a row at most 1.1 times, from {small.rows:,} to {large.rows:,} rows", growth, 1.1, "{:.2f} times"),
        ("`autarky --help` under 0.5 s", statistics.median(starts), 0.5, "{:.2f} s"),
    ]
    found = [
        (target, form.format(value), "met" if value <= limit else f"missed by {value / limit - 1:.0%}")
        for target, value, limit, form in rows
    ]
    times = large.times("pandas")
    found.insert(
        1,
        (
            "measure is at least 4 times as fast as pandas",
            f"{times:.2f} times",
            "met" if times >= 4 else f"missed by {1 - times / 4:.0%}",
        ),
    )
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())

"""Turn the results of `run.py` (JSON on standard input) into a page and a chart; nothing in them is typed by hand.

python benchmarks/report.py docs < results.json
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import targets
from picture import draw

Row = dict[str, Any]


def main() -> int:
    """Write `benchmarks.md` and `benchmarks.svg`."""
    where, results = Path(sys.argv[1]), json.load(sys.stdin)
    rows = [row for job in results["jobs"] for row in rows_of(job)]
    where.mkdir(parents=True, exist_ok=True)
    (where / "benchmarks.md").write_text(_page(results, rows), encoding="utf-8")
    draw(rows, where / "benchmarks.svg")
    return 0


def rows_of(job: Row) -> list[Row]:
    """Return a row a contender: job, rows, name, median seconds and processor, peak memory, ratios round by round."""
    own = job["contenders"][0]["runs"]
    made = []
    for contender in job["contenders"]:
        runs = contender["runs"]
        if contender["without"]:
            runs = []
        elif not runs:
            continue
        row: Row = {key: job[key] for key in ("kind", "title", "rows", "years")} | {"name": contender["name"]}
        row |= {"own": contender is job["contenders"][0], "without": contender["without"], "rounds": len(runs)}
        if runs:
            row |= {what: statistics.median(r[what] for r in runs) for what in ("seconds", "processor")}
            row["memory"] = max(r["memory"] for r in runs)
            row["ratios"] = [a["seconds"] / b["seconds"] for a, b in zip(runs, own, strict=False)]
        made.append(row)
    return made


def _page(results: dict[str, Any], rows: list[Row]) -> str:
    said = results["setting"]
    codes = "the codes of HS2017" if said["linked"] else "invented codes (conversion is left out)"
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {said['date']}; nothing on this page is typed by hand.",
        "",
        "![Seconds of the others as a multiple of autarky's, and seconds by size](benchmarks.svg)",
        "",
        f"- Machine: {said['machine']}; load average at the end {said['load']:.1f}",
        f"- Libraries: {said['libraries']}",
        f"- Panel: {', '.join(map(str, said['years']))} years of {said['rows']:,} rows, seed {said['seed']}, {codes}; "
        "size, layout and skew of BACI, every figure in it invented (`benchmarks/panel.py`)",
        f"- Rounds: {said['rounds']} ({min(2, said['rounds'])} beyond 200 million rows), contenders in turn; "
        "every run a whole process, from start to exit; its files may be in the system's cache for all alike",
        "- Results are compared with those of the reference before any time counts: 1e-9 · max(1, |a|)",
        "- Seconds: median. Ratio: seconds as a multiple of autarky's in the same round; median (least–most). Above 1, "
        "autarky is faster. *Noise*: the rounds disagree about who is",
        "- Memory: largest peak of the process, with its share of the files in memory",
        "",
        "## Targets",
        "",
        "| target | found | |",
        "|---|---|---|",
        *(f"| {target} | {found} | {verdict} |" for target, found, verdict in targets.all_of(rows, results["starts"])),
    ]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        lines += _section([row for row in rows if row["kind"] == kind])
    return "\n".join([*lines, *_growth(rows), ""])


def _section(rows: list[Row]) -> list[str]:
    lines = ["", f"## {rows[0]['title']}"]
    for size in dict.fromkeys(row["rows"] for row in rows):
        head = "| | seconds | processor | ratio | peak memory MB |"
        lines += ["", f"### {size:,} rows", "", head, "|---|---:|---:|---:|---:|"]
        for row in (r for r in rows if r["rows"] == size):
            if row["without"]:
                lines.append(f"| {row['name']} | not run: {row['without']} | | | |")
                continue
            cells = (row["name"], f"{row['seconds']:.2f}", f"{row['processor']:.2f}", ratio(row))
            lines.append(f"| {' | '.join(cells)} | {row['memory']:,.0f} |")
    return lines


def ratio(row: Row) -> str:
    """Return a ratio with its range, and whether it is noise."""
    found = row["ratios"]
    if row["own"]:
        return "1"
    middle = statistics.median(found)
    if len(found) == 1:
        return f"{middle:.2f} (one round)"
    noise = " noise" if min(found) <= 1 <= max(found) else ""
    return f"{middle:.2f} ({min(found):.2f}–{max(found):.2f}){noise}"


def _growth(rows: list[Row]) -> list[str]:
    """Return autarky's time a row and peak memory at every size."""
    own = [r for r in rows if r["own"] and r["kind"] != "ingest-all"]
    sizes = sorted({r["rows"] for r in own})
    lines = ["", "## Growth", "", "Nanoseconds a row (peak memory in MB) of autarky:", ""]
    lines += [f"| | {' | '.join(f'{s:,} rows' for s in sizes)} |", f"|---|{'---:|' * len(sizes)}"]
    for kind in dict.fromkeys(r["kind"] for r in own):
        found = {r["rows"]: r for r in own if r["kind"] == kind}
        cells = [
            f"{found[s]['seconds'] / s * 1e9:,.0f} ({found[s]['memory']:,.0f})" if s in found else "" for s in sizes
        ]
        lines.append(f"| {next(iter(found.values()))['title']} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())

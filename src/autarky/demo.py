"""The whole job on synthetic data: make a panel, ingest it, run the study, write the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autarky import commit, engine, reader, registry, report, store, synthetic

SETTINGS = {
    "reporter": "CHN",
    "flow": "import",
    "nomenclature": "GACC8",
    "freq": "M",
    "valuation": "CIF",
    "source": "synthetic",
    "synthetic": "true",
    "title": "Synthetic panel, made at run time; not data",
    "publisher": "autarky",
    "licence": "CC0-1.0",
}


def run(out: str | Path, say: Callable[[str], None], progress: reader.Progress, seed: int = 2025) -> Path:
    """Do what a user does with real files, on a synthetic panel, and return the report's page.

    Parameters
    ----------
    out : directory for the panel, the store and the report
    say : hears what is being done
    progress : see `reader.run`
    """
    import pyarrow.parquet as pq

    root = Path(out)
    root.mkdir(parents=True, exist_ok=True)
    panel = root / "synthetic-panel.parquet"
    say("making a synthetic panel (no figure in it is a figure of the world)")
    pq.write_table(synthetic.panel(seed), panel)
    say(
        f"autarky ingest tidy {panel} --store {root / 'store'} --set "
        + " ".join(f"{k}={v!r}" for k, v in SETTINGS.items())
    )
    say(commit.ingest(root / "store", "tidy", [panel], reader.Options(values=SETTINGS), progress=progress).summary)
    say(f"autarky run self-reliance --store {root / 'store'} --out {root / 'report'}")
    con = engine.connect()
    findings = registry.study("self-reliance").run(store.Store(root / "store").flows(con), con)
    page: Path = report.write(findings, root / "report", say)
    return page

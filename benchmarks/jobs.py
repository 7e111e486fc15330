"""What is raced at one size: the jobs, and for each what a user would run instead."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from racing import Contender, Job, autarky, memory, other

EDITION = "HS2017"
TARGETS = ("HS2012", "BEC4")
SQL = "hand-written SQL"
INDICATORS = "herfindahl,effective_number,entropy,top_share"
CELLS = "reporter,product,period"
COUNTRY = "DEU"
# pandas and its like hold a panel whole; beyond this they are not asked.
PANDAS_ROWS = 60_000_000
# Bytes of memory a row at their peak, measured; what does not fit is said and not run.
NEEDS = {"pandas": 150, "Polars": 40}
CONVERSION_NEEDS = 180
# Figures are compared for one key in so many.
SAMPLED = 97


@dataclass(frozen=True)
class Panel:
    """Where the panel is: a store with all years, the same files in CEPII's order, the CSV of the first year."""

    work: Path
    rows: int
    years: list[int]
    csv: Path
    linked: bool

    def files(self, years: list[int]) -> list[Path]:
        """Return the store's files of some years."""
        found = {int(p.parent.name.partition("=")[2]): p for p in (self.work / "store" / "flows").rglob("*.parquet")}
        return [found[y] for y in years]

    def as_baci(self, years: list[int]) -> list[Path]:
        """Return the files of some years in the order in which CEPII publishes."""
        return [self.work / "baci" / f"{self.years.index(y):02}.parquet" for y in years]

    def links(self, target: str) -> Path:
        """Return the mapping to an edition."""
        return self.work / f"links-{target}.parquet"


def ingest(panel: Panel) -> Job:
    """A year's CSV into a store."""
    store = panel.work / "ingested"
    names = (
        ("DuckDB CSV → sorted Parquet", "sql_sorted"),
        ("DuckDB CSV → Parquet", "sql"),
        ("Polars CSV → Parquet", "polars"),
        ("pandas CSV → Parquet", "pandas"),
    )
    others = [
        Contender(title, other(f"ingest.{name}", panel.work / name, panel.csv), panel.work / name)
        for title, name in names
    ]
    own = Contender("autarky ingest", autarky("ingest", "baci", panel.csv, "--store", store), store)
    return Job("ingest", "Ingest of a year's CSV", panel.rows, 1, [own, *others], ("ingest",), names[0][0])


def at(panel: Panel, years: list[int]) -> list[Job]:
    """Return the jobs over some years."""
    made = [_four(panel, years), _country(panel, years), _products(panel, years)]
    made += [_quotient(panel, years), _margins(panel, years)]
    return made + [_conversion(panel, years, target) for target in TARGETS if panel.linked]


def _measure(panel: Panel, years: list[int], indicators: str, by: str, *more: object) -> Contender:
    output = panel.work / "autarky.parquet"
    asked = ("measure", indicators, "--by", by, "--store", panel.work / "store", *more)
    span = ("--since", years[0], "--until", years[-1])
    return Contender("autarky measure", autarky(*asked, *span, "--format", "parquet", "-o", output), output)


def _others(panel: Panel, files: list[Path], rows: int, names: dict[str, str]) -> list[Contender]:
    made = []
    for title, name in names.items():
        output = panel.work / f"{name}.parquet"
        checked = not name.startswith("scan.")
        made.append(Contender(title, other(name, output, *files), output, checked, _without(title, rows)))
    return made


def _without(title: str, rows: int) -> str:
    """Return why a contender cannot run, if so."""
    needed = next((need for name, need in NEEDS.items() if title.startswith(name)), 0)
    available = memory("MemAvailable")
    if title.startswith(("pandas", "ecomplexity")) and rows > PANDAS_ROWS:
        return f"not asked beyond {PANDAS_ROWS:,} rows"
    if needed * rows > available:
        return f"would need {needed * rows / 1e9:.0f} GB of memory, {available / 1e9:.0f} GB are free"
    if title == "ecomplexity" and not find_spec("ecomplexity"):
        return "ecomplexity is not installed"
    return ""


def _four(panel: Panel, years: list[int]) -> Job:
    rows, files = panel.rows * len(years), panel.files(years)
    names = {
        SQL: "concentration.sql",
        f"{SQL}, year by year": "concentration.sql_by_year",
        f"{SQL}, wide result (a quarter of the rows)": "concentration.sql_wide",
        "bare scan of the columns": "scan.concentration",
        "Polars": "concentration.polars",
        "pandas, as users write it": "concentration.pandas",
        "pandas, one pass": "concentration.pandas_one_pass",
    }
    others = _others(panel, files, rows, names)
    title = f"{SQL}, files in CEPII's order"
    output = panel.work / "concentration.baci.parquet"
    others.insert(3, Contender(title, other("concentration.sql", output, *panel.as_baci(years)), output))
    own = _measure(panel, years, INDICATORS, CELLS, "--over", "partner")
    check = ("figures", CELLS, str(SAMPLED))
    return Job("four", "Four indicators by importer, product, year", rows, len(years), [own, *others], check, SQL)


def _country(panel: Panel, years: list[int]) -> Job:
    rows, last = panel.rows * len(years), years[-1:]
    where = ("--over", "partner", "--where", f"reporter={COUNTRY}", f"year={last[0]}")
    names = {SQL: "sql_country", "Polars": "polars_country", "pandas, filtered as it is read": "pandas_country"}
    others = _others(panel, panel.files(last), panel.rows, {t: f"concentration.{n}" for t, n in names.items()})
    own = _measure(panel, years, INDICATORS, CELLS, *where)
    check = ("figures", CELLS, "1")
    return Job("country", "One country and one year of it", rows, len(years), [own, *others], check, SQL)


def _products(panel: Panel, years: list[int]) -> Job:
    names = {
        SQL: "concentration.sql_products",
        "bare scan of the columns": "scan.concentration",
        "Polars": "concentration.polars_products",
    }
    title = "Concentration of each importer on products (a scan, a small result)"
    own = _measure(panel, years, "herfindahl", "reporter,period", "--over", "product")
    return _raced(panel, years, ("products", title), own, names, ("reporter,period", "1"))


def _quotient(panel: Panel, years: list[int]) -> Job:
    names = {
        SQL: "quotient.sql",
        "bare scan of the columns": "scan.exporters",
        "Polars": "quotient.polars",
        "pandas": "quotient.pandas",
        "ecomplexity": "quotient.ecomplexity",
    }
    title = "Location quotient (RCA) by exporter, product, year"
    own = _measure(panel, years, "location_quotient:among=partner", "partner,period", "--over", "product")
    return _raced(panel, years, ("quotient", title), own, names, ("partner,product,period", str(SAMPLED)))


def _margins(panel: Panel, years: list[int]) -> Job:
    names = {
        SQL: "margins.sql",
        "bare scan of the columns": "scan.exporters",
        "Polars": "margins.polars",
        "pandas": "margins.pandas",
    }
    title = "Extensive and intensive margin by exporter, year"
    indicators = "extensive_margin:among=partner,intensive_margin:among=partner"
    own = _measure(panel, years, indicators, "partner,period", "--over", "product")
    return _raced(panel, years, ("margins", title), own, names, ("partner,period", "1"))


def _raced(
    panel: Panel,
    years: list[int],
    named: tuple[str, str],
    own: Contender,
    names: dict[str, str],
    check: tuple[str, str],
) -> Job:
    """Return a measure raced with contenders that read the same files; `check` is the keys and how many are sampled."""
    rows = panel.rows * len(years)
    others = _others(panel, panel.files(years), rows, names)
    return Job(*named, rows, len(years), [own, *others], ("figures", *check), SQL)


def _conversion(panel: Panel, years: list[int], target: str) -> Job:
    rows, files = panel.rows * len(years), panel.files(years)
    own, hand = panel.work / "autarky.parquet", panel.work / "conversion.sql.parquet"
    asked = ("convert", "--store", panel.work / "store", "--to", target, "--since", years[0], "--until", years[-1])
    needed, free = CONVERSION_NEEDS * rows, memory("MemAvailable")
    without = f"would need {needed / 1e9:.0f} GB of memory, {free / 1e9:.0f} GB are free" if needed > free else ""
    command = other("conversion.sql", hand, panel.links(target), *files)
    contenders = [
        Contender("autarky convert", autarky(*asked, "--format", "parquet", "-o", own), own),
        Contender(SQL, command, hand, without=without),
        *_others(panel, files, rows, {"bare scan of the columns": "scan.all_columns"}),
    ]
    check = () if without else ("convert", str(SAMPLED))
    return Job(f"convert-{target}", f"Conversion of {EDITION} to {target}", rows, len(years), contenders, check, SQL)

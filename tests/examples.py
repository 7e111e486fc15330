"""What the tests of charts, report and package share: a matrix, findings, and how to read what was written."""

import csv
import datetime

import altair as alt
import pandas as pd

from autarky import charts
from autarky.findings import Column, Figure, Findings, Section, Table
from autarky.tables import FileRecord, Ledger, Origin

MATRIX = pd.DataFrame(
    [
        ("Up and steady", "No Discernable Effect", 0.2, 0.8, 0.2, 0.8),
        ("Up and wild", "Stockpiling or Other Policy Disturbance", 0.6, 2.9, 0.78, 2.76),
        ("Down", "Import Substitution", 0.1, -0.2, 0.1, None),
        ("No base", None, 0.4, None, 0.2, 0.3),
        ("Nothing", None, None, None, None, None),
    ],
    columns=["group", "pattern", "volatility", "growth", "published_volatility", "published_growth"],
)
WILD = '<b>&"'
FRAME = pd.DataFrame(
    {
        "group": [WILD, "Plain", "Third"],
        "month": [datetime.date(2015, 1, 1), pd.Timestamp("2024-12-01"), None],
        "codes": [1234567, None, -3],
        "since": [2015, 2022, None],
        "growth": [0.1 + 0.2, float("nan"), -0.001],
        "growth_flag": [None, "base is zero", None],
        "part": [1 / 3, 0.5, None],
        "value_usd": [1234567890.123, 0.0, None],
        "agrees": pd.array([True, False, None], dtype="boolean"),
    }
)
COLUMNS = (
    Column("group", "Group", "text", "what it is"),
    Column("month", "Month", "month", "when"),
    Column("codes", "Codes", "integer", "how many"),
    Column("since", "Since", "integer", "first year"),
    Column("growth", "Growth", "number", "by how much", "1"),
    Column("growth_flag", "Why", "text", "why there is no growth"),
    Column("part", "Part", "share", "of the whole", "1"),
    Column("value_usd", "Imports", "usd", "how dear", "USD"),
    Column("agrees", "Agrees", "boolean", "whether it does"),
)


def _figures() -> tuple[Figure, ...]:
    drivers = pd.DataFrame({"group": [WILD], "code": ["01"], "label": ["</script>"], "contribution": [0.5]})
    return (Figure("drivers", "What moves it", charts.drivers(drivers), f"Read {WILD}."),)


def findings(synthetic: bool = False) -> Findings:
    ledger = Ledger()
    ledger.add("read", (10, 9), (1e9, 9e8), "1 row refused")
    return Findings(
        study="a-study",
        title="A title",
        subtitle="A subtitle",
        sections=(Section("First part", (f"**Bold** and {WILD}.",), ("drivers", "main", "long")),),
        tables=(
            Table("main", "Main table", FRAME, COLUMNS, "A note."),
            Table("long", "Long table", FRAME[["group"]], COLUMNS[:1], in_report=False),
            Table("spare", "Spare table", FRAME[["group"]], COLUMNS[:1]),
        ),
        figures=_figures(),
        ledger=ledger,
        origins=(
            Origin("src-1", "Some source", "Some office", "https://example.org/x", "CC BY 4.0", "read with care"),
        ),
        files=(FileRecord("raw.csv", "ab" * 32, 2_500_000),),
        parameters={"since": datetime.date(2015, 1, 1), "lists": {"b", "a"}, "limit": 0.3},
        synthetic=synthetic,
    )


def draw(chart: alt.TopLevelMixin) -> str:
    import vl_convert

    return vl_convert.vegalite_to_svg(chart.to_dict(), vl_version="6.1")


def records(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import altair as alt
import pyarrow.parquet as pq
import pytest
from examples import COLUMNS, FRAME, WILD, findings, records

from autarky import report
from autarky.findings import Column, Table
from autarky.package import SYNTHETIC
from autarky.tables import Ledger


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    said: list[str] = []
    assert report.write(findings(), folder / "out", said.append) == folder / "out" / "report.html"
    assert said
    return folder / "out"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    report.write(findings(synthetic=True), folder)
    return folder


class _Tags(HTMLParser):
    """Every tag with its attributes; the text of scripts left out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def _page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def _outside_scripts(text):
    return re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_page_asks_no_address_for_anything(out):
    page = _Tags(_page(out))
    for tag, attrs in page.tags:
        if tag != "a":
            assert not {"src", "href", "srcset", "data", "action"} & attrs.keys(), tag
    assert not page.all("link")
    assert not page.all("iframe")
    style = re.search(r"<style>(.*?)</style>", _page(out), re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert {a["href"] for a in page.all("a") if a["href"].startswith("http")} == {"https://example.org/x"}


def test_javascript_is_in_the_page_once_and_ends_where_it_should(out):
    page = _page(out)
    assert page.count("window.vegaEmbed = vegaEmbed") + page.count("window.vegaEmbed=") == 1
    assert page.count("<script") - page.count("</script>") == len(re.findall(r"<script(?![ >])", page))
    assert page.rstrip().endswith("</html>")


def test_ledger_is_a_file_and_a_table(out):
    assert records(out / "ledger.csv")[0]["note"] == "1 row refused"
    assert "1 row refused" in _outside_scripts(_page(out))


def test_text_is_escaped_and_stars_are_bold(out):
    page = _outside_scripts(_page(out))
    assert "<b>" not in page
    assert "<strong>Bold</strong> and &lt;b&gt;&amp;&#34;." in page
    specs = re.findall(r'data-spec="drivers">(.*?)</script>', _page(out), re.DOTALL)
    assert WILD in json.loads(specs[0])["datasets"].popitem()[1][0]["group"]


def test_a_chart_with_a_missing_number_is_json_that_a_browser_reads(tmp_path):
    data = alt.Data(values=[{"x": 1, "y": float("nan")}, {"x": 2, "y": 3.0}])
    figure = replace(findings().figures[0], name="gap", chart=alt.Chart(data).mark_point().encode(x="x:Q", y="y:Q"))
    report.write(replace(findings(), figures=(figure,), sections=()), tmp_path)
    spec = re.search(r'data-spec="gap">(.*?)</script>', _page(tmp_path), re.DOTALL)[1]

    def refuse(constant):
        raise ValueError(constant)

    assert json.loads(spec, parse_constant=refuse)["data"]["values"][0]["y"] is None


def test_tables_can_be_sorted_by_what_is_stored(out):
    page = _Tags(_page(out))
    heads = [h for h in page.all("th") if "aria-sort" in h]
    assert {h["data-type"] for h in heads} == {"text", "number"}
    assert all(h["aria-sort"] == "none" for h in heads)
    assert any(b.get("title") == "by how much" for b in page.all("button"))
    values = [c["data-value"] for c in [*page.all("th"), *page.all("td")] if "data-value" in c]
    assert str(0.1 + 0.2) in values
    assert "" in values


def test_figures_are_printed_for_readers(out):
    page = _outside_scripts(_page(out))
    for shown in (">1,234,567<", ">2015<", ">0.30<", ">33.3%<", ">1,234.6<", ">2024-12<", ">yes<", ">−3<"):
        assert shown in page, shown
    assert ">0.00<" in page  # -0.001, and not −0.00
    assert 'title="base is zero">—</span> <small>base is zero</small>' in page
    assert 'data-type="text" aria-sort="none"><button type="button" title="why there is no growth"' not in page


def test_what_is_said_of_a_row_stands_under_it_and_goes_where_it_goes(tmp_path):
    flagged = FRAME.assign(flag=["short series", None, None])
    table = Table("main", "Main table", flagged, (*COLUMNS, Column("flag", "Cautions", "text", "what to mind")))
    report.write(replace(findings(), tables=(table,), figures=(), sections=()), tmp_path)
    grid = _page(tmp_path).split("<caption>Main table", 1)[1].split("</table>", 1)[0]
    bodies = grid.split("<tbody>")[1:]
    assert [body.count("<tr") for body in bodies] == [2, 1, 1]
    assert '<td colspan="8"><p>Cautions: short series</p></td>' in bodies[0]
    assert "Cautions" not in grid.split("</thead>")[0]
    assert all(body.count('<th scope="row"') == 1 for body in bodies)
    assert 'title="what to mind"' not in grid


def test_what_no_section_names_still_has_a_place(out):
    page = _outside_scripts(_page(out))
    assert "Further tables and figures" in page
    assert 'id="table-spare"' in page
    assert "Long table</a> (3 rows)" in page


def test_origins_and_parameters_are_told(out):
    page = _outside_scripts(_page(out))
    for said in ("Some office", "CC BY 4.0", "read with care", "2.5 MB", "ab" * 32, "a-study", "2015-01-01"):
        assert said in page


def test_synthetic_is_said_everywhere(made_up):
    page = _Tags(_page(made_up))
    banners = [p for p in page.all("p") if p.get("class") == "synthetic"]
    assert len(banners) == len(page.all("section"))
    assert SYNTHETIC in _page(made_up)
    assert "SYNTHETIC" in (made_up / "figures" / "drivers.svg").read_text(encoding="utf-8")
    assert "SYNTHETIC" in re.search(r'data-spec="drivers">(.*?)</script>', _page(made_up), re.DOTALL)[1]
    for path in [*made_up.glob("tables/*.csv"), made_up / "ledger.csv"]:
        rows = records(path)
        assert list(rows[0])[-1] == "data"
        assert {r["data"] for r in rows} == {"synthetic"}
    for path in made_up.glob("tables/*.parquet"):
        assert pq.read_table(path).column("data").unique().to_pylist() == ["synthetic"]
    package = json.loads((made_up / "datapackage.json").read_text(encoding="utf-8"))
    assert package["synthetic"] is True
    described = [r["description"] for r in package["resources"] if r["format"] == "csv"]
    assert all(d.startswith(SYNTHETIC) for d in described)


def test_real_findings_do_not_say_synthetic(out):
    assert "synthetic" not in _outside_scripts(re.sub(r"<style>.*?</style>", "", _page(out), flags=re.DOTALL)).lower()
    assert "SYNTHETIC" not in (out / "figures" / "drivers.svg").read_text(encoding="utf-8")


def test_long_ledgers_are_folded(tmp_path):
    ledger = Ledger()
    for i in range(report.LONG + 1):
        ledger.add(f"step {i}", (1, 1), (1.0, 1.0))
    report.write(replace(findings(), ledger=ledger, figures=(), sections=()), tmp_path)
    assert "<summary>31 steps</summary>" in _page(tmp_path)
    assert len(_page(tmp_path)) < 200_000  # without figures there is no need of the charts' JavaScript


def test_import_is_light():
    code = "import sys, autarky.report; sys.exit(any(m in sys.modules for m in ('altair', 'vl_convert', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Findings to a page that opens offline, with a data package beside it (`package`).

The same findings give the same bytes: no clock, no random number, no address is asked for anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import autarky
from autarky import package
from autarky.findings import Column, Figure, Findings, Section, Table
from autarky.package import SYNTHETIC, File, plain

if TYPE_CHECKING:
    from markupsafe import Markup

LONG = 30  # a ledger or a list of files with more lines than this is folded away

_UNITS = {"share": "%", "share2": "%", "usd": "million USD"}
# form → (factor, decimals, what follows the figure)
_FORMS = {"number": (1.0, 2, ""), "share": (100.0, 1, "%"), "share2": (100.0, 2, "%"), "usd": (1e-6, 1, "")}


def write(findings: Findings, out: Path, say: Callable[[str], None] = lambda line: None) -> Path:
    """Write the report and its data package into a directory.

    The descriptor, `datapackage.json`, is written last: a directory without it is not complete. Tables and figures of
    an earlier run that are no longer made are removed; every other file that is in the directory stays as it is.

    Parameters
    ----------
    findings : what a study found
    out : directory; made when it does not exist
    say : hears what was written, a line a file kind

    Returns
    -------
    path of `report.html`

    Raises
    ------
    TableError : a table does not hold its columns, or holds an infinite figure; two tables (or figures) share a name;
        a section names what does not exist
    """
    tables = package.checked(findings)
    data = [*package.tabulated(tables, findings.synthetic), *_drawn(findings)]
    page = File("report.html", None, _page(findings, tables).encode())
    package.save(findings, [*data, page], out)
    say(f"{len(findings.tables)} tables: CSV and Parquet")
    say(f"{len(findings.figures)} figures: SVG and PNG")
    say(f"{out / page.path} ({len(page.content) / 1e6:.1f} MB)")
    return out / page.path


def _spec(figure: Figure, synthetic: bool, title: bool) -> dict[str, Any]:
    """Return the Vega-Lite specification; `title` puts the figure's title in it, for when it stands alone."""
    import textwrap

    import altair as alt

    # The limit of 5000 rows guards notebooks; a page that is written once may hold what the chart needs.
    with alt.data_transformers.enable("default", max_rows=None):
        spec: dict[str, Any] = figure.chart.to_dict()
    own = spec.pop("title", None) or {}
    own = dict(own) if isinstance(own, Mapping) else {"text": own}
    lines = [
        line for key in ("text", "subtitle") for line in _as_list(own.pop(key, [])) if line and line != figure.title
    ]
    if synthetic:
        lines.insert(0, "SYNTHETIC DATA: no figure in this chart is a figure of the world")
    look = {"anchor": "start", "fontSize": 16, "fontWeight": "bold", "subtitleFontSize": 13, "subtitlePadding": 6}
    if title:
        spec["title"] = {**look, "text": textwrap.wrap(figure.title, 95), "subtitle": lines}
    elif lines:
        spec["title"] = {**look, "text": lines, "fontSize": 13, "fontWeight": "normal", "color": "#444444"}
    spec.pop("$schema", None)
    return {**_without_nan(spec), "description": figure.title}


def _without_nan(value: Any) -> Any:
    """Turn NaN into null: a browser refuses the page's JSON for it."""
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and value != value else value


def _as_list(text: Any) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def _vegalite() -> str:
    """Return the version of Vega-Lite that altair speaks, as vl-convert names it."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _drawn(findings: Findings) -> Iterator[File]:
    """Yield the files of the figures."""
    import vl_convert

    for figure in findings.figures:
        spec = _spec(figure, findings.synthetic, title=True)
        svg = vl_convert.vegalite_to_svg(spec, vl_version=_vegalite(), allowed_base_urls=[])
        yield File(f"figures/{figure.name}.svg", figure, svg.encode())
        yield File(f"figures/{figure.name}.png", figure, vl_convert.svg_to_png(svg, scale=2))


def _page(findings: Findings, tables: list[Table]) -> str:
    """Fill the template."""
    import jinja2
    import vl_convert
    from markupsafe import Markup

    data = files("autarky") / "data"
    read = {kind: (data / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html.j2", "css", "js")}
    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_vegalite())
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(words=_words, printed=printed, sortable=_sortable, unit=_unit, size=_size, why=_why)
    return environment.from_string(read["html.j2"]).render(
        findings=findings,
        sections=list(_sections(findings)),
        tables={t.name: t for t in tables},
        figures={f.name: f for f in findings.figures},
        specs={f.name: _spec(f, findings.synthetic, title=False) for f in findings.figures},
        unseen=[t for t in findings.tables if not (t.in_report and len(t.frame))],
        hidden={t.name: _beside(t) for t in tables},
        parameters=package.as_json(findings.parameters),
        version=autarky.__version__,
        synthetic=SYNTHETIC if findings.synthetic else "",
        long=LONG,
        css=Markup(read["css"]),
        js=Markup(read["js"]),
        # A closing tag inside the bundle would end the script early.
        bundle=Markup(bundle.replace("</script", "<\\/script")) if findings.figures else "",
    )


def _sections(findings: Findings) -> Iterator[tuple[str, Section]]:
    """Yield the sections with the anchors that the contents list links to, what no section names in one of its own."""
    named = {item for section in findings.sections for item in section.items}
    held = [*(f.name for f in findings.figures), *(t.name for t in findings.tables if t.in_report and len(t.frame))]
    rest = tuple(dict.fromkeys(name for name in held if name not in named))
    more = (Section("Further tables and figures", (), rest),) if rest else ()
    for number, section in enumerate((*findings.sections, *more), start=1):
        slug = re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-")
        yield f"section-{number}-{slug}", section


def _words(text: str) -> Markup:
    """Escape a paragraph; **two stars** set words in bold, `backticks` a command as such."""
    from markupsafe import Markup, escape

    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", bold))


def printed(value: Any, column: Column) -> str:
    """Return a figure as a reader sees it; an empty text when it is null."""
    value = plain(value)
    if value is None:
        return ""
    if column.form == "boolean":
        return "yes" if value else "no"
    if column.form == "month":
        return f"{value:%Y-%m}"
    if column.form == "integer":
        # 2,015 is a number of things; 2015 is a year.
        whole = int(value)
        return str(whole) if re.search(r"(^|_)(year|since|until)$", column.name) else f"{whole:,}".replace("-", "−")
    if column.form == "scientific":
        return f"{value:.3g}".replace("-", "−")
    if column.form not in _FORMS:
        return str(value)
    scale, digits, end = _FORMS[column.form]
    # Adding zero turns a negative zero, which −0.001 rounds to, into zero.
    return f"{round(value * scale, digits) + 0.0:,.{digits}f}{end}".replace("-", "−")


def _sortable(value: Any) -> str:
    """Return what a column is sorted by: unrounded, ISO dates, empty when null."""
    value = plain(value)
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)


def _unit(column: Column) -> str:
    return _UNITS.get(column.form, "" if column.unit == "1" else column.unit)


def _beside(table: Table) -> dict[str, str]:
    """Return the flag columns that say why one column is null: they are printed in its cells, not as columns."""
    names = {c.name for c in table.columns}
    return {n.removesuffix("_flag"): n for n in names if n.endswith("_flag") and n.removesuffix("_flag") in names}


def _why(row: Mapping[str, Any], column: str, beside: Mapping[str, str]) -> str:
    """Return the flag of a cell: that of its column, or that of its row."""
    flag = beside.get(column, "flag")
    return str(plain(row[flag]) or "") if flag in row else ""


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"

"""The registry of export controls: what the source holds, how actions follow one another, what a card may not be."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Cli
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autarky import controls, controls_cards, controls_chart, registry
from autarky.controls_rows import Scope, follow
from autarky.errors import AutarkyError, CardError, CodeError, CoverageWarning, MeasureError, SourceError

REGISTRY = controls.load()
TESTIMONY = "002_7720988ca16688b8.txt"
CATCH_ALL = "3824999922"
LAST = "2025-04-24"


def card(folder: Path, id: str, *items: Any, **fields: Any) -> Path:
    content = {
        "id": id, "title": id, "issuer": "CHN", "kind": "license", "announced": "2030-01-01",
        "effective": "2030-01-01", "ended": None, "ended_by": None, "instrument": None, "notice": None,
        "legal_basis": None, "responds_to": [], "destinations": None, "supersedes": [],
        "source": {"document": "mine", "date": "2040-01-01", "where": "p. 1", "printed_date": "1 January 2030"},
        "reviewed": "2040-01-01", "assumed": {}, "differences": [], "notes": [], "items": list(items), **fields,
    }  # fmt: skip
    path = folder / f"{id}.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def item(id: str = "mine-1", exact: Any = ("0102291000",), **fields: Any) -> dict[str, Any]:
    return {"id": id, "product": "mine", "text": "a thing", "control": None, "exact": list(exact), "partial": [],
            "where": "p. 1", "note": None, **fields}  # fmt: skip


def printed(shared: Path, start: str, end: str) -> str:
    path = shared.parent / "seeds" / TESTIMONY
    if not path.is_file():
        pytest.skip(f"the testimony is not here: {path} is absent (it is not part of the repository)")
    text = path.read_text(encoding="utf-8")
    return text[text.index(start) : text.index(end)]


# What the testimony of 24 April 2025 holds. Its text has no page numbers, so the section stands for the page.


def test_appendix_a_has_119_codes_over_41_headings() -> None:
    codes = REGISTRY.items()["hs10"].dropna()
    assert (codes.nunique(), codes.str[:6].nunique()) == (119, 41)


def test_codes_and_how_often_each_is_listed_are_those_of_appendix_a(shared: Path) -> None:
    there = re.findall(r"(?<!\d)\d{10}(?!\d)", printed(shared, "## Appendix A", "## Appendix B"))
    here = [code for a in REGISTRY.actions.values() for i in a.items for code, _ in i.lines if code]
    # The rows 1.a and 1.b of 1C117.c are two items here and two lines there, so that even the repetitions agree.
    assert sorted(here) == sorted(there)
    assert len(here) == 201


def test_codes_of_each_product_are_those_of_appendix_a(shared: Path) -> None:
    text = printed(shared, "## Appendix A", "## Appendix B")
    parts = re.split(r"^(?:<b>|#### )([A-Z][a-z]+) (?:products|materials)\b", text, flags=re.MULTILINE)[1:]
    rows = zip(parts[::2], parts[1::2], strict=True)
    there = {name.lower(): sorted(re.findall(r"(?<!\d)\d{10}(?!\d)", cells)) for name, cells in rows}
    here: dict[str, list[str]] = {}
    for product, code in ((i.product, c) for a in REGISTRY.actions.values() for i in a.items for c, _ in i.lines if c):
        here.setdefault(product.split()[0], []).append(code)
    assert {product: sorted(codes) for product, codes in here.items()} == there
    assert len(there) == 17


def test_control_codes_are_those_of_appendix_a(shared: Path) -> None:
    text = printed(shared, "## Appendix A", "## Appendix B")
    there = set(re.findall(r"(?:^|^\dE\d{3} and )(\d[A-E]\d{3}(?:\.[a-z])?)\.?(?= |\b)", text, re.MULTILINE))
    held = [i.control for a in REGISTRY.actions.values() for i in a.items if i.control]
    here = {".".join(code.split(".")[:2]) for control in held for code in control.split("; ")}
    assert here == there


def test_timeline_has_the_21_rows_of_the_testimony_and_their_dates(shared: Path) -> None:
    text = printed(shared, "### Timeline", "## 2. Drivers")
    months = "January|February|March|April|May|June|July|August|September|October|November|December"
    there = re.findall(rf"^((?:{months}) [\d-]+, \d{{4}})", text, re.MULTILINE)
    rows = [a for a in REGISTRY.actions.values() if a.where.startswith("Timeline") and "second date" not in a.where]
    assert len(there) == 21
    assert sorted(a.printed_date for a in rows) == sorted(there)
    for action in rows:
        first = re.sub(r"-\d+,", ",", action.printed_date)
        day = datetime.datetime.strptime(first, "%B %d, %Y").date()
        assert day in (action.announced, action.effective), action.id


def test_actions_are_those_of_both_sources() -> None:
    by_document = pd.Series([a.document.split(",")[0].split()[0] for a in REGISTRY.actions.values()]).value_counts()
    # 21 rows of the timeline, a second date within one of them; seven acts of the editorial.
    assert by_document.to_dict() == {"C.": 22, "Editorial": 7}
    undated = {a.id for a in REGISTRY.actions.values() if a.date is None}
    assert undated == {a.id for a in REGISTRY.actions.values() if a.document.startswith("Editorial")}


def test_catch_all_line_is_shared_by_21_items() -> None:
    frame = REGISTRY.as_of(LAST)
    shared = frame[frame["hs10"] == CATCH_ALL]
    assert shared["item"].nunique() == 21
    assert set(shared["match"]) == {"partial"}


def test_no_line_is_exactly_two_items() -> None:
    pairs = REGISTRY.items().query("match == 'exact'")[["item", "hs10"]].drop_duplicates()
    assert not pairs["hs10"].duplicated().any()


def test_an_item_has_codes_or_is_unlisted() -> None:
    frame = REGISTRY.items()
    assert ((frame["match"] == "unlisted") == frame["hs10"].isna()).all()
    assert set(frame["match"]) == {"exact", "partial", "unlisted"}


# Dates.


def test_as_of_grows_where_nothing_is_repealed() -> None:
    days = pd.date_range("2018-01-01", LAST, freq="7D").strftime("%Y-%m-%d")
    held: set[str] = set()
    sizes = []
    for day in days:
        frame = REGISTRY.as_of(day)
        now = set(frame.loc[frame["status"] == "in force", "hs10"].dropna())
        assert held <= now, day
        held = now
        sizes.append(len(now))
    # Gallium and germanium, graphite, antimony and superhard, five minerals (one code is antimony's), seven elements.
    assert list(dict.fromkeys(sizes)) == [0, 36, 43, 60, 86, 119]


@pytest.mark.parametrize(
    ("day", "status"),
    [("2023-07-02", None), ("2023-07-03", "announced"), ("2023-07-31", "announced"), ("2023-08-01", "in force")],
)
def test_status_turns_on_the_day(day: str, status: str | None) -> None:
    frame = REGISTRY.as_of(day)
    found = frame.loc[frame["item"] == "gallium-metal", "status"].unique().tolist()
    assert found == ([status] if status else [])


def test_a_draft_is_never_in_force() -> None:
    frame = REGISTRY.as_of(LAST)
    assert frame.loc[frame["action"] == "cn-2025-01-02-battery-technology", "status"].tolist() == ["announced"]


def test_the_ban_ends_the_license_for_one_country_and_deletes_nothing() -> None:
    def kinds(day: str, destination: str, *, ended: bool = False) -> list[tuple[str, str]]:
        frame = REGISTRY.as_of(day, destination, ended=ended).query("item == 'gallium-metal'").drop_duplicates("kind")
        return list(zip(frame["kind"], frame["status"], strict=True))

    assert kinds("2024-12-02", "USA") == kinds("2024-12-02", "DEU") == [("license", "in force")]
    assert kinds("2024-12-03", "USA") == [("ban", "in force")]
    assert kinds("2024-12-03", "DEU") == [("license", "in force")]
    assert kinds("2024-12-03", "USA", ended=True) == [("license", "ended"), ("ban", "in force")]
    rows = REGISTRY.items().query("item == 'gallium-metal'").drop_duplicates("destination").set_index("destination")
    assert rows.loc["all", "until"] == pd.Timestamp("2024-12-02")
    assert rows.loc["all", "ended_by"] == rows.loc["USA", "action"] == "cn-2024-12-03-united-states"
    assert rows.loc["all but USA", "since"] == rows.loc["USA", "since"] == pd.Timestamp("2024-12-03")


def test_antimony_stays_under_license_where_superhard_materials_are_banned() -> None:
    frame = REGISTRY.as_of(LAST, "USA")
    assert set(frame.loc[frame["product"] == "superhard materials", "kind"]) == {"ban"}
    assert set(frame.loc[frame["product"] == "antimony", "kind"]) == {"license"}


def test_after_the_last_source_it_warns() -> None:
    with pytest.warns(CoverageWarning, match="end on 2025-04-24"):
        REGISTRY.as_of("2025-04-25")


def test_diff() -> None:
    frame = REGISTRY.diff("2024-12-02", "2024-12-03")
    counts = frame.drop_duplicates(["item", "change", "destination"])["change"].value_counts().to_dict()
    # 14 items of gallium and germanium, 2 of graphite, 6 of superhard materials: ended, banned, licensed elsewhere.
    assert counts == {"entered into force": 44, "ended": 22}
    assert REGISTRY.diff(LAST, LAST).empty
    one = REGISTRY.diff("2023-07-01", "2023-07-31")
    assert set(one["change"]) == {"announced"}
    assert one["status_before"].isna().all()


def test_diff_of_two_steps_holds_what_changed_in_either() -> None:
    steps = [REGISTRY.diff(a, b) for a, b in (("2023-01-01", "2024-12-02"), ("2024-12-02", LAST))]
    whole = REGISTRY.diff("2023-01-01", LAST)
    keys = ["item", "hs10", "action", "destination", "since", "status_after"]
    last = pd.concat(steps)[keys].drop_duplicates(keys[:-1], keep="last")
    assert len(last) == len(whole)
    assert len(last.merge(whole[keys], on=keys)) == len(whole)


@pytest.mark.parametrize("day", ["2025-02-30", "2025-2-3", "yesterday", "2025"])
def test_a_day_that_is_none(day: str) -> None:
    with pytest.raises(MeasureError, match="YYYY-MM-DD"):
        REGISTRY.as_of(day)


def test_other_bad_questions() -> None:
    with pytest.raises(CodeError, match="US' is not an ISO3"):
        REGISTRY.as_of(LAST, "US")
    with pytest.raises(MeasureError, match="earlier date first"):
        REGISTRY.diff(LAST, "2024-01-01")
    with pytest.raises(CardError, match="gallium-metal"):
        REGISTRY.show("gallium")


# Lags.


def test_lags_counted_by_hand() -> None:
    frame = REGISTRY.timeline().dropna(subset=["lag_days"])
    found = dict(
        zip(zip(frame["action"].str[:13], frame["responds_to"].str[:13], strict=True), frame["lag_days"], strict=True)
    )
    assert found == {
        # 24 + 30 + 31 days of October to December 2022, 181 to June, 3 of July.
        ("cn-2023-07-03", "us-2022-10-07"): 24 + 30 + 31 + 181 + 3,
        ("cn-2023-07-03", "jp-2023-03-31"): 30 + 31 + 30 + 3,
        ("cn-2023-07-03", "nl-2023-06-30"): 3,
        ("cn-2023-10-20", "eu-2023-10-04"): 16,
        ("cn-2023-10-20", "us-2023-10-17"): 3,
        ("cn-2024-12-03", "us-2024-12-02"): 1,
        ("cn-2025-02-04", "us-2025-02-01"): 3,
        ("cn-2025-04-04", "us-2025-04-02"): 2,
    }  # fmt: skip


def test_trend_against_another_implementation() -> None:
    frame = REGISTRY.timeline().dropna(subset=["lag_days"])
    for row in REGISTRY.trend().itertuples():
        lags = frame.groupby("action")["lag_days"].agg("max" if row.trigger == "first" else "min").astype(float)
        dates = frame.groupby("action")["date"].first()
        years = (dates - pd.Timestamp("2020-01-01")).dt.days / 365.25
        fit = stats.linregress(years, lags)
        half = stats.t.ppf(0.975, len(lags) - 2) * fit.stderr
        got = [row.slope_days_per_year, row.low, row.high, row.lag_mean_days]
        assert got == pytest.approx([fit.slope, fit.slope - half, fit.slope + half, lags.mean()])
        assert row.answers == 5
        assert "only 5 answers" in row.note


def test_trend_of_a_line_is_its_slope(tmp_path: Path) -> None:
    """Lags of 10, 20, 30, 40 days, a thousand days apart, on top of none."""
    for i in range(4):
        start = datetime.date(2030, 1, 1) + datetime.timedelta(days=1000 * i)
        card(tmp_path, f"us-{i}", issuer="USA", announced=str(start), effective=None)
        day = str(start + datetime.timedelta(days=10 * (i + 1)))
        card(tmp_path, f"cn-{i}", announced=day, effective=None, responds_to=[f"us-{i}"])
    own = controls_cards.read_all(tmp_path)
    mine = controls.Registry({k: a for k, a in own.items() if a.date and a.date.year >= 2030}, ())
    row = mine.trend().iloc[0]
    assert row["slope_days_per_year"] == pytest.approx(10 / (1010 / 365.25))
    assert [row["low"], row["high"]] == pytest.approx([row["slope_days_per_year"]] * 2)
    few = controls.Registry({k: a for k, a in mine.actions.items() if k in ("us-0", "cn-0", "us-1", "cn-1")}, ())
    row = few.trend().iloc[0]
    assert np.isnan(row["slope_days_per_year"])
    assert "needs 3" in row["note"]
    none = controls.Registry({k: a for k, a in mine.actions.items() if k == "us-0"}, ()).trend()
    assert none["answers"].tolist() == [0, 0]
    assert none["lag_mean_days"].isna().all()


# How actions follow one another.

AREAS = ("USA", "DEU", "JPN", "KOR", "VNM")
SCOPES = st.builds(Scope, st.booleans(), st.frozensets(st.sampled_from(AREAS[:4])))


@given(SCOPES, SCOPES)
def test_scopes_are_sets(one: Scope, other: Scope) -> None:
    for area in AREAS:
        assert (area in (one & other)) == (area in one and area in other)
        assert (area in (one - other)) == (area in one and area not in other)
    assert bool(one) == any(area in one for area in AREAS)


@given(st.lists(st.frozensets(st.sampled_from(AREAS)), min_size=1, max_size=5))
def test_each_country_is_under_the_last_action_aimed_at_it(aims: list[frozenset[str]]) -> None:
    actions = [make("a-0", items=(THING,), day=0)]
    for i, aim in enumerate(aims, 1):
        actions.append(make(f"a-{i}", destinations=tuple(sorted(aim)), supersedes=("thing",), day=i))
    rows = follow(actions)
    for i, action in enumerate(actions):
        for area in AREAS:
            held = [r.action.id for r in rows if area in r.scope and r.status(action.date) == "in force"]
            last = max(k for k, a in enumerate(actions[: i + 1]) if not a.destinations or area in a.destinations)
            assert held == [f"a-{last}"]


BEGIN = datetime.date(2030, 1, 1)
THING = controls_cards.Item("thing", "mine", "a thing", None, ("0102291000",), (), "p. 1", None)


def make(id: str, day: int, items: Any = (), destinations: Any = (), supersedes: Any = ()) -> controls_cards.Action:
    date = BEGIN + datetime.timedelta(days=10 * day)
    return controls_cards.Action(
        id=id, title=id, issuer="CHN", kind="license", announced=date, effective=date, ended=None, ended_by=None,
        instrument=None, notice=None, legal_basis=(), responds_to=(), destinations=destinations, supersedes=supersedes,
        document="mine", document_date=datetime.date(2040, 1, 1), where="p. 1", printed_date="", reviewed=date,
        assumed={}, differences=(), notes=(), items=items,
    )  # fmt: skip


def test_a_repeal_sets_the_last_day(tmp_path: Path) -> None:
    card(tmp_path, "mine-a", item(), ended="2031-01-01", ended_by="mine-b")
    card(tmp_path, "mine-b", announced="2031-01-01", effective="2031-01-01", kind="law")
    mine = controls.load(tmp_path)
    found = {
        d: mine.as_of(d, ended=True).query("item == 'mine-1'")["status"].tolist() for d in ("2030-12-31", "2031-01-01")
    }
    assert found == {"2030-12-31": ["in force"], "2031-01-01": ["ended"]}
    assert mine.items().query("item == 'mine-1'")["ended_by"].tolist() == ["mine-b"]
    assert mine.as_of("2031-01-01").query("item == 'mine-1'").empty


def test_a_draft_that_supersedes_ends_nothing(tmp_path: Path) -> None:
    card(tmp_path, "mine-a", item())
    card(tmp_path, "mine-b", kind="ban", announced="2031-01-01", effective=None, supersedes=["mine-a"])
    frame = controls.load(tmp_path).as_of("2032-01-01").query("item == 'mine-1'")
    assert dict(zip(frame["kind"], frame["status"], strict=True)) == {"license": "in force", "ban": "announced"}


# Notices of the ministry.


def test_against_the_notices(shared: Path) -> None:
    frame = REGISTRY.against(shared / "controls" / "mofcom-notices-hs10.tsv")
    counts = frame.fillna({"action": "–"}).groupby(["difference", "date", "action"]).size().to_dict()
    assert counts == {
        ("date", "2024-08-26", "cn-2024-09-15-antimony-superhard"): 1,
        ("only in the notices", "2024-02-23", "–"): 2,
        ("only in the notices", "2024-06-03", "–"): 38,
        ("only in the notices", "2024-08-26", "–"): 30,
        ("only in the registry", "2023-07-03", "cn-2023-07-03-gallium-germanium"): 36,
        ("only in the registry", "2025-04-04", "cn-2025-04-04-rare-earths"): 33,
    }
    # Where the file has the notice of an action, the codes of both are the same.
    less = frame[frame["difference"] == "only in the registry"]
    assert less["why"].str.startswith("the file has no notice").all()
    raw = pd.read_csv(shared / "controls" / "mofcom-notices-hs10.tsv", sep="\t", dtype="str")
    both = set(raw["code10"]) & set(REGISTRY.items()["hs10"].dropna())
    assert len(both) == 119 - less["hs10"].nunique()


def notices(tmp_path: Path, *rows: tuple[str, str, str]) -> Path:
    path = tmp_path / "notices.tsv"
    text = "".join("\t".join(row) + "\n" for row in (("date", "announcement_file", "code10"), *rows))
    path.write_text(text, encoding="utf-8")
    return path


def test_a_code_more_and_a_code_less(tmp_path: Path) -> None:
    graphite = ["2504101000", "2504109100", "3801100030", "3801901000", "3801909010", "3824999940"]
    path = notices(tmp_path, *[("2023-10-20", "公告2023年第39号.md", c) for c in [*graphite, "0101210010"]])
    frame = REGISTRY.against(path).query("action == 'cn-2023-10-20-graphite'")
    assert frame[["difference", "hs10"]].to_numpy().tolist() == [
        ["only in the notices", "0101210010"],
        ["only in the registry", "6815190020"],
    ]
    assert frame["why"].tolist() == ["the action does not list it", "the notice does not list it"]


def test_bad_notices(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="1 codes are not ten digits: 250410100"):
        REGISTRY.against(notices(tmp_path, ("2023-10-20", "a.md", "250410100")))
    (tmp_path / "other.tsv").write_text("date\tcode\n", encoding="utf-8")
    with pytest.raises(SourceError, match="no column announcement_file, code10"):
        REGISTRY.against(tmp_path / "other.tsv")
    with pytest.raises(SourceError, match="no such file"):
        REGISTRY.against(tmp_path / "none.tsv")


# Cards.


@pytest.mark.parametrize("name", registry.names("controls"))
def test_every_card_of_the_package(name: str) -> None:
    action = REGISTRY.actions[name]
    assert action.where
    assert action.items == () or action.kind in ("ban", "license", "prohibition of technology export")
    # What no source states says why it is set.
    for field in action.assumed:
        assert field == "match" or getattr(action, field), field
    if action.effective is not None and action.announced is not None:
        assert "effective" in action.assumed or action.effective.strftime("%B %-d, %Y") == action.printed_date
    if any(i.exact or i.partial for i in action.items):
        assert "match" in action.assumed


@pytest.mark.parametrize(
    ("rows", "fields", "said"),
    [
        ([item(exact=[0o102])], {}, "code 66 is not a string; put it in quotes, or YAML reads 0102 as 66"),
        ([item(exact=["250410100"])], {}, "code '250410100' has 9 characters; expected 10 digits"),
        ([item(exact=["25041010x0"])], {}, "expected 10 digits"),
        ([item(exact=["2504101000", "2504101000"])], {}, "more than once"),
        ([item(exact=["2504101000"], partial=["2504101000"])], {}, "more than once"),
        ([item(partial=None)], {}, "`partial` is None; expected a list"),
        ([item(control="1C")], {}, "does not read as 1C905.a"),
        ([item(code="x")], {}, "`code` is not a field"),
        ([item(), item()], {}, "the id mine-1 is taken by mine"),
        ([item("gallium-metal")], {}, "gallium-metal is taken"),
        ([], {"responds_to": ["us-2022-10-07-advanced-chip"]}, "leads nowhere; is it 'us-2022-10-07-advanced-chips'"),
        ([], {"supersedes": ["nothing like it"]}, "leads nowhere; no card has this id"),
        ([], {"legal_basis": ["mine"]}, "leads to the card itself"),
        ([], {"announced": "2025-02-30", "effective": None}, "announced 2025-02-30 is not a day of the calendar"),
        ([], {"announced": "30.1.2025"}, "'30.1.2025' is not a day; write it as YYYY-MM-DD"),
        ([], {"effective": "2029-12-31"}, "effective 2029-12-31 is before announced 2030-01-01"),
        ([], {"ended": "2031-01-01"}, "`ended` and `ended_by` go together"),
        ([], {"announced": "2022-10-06", "effective": None, "responds_to": ["us-2022-10-07-advanced-chips"]},
         "is of 2022-10-07, this action of 2022-10-06"),
        ([], {"kind": "embargo"}, "kind 'embargo' is not known; expected ban, license"),
        ([], {"issuer": "CN"}, "issuer 'CN' is not known"),
        ([], {"destinations": ["US"]}, "destinations 'US' is not known"),
        ([], {"notes": None}, "`notes` is None; expected a list"),
        ([], {"assumed": {"efective": "x"}}, "assumed: efective"),
        ([], {"colour": "red"}, "`colour` is not a field"),
    ],
)  # fmt: skip
def test_bad_cards(tmp_path: Path, rows: list[Any], fields: dict[str, Any], said: str) -> None:
    card(tmp_path, "mine", *rows, **fields)
    with pytest.raises(CardError, match=re.escape(said)) as raised:
        controls_cards.read_all(tmp_path)
    assert "mine" in str(raised.value)


def test_an_unquoted_date_that_is_none_names_its_line(tmp_path: Path) -> None:
    path = card(tmp_path, "mine")
    path.write_text(path.read_text().replace("announced: '2030-01-01'", "announced: 2025-02-30"), encoding="utf-8")
    with pytest.raises(CardError, match="line 1: 2025-02-30 is not a day of the calendar"):
        controls_cards.read_all(tmp_path)


def test_an_unquoted_code_in_a_file(tmp_path: Path) -> None:
    path = card(tmp_path, "mine", item())
    path.write_text(path.read_text().replace("0102291000", "0102"), encoding="utf-8")
    with pytest.raises(CardError, match="code 66 is not a string; put it in quotes"):
        controls_cards.read_all(tmp_path)


def test_an_unquoted_date_is_read(tmp_path: Path) -> None:
    path = card(tmp_path, "mine")
    path.write_text(path.read_text().replace("'2030-01-01'", "2030-01-01"), encoding="utf-8")
    assert controls_cards.read_all(tmp_path)["mine"].announced == datetime.date(2030, 1, 1)


def test_a_card_twice_and_a_folder_without_cards(tmp_path: Path) -> None:
    with pytest.raises(CardError, match="no cards"):
        controls_cards.read_all(tmp_path)
    card(tmp_path, "us-2025-02-01-tariffs")
    with pytest.raises(CardError, match="there is an action us-2025-02-01-tariffs already"):
        controls_cards.read_all(tmp_path)


# The command line.


def test_commands(cli: Cli, tmp_path: Path) -> None:
    ran = cli("controls", "as-of", "2024-12-03", "--destination", "USA", "--format", "csv")
    assert ran.code == 0
    assert {r["kind"] for r in ran.rows if r["product"] == "gallium"} == {"ban"}
    assert ran.rows[0]["hs10"].startswith("0") is False
    assert {r["since"] for r in ran.rows if r["product"] == "graphite"} == {"2024-12-03"}
    ran = cli("controls", "diff", "2024-12-02", "2024-12-03", "--format", "json")
    assert {r["change"] for r in json.loads(ran.out)} == {"ended", "entered into force"}
    ran = cli("controls", "show", "cn-2024-12-03-united-states", "--format", "csv")
    facts = {(r["field"], r["value"]) for r in ran.rows}
    assert ("responds_to", "us-2024-12-02-chip-tools") in facts
    assert cli("controls", "show", "gallium-metal", "--format", "table").out.count("gallium") > 2
    ran = cli("controls", "timeline", "--trend", "--format", "csv")
    assert [r["answers"] for r in ran.rows] == ["5", "5"]
    assert "5 answers" in ran.err
    ran = cli("controls", "timeline", "--format", "table")
    assert "269" in ran.out
    ran = cli("controls", "compare-notices", notices(tmp_path, ("2023-10-20", "a.md", "2504101000")), "--format", "csv")
    assert ran.code == 0
    assert "only in the registry" in ran.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("as-of", "2025-02-30"), "is not a day"),
        (("show", "nothing"), "there is no action or item 'nothing'"),
        (("timeline", "--figure", "a.gif"), "svg, png, html"),
        (("as-of", LAST, "--cards", "nowhere"), "no cards"),
    ],
)
def test_bad_commands(cli: Cli, args: tuple[str, ...], said: str) -> None:
    ran = cli("controls", *args, "--format", "csv")
    assert ran.code == 2
    assert said in ran.last


# The picture.


@pytest.mark.parametrize("form", controls_chart.FORMS)
def test_figure(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"timeline.{form}"
    controls_chart.save(REGISTRY, path)
    raw = path.read_bytes()
    if form == "png":
        assert raw.startswith(b"\x89PNG")
        return
    text = raw.decode()
    for word in ("269 d", "European Union", "Export licenses for graphite", "2025-04-09", "gives no date"):
        assert word in text
    assert "<script src=" not in text


def test_figure_draws_every_dated_action_and_link() -> None:
    drawn = controls_chart.timeline(REGISTRY).to_dict()
    layers = drawn["vconcat"][1]["layer"]
    rows = {x["mark"].get("shape", x["mark"]["type"]): drawn["datasets"][x["data"]["name"]] for x in layers}
    assert len(rows["triangle-down"]) == len({r["link"] for r in rows["line"]}) == 8
    assert [r["date"] for r in rows["circle"]] == sorted(str(a.date) for a in REGISTRY.actions.values() if a.date)


def test_figure_names_its_forms(tmp_path: Path) -> None:
    with pytest.raises(AutarkyError, match="svg, png, html"):
        controls_chart.save(REGISTRY, tmp_path / "a.pdf")

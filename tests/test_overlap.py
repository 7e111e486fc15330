"""Overlap of two lists: by hand, by HS6 from 8 and 6 digits, windows, refusals, CSV lists, real data, the command."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from autarky import engine, overlap, store, watchlists
from autarky.errors import CardError, MeasureError, NoDataError
from autarky.studies._self_reliance import overlap_part

ROWS = [
    # period, product, value
    ("2015-01", "84861010", 10.0),
    ("2015-01", "84861020", 20.0),
    ("2015-01", "84861090", 40.0),
    ("2016-01", "84861010", 1.0),
    ("2016-01", "85423100", 100.0),
    ("2016-01", "90278000", 7.0),
]
HEAD = "period,product,value_usd\n"
SET = ("reporter=CHN", "partner=WLD", "flow=import", "freq=M", "valuation=CIF", "source=tiny")
PANEL = "us-china/us-exports-to-china-monthly-hs6-2013-01_2021-02.parquet"


def ingested(cli, folder, rows=ROWS, nomenclature="GACC8", extra=()):
    raw = folder / "raw.csv"
    raw.write_text(HEAD + "".join(f"{p},{c},{v}\n" for p, c, v in rows), encoding="utf-8")
    ran = cli("ingest", "tidy", raw, "--store", folder / "store", "--set", *SET, f"nomenclature={nomenclature}", *extra)
    assert ran.code == 0, ran.err
    return folder / "store"


def flows(place):
    con = engine.connect()
    return store.Store(place).flows(con), con


def csv_list(folder, name, codes, nomenclature="GACC8"):
    path = folder / f"{name}.csv"
    path.write_text("code\n" + "".join(f"{c}\n" for c in codes), encoding="utf-8")
    return watchlists.load(str(path), nomenclature)


def measured(found, match):
    return found.summary.set_index("match").loc[match]


@pytest.fixture
def tiny(cli, tmp_path):
    return ingested(cli, tmp_path)


def test_by_code_and_by_hs6_by_hand(tiny, tmp_path):
    left = csv_list(tmp_path, "left", ["84861010", "85423100", "99999999"])
    right = csv_list(tmp_path, "right", ["84861010", "84861020", "90278000"])
    found = overlap.overlap(*flows(tiny), left, right)
    code, hs6 = measured(found, "code"), measured(found, "hs6")
    assert (code["codes_left"], code["codes_right"], code["codes_both"]) == (3, 3, 1)
    assert (code["left_usd"], code["right_usd"], code["both_usd"]) == (111, 38, 11)
    assert (code["share_of_left"], code["share_of_right"]) == pytest.approx((11 / 111, 11 / 38))
    # The whole of 848610 counts, also the line that neither list names.
    assert (hs6["left_usd"], hs6["right_usd"], hs6["both_usd"]) == (171, 78, 71)
    shared = found.shared.set_index(["match", "code"])["value_usd"]
    assert shared.to_dict() == {("code", "84861010"): 11, ("hs6", "848610"): 71}
    assert (f"{found.since}", f"{found.until}") == ("2015-01-01", "2016-01-01")
    later = overlap.overlap(*flows(tiny), left, right, since=pd.Timestamp("2016-01-01").date())
    assert measured(later, "code")["both_usd"] == 1


def test_a_list_overlaps_itself_wholly_and_sides_can_be_exchanged(tiny, tmp_path):
    left = csv_list(tmp_path, "left", ["84861010", "85423100"])
    right = csv_list(tmp_path, "right", ["84861010", "84861020"])
    one, other = (overlap.overlap(*flows(tiny), *pair) for pair in ((left, right), (right, left)))
    for match in ("code", "hs6"):
        a, b = measured(one, match), measured(other, match)
        assert (a["share_of_left"], a["share_of_right"]) == (b["share_of_right"], b["share_of_left"])
        own = measured(overlap.overlap(*flows(tiny), left, left), match)
        assert (own["share_of_left"], own["share_of_right"]) == (1, 1)


def test_six_digit_data_give_the_same_by_hs6_and_a_reason_by_code(cli, tiny, tmp_path):
    six = pd.DataFrame(ROWS, columns=["p", "c", "v"]).assign(c=lambda f: f["c"].str[:6])
    six = six.groupby(["p", "c"], as_index=False)["v"].sum()
    (tmp_path / "six").mkdir()
    place = ingested(cli, tmp_path / "six", list(six.itertuples(index=False)), "HS2012")
    left = csv_list(tmp_path, "left", ["84861010", "85423100"])
    right = csv_list(tmp_path, "right", ["84861010", "84861020", "90278000"])
    fine, coarse = (overlap.overlap(*flows(p), left, right) for p in (tiny, place))
    columns = ["left_usd", "right_usd", "both_usd", "share_of_left", "share_of_right"]
    assert measured(coarse, "hs6")[columns].tolist() == measured(fine, "hs6")[columns].tolist()
    code = measured(coarse, "code")
    assert code[["codes_both", *columns]].isna().all()
    assert code["flag"] == "the lists have 8 digits, the data 6"
    # Six-digit lists need no national lines: the two matches say the same.
    short = [csv_list(tmp_path, n, c, "HS2012") for n, c in (("a", ["848610"]), ("b", ["848610", "854231"]))]
    both = overlap.overlap(*flows(place), *short)
    assert measured(both, "code")[columns].tolist() == measured(both, "hs6")[columns].tolist()


CARD = """id: {0}
title: t
source: s
nomenclature: GACC8
groups:
- group: A
  category: c
  codes:
  - {{code: "84861010", label: x, since: {1}, until: {2}}}
  - {{code: "84861020", label: y}}
"""


def test_printed_years_count_only_where_both_lists_print_them(tiny, tmp_path):
    for name, since, until in (("early", "null", 2015), ("always", "null", "null"), ("late", 2016, "null")):
        (tmp_path / f"{name}.yml").write_text(CARD.format(name, since, until), encoding="utf-8")
    early, always, late = (watchlists.load(str(tmp_path / f"{n}.yml")) for n in ("early", "always", "late"))
    found = measured(overlap.overlap(*flows(tiny), early, always, windows="printed"), "code")
    assert (found["left_usd"], found["right_usd"], found["both_usd"]) == (30, 31, 30)
    found = measured(overlap.overlap(*flows(tiny), early, late, windows="printed"), "code")
    assert (found["left_usd"], found["right_usd"], found["both_usd"]) == (30, 21, 20)
    assert measured(overlap.overlap(*flows(tiny), early, late), "code")["both_usd"] == 31
    with pytest.raises(MeasureError, match="ignored or printed"):
        overlap.overlap(*flows(tiny), early, late, windows="all")


def test_a_list_without_value_has_no_share(tiny, tmp_path):
    left, right = csv_list(tmp_path, "left", ["99999999"]), csv_list(tmp_path, "right", ["84861010"])
    found = measured(overlap.overlap(*flows(tiny), left, right), "code")
    assert pd.isna(found["share_of_left"])
    assert found["share_of_right"] == 0
    assert found["flag"] == "no value in the goods of the left list"
    with pytest.raises(NoDataError, match="no good of left or left"):
        overlap.overlap(*flows(tiny), left, left)


def test_lists_that_cannot_be_compared_by_code_say_why(tiny, tmp_path):
    own = csv_list(tmp_path, "own", ["84861010"])
    mixed = csv_list(tmp_path, "mixed", ["84861010", "854231"])
    assert measured(overlap.overlap(*flows(tiny), own, mixed), "code")["flag"] == "the codes have 6 and 8 digits"
    foreign = csv_list(tmp_path, "foreign", ["84861010"], "CN8")
    found = measured(overlap.overlap(*flows(tiny), own, foreign), "code")
    assert found["flag"] == "one list is of GACC8, the other of CN8"
    found = measured(overlap.overlap(*flows(tiny), foreign, foreign), "code")
    assert found["flag"] == "the lists are of CN8, the data of GACC8"
    headings = csv_list(tmp_path, "headings", ["8486"])
    with pytest.raises(MeasureError, match="headings: code '8486' has fewer than 6 digits"):
        overlap.overlap(*flows(tiny), own, headings)


def test_a_csv_list_is_read_with_its_labels_and_groups(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text('\ufeffcode,label,group\n01012100,"Horses, pure-bred",A\n84861010,,B\n', encoding="utf-8")
    listed = watchlists.load(str(path), "GACC8")
    assert [(e.code, e.label, e.group) for e in listed.entries] == [
        ("01012100", "Horses, pure-bred", "A"),
        ("84861010", "", "B"),
    ]
    assert (listed.id, listed.nomenclature, listed.named) == ("mine", "GACC8", {"A": None, "B": None})


def test_a_csv_list_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes("code,label\n84861010,半导体\n".encode("gb18030"))
    with pytest.raises(CardError, match="not UTF-8 at byte 20; save the list as UTF-8"):
        watchlists.load(str(path), "GACC8")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hs\n84861010\n", "expected a column `code`, found hs"),
        ("code\n", "no codes below the header"),
        ("code\n84861010\n1012100\n", "row 3: code '1012100' .* dropped a leading zero"),
        ("code\n8486.10.10\n", "row 2: code '8486.10.10' is not one of GACC8"),
        ("code\n84861010\n84861010\n", "code 84861010 stands in it more than once"),
    ],
)
def test_a_csv_list_that_is_none_is_refused(tmp_path, text, why):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CardError, match=why):
        watchlists.load(str(path), "GACC8")
    with pytest.raises(CardError, match="name the nomenclature"):
        watchlists.load(str(path))
    with pytest.raises(CardError, match="there is no such file"):
        watchlists.load(str(tmp_path / "absent.csv"), "GACC8")


def test_the_command_prints_sums_and_shared_codes(cli, tiny, tmp_path):
    csv_list(tmp_path, "left", ["84861010", "85423100"])
    csv_list(tmp_path, "right", ["84861010"])
    call = ["overlap", tmp_path / "left.csv", tmp_path / "right.csv", "--store", tiny]
    ran = cli(*call, "--format", "csv")
    assert ran.code == 0
    assert [(r["match"], r["both_usd"], r["share_of_right"]) for r in ran.rows] == [
        ("code", "11.0", "1.0"),
        ("hs6", "71.0", "1.0"),
    ]
    assert ran.last == "imports of CHN, 2015-01 to 2016-01; left: left; right: right"
    shared = json.loads(cli(*call, "--shared", "--since", "2016", "--format", "json").out)
    assert [(r["match"], r["code"], r["value_usd"]) for r in shared] == [("code", "84861010", 1), ("hs6", "848610", 1)]
    assert "84861010" in cli(*call, "--shared", "--format", "table").out
    card = cli("overlap", "naughton-fang-2025-batch1", tmp_path / "right.csv", "--store", tiny)
    assert card.rows[0]["codes_left"] == "86"
    assert cli(*call, "--flow", "export").code == 1
    assert cli(*call, "--nomenclature", "HS2099").code == 2


def test_the_world_total_is_not_added_to_the_partners(cli, tmp_path):
    raw = tmp_path / "raw.csv"
    body = "2015-01,84861010,WLD,10\n2015-01,84861010,USA,4\n2015-01,84861010,JPN,6\n"
    raw.write_text("period,product,partner,value_usd\n" + body, encoding="utf-8")
    settings = [s for s in SET if not s.startswith("partner")]
    place = tmp_path / "store"
    assert cli("ingest", "tidy", raw, "--store", place, "--set", *settings, "nomenclature=GACC8").code == 0
    csv_list(tmp_path, "one", ["84861010"])
    one = tmp_path / "one.csv"
    for options, value in (((), "10.0"), (("--partner", "USA"), "4.0")):
        assert cli("overlap", one, one, "--store", place, *options).rows[0]["left_usd"] == value


def test_the_paper_s_first_list_and_the_high_priority_list_on_real_trade(cli, shared, tmp_path):
    """The shares of a separate computation with pandas, on US exports to China by HS6."""
    priority = pd.read_csv(shared / "controls" / "bis-common-high-priority-list-2024-02-23.csv", dtype=str)
    codes = sorted(set(priority["hs6_hs2022"]))
    csv_list(tmp_path, "priority", codes, "HS2022")
    settings = [
        "reporter=CHN",
        "partner=USA",
        "flow=import",
        "nomenclature=HS2017",
        "valuation=FOB",
        "source=us-census",
    ]
    place = tmp_path / "store"
    ran = cli("ingest", "tidy", shared / PANEL, "--store", place, "--map", "product=hs6", "--set", *settings)
    assert ran.code == 0, ran.err
    options = ["--nomenclature", "HS2022", "--since", "2018", "--until", "2020", "--format", "csv"]
    ran = cli("overlap", tmp_path / "priority.csv", "naughton-fang-2025-batch1", "--store", place, *options)
    row = next(r for r in ran.rows if r["match"] == "hs6")
    trade = pd.read_parquet(shared / PANEL)
    trade = trade[trade["period"].between("2018-01", "2020-12")].groupby("hs6")["value_usd"].sum()
    own = {e.code[:6] for e in watchlists.load("naughton-fang-2025-batch1").entries}
    expected = {
        "left_usd": trade[trade.index.isin(codes)].sum(),
        "right_usd": trade[trade.index.isin(own)].sum(),
        "both_usd": trade[trade.index.isin(own & set(codes))].sum(),
    }
    for name, value in expected.items():
        assert float(row[name]) == pytest.approx(value, rel=1e-12)
    assert float(row["share_of_left"]) == pytest.approx(expected["both_usd"] / expected["left_usd"], rel=1e-12)
    assert 0.3 < float(row["share_of_left"]) < 1


def test_the_part_says_what_was_compared_and_what_the_source_prints(tiny, tmp_path):
    chosen, con = flows(tiny)
    calendar = pd.period_range("2015-01", "2016-12", freq="M")
    listed = watchlists.load("naughton-fang-2025-batch1")
    scope = SimpleNamespace(listed=listed, grouped=SimpleNamespace(calendar=calendar))
    given = SimpleNamespace(chosen=chosen, con=con, scope=scope, source_line="Data: tiny.")
    found = overlap_part.part(given, csv_list(tmp_path, "mine", ["84861010", "84861090"]))
    (section,) = found.sections
    assert section.items == ("overlap", "overlap_codes")
    for table in found.tables:
        assert list(table.frame.columns) == [c.name for c in table.columns]
    # Of 51 only 84861010, 11, is on the paper's list; by HS6 both are the whole of 848610.
    assert (
        "By code, 1 of 2 goods of mine are on naughton-fang-2025-batch1 too: 21.6% of the value"
        in section.paragraphs[0]
    )
    assert (
        "By HS6, 1 of 1 goods of mine are on naughton-fang-2025-batch1 too: 100.0% of the value"
        in section.paragraphs[1]
    )
    assert "about 75%" in section.paragraphs[2]
    nothing = overlap_part.part(given, csv_list(tmp_path, "headings", ["8486"]))
    assert "cannot be measured: headings: code '8486'" in nothing.sections[0].paragraphs[0]
    assert not nothing.tables

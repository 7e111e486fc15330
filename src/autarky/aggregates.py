"""Imports and exports by end use: raw, intermediate, capital and consumption goods, by year or month.

A product is placed by the UN's end-use table of its own edition of the HS (`mapping`), then by `end_use`.  What has no
end use is a category of its own, `unclassified`, with its codes: it is neither spread nor dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import engine
from autarky.annual import Annual, Combined, annual, selected
from autarky.errors import NoDataError, listed
from autarky.placement import CATEGORIES, TOLERANCE, UNCLASSIFIED, check, links, misplaced, span
from autarky.references.checks import HS
from autarky.tables import Condition, Flows, Ledger

if TYPE_CHECKING:
    from autarky.correlations import Reference

_PRODUCT = ["nomenclature", "product"]
_CELL = ["year", "flow"]


@dataclass(frozen=True)
class Aggregates:
    """One reporter's trade by year and end use.

    Attributes
    ----------
    frame : year, flow, category (`CATEGORIES`), value_usd, share (of the year's flow), assumed_usd and assumed_share
        (what of it went through a choice), flag (why value_usd is null)
    years : as in `annual.Annual`, with unclassified_usd and assumed_usd
    assumed : year, flow, assumption, value_usd, share.  `sheet` and `override`: which code of another edition;
        `dual use`: BEC5 names two uses of different categories; `mixed category`: BEC4 51, 32 and 321 hold two
    unmapped : year, flow, nomenclature, product, code, value_usd, why: what is in `unclassified`
    products : year, flow, nomenclature, product, code (BEC), category, also (the other categories that the product
        may be of), assumption, weight, value_usd (weighted)
    nomenclature, dual_use : BEC4 or BEC5; how a product of two uses is counted
    reporter, partner, mirror : whose trade, and whether it is read from the partner's figures
    cautions : what a reader must know, in sentences
    ledger : every step
    """

    frame: pd.DataFrame
    years: pd.DataFrame
    assumed: pd.DataFrame
    unmapped: pd.DataFrame
    products: pd.DataFrame
    nomenclature: str
    dual_use: str
    reporter: str
    partner: str | None
    mirror: bool
    cautions: tuple[str, ...]
    ledger: Ledger


def by_end_use(
    flows: Flows,
    con: Any,
    reporter: str,
    *,
    nomenclature: str = "BEC4",
    flow: str | None = None,
    partner: str | None = None,
    freq: str | None = None,
    source: str | None = None,
    mirror: bool = False,
    dual_use: str = "first",
    combined: Combined = (),
    reference: Reference = None,
) -> Aggregates:
    """Return one reporter's trade by year and big category of end use.

    Parameters
    ----------
    nomenclature : BEC4 or BEC5.  Years with rows of it are taken as published, the others from 6-digit HS rows
    dual_use : "first": a product of two uses counts in its first; "split": half in each
    flow, partner, freq, source, mirror, combined : see `annual.annual`
    reference : directory of the reference tables

    Returns
    -------
    Aggregates, US dollars.  A year with fewer than twelve months is null with its reason

    Raises
    ------
    CodeError : not BEC4 or BEC5; an end-use table that is needed is not here
    NoDataError, TableError, MeasureError : see `annual.annual`
    """
    check(nomenclature, dual_use)
    found = annual(
        flows,
        con,
        reporter,
        flow=flow,
        partner=partner,
        freq=freq,
        source=source,
        mirror=mirror,
        prefer=nomenclature,
        combined=combined,
    )
    values = found.frame
    if values.empty:
        reasons = "; ".join(dict.fromkeys(found.years["flag"].dropna()))
        raise NoDataError(f"no year of trade of {reporter} is whole: {reasons}")
    placed = links(values[_PRODUCT].drop_duplicates(), nomenclature, dual_use, reference)
    products = values.merge(placed, on=_PRODUCT, how="left")
    products = products.assign(value_usd=products["value_usd"] * products["weight"])
    frame, assumed = _summed(products, found.years)
    years = _with_parts(found.years, frame)
    unmapped = products[products["category"] == UNCLASSIFIED]
    unmapped = unmapped[[*_CELL, *_PRODUCT, "code", "value_usd", "why"]].sort_values(
        [*_CELL[::-1], "value_usd"], ascending=[True, True, False], ignore_index=True
    )
    cautions = (*found.cautions, *_cautions(found, unmapped, reference))
    ledger = Ledger([*found.ledger.lines])
    value = float(values["value_usd"].sum())
    ledger.add(
        f"end use by {nomenclature}", (len(values), len(frame)), (value, float(frame["value_usd"].sum())),
        _said(products, nomenclature, dual_use),
    )  # fmt: skip
    products = products.drop(columns="why")
    return Aggregates(
        frame, years, assumed, unmapped, products, nomenclature, dual_use, reporter, partner, mirror, cautions, ledger
    )


def monthly_by_end_use(
    flows: Flows,
    con: Any,
    reporter: str,
    *,
    nomenclature: str = "BEC4",
    flow: str | None = None,
    partner: str | None = None,
    source: str | None = None,
    mirror: bool = False,
    dual_use: str = "first",
    reference: Reference = None,
) -> pd.DataFrame:
    """Return one reporter's trade by month and big category, from monthly 6-digit HS rows.

    Returns
    -------
    month (Period), flow, category, value_usd: every month from the first to the last, null where nothing is reported

    Raises
    ------
    as `by_end_use`
    """
    check(nomenclature, dual_use)
    chosen, _ = selected(flows, reporter, flow, partner, "M", source, mirror)
    chosen = chosen.where([Condition("nomenclature", HS), Condition("level", ("6",))])
    if chosen.coverage.empty:
        raise NoDataError(f"the store has no monthly 6-digit HS rows of {reporter} that match")
    chosen.check_unmixed(["period", "product", "flow"], [])
    table = chosen.table
    held = engine.rows(con, table.select(*_PRODUCT).distinct()).to_pandas()
    placed = links(held.sort_values(_PRODUCT), nomenclature, dual_use, reference)
    small = engine.lookup(con, {c: list(placed[c]) for c in [*_PRODUCT, "category", "weight"]})
    joined = table.join(small, _PRODUCT)
    by = {"month": joined.period, "flow": joined.flow, "category": joined.category}
    summed = joined.aggregate(by=by, value_usd=(joined.value_usd * joined.weight).sum())
    frame = engine.rows(con, summed).to_pandas().astype({"value_usd": "float64"})
    if mirror:
        frame["flow"] = frame["flow"].map({"import": "export", "export": "import"})
    frame["month"] = pd.PeriodIndex(pd.to_datetime(frame["month"]), freq="M")
    months = pd.period_range(frame["month"].min(), frame["month"].max(), freq="M")
    grid = pd.MultiIndex.from_product(
        [sorted(frame["flow"].unique()), CATEGORIES, months], names=["flow", "category", "month"]
    )
    full = frame.set_index(["flow", "category", "month"])["value_usd"].reindex(grid).reset_index()
    return full[["month", "flow", "category", "value_usd"]]


def as_share_of_gdp(frame: pd.DataFrame, gdp: pd.Series[float]) -> pd.DataFrame:
    """Set values in current US dollars against GDP in current US dollars of the same year.

    Parameters
    ----------
    frame : year, value_usd and any others; `flag` where it has one
    gdp : US dollars by year

    Returns
    -------
    the frame with gdp_usd, share_of_gdp (0–1) and flag, which says why the share is null
    """
    own = gdp.reindex(frame["year"]).to_numpy(dtype=float)
    share = frame["value_usd"].to_numpy(dtype=float) / own
    before = frame["flag"] if "flag" in frame else pd.Series([None] * len(frame), index=frame.index, dtype="object")
    flags = [
        None if s == s else str(said) if isinstance(said, str) else f"no GDP of {year}" if g != g else "no value"
        for s, g, said, year in zip(share, own, before, frame["year"], strict=True)
    ]
    return frame.assign(gdp_usd=own, share_of_gdp=share, flag=pd.array(flags, dtype="object"))


# --- sums


def _summed(products: pd.DataFrame, years: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = [*_CELL, "category"]
    sums = products.groupby(keys)["value_usd"].agg(lambda v: v.sum(min_count=1)).rename("value_usd")
    through = products.dropna(subset="assumption")
    assumed_usd = through.groupby(keys)["value_usd"].sum().rename("assumed_usd")
    frame = years[[*_CELL, "flag"]].merge(pd.DataFrame({"category": list(CATEGORIES)}), how="cross")
    frame = frame.merge(sums.reset_index(), on=keys, how="left").merge(assumed_usd.reset_index(), on=keys, how="left")
    whole = frame["flag"].isna()
    nothing = whole & frame["value_usd"].isna()
    # That nothing is unclassified is a finding; that no capital good is reported is not.
    frame.loc[nothing & (frame["category"] == UNCLASSIFIED), "value_usd"] = 0.0
    frame.loc[nothing & (frame["category"] != UNCLASSIFIED), "flag"] = "no product of this category has a value"
    held = frame["value_usd"].notna()
    frame["assumed_usd"] = frame["assumed_usd"].fillna(0.0).where(held)
    total = frame.groupby(_CELL)["value_usd"].transform("sum")
    frame["share"] = (frame["value_usd"] / total).where(total > 0)
    frame["assumed_share"] = (frame["assumed_usd"] / frame["value_usd"]).where(frame["value_usd"] > 0)
    assumed = through.groupby([*_CELL, "assumption"], as_index=False)["value_usd"].sum()
    all_of = products.groupby(_CELL)["value_usd"].sum().rename("total").reset_index()
    assumed = assumed.merge(all_of, on=_CELL)
    assumed = assumed.assign(share=assumed["value_usd"] / assumed["total"]).drop(columns="total")
    order = [*_CELL, "category", "value_usd", "share", "assumed_usd", "assumed_share", "flag"]
    return frame[order], assumed


def _with_parts(years: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    left = frame[frame["category"] == UNCLASSIFIED][[*_CELL, "value_usd"]]
    through = frame.groupby(_CELL, as_index=False)["assumed_usd"].agg(lambda v: v.sum(min_count=1))
    return years.merge(left.rename(columns={"value_usd": "unclassified_usd"}), on=_CELL, how="left").merge(
        through, on=_CELL, how="left"
    )


# --- what a reader must know


def _said(products: pd.DataFrame, target: str, dual_use: str) -> str:
    value = float(products["value_usd"].sum())
    if not value:
        return "no value"
    kinds = products.dropna(subset="assumption").groupby("assumption")["value_usd"].sum()
    through = ", ".join(f"{k} {v / value:.3%}" for k, v in kinds.items()) or "none"
    left = products[products["category"] == UNCLASSIFIED].groupby(["product", "why"])["value_usd"].sum()
    codes = [f"{p} ({w}; {v:,.0f} USD)" for (p, w), v in left.sort_values(ascending=False).items()]
    policy = f"; a product of two uses counts {'half in each' if dual_use == 'split' else 'in its first'}"
    return (
        f"share of value through a choice that bears on the category: {through}{policy if target == 'BEC5' else ''}; "
        f"unclassified {left.sum() / value:.3%}: {listed(codes) if codes else 'none'}"
    )


def _cautions(found: Annual, unmapped: pd.DataFrame, reference: Reference) -> tuple[str, ...]:
    said = []
    held = found.years.dropna(subset="nomenclature")
    early = held[[n in HS and int(n[2:]) > y for n, y in zip(held["nomenclature"], held["year"], strict=True)]]
    for (edition, flow), part in early.groupby(["nomenclature", "flow"]):
        said.append(f"{flow} {span(part['year'])} is stored as {edition}, which was not yet in force")
    for row in held.itertuples():
        if pd.notna(row.total_usd) and abs(row.value_usd - row.total_usd) > TOLERANCE * row.total_usd:
            said.append(
                f"{row.flow} {row.year}: the products add up to {row.value_usd:,.0f} USD, the printed total is "
                f"{row.total_usd:,.0f} ({row.value_usd / row.total_usd - 1:+.2%})"
            )
    counts = found.years["partners"].dropna()
    if found.partner is None and counts.nunique() > 1:
        said.append(f"the number of partners with rows differs between years: {counts.min():.0f} to {counts.max():.0f}")
    return (*said, *misplaced(unmapped, reference))

"""The tables of direct exposure, price and hosts: measures of `exposure` put side by side, a row a mineral."""

from __future__ import annotations

from typing import Any

import pandas as pd

from autarky import exposure, price_effect
from autarky.exposure import ALL, ASIDE, IMPORTER, WITHOUT, WORLDWIDE
from autarky.studies._control_exposure import production
from autarky.studies._control_exposure.scope import Scope, name_of

TRADE_EXACT, TRADE_ALL, PRODUCTION = "world trade, exact lines", "world trade, all lines", "world production"
_SHOWN = 3

# Shares that differ by less are a tie: sums differ in the last digit from run to run and from engine to engine.
TIE = 9


def of_unit(scope: Scope, unit: str) -> dict[str, Any]:
    """Return the figures of a unit (mineral and bound, or a line) in the scope's year; None where there is none."""
    found, year = scope.direct, scope.year
    keys = {"unit": unit, "year": year}
    own = {**keys, "market": IMPORTER}
    total = exposure.figure(found.measures, "total_usd", **own, suppliers=ALL)
    issuer = {**own, "partner": scope.issuer}
    return {
        "imports_usd": total,
        "issuer_usd": exposure.figure(found.suppliers, "value_usd", **issuer),
        "share": exposure.figure(found.suppliers, "share", **issuer),
        "herfindahl": exposure.figure(found.measures, "herfindahl", **own, suppliers=ALL),
        "herfindahl_without": exposure.figure(found.measures, "herfindahl", **own, suppliers=WITHOUT),
        "suppliers": exposure.figure(found.measures, "members", **own, suppliers=ALL),
        "next": _next(scope, unit),
        "world_share": exposure.figure(found.suppliers, "share", **keys, market=WORLDWIDE, partner=scope.issuer),
        "flag": _why(scope, unit, total),
    }


def _next(scope: Scope, unit: str) -> str | None:
    rest = exposure.next_suppliers(scope.direct, unit, scope.issuer, scope.most)
    said = [f"{name_of(r.partner)} {r.share:.1%}" for r in rest.itertuples()]
    return ", ".join(said) or None


def _why(scope: Scope, unit: str, total: float | None) -> str | None:
    """Return why a unit has no figure of the issuer."""
    found = scope.direct
    if total is None:
        years = found.measures.loc[(found.measures["unit"] == unit) & (found.measures["market"] == IMPORTER), "year"]
        if len(years):
            return f"no import of {name_of(scope.importer)} reported in {scope.year}; the last is of {int(years.max())}"
        return f"no import of {name_of(scope.importer)} in the data"
    rows = found.suppliers
    issuer = (rows["unit"] == unit) & (rows["year"] == scope.year) & (rows["market"] == IMPORTER)
    if scope.issuer not in set(rows.loc[issuer, "partner"]):
        return f"imports are reported in {scope.year}, and none from {name_of(scope.issuer)}"
    return None


def minerals(scope: Scope) -> pd.DataFrame:
    """Return a row a mineral, ranked by the issuer's share of imports of the lines that name it, else of all its lines."""
    records = []
    for mineral in scope.minerals:
        items = scope.controlled[scope.controlled["product"] == mineral]
        lines = _usable(scope, mineral)
        held = lines[lines["product"].isin(scope.direct.held)]
        exact, named, every = (of_unit(scope, f"{mineral}/{b}") for b in ("exact", "named", "all"))
        flag = every["flag"] if len(held) else "none of its lines is in the data"
        records.append(
            {
                "mineral": mineral,
                "items": items["item"].nunique(),
                "unlisted": items.loc[items["match"] == "unlisted", "item"].nunique(),
                "lines": lines["product"].nunique(),
                "lines_held": held["product"].nunique(),
                "named_usd": named["issuer_usd"],
                "exact_usd": exact["issuer_usd"],
                "all_usd": every["issuer_usd"],
                "named_share": named["share"],
                "exact_share": exact["share"],
                "all_share": every["share"],
                "imports_usd": every["imports_usd"],
                "herfindahl": every["herfindahl"],
                "herfindahl_without": every["herfindahl_without"],
                "suppliers": every["suppliers"],
                "next": every["next"],
                "flag": flag,
            }
        )
    frame = pd.DataFrame(records)
    frame = frame.astype({f"{b}_{k}": "float64" for b in ("exact", "named", "all") for k in ("usd", "share")})
    score = frame["named_share"].fillna(frame["all_share"])
    by = score.map(lambda s: "all", na_action="ignore").mask(frame["named_share"].notna(), "named")
    frame = frame.assign(
        rank=score.round(TIE).rank(method="min", ascending=False).astype("Int64"), rank_by=by, score=score
    )
    order = ["score", "all_usd", "mineral"]
    return frame.sort_values(order, ascending=[False, False, True], ignore_index=True).drop(columns="score")


def lines(scope: Scope) -> pd.DataFrame:
    """Return a row a (mineral, line): how it was found and what is imported of it; those set aside are not here."""
    usable = scope.lines[scope.lines["product"].notna() & (scope.lines["conversion"] != ASIDE)]
    held = usable[usable["product"].isin(scope.direct.held)]
    figures = {p: of_unit(scope, p) for p in sorted(set(held["product"]))}
    records = [{**row, **figures[row["product"]]} for row in held.to_dict("records")]
    columns = [
        "mineral", "hs6", "product", "label", "bound", "named", "conversion", "codes", "imports_usd", "issuer_usd", "share",
        "herfindahl", "herfindahl_without", "next", "world_share", "flag",
    ]  # fmt: skip
    return pd.DataFrame(records, columns=[*usable.columns, *_FIGURES])[columns].reset_index(drop=True)


_FIGURES = (
    "imports_usd", "issuer_usd", "share", "herfindahl", "herfindahl_without", "suppliers", "next", "world_share",
    "flag",
)  # fmt: skip


def unmeasured(scope: Scope) -> pd.DataFrame:
    """Return what is under control and could not be measured: lines that the data lack, candidates set aside, items."""
    found = scope.lines
    absent = found[
        found["product"].notna() & (found["conversion"] != ASIDE) & ~found["product"].isin(scope.direct.held)
    ]
    records = [
        {"mineral": r.mineral, "hs6": r.hs6, "product": r.product, "codes": r.codes, "reason": _absent(r)}
        for r in absent.itertuples()
    ]
    for r in found[found["product"].isna() | (found["conversion"] == ASIDE)].itertuples():
        reason = f"set aside: {r.why}" if r.conversion == ASIDE else r.why
        product = None if pd.isna(r.product) else r.product
        records.append({"mineral": r.mineral, "hs6": r.hs6, "product": product, "codes": r.codes, "reason": reason})
    bare = scope.controlled[scope.controlled["match"] == "unlisted"].drop_duplicates("item")
    for r in bare.itertuples():
        records.append(
            {"mineral": r.product, "hs6": None, "product": None, "codes": None, "reason": f"no line lists it: {r.text}"}
        )
    frame = pd.DataFrame(records, columns=["mineral", "hs6", "product", "codes", "reason"])
    return frame.sort_values(["mineral", "hs6", "product"], kind="stable", na_position="last", ignore_index=True)


def _absent(row: Any) -> str:
    return "not in the data" + (f"; {row.why}" if isinstance(row.why, str) else "")


def _usable(scope: Scope, mineral: str) -> pd.DataFrame:
    found = scope.lines
    return found[(found["mineral"] == mineral) & found["product"].notna() & (found["conversion"] != ASIDE)]


def suppliers(scope: Scope) -> pd.DataFrame:
    """Return a row a (mineral, bound, partner): the importer's suppliers in the year."""
    frame = scope.direct.suppliers
    frame = frame[(frame["year"] == scope.year) & (frame["market"] == IMPORTER) & frame["unit"].str.contains("/")]
    parts = frame["unit"].str.rsplit("/", n=1, expand=True)
    frame = frame.assign(mineral=parts[0], bound=parts[1], name=[name_of(p) for p in frame["partner"]])
    order = ["mineral", "bound", "share", "partner"]
    frame = frame.sort_values(order, ascending=[True, True, False, True], ignore_index=True)
    return frame[["mineral", "bound", "partner", "name", "value_usd", "share"]]


def years(scope: Scope) -> pd.DataFrame:
    """Return a row a (mineral, bound, year): value and share from the issuer; null where there is no row of it."""
    totals = scope.direct.measures
    totals = totals[(totals["market"] == IMPORTER) & (totals["suppliers"] == ALL) & totals["unit"].str.contains("/")]
    own = scope.direct.suppliers
    own = own[(own["market"] == IMPORTER) & (own["partner"] == scope.issuer)][["unit", "year", "value_usd", "share"]]
    frame = totals[["unit", "year", "total_usd", "herfindahl"]].merge(own, on=["unit", "year"], how="left")
    parts = frame["unit"].str.rsplit("/", n=1, expand=True)
    frame = frame.assign(mineral=parts[0], bound=parts[1]).sort_values(["mineral", "bound", "year"], ignore_index=True)
    return frame[["mineral", "bound", "year", "value_usd", "share", "total_usd", "herfindahl"]]


def prices(scope: Scope) -> pd.DataFrame:
    """Return a row a (mineral, basis): share of world supply removed and the range of the price after."""
    records = []
    said = {p.mineral: p for p in scope.card.published}
    for mineral in scope.minerals:
        for basis, year, removed, why in _removed(scope, mineral):
            effect = price_effect.price_range(removed, scope.card)
            low, high = effect.relative
            other = said.get(mineral)
            records.append(
                {
                    "mineral": mineral,
                    "basis": basis,
                    "year": year,
                    "removed": removed,
                    "log_low": effect.price_low,
                    "log_high": effect.price_high,
                    "low": low,
                    "high": high,
                    "published": other.low if other else None,
                    "flag": "; ".join(w for w in (why, effect.why if removed is not None else None) if w) or None,
                }
            )
    frame = pd.DataFrame(records)
    numbers = ["removed", "log_low", "log_high", "low", "high", "published"]
    return frame.astype({**dict.fromkeys(numbers, "float64"), "year": "Int64"})


def _removed(scope: Scope, mineral: str) -> list[tuple[str, int | None, float | None, str | None]]:
    """Return (basis, year, share of world supply that the issuer has, why there is none)."""
    rows = []
    for basis, bound in ((TRADE_EXACT, "exact"), (TRADE_ALL, "all")):
        share = of_unit(scope, f"{mineral}/{bound}")["world_share"]
        why = (
            None
            if share is not None
            else f"no export of {name_of(scope.issuer)} of these lines in the data of {scope.year}"
        )
        rows.append((basis, scope.year if share is not None else None, share, why))
    if scope.production is not None:
        series, said = production.series(scope.production, [mineral])
        share, year, why = production.share_of(series, scope.issuer, scope.year)
        rows.append((PRODUCTION, year, share, why or said))
    return rows


def hosts(scope: Scope) -> pd.DataFrame:
    """Return a row a (mineral, host) of the cards, with the host's production where a file is given."""
    records = []
    for host in production.hosts():
        record: dict[str, Any] = {
            "mineral": host.mineral,
            "controlled": host.mineral in scope.minerals,
            "host": host.host,
            "year": None,
            "issuer_share": None,
            "leading": None,
            "source": host.source,
            "note": host.note,
            "flag": "no production file given",
        }
        if scope.production is not None:
            rows, said = production.series(scope.production, host.series, host.stage)
            share, year, why = production.share_of(rows, scope.issuer, scope.year)
            top = rows[(rows["year"] == year) & (rows["area"] != "Other countries")].nlargest(_SHOWN, "share")
            leading = ", ".join(f"{name_of(r.area)} {r.share:.1%}" for r in top.itertuples())
            flag = "; ".join(w for w in (said, why) if w)
            record |= {"year": year, "issuer_share": share, "leading": leading or None, "flag": flag or None}
        records.append(record)
    frame = pd.DataFrame(records).astype({"year": "Int64", "issuer_share": "float64"})
    return frame.sort_values(["controlled", "mineral"], ascending=[False, True], kind="stable", ignore_index=True)

"""The links that a conversion uses: those of a mapping for the codes that are there, with weights where it has several.

It refuses codes that lead to several others without weights, and names those that lead nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import engine, references, weights
from autarky.correlations import Reference
from autarky.errors import CodeError, listed
from autarky.mapping import Mapping
from autarky.tables import column

if TYPE_CHECKING:
    import ibis.expr.types as ir

SHOWN = 20
OVERLAP = ("overlap", "overlap,equal")


@dataclass(frozen=True)
class Linking:
    """How the codes of some flows are linked to the target.

    Attributes
    ----------
    table : the flows as stored; weights by overlap look at them
    weights : None, "equal", "overlap", "overlap,equal" or a table; see `conversion.convert`
    """

    con: Any
    table: ir.Table
    to: str
    weights: Any
    reference: Reference

    @property
    def by_overlap(self) -> bool:
        """Whether the links differ by reporter and flow."""
        return isinstance(self.weights, str) and self.weights in OVERLAP

    def links(self, found: Dictionary[str, Mapping], used: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return links for exactly the codes that are used, and the codes that lead nowhere."""
        table = self._weights_table()
        parts, unmapped = [], []
        for source, said in found.items():
            own = used[used["nomenclature"] == source]
            links = self._weighted(source, said, own, table, len(found) > 1)
            ambiguous = said.candidates[~said.candidates["from_code"].isin(links["from_code"])]
            self._refuse_ambiguous(source, own[own["code"].isin(ambiguous["from_code"])], ambiguous)
            lost = own[~own["code"].isin(links["from_code"])]
            unmapped.append(lost.groupby(["nomenclature", "code"], as_index=False)[["rows", "value_usd"]].sum())
            parts.append(links.assign(from_nomenclature=source, to_nomenclature=self.to))
            parts.append(_same(lost))
        parts.append(_same(used[used["nomenclature"] == self.to]))
        links = pd.concat([p for p in parts if len(p)], ignore_index=True)
        keys = {"from_nomenclature": "nomenclature", "from_code": "code"}
        held = used[["nomenclature", "code"]].drop_duplicates()
        links = links.merge(held.rename(columns={v: k for k, v in keys.items()}), on=list(keys))
        none = pd.DataFrame(columns=["nomenclature", "code", "rows", "value_usd"])
        lost = pd.concat([u for u in unmapped if len(u)]) if any(len(u) for u in unmapped) else none
        return links, lost.sort_values("value_usd", ascending=False, ignore_index=True)

    def _weights_table(self) -> tuple[str, pd.DataFrame] | None:
        if self.weights is None or (isinstance(self.weights, str) and self.weights in ("equal", *OVERLAP)):
            return None
        return weights.read(self.weights)

    def _weighted(
        self, source: str, said: Mapping, own: pd.DataFrame, table: tuple[str, pd.DataFrame] | None, several: bool
    ) -> pd.DataFrame:
        if self.weights is None:
            return said.links
        if table:
            name, every = table
            rows = weights.of_pair(name, every, source, self.to, several)
            known, targets = said.known | self._codes(source), said.targets | self._codes(self.to)
            return weights.weighted(said, weights.checked(name, rows, known, self.to, targets))
        if not self.by_overlap:
            return weights.weighted(said, weights.equal(said))
        return self._overlapped(source, said, own)

    def _codes(self, nomenclature: str) -> set[str]:
        """Return the codes of an edition, where its list is here."""
        present = references.status(self.reference).set_index("id")["present"]
        name = references.identify("nomenclature", nomenclature=nomenclature)
        if not present.get(name, False):
            return set()
        frame = references.load("nomenclature", self.reference, nomenclature=nomenclature).to_pandas()
        return set(frame.loc[frame["level"] == 6, "code"])

    def _overlapped(self, source: str, said: Mapping, own: pd.DataFrame) -> pd.DataFrame:
        """Return links by reporter and flow."""
        here, there = (self._by_year(n) for n in (source, self.to))
        pairs = own[["reporter", "flow", "code"]]
        shares, none = weights.overlap(said, self.to, pairs, here, there)
        if len(none) and self.weights == OVERLAP[1]:
            shares = pd.concat([shares, none.merge(weights.equal(said), on="from_code")], ignore_index=True)
        elif len(none):
            codes = none.rename(columns={"from_code": "code"}).merge(own, on=["reporter", "flow", "code"])
            codes = codes.sort_values("value_usd", ascending=False)
            first = [f"{r.reporter} {r.flow} {r.code} ({usd(r.value_usd)})" for r in codes.itertuples()]
            raise CodeError(
                f"weights overlap: for {len(codes)} codes of {source} ({codes['value_usd'].sum():,.0f} USD) the flows "
                f"hold no value in {self.to} of any code that could follow: {listed(first)}. Store a year in {self.to} "
                f"of these reporters, or say --weights {OVERLAP[1]} to divide these equally. Nothing was converted."
            )
        whole = pairs.rename(columns={"code": "from_code"})
        single = whole.merge(said.links[~said.links["from_code"].isin(shares["from_code"])], on="from_code")
        return pd.concat([f for f in (single, shares.assign(assumption="weights")) if len(f)], ignore_index=True)

    def _by_year(self, nomenclature: str) -> pd.DataFrame:
        table = self.table
        held = table.filter(table.nomenclature == nomenclature)
        by = {"reporter": held.reporter, "flow": held.flow, "year": column(held, "year"), "code": held["product"]}
        frame: pd.DataFrame = engine.rows(self.con, held.aggregate(by=by, value_usd=held.value_usd.sum())).to_pandas()
        return frame.assign(year=frame["year"].astype("int64"))

    def _refuse_ambiguous(self, source: str, codes: pd.DataFrame, candidates: pd.DataFrame) -> None:
        if codes.empty:
            return
        totals = codes.groupby("code")["value_usd"].sum().sort_values(ascending=False)
        named = []
        for code, value in totals.items():
            leads = sorted(candidates.loc[candidates["from_code"] == code, "to_code"])
            named.append(f"{code} → {listed(leads, 4)} ({usd(value)})")
        raise CodeError(
            f"{len(named)} codes of {source} ({totals.sum():,.0f} USD) lead to several of {self.to}: "
            f"{'; '.join(named[:SHOWN])}{f'; and {len(named) - SHOWN} more' if len(named) > SHOWN else ''}. "
            "Say how to divide them with --weights equal, --weights overlap or a table of weights, or leave them out "
            "with --where. Nothing was converted."
        )


def _same(codes: pd.DataFrame) -> pd.DataFrame:
    """Return links of codes to themselves."""
    held = [c for c in ("reporter", "flow") if c in codes]
    same = codes[["nomenclature", "code", *held]].rename(
        columns={"nomenclature": "from_nomenclature", "code": "from_code"}
    )
    return same.assign(
        to_nomenclature=same["from_nomenclature"], to_code=same["from_code"], weight=1.0, assumption=None
    )


def usd(value: float | None) -> str:
    """Say a value."""
    return "no value reported" if value is None or value != value else f"{value:,.0f} USD"

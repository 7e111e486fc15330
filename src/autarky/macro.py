"""Macro series: gross domestic product and exchange rates, small tables kept by version beside the flows."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import pandas as pd

from autarky.errors import NoDataError, TableError, listed
from autarky.tables import FileRecord, Origin


@dataclass(frozen=True)
class Series:
    """What a series of the house is: its unit, the bounds outside which a figure cannot be in that unit."""

    unit: str
    low: float
    high: float
    about: str


# The bounds are wide: from the smallest economy of 1960 to ten times the world of today.
SERIES = {
    "gdp_usd": Series("USD", 1e6, 1e15, "gross domestic product, current US dollars, a year"),
    "gdp_cny": Series("CNY", 1e8, 1e16, "gross domestic product, current yuan, a year"),
    "cny_per_usd": Series("CNY per USD", 1.0, 20.0, "yuan for one US dollar, mean of the month"),
}
COLUMNS = ("name", "area", "period", "freq", "value", "unit", "source")
KEY = ("name", "area", "freq", "period", "source")


def is_macro(source: ModuleType) -> bool:
    """Return whether a source gives macro series; a source that says nothing gives flows."""
    return getattr(source, "GRAIN", "flows") == "macro"


@dataclass(frozen=True)
class Macro:
    """Macro series, a row a figure.

    Attributes
    ----------
    frame : name ("gdp_usd", "gdp_cny", "cny_per_usd", or the user's own), area (ISO 3166-1 alpha-3; WLD = world;
        ISO 3166-2 for a province), period (first day of the year or month), freq ("A" or "M"), value (NaN = not
        reported), unit ("USD", "CNY", "CNY per USD"), source (id of the origin); `KEY` is unique
    origins : the cards of the sources in it
    files : the raw files that led to it, oldest first
    version : the version of the store's macro table; None when it was read from files
    """

    frame: pd.DataFrame
    origins: tuple[Origin, ...]
    files: tuple[FileRecord, ...]
    version: int | None

    def annual(self, name: str, area: str, source: str | None = None) -> pd.Series:
        """Return one figure a year.

        A monthly series gives the mean of its twelve months; a year with fewer reported months is absent.

        Returns
        -------
        index: year (int), sorted; the unit of the series. NaN = the source lists the year and reports no figure

        Raises
        ------
        NoDataError : no such series, or no year of it is reported
        TableError : two sources hold it and none is named, or it is held by year and by month
        """
        rows = self._one(name, area, source)
        years = rows["period"].dt.year
        yearly = rows["freq"].iloc[0] == "A"
        if yearly:
            found = pd.Series(rows["value"].to_numpy(), index=years.to_numpy())
        else:
            months = rows["value"].groupby(years.to_numpy()).agg(["mean", "count"])
            found = months.loc[months["count"] == 12, "mean"]
        found = found.sort_index()
        if found.isna().all():
            which = "no year has a figure" if yearly else "no year has figures of all twelve months"
            raise NoDataError(f"{name} of {area} ({rows['source'].iloc[0]}): {which}")
        found.index = found.index.astype("int64")
        return found.rename(name).rename_axis("year").astype("float64")

    def gdp_usd(self, area: str, source: str | None = None, rates: str | None = None) -> pd.Series:
        """Return gross domestic product in current US dollars.

        As the source reports it in dollars; failing that, yuan over the mean of the year's twelve monthly rates,

            gdp_usd(t) = gdp_cny(t) / mean over months m of t of cny_per_usd(m)

        Parameters
        ----------
        area : ISO 3166-1 alpha-3, or ISO 3166-2 for a province
        source : the source of the product, where more than one holds it
        rates : the source of the rates, where more than one holds them

        Returns
        -------
        index: year (int), sorted; USD. NaN = not reported, or a year without twelve monthly rates.
        `attrs["how"]` says which of the two it is, and of which sources

        Raises
        ------
        NoDataError, TableError : as `annual`
        """
        if self._held("gdp_usd", area, source).empty and not self._held("gdp_cny", area, source).empty:
            yuan = self.annual("gdp_cny", area, source)
            rate = self.annual("cny_per_usd", "CHN", rates)
            found = (yuan / rate.reindex(yuan.index)).rename("gdp_usd")
            by = self._one("cny_per_usd", "CHN", rates)["source"].iloc[0]
            of = self._one("gdp_cny", area, source)["source"].iloc[0]
            found.attrs["how"] = f"yuan ({of}) over the mean of the year's twelve monthly CNY per USD ({by})"
            return found
        found = self.annual("gdp_usd", area, source)
        of = self._one("gdp_usd", area, source)["source"].iloc[0]
        found.attrs["how"] = f"as reported in US dollars ({of})"
        return found

    def coverage(self) -> pd.DataFrame:
        """Return what is held, a row a (source, name, freq): areas, first and last period, rows, rows reported."""
        groups = self.frame.groupby(["source", "name", "unit", "freq"], sort=True)
        held = groups.agg(
            areas=("area", "nunique"),
            first=("period", "min"),
            last=("period", "max"),
            rows=("value", "size"),
            reported=("value", "count"),
        ).reset_index()
        return held.assign(first=held["first"].dt.date, last=held["last"].dt.date)

    def _held(self, name: str, area: str, source: str | None) -> pd.DataFrame:
        frame = self.frame
        found = frame[(frame["name"] == name) & (frame["area"] == area)]
        return found if source is None else found[found["source"] == source]

    def _one(self, name: str, area: str, source: str | None) -> pd.DataFrame:
        """Return the rows of one series of one source and frequency, in time order."""
        rows = self._held(name, area, source)
        if rows.empty:
            raise NoDataError(self._absent(name, area, source))
        sources = sorted(rows["source"].unique())
        if len(sources) > 1:
            raise TableError(f"{name} of {area} is held from {len(sources)} sources ({listed(sources)}): name one")
        if rows["freq"].nunique() > 1:
            raise TableError(f"{name} of {area} ({sources[0]}) is held by year and by month; keep them as two sources")
        return rows.sort_values("period")

    def _absent(self, name: str, area: str, source: str | None) -> str:
        of = f" from source {source!r}" if source else ""
        named = self.frame[self.frame["name"] == name]
        if named.empty:
            names = sorted(self.frame["name"].unique())
            return f"no series {name!r} is held{of}; held are {listed(names)}"
        elsewhere = sorted(named.loc[named["area"] == area, "source"].unique())
        if elsewhere:
            return f"{name} of {area} is not held{of}; it is held from {listed(elsewhere)}"
        return f"{name} is not held of {area}{of}; it is held of {listed(sorted(named['area'].unique()))}"

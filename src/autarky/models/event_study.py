"""What a series did before and after a dated event, against what its own past foretold.

Four windows follow from the two dates, in whole months::

    baseline (36) | before (6) | announced | after (12)
                  first announced ──┘  └── first month wholly under the control

The counterfactual is a `StockpilingModel` of the baseline: ordinary least squares on a trend and months of the year,
projected over the other three; the difference of a window has an interval that holds the doubt of the coefficients
and the autocorrelation of the disturbances (`forecasts`).  The months before the announcement are kept out of the
baseline, as who expects a control buys early.

That the interval is right rests on the model.  Placebo dates do not: the whole design is moved back month by month to
dates on which nothing happened, and the difference is set among those,

    p = (1 + number of placebo dates at which |difference / half-width| is at least the event's) / (1 + placebo dates),

two-sided.  Placebo windows overlap one another, so they are fewer looks at the past than their number says.

MacKinlay, A. C. (1997), "Event Studies in Economics and Finance", Journal of Economic Literature 35(1), 13–39.
Abadie, A., Diamond, A. & Hainmueller, J. (2010), "Synthetic Control Methods for Comparative Case Studies", Journal of
the American Statistical Association 105(490), 493–505 (placebo dates and the p-value).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from autarky.errors import MeasureError
from autarky.models.design import TIME, VALUE
from autarky.models.stockpiling import Excess, StockpilingFit, StockpilingModel

BEFORE, ANNOUNCED, AFTER = WINDOWS = ("before", "announced", "after")
LEAST_PLACEBOS = 10
COLUMNS = (
    "window", "first", "last", "months", "actual", "projection", "difference", "low", "high", "share", "share_low",
    "share_high", "placebo_p", "placebos", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Event:
    """Two dates, and how many months are looked at around them.

    Attributes
    ----------
    effective : first day under the control
    announced : the day on which it became public; null: not known, and taken for the effective day
    baseline, before, after : months of the windows of that name
    """

    effective: datetime.date
    announced: datetime.date | None = None
    baseline: int = field(default=36, kw_only=True)
    before: int = field(default=6, kw_only=True)
    after: int = field(default=12, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse windows that do not exist."""
        if self.announced is not None and self.announced > self.effective:
            raise MeasureError(f"announced {self.announced} is after effective {self.effective}")
        for name, least in (("baseline", 1), ("before", 0), ("after", 1)):
            if getattr(self, name) < least:
                raise MeasureError(f"{name}={getattr(self, name)}: expected {least} months or more")

    @property
    def treated(self) -> pd.Period:
        """First month that is wholly under the control."""
        month = pd.Period(self.effective, freq="M")
        return month if self.effective.day == 1 else month + 1

    @property
    def public(self) -> pd.Period:
        """Month of the announcement."""
        return pd.Period(self.announced or self.effective, freq="M")

    def window(self, name: str, back: int = 0) -> tuple[pd.Period, pd.Period] | None:
        """First and last month of a window, the design moved back by some months; null when it is empty."""
        first, last = {
            "baseline": (self.public - self.before - self.baseline, self.public - self.before - 1),
            BEFORE: (self.public - self.before, self.public - 1),
            ANNOUNCED: (self.public, self.treated - 1),
            AFTER: (self.treated, self.treated + self.after - 1),
        }[name]
        return (first - back, last - back) if first <= last else None


@dataclass(frozen=True)
class EventStudy:
    """How the counterfactual is made.

    Parameters
    ----------
    event : the dates
    trend : a linear trend, or a mean only
    month_effects : an intercept for each month of the year
    log : of the series; differences are then of geometric projections, see `StockpilingModel`
    level : of the intervals, 0–1
    """

    event: Event
    trend: bool = field(default=True, kw_only=True)
    month_effects: bool = field(default=True, kw_only=True)
    log: bool = field(default=False, kw_only=True)
    level: float = field(default=0.95, kw_only=True)

    def fit(self, series: pd.Series[float]) -> EventFit:
        """Fit to one monthly series.

        Parameters
        ----------
        series : on a monthly PeriodIndex, in any unit; null or absent months are left out of baseline and windows

        Raises
        ------
        MeasureError : the baseline is too short, or outside the series; see `StockpilingModel`
        """
        return EventFit(self, series, _fitted(self, series, 0))

    def alternatives(self) -> Iterator[tuple[str, EventStudy]]:
        """Yield other choices that one could have made, with their names."""
        yield "as reported", self
        yield ("no trend", replace(self, trend=False)) if self.trend else ("trend", replace(self, trend=True))
        yield ("levels", replace(self, log=False)) if self.log else ("logarithms", replace(self, log=True))
        yield (
            "logarithms, no trend" if not self.log else "levels, no trend",
            replace(self, log=not self.log, trend=False),
        )
        longer = self.event.baseline + 12
        yield f"baseline of {longer} months", replace(self, event=replace(self.event, baseline=longer))


@dataclass(frozen=True)
class EventFit:
    """A series around an event."""

    study: EventStudy
    series: pd.Series[float]
    model: StockpilingFit

    def windows(self, *, placebos: bool = True) -> pd.DataFrame:
        """Return a row a window (before, announced, after).

        Parameters
        ----------
        placebos : whether to look at placebo dates; without them there is no p-value, and it takes a twentieth of the
            time

        Returns
        -------
        window, first, last (months), months (with a value: these count), actual, projection (sums over them),
        difference (actual − projection) with low and high; share (difference / projection) with share_low and
        share_high; placebo_p, placebos (number of dates); reason (why a figure is null).  In the unit of the series
        """
        return pd.DataFrame([self._row(name, placebos) for name in WINDOWS], columns=list(COLUMNS))

    def path(self) -> pd.DataFrame:
        """Return, from the first of the baseline to the last month after: actual, projection, low, high, window.

        The interval is of single months, and null in the baseline.
        """
        start, end = self._window("baseline")[0], self._window(AFTER)[1]
        index = pd.period_range(start, end, freq="M")
        names = {
            m: n
            for n in ("baseline", *WINDOWS)
            if (w := self.study.event.window(n))
            for m in pd.period_range(*w, freq="M")
        }
        frame = pd.DataFrame({"actual": self.series.reindex(index), "projection": self.model.projection.reindex(index)})
        ahead = self.model.design.frame.index[self.model.ahead]
        low, high = self.model.bounds(np.eye(len(ahead)), self.study.level)
        frame["low"], frame["high"] = (pd.Series(b, index=ahead).reindex(index) for b in (low, high))
        return frame.assign(window=[names[m] for m in index]).rename_axis("period")

    @cached_property
    def placebos(self) -> pd.DataFrame:
        """The same windows at dates on which nothing happened: back (months), treated (the month), window, difference,
        share, ratio (difference over half-width).

        A placebo date counts when its design is wholly inside the series and over before the event's `before` begins.
        """
        first = self.series.first_valid_index()
        start, end = self._window("baseline")[0], self._window(AFTER)[1]
        clear = (self.study.event.public - self.study.event.before) - 1
        rows = []
        if first is not None:
            for back in range((end - clear).n, (start - first).n + 1):
                rows += list(self._placebo(back))
        return pd.DataFrame(rows, columns=["back", "treated", "window", "difference", "share", "ratio"])

    def ratio(self, window: str) -> float:
        """Difference over half-width of one window of the event; nan when it is undefined."""
        found = _excess(self.model, self.study, window, 0)
        return _ratio(found) if found is not None else float("nan")

    def _placebo(self, back: int) -> Iterator[tuple[object, ...]]:
        try:
            model = _fitted(self.study, self.series, back)
        except MeasureError:
            # The past of a thin series may be too sparse for the model; such a date is no placebo.
            return
        for name in WINDOWS:
            found = _excess(model, self.study, name, back)
            if found is not None and found.estimate is not None:
                yield back, self.study.event.treated - back, name, found.estimate, found.share, _ratio(found)

    def _row(self, name: str, placebos: bool) -> dict[str, object]:
        event = self.study.event
        span = event.window(name)
        if span is None:
            why = "no whole month between announcement and effect" if name == ANNOUNCED else "no months asked for"
            return {"window": name, "months": 0, "placebos": 0, "reason": why}
        found = _excess(self.model, self.study, name, 0)
        if found is None:
            said = f"the series ends in {self.series.index.max()}, before the window is over"
            return {"window": name, "first": span[0], "last": span[1], "months": 0, "placebos": 0, "reason": said}
        row: dict[str, object] = {
            "window": name, "first": span[0], "last": span[1], "months": found.months, "actual": found.actual,
            "projection": found.projection, "difference": found.estimate, "low": found.low, "high": found.high,
            "share": found.share, "reason": found.reason, **(self._p(name, found) if placebos else {"placebos": 0}),
        }  # fmt: skip
        return row | self._share_interval(found)

    def _share_interval(self, found: Excess) -> dict[str, object]:
        """Interval of the share: of the difference in levels; in logarithms of the ratio, never below −100%."""
        if found.share is None or found.low is None or found.high is None:
            return {}
        actual, projection = float(found.actual or 0.0), float(found.projection or 0.0)
        if not self.study.log:
            return {"share_low": found.low / projection, "share_high": found.high / projection}
        return {"share_low": actual / (actual - found.low) - 1, "share_high": actual / (actual - found.high) - 1}

    def _p(self, name: str, found: Excess) -> dict[str, object]:
        dates = self.placebos[self.placebos["window"] == name]
        if found.estimate is None or len(dates) < LEAST_PLACEBOS:
            return {"placebo_p": None, "placebos": len(dates)}
        beyond = int((dates["ratio"].abs() >= abs(_ratio(found))).sum())
        return {"placebo_p": (1 + beyond) / (1 + len(dates)), "placebos": len(dates)}

    def _window(self, name: str) -> tuple[pd.Period, pd.Period]:
        span = self.study.event.window(name)
        assert span is not None, "baseline and after have a month or more"
        return span


def _fitted(study: EventStudy, series: pd.Series[float], back: int) -> StockpilingFit:
    """Fit the baseline, moved back; months after the design are not looked at."""
    span, last = study.event.window("baseline", back), study.event.window(AFTER, back)
    assert span is not None, "a baseline has a month or more"
    assert last is not None, "after has a month or more"
    # A month that is absent is null, and one outside the series too: the model says how many it used.
    end = min(last[1], series.index.max()) if len(series) else last[1]
    frame = series.reindex(pd.period_range(span[0], end, freq="M")).to_frame(VALUE)
    if frame.empty or span[1] > frame.index[-1]:
        raise MeasureError(f"the series ends before the baseline {span[0]} to {span[1]} is over")
    model = StockpilingModel(
        (str(span[0]), str(span[1])),
        (TIME,) if study.trend else (),
        log=study.log,
        month_effects=study.month_effects,
        level=study.level,
    )
    return model.fit(frame)


def _excess(model: StockpilingFit, study: EventStudy, name: str, back: int) -> Excess | None:
    """Difference in a window, null when the window is empty or reaches beyond the series."""
    span = study.event.window(name, back)
    if span is None or span[1] > model.design.frame.index[-1]:
        return None
    return model.excess(str(span[0]), str(span[1]))


def _ratio(found: Excess) -> float:
    """Difference over the half-width of its interval on the side of zero: beyond ±1 the interval excludes zero."""
    if found.estimate is None or found.low is None or found.high is None:
        return float("nan")
    half = found.estimate - found.low if found.estimate > 0 else found.high - found.estimate
    return found.estimate / half if half > 0 else float("nan")

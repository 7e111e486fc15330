"""What is measured of one product: effects of every window, other models, shares of partners, deflection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from autarky.errors import MeasureError
from autarky.models.event_study import COLUMNS, LEAST_PLACEBOS, WINDOWS, Event, EventFit, EventStudy
from autarky.studies._control_event.exports import MEASURES, PRICE, VALUE, Exports
from autarky.tables import WORLD

EFFECTS = ("product", "partner", "measure", *COLUMNS, "filled")
SHARES = (
    "product", "partner", "value_before_usd", "value_after_usd", "share_before", "share_after", "change", "placebo_p", "placebos", "status",
)  # fmt: skip
DEFLECTION = (
    "product", "targets", "outside_before", "outside_after", "change", "placebo_p", "placebos", "new_partners", "new_share",
    "gone_partners", "gone_share", "reason",
)  # fmt: skip
YEAR = 12


def main_partners(exports: Exports, event: Event, number: int) -> list[str]:
    """Return the partners with the largest value from the baseline to the last month after."""
    first, last = _span(event, "baseline")[0], _span(event, "after")[1]
    sums = exports.values.loc[first:last].sum()
    return list(sums[sums > 0].sort_values(ascending=False, kind="stable").index[:number])


def effects(exports: Exports, study: EventStudy, partners: Sequence[str]) -> tuple[pd.DataFrame, dict[str, EventFit]]:
    """Return the windows of all measures, of all partners together (WLD) and of each; and the fits of the total."""
    parts, fits = [], {}
    for partner in (WORLD, *partners):
        for measure in MEASURES:
            try:
                fit = of_measure(study, measure).fit(exports.series(measure, partner))
            except MeasureError as error:
                if partner == WORLD and measure == VALUE:
                    raise
                found = pd.DataFrame({"window": list(WINDOWS), "months": 0, "placebos": 0, "reason": str(error)})
            else:
                found = fit.windows()
                if partner == WORLD:
                    fits[measure] = fit
            filled = 0 if partner == WORLD else int(exports.filled[partner])
            parts.append(found.assign(product=exports.product, partner=partner, measure=measure, filled=filled))
    return typed(pd.concat([p.reindex(columns=list(EFFECTS)).astype(object) for p in parts], ignore_index=True)), fits


def of_measure(study: EventStudy, measure: str) -> EventStudy:
    """Return the study of a measure: prices are ratios, so their logarithm is taken whatever the scale of the level."""
    from dataclasses import replace

    return replace(study, log=True) if measure == PRICE else study


def alternatives(exports: Exports, study: EventStudy) -> pd.DataFrame:
    """Return the windows of the total under each other choice of model."""
    parts = []
    for measure in MEASURES:
        seen = set()
        for name, other in of_measure(study, measure).alternatives():
            if other in seen:
                continue
            seen.add(other)
            try:
                found = other.fit(exports.series(measure, WORLD)).windows(placebos=False)
            except MeasureError as error:
                found = pd.DataFrame({"window": list(WINDOWS), "months": 0, "placebos": 0, "reason": str(error)})
            parts.append(found.assign(product=exports.product, measure=measure, model=name))
    columns = ["product", "measure", "model", *COLUMNS]
    return typed(pd.concat([p.reindex(columns=columns).astype(object) for p in parts], ignore_index=True))


def shares(exports: Exports, event: Event) -> pd.DataFrame:
    """Return each partner's share of the value in the last 12 months of the baseline and in the months after.

    A partner is new when it has no trade in the baseline and some after, gone when the other way about.
    """
    before, after = _shares(exports, event, 0)
    base, late = (_sums(exports, _span(event, n)) for n in ("baseline", "after"))
    moves = _past_moves(exports, event)
    change = after - before
    frame = pd.DataFrame(
        {
            "product": exports.product, "value_before_usd": _sums(exports, _year(event)), "value_after_usd": late,
            "share_before": before, "share_after": after, "change": change,
            "placebo_p": [_p(moves[p], change[p]) for p in change.index], "placebos": len(moves),
            "status": np.select([(base == 0) & (late > 0), (base > 0) & (late == 0)], ["new", "gone"], "continuing"),
        }
    ).rename_axis("partner").reset_index()  # fmt: skip
    held = frame[(base.to_numpy() > 0) | (late.to_numpy() > 0)]
    return held.sort_values("share_before", ascending=False, ignore_index=True)[list(SHARES)]


def deflection(exports: Exports, event: Event, targets: Sequence[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return the share that goes to partners outside the targets before and after, and what new partners take.

    Without targets the control covers every destination, so that there is no outside: null, with the reason.
    """
    new, gone = table[table["status"] == "new"], table[table["status"] == "gone"]
    row: dict[str, object] = {
        "product": exports.product, "targets": ", ".join(targets) or None, "new_partners": len(new), "new_share": new["share_after"].sum(),
        "gone_partners": len(gone), "gone_share": gone["share_before"].sum(), "placebos": 0,
    }  # fmt: skip
    if not targets:
        return _row(row | {"reason": "no targets named: the control covers every destination"})
    missing = [t for t in targets if t not in exports.values]
    if missing:
        return _row(row | {"reason": f"not a partner in the data: {', '.join(missing)}"})
    before, after = (1 - s[list(targets)].sum() for s in _shares(exports, event, 0))
    moves = -_past_moves(exports, event)[list(targets)].sum(axis=1)
    told = {"outside_before": before, "outside_after": after, "change": after - before, "placebos": len(moves)}
    return _row(row | told | {"placebo_p": _p(moves, after - before)})


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of windows their types: months as dates, figures as floats, null where there is nothing."""
    whole, words = ("months", "placebos", "filled"), ("window", "reason", "product", "partner", "measure", "model")
    made = {}
    for name in frame:
        if name in ("first", "last"):
            made[name] = pd.to_datetime([m.to_timestamp() if isinstance(m, pd.Period) else None for m in frame[name]])
        else:
            made[name] = frame[name].astype("int64" if name in whole else "str" if name in words else "float64")
    return pd.DataFrame(made)


def _row(values: dict[str, object]) -> pd.DataFrame:
    figures = [
        c for c in DEFLECTION if c not in ("product", "targets", "reason", "placebos", "new_partners", "gone_partners")
    ]
    frame = pd.DataFrame([values], columns=list(DEFLECTION)).astype(dict.fromkeys(figures, "float64"))
    return frame.astype({"product": "str", "targets": "str", "reason": "str"})


def _span(event: Event, name: str) -> tuple[pd.Period, pd.Period]:
    span = event.window(name)
    assert span is not None, "baseline and after have a month or more"
    return span


def _year(event: Event) -> tuple[pd.Period, pd.Period]:
    """Return the last 12 months of the baseline."""
    first, last = _span(event, "baseline")
    return max(first, last - (YEAR - 1)), last


def _sums(exports: Exports, span: tuple[pd.Period, pd.Period]) -> pd.Series[float]:
    return exports.values.loc[span[0] : span[1]].sum()


def _shares(exports: Exports, event: Event, back: int) -> tuple[pd.Series[float], pd.Series[float]]:
    spans = (_year(event), _span(event, "after"))
    sums = [_sums(exports, (first - back, last - back)) for first, last in spans]
    first, second = (s / s.sum() if s.sum() > 0 else s * float("nan") for s in sums)
    return first, second


def _past_moves(exports: Exports, event: Event) -> pd.DataFrame:
    """Return how the shares moved at placebo dates, a row a date: designs that are over before `before` begins."""
    clear = event.public - event.before - 1
    least = (_span(event, "after")[1] - clear).n
    most = (_year(event)[0] - exports.values.index[0]).n
    moves = {}
    for back in range(least, most + 1):
        before, after = _shares(exports, event, back)
        moves[back] = after - before
    return pd.DataFrame(moves, index=exports.values.columns).T


def _p(moves: pd.Series[float], change: float) -> float:
    """Return the two-sided placebo p-value of a change; nan where there are too few dates."""
    known = moves.dropna()
    if len(known) < LEAST_PLACEBOS or np.isnan(change):
        return float("nan")
    return (1 + int((known.abs() >= abs(change)).sum())) / (1 + len(known))

"""The registry of export controls: who controls what, since when, in answer to what; read from `data/controls`.

An action that supersedes another ends its rows and opens new ones, and deletes nothing.  Where it is aimed at some
countries only, the old terms go on for all others, as a row of their own.
"""

from __future__ import annotations

import datetime
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky.codes import area_names
from autarky.controls_cards import Action, Item, read_all
from autarky.controls_rows import Row, follow, records
from autarky.errors import CardError, CodeError, CoverageWarning, MeasureError, listed

if TYPE_CHECKING:
    import pandas as pd

ITEMS = (
    "item", "product", "text", "control", "hs10", "match", "action", "issuer", "kind", "destination", "announced",
    "since", "until", "ended_by",
)  # fmt: skip
TIMELINE = (
    "action", "date", "date_is", "issuer", "kind", "title", "announced", "effective", "responds_to", "trigger_date",
    "lag_days", "link",
)  # fmt: skip
TREND = ("trigger", "answers", "lag_mean_days", "slope_days_per_year", "low", "high", "confidence", "note")
_NUMBERS = {"answers", "lag_days", "lag_mean_days", "slope_days_per_year", "low", "high", "confidence"}
_DATES = {"announced", "since", "until", "date", "effective", "trigger_date"}


@dataclass(frozen=True)
class Registry:
    """All actions, and the rows (item × action × countries) that follow from them."""

    actions: Mapping[str, Action]
    rows: tuple[Row, ...]

    @property
    def horizon(self) -> datetime.date:
        """The date of the last source: what changed after it is not in the registry."""
        return max(a.document_date for a in self.actions.values() if a.document_date)

    def items(self) -> pd.DataFrame:
        """Return every row that ever was: a row an (item, action, countries, code); unlisted items have no code.

        Returns
        -------
        item, product, text, control (control code), hs10, match, action, issuer, kind, destination, announced,
        since (first day in force), until (last day in force), ended_by; unknown = null
        """
        return _frame([record for row in self.rows for record in records(row)], ITEMS)

    def as_of(self, date: str | datetime.date, destination: str | None = None, *, ended: bool = False) -> pd.DataFrame:
        """Return what is controlled at a date, by which action, with which status.

        Parameters
        ----------
        destination : ISO3 code; only rows that hold for exports to this country
        ended : also the rows that have ended

        Returns
        -------
        the columns of `items` and `status`: announced (public, not in force yet or a draft), in force, ended.  Rows of
        an action without any date are in none

        Raises
        ------
        MeasureError : `date` is no day; CodeError : `destination` is no country

        Warns
        -----
        CoverageWarning : `date` is after the last source of the registry
        """
        day = parse_day(date)
        if day > self.horizon:
            said = f"the sources of the registry end on {self.horizon}; what changed until {day} is not in it"
            warnings.warn(said, CoverageWarning, stacklevel=2)
        if destination is not None and destination not in area_names():
            raise CodeError(f"destination {destination!r} is not an ISO3 code, such as USA")
        wanted = {"announced", "in force", *(["ended"] if ended else [])}
        held = [(r, r.status(day)) for r in self.rows if destination is None or destination in r.scope]
        told = [{**record, "status": said} for r, said in held if said in wanted for record in records(r)]
        return _frame(told, (*ITEMS, "status"))

    def diff(
        self, before: str | datetime.date, after: str | datetime.date, destination: str | None = None
    ) -> pd.DataFrame:
        """Return the rows whose status differs between two dates.

        Returns
        -------
        change (announced, entered into force, ended), item, product, text, hs10, match, action, kind, destination,
        status_before, status_after (null = not public yet), since, until, ended_by

        Raises
        ------
        MeasureError : the first date is after the second; else as `as_of`
        """
        if parse_day(before) > parse_day(after):
            raise MeasureError(f"{before} is after {after}; give the earlier date first")
        keys = ["item", "hs10", "action", "destination", "since"]
        one, other = (self.as_of(d, destination, ended=True) for d in (before, after))
        frame = other.merge(one[[*keys, "status"]], on=keys, how="left", suffixes=("_after", "_before"))
        frame = frame[frame["status_before"].fillna("") != frame["status_after"]]
        words = {"announced": "announced", "in force": "entered into force", "ended": "ended"}
        frame = frame.assign(change=frame["status_after"].map(words))
        columns = ("change", "item", "product", "text", "hs10", "match", "action", "kind", "destination")
        return frame[[*columns, "status_before", "status_after", "since", "until", "ended_by"]].reset_index(drop=True)

    def timeline(self) -> pd.DataFrame:
        """Return the actions by date, a row an (action, trigger), those without a date last.

        Returns
        -------
        action, date (announced, else effective: `date_is`), issuer, kind, title, announced, effective, responds_to,
        trigger_date, lag_days (from the date of the trigger to that of the action; null where one has none), link
        (stated by the source, or assumed)
        """
        ordered = sorted(self.actions.values(), key=lambda a: (a.date or datetime.date.max, a.id))
        steps = [_step(a, i) for a in ordered for i in map(self.actions.__getitem__, a.responds_to)]
        steps += [_step(a, None) for a in ordered if not a.responds_to]
        frame = _frame(steps, TIMELINE).sort_values(["date", "action"], kind="stable", ignore_index=True)
        return frame.assign(lag_days=frame["lag_days"].astype("Int64"))

    def trend(self, confidence: float = 0.95) -> pd.DataFrame:
        """Return how the lag of the answers moved: ordinary least squares of the lag on the date of the answer.

        One lag an answer: to its first trigger, and, as a row of its own, to its last one.

        Returns
        -------
        trigger (first, last), answers, lag_mean_days, slope_days_per_year, low, high (Student's t interval of the
        slope), confidence, note.  Undefined with fewer than 3 answers, or all of one day: null, and the note says why
        """
        frame = self.timeline().dropna(subset=["lag_days"])
        lags = frame.groupby("action").agg(date=("date", "first"), first=("lag_days", "max"), last=("lag_days", "min"))
        return _frame([_fitted(lags, which, confidence) for which in ("first", "last")], TREND)

    def against(self, notices: str | Path) -> pd.DataFrame:
        """Return where the codes of the registry and of the ministry's notices differ; see `controls_notices`."""
        from autarky.controls_notices import against

        return against(self, notices)

    def show(self, name: str) -> pd.DataFrame:
        """Return all that is known of an action or an item, a row a fact: field, value.

        Raises
        ------
        CardError : neither an action nor an item has this id
        """
        items = {i.id: i for a in self.actions.values() for i in a.items}
        if name not in self.actions and name not in items:
            near = [k for k in (*self.actions, *items) if name in k]
            raise CardError(f"there is no action or item {name!r}; {f'is it {listed(near)}?' if near else _TRY}")
        facts = _facts(self, self.actions[name]) if name in self.actions else _item_facts(self, items[name])
        told = [{"field": field, "value": str(value)} for field, value in facts if value is not None]
        return _frame(told, ("field", "value"))


_TRY = "`autarky controls timeline` lists the actions"


@cache
def load(folder: str | Path | None = None) -> Registry:
    """Return the registry: the cards of the package and, when given, those of a folder of the user's.

    Raises
    ------
    CardError : a card is malformed, or a link leads nowhere; see `controls_cards`
    """
    actions = read_all(folder)
    return Registry(actions, follow(actions.values()))


def parse_day(date: str | datetime.date) -> datetime.date:
    """Return a day.

    Raises
    ------
    MeasureError : not a day of the calendar, or not written YYYY-MM-DD
    """
    if isinstance(date, datetime.datetime):
        return date.date()
    if isinstance(date, datetime.date):
        return date
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date):
            raise ValueError
        return datetime.date.fromisoformat(date)
    except ValueError:
        raise MeasureError(f"{date!r} is not a day; write one of the calendar as YYYY-MM-DD") from None


def _step(action: Action, trigger: Action | None) -> dict[str, Any]:
    lag = (action.date - trigger.date).days if action.date and trigger and trigger.date else None
    return {
        "action": action.id, "date": action.date, "date_is": _date_is(action), "issuer": action.issuer,
        "kind": action.kind, "title": action.title, "announced": action.announced, "effective": action.effective,
        "responds_to": trigger.id if trigger else None, "trigger_date": trigger.date if trigger else None,
        "lag_days": lag, "link": ("assumed" if "responds_to" in action.assumed else "stated") if trigger else None,
    }  # fmt: skip


def _fitted(lags: pd.DataFrame, which: str, confidence: float) -> dict[str, Any]:
    """Fit one line; see `Registry.trend`."""
    answers = len(lags)
    told = {"trigger": which, "answers": answers, "confidence": confidence}
    if answers:
        told["lag_mean_days"] = float(lags[which].mean())
    years = (lags["date"] - lags["date"].min()).dt.days / 365.25
    if answers < 3 or years.nunique() < 2:
        return {**told, "note": "undefined: needs 3 answers or more, on different days"}
    import statsmodels.api as sm

    fit = sm.OLS(lags[which].astype("float64").to_numpy(), sm.add_constant(years.to_numpy())).fit()
    low, high = fit.conf_int(alpha=1 - confidence)[1]
    few = (
        f"only {answers} answers: the interval rests on lags scattered normally around the line" if answers < 10 else ""
    )
    return {**told, "slope_days_per_year": float(fit.params[1]), "low": low, "high": high, "note": few or None}


def _date_is(action: Action) -> str | None:
    return "announced" if action.announced else "effective" if action.effective else None


def _facts(registry: Registry, action: Action) -> Iterator[tuple[str, Any]]:
    for name in ("id", "title", "issuer", "kind", "announced", "effective", "ended", "ended_by", "instrument"):
        yield name, getattr(action, name)
    yield "destinations", ", ".join(action.destinations) or "all"
    yield from (("legal_basis", other) for other in action.legal_basis)
    for other in registry.actions.values():
        for link, back in (("responds_to", "answered_by"), ("supersedes", "superseded_by")):
            yield from ((link, target) for target in getattr(action, link) if target == other.id)
            yield from ((back, other.id) for target in getattr(other, link) if target == action.id)
    own = {i.id for i in action.items}
    yield from (("supersedes", t) for t in action.supersedes if t not in registry.actions)
    yield from (("superseded_by", f"{o.id} ({t})") for o in registry.actions.values() for t in o.supersedes if t in own)
    yield "source", f"{action.document}, {action.where} (printed: {action.printed_date})"
    yield "reviewed", action.reviewed
    yield from ((f"assumed: {field}", why) for field, why in action.assumed.items())
    for d in action.differences:
        yield f"difference: {d.about}", f"here: {d.here}; elsewhere: {d.elsewhere} ({d.by})"
    yield from (("note", note) for note in action.notes)
    yield from (("item", f"{i.id}: {i.text} [{_codes(i)}]") for i in action.items)


def _item_facts(registry: Registry, item: Item) -> Iterator[tuple[str, Any]]:
    for name in ("id", "product", "text", "control"):
        yield name, getattr(item, name)
    yield from ((match, code) for code, match in item.lines if code)
    if not (item.exact or item.partial):
        yield "match", "unlisted"
    yield from (("source", item.where), ("note", item.note))
    for row in registry.rows:
        if row.item is item:
            last = f" until {row.until} (ended by {row.ended_by})" if row.until else ""
            since = f"since {row.since}" if row.since else "not in force"
            yield row.action.kind, f"{row.action.id}, destination {row.scope}: {since}{last}"


def _codes(item: Item) -> str:
    return ", ".join(f"{code} {match}" if code else match for code, match in item.lines)


def _frame(records: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Return records as a table: days as dates, all else as text, null where there is nothing."""
    import pandas as pd

    frame = pd.DataFrame(records, columns=list(columns))
    types = {c: "datetime64[s]" if c in _DATES else "str" for c in columns if c not in _NUMBERS}
    return frame.astype(types)

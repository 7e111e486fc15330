"""The registry of export controls set against the notices of China's Ministry of Commerce, code by code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from autarky.controls_cards import Action
from autarky.errors import SourceError, listed

if TYPE_CHECKING:
    import pandas as pd

    from autarky.controls import Registry

COLUMNS = ("difference", "date", "action", "notice", "hs10", "why")
_NEEDED = ("date", "announcement_file", "code10")


class Notice(NamedTuple):
    """A notice, or (without number) a page that sums up notices of a day."""

    date: str
    number: str | None
    codes: frozenset[str]


def against(registry: Registry, path: str | Path) -> pd.DataFrame:
    """Return where the codes of China's actions and those of the ministry's notices differ.

    An action and a notice belong together by the number of the notice, else by date.  A summary page adds only what no
    numbered notice of its day lists.

    Parameters
    ----------
    path : tab-separated, UTF-8: date (YYYY-MM-DD), announcement_file (its name holds the number, as 2024年第33号),
        code10

    Returns
    -------
    difference (only in the registry, only in the notices, date), date (of the notice, else of the action), action,
    notice, hs10, why; sorted by date

    Raises
    ------
    SourceError : a missing file or column, a code that is not ten digits
    """
    import pandas as pd

    notices = _read(path)
    actions = [a for a in registry.actions.values() if a.issuer == "CHN" and any(_codes(a))]
    pairs = {a.id: [n for n in notices if _together(a, n)] for a in actions}
    told = [row for a in actions for row in _of_action(a, pairs[a.id])]
    for notice in notices:
        answered = [a for a in actions if notice in pairs[a.id]]
        told += _of_notice(notice, answered)
    frame = pd.DataFrame(told, columns=list(COLUMNS)).astype("str")
    return frame.sort_values(["date", "difference", "action", "notice", "hs10"], ignore_index=True)


def _read(path: str | Path) -> list[Notice]:
    import pandas as pd

    if not Path(path).is_file():
        raise SourceError(f"{path}: there is no such file; expected tab-separated {', '.join(_NEEDED)}")
    frame = pd.read_csv(path, sep="\t", dtype="str", keep_default_na=False)
    missing = [c for c in _NEEDED if c not in frame]
    if missing:
        raise SourceError(f"{path}: no column {listed(missing)}; expected tab-separated {', '.join(_NEEDED)}")
    wrong = frame.loc[~frame["code10"].str.fullmatch(r"\d{10}"), "code10"].tolist()
    if wrong:
        raise SourceError(f"{path}: {len(wrong)} codes are not ten digits: {listed(wrong)}")
    held: dict[tuple[str, str | None], set[str]] = {}
    for date, name, code in frame[list(_NEEDED)].itertuples(index=False):
        held.setdefault((date, _number(name)), set()).add(code)
    numbered = {d: frozenset().union(*(c for (e, n), c in held.items() if e == d and n)) for d, _ in held}
    return [Notice(d, n, frozenset(c if n else c - numbered[d])) for (d, n), c in held.items() if n or c - numbered[d]]


def _number(name: str) -> str | None:
    match = re.search(r"(\d{4})年第(\d+)号", name)
    return f"{match[1]}-{match[2]}" if match else None


def _codes(action: Action) -> set[str]:
    return {code for item in action.items for code, _ in item.lines if code}


def _together(action: Action, notice: Notice) -> bool:
    if notice.number:
        return notice.number == action.notice
    return notice.date in {str(action.announced), str(action.effective)}


def _of_action(action: Action, notices: list[Notice]) -> list[dict[str, Any]]:
    """Return the codes that no notice of an action lists, and whether its date differs from theirs."""
    date = str(action.date)
    listed_there = {code for n in notices for code in n.codes}
    why = "the notice does not list it" if notices else f"the file has no notice of {date}"
    told = [
        _row("only in the registry", notices[0].date if notices else date, action, None, code, why)
        for code in _codes(action) - listed_there
    ]
    for notice in notices:
        if notice.date != date:
            said = f"filed under {notice.date}; the action is of {date}, in force since {action.effective}"
            told.append(_row("date", notice.date, action, notice, None, said))
    return told


def _of_notice(notice: Notice, actions: list[Action]) -> list[dict[str, Any]]:
    """Return the codes of a notice that no action of its own lists."""
    known = {code for a in actions for code in _codes(a)}
    why = "the action does not list it" if actions else "no action of the registry is this notice"
    one = actions[0] if actions else None
    return [_row("only in the notices", notice.date, one, notice, code, why) for code in notice.codes - known]


def _row(
    difference: str, date: str, action: Action | None, notice: Notice | None, code: str | None, why: str
) -> dict[str, Any]:
    name = (notice.number or "summary page") if notice else (action.notice if action else None)
    return dict(zip(COLUMNS, (difference, date, action.id if action else None, name, code, why), strict=True))

"""Errors and warnings that autarky raises.

::

    AutarkyError
    ├── SourceError    a file is not what its source promises; a service failed
    ├── TableError     a table breaks its contract: key, type, unit, totals mixed with parts
    ├── CodeError      a product, country or area code is unknown, ambiguous or out of its years
    ├── CardError      a watch list, control, screen or study card is malformed
    ├── MeasureError   an indicator cannot be computed from what it was given
    └── NoDataError    the question is well put, and no data matched it

    CoverageWarning    legal but worth saying: a share of value reached through an assumption, a likely truncation
"""


class AutarkyError(Exception):
    """Root of every error that autarky raises on purpose; its text is written for the person who reads it."""


class SourceError(AutarkyError):
    """A file is not what its source promises, or a service failed."""


class TableError(AutarkyError):
    """A table breaks its contract."""


class CodeError(AutarkyError):
    """A product, country or area code is unknown, ambiguous or out of its years."""


class CardError(AutarkyError):
    """A card (watch list, control, screen, study) is malformed or does not exist."""


class MeasureError(AutarkyError):
    """An indicator cannot be computed from what it was given."""


class NoDataError(AutarkyError):
    """No data matched the question."""


class CoverageWarning(UserWarning):
    """Legal, but worth saying."""


def listed(items: list[str], most: int = 5) -> str:
    """Join the first offenders for a message and say how many more there are."""
    head = ", ".join(items[:most])
    return head if len(items) <= most else f"{head} and {len(items) - most} more"

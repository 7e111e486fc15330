"""autarky: trade dependence, choke points and self-reliance from customs data.

Public names: `read` (files → flows), `Store` and `ingest` (the versioned store), `connect` (an engine), `Condition`,
`Options`, `StockpilingModel` (imports beyond a projection); and the module `autarky.measure` (flows → measures).  They
are imported when they are first used, so that starting is cheap.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_PUBLIC = {
    "read": "reader",
    "Options": "reader",
    "Store": "store",
    "ingest": "commit",
    "connect": "engine",
    "Condition": "tables",
    "Flows": "tables",
    "StockpilingModel": "models.stockpiling",
}
__all__ = ["Condition", "Flows", "Options", "StockpilingModel", "Store", "connect", "ingest", "read"]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f"autarky.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module 'autarky' has no attribute {name!r}")

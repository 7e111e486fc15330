"""What is in the reference directory: cards, tables, status.

A table is a Parquet file named after its id and checksum; its card `ID.yml` names it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autarky.errors import SourceError
from autarky.references.catalog import about, absent, identify, known

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def directory(given: str | Path | None = None) -> Path:
    """Return the reference directory: `given`, else `AUTARKY_REFERENCE`, else the user's data directory."""
    if given or os.environ.get("AUTARKY_REFERENCE"):
        return Path(given or os.environ["AUTARKY_REFERENCE"]).expanduser()
    home = Path(os.environ.get("XDG_DATA_HOME") or "")
    return (home if home.is_absolute() else Path.home() / ".local" / "share") / "autarky" / "reference"


def card(kind: str, reference: str | Path | None = None, **edition: str | int) -> Mapping[str, Any]:
    """Return the card of a table; see `load`."""
    name = identify(kind, **edition)
    found = card_of(directory(reference), name)
    if found is None:
        raise absent(name, directory(reference))
    return found


def path(kind: str, reference: str | Path | None = None, **edition: str | int) -> Path:
    """Return the Parquet file of a table, for an engine; see `load`."""
    return directory(reference) / str(card(kind, reference, **edition)["table"])


def load(kind: str, reference: str | Path | None = None, **edition: str | int) -> pa.Table:
    """Return a table of the reference; it is read once.

    Parameters
    ----------
    kind : nomenclature, listing, conversion, correlation, end_use or cross
    reference : its directory; default: see `directory`
    edition : `nomenclature=` (nomenclature, end_use), with `year=` (listing); `from_nomenclature=`, `to_nomenclature=`
        (conversion, correlation); none (cross)

    Raises
    ------
    CodeError : an edition that does not exist, or a table that is not here; the message says how to get it
    """
    return _read(str(path(kind, reference, **edition)))


@lru_cache(maxsize=64)
def _read(name: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(name).read()
    except (pa.ArrowException, OSError) as error:
        card = Path(name).parent / f"{Path(name).name.split('.')[0]}.yml"
        raise SourceError(f"{name}: the stored table is damaged; delete {card} and add the file again") from error


def listings(nomenclature: str = "GACC8", reference: str | Path | None = None) -> pa.Table:
    """Return the yearly lists of a nomenclature that are here, one below the other (the names of every year).

    Raises
    ------
    CodeError : none is here
    """
    import pyarrow as pa

    where = directory(reference)
    held = [c for c in cards(where) if c["kind"] == "listing" and c["edition"]["nomenclature"] == nomenclature]
    if not held:
        raise absent(identify("nomenclature", nomenclature=nomenclature), where)
    return pa.concat_tables([_read(str(where / c["table"])) for c in held])


def overrides() -> pa.Table:
    """Return the reviewed corrections of wrong rows of the one-to-one sheets (`printed` is what the sheet says)."""
    import pyarrow as pa

    from autarky.codes import rows_of

    return pa.Table.from_pylist(list(rows_of("overrides")))


def status(reference: str | Path | None = None) -> pd.DataFrame:
    """Return a row for every table that is here or known to exist.

    Returns
    -------
    columns id, kind, title, edition, rows, sha256, file, added, present, url, used_by
    """
    import pandas as pd

    held = {c["id"]: c for c in cards(directory(reference))}
    rows = [_status(name, said, held.get(name)) for name, said in known().items()]
    rows += [_status(name, about(c["kind"], c["edition"]), c) for name, c in held.items() if name not in known()]
    frame = pd.DataFrame(rows)
    return frame.assign(rows=frame["rows"].astype("Int64"))


def _status(name: str, said: Mapping[str, Any], found: Mapping[str, Any] | None) -> dict[str, Any]:
    of = found or dict.fromkeys(("rows", "sha256", "file", "added"))
    edition = " to ".join(said["edition"].values()) if said["kind"] != "listing" else " ".join(said["edition"].values())
    return {
        **{"id": name, "kind": said["kind"], "title": said["title"], "edition": edition},
        **{c: of[c] for c in ("rows", "sha256", "file", "added")},
        **{"present": found is not None, "url": said["url"], "used_by": ", ".join(said["used_by"])},
    }


def cards(where: Path) -> list[Mapping[str, Any]]:
    names = sorted(p.stem for p in where.glob("*.yml")) if where.is_dir() else []
    return [c for c in (card_of(where, name) for name in names) if c is not None]


def card_of(where: Path, name: str) -> Mapping[str, Any] | None:
    import yaml

    place = where / f"{name}.yml"
    if not place.is_file():
        return None
    try:
        found = yaml.safe_load(place.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict) or found.get("id") != name or not (where / str(found.get("table"))).is_file():
        raise SourceError(f"{place}: the card is damaged or its table is gone; delete it and add the file again")
    return found

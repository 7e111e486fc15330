"""What the reference can hold, who serves it and where: the cards of `data/references.yml`."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from autarky.errors import CodeError
from autarky.references.checks import KEYS, check_edition


def identify(kind: str, **edition: str | int) -> str:
    """Return the id of a table, such as `conversion-HS2022-HS2017`.

    Raises
    ------
    CodeError : an unknown kind, or an edition that does not exist
    """
    if kind not in KEYS:
        raise CodeError(f"reference kind {kind!r} is not known; kinds are {', '.join(KEYS)}")
    if set(edition) != set(KEYS[kind]):
        raise CodeError(
            f"{kind} is told by {', '.join(KEYS[kind]) or 'nothing'}; got {', '.join(edition) or 'nothing'}"
        )
    for name, value in edition.items():
        if name != "year":
            check_edition(str(value))
    return "-".join([kind, *(str(edition[name]) for name in KEYS[kind])])


@cache
def _catalog() -> Mapping[str, Any]:
    import yaml

    found: Mapping[str, Any] = yaml.safe_load(
        (files("autarky") / "data" / "references.yml").read_text(encoding="utf-8")
    )
    return found


@cache
def known() -> dict[str, dict[str, Any]]:
    """Return id → what data/references.yml says of a table: kind, edition, title, used_by, publisher, file, url."""
    known = {}
    for entry in _catalog()["files"]:
        url = _catalog()[entry["at"]] + urllib.parse.quote(entry["file"]) if "at" in entry else ""
        for kind, edition in _tables_of(entry):
            said = {"publisher": _catalog()["publishers"][entry["publisher"]], "file": entry["file"], "url": url}
            known[identify(kind, **edition)] = about(kind, edition) | said
    return known


def _tables_of(entry: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    if "pair" in entry:
        edition = dict(zip(KEYS["conversion"], entry["pair"], strict=True))
        yield from (("conversion", edition), ("correlation", edition))
    for kind in ("nomenclature", "end_use"):
        yield from ((kind, {"nomenclature": n}) for n in entry.get(kind, ()))
    if "cross" in entry:
        yield "cross", {}


def about(kind: str, edition: Mapping[str, str]) -> dict[str, Any]:
    """Return what can be said of a table by its kind and edition alone."""
    of = _catalog()["kinds"][kind]
    publisher = _catalog()["publishers"]["GACC" if "GACC8" in edition.values() else "UN"]
    said = {"kind": kind, "edition": edition, "title": of["title"].format(**edition), "used_by": of["used_by"]}
    return said | {"publisher": publisher, "file": "", "url": ""}


def absent(name: str, where: Path) -> CodeError:
    """Return the error for a table that is needed and not here: its name and both ways to get it."""
    said = known().get(name)
    if said is None:
        return CodeError(
            f"the reference has no table {name}, and no publisher known here serves it; "
            "if you have it, `autarky reference add FILE`. `autarky reference status` lists what there is."
        )
    served = (
        f"`autarky reference fetch {name}` downloads it from {said['url']}"
        if said["url"]
        else (f"`autarky reference fetch` cannot: {said['publisher']} serves no file of it")
    )
    return CodeError(
        f"the reference table {name} ({said['title']}) is needed and is not in {where}. Two ways to get it: "
        f"{served}; `autarky reference add FILE` takes it from a file that you have ({said['file']})."
    )

"""Find indicators, sources, studies and cards by their folder.  To add one, add its file; there is no list to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autarky.errors import AutarkyError, CardError

if TYPE_CHECKING:
    from autarky.indicators import Indicator

_SINGULAR = {"indicators": "indicator", "sources": "source", "studies": "study"}


def card_folders() -> list[str]:
    """Return the kinds of cards: the folders of `data/` that hold YAML files."""
    folders = [p for p in (files("autarky") / "data").iterdir() if p.is_dir()]
    return sorted(p.name for p in folders if any(f.name.endswith(".yml") for f in p.iterdir()))


def names(folder: str) -> list[str]:
    """Return the names of the modules (or cards) in a folder of the package, sorted."""
    where = files("autarky") / "data" / folder
    if folder in card_folders():
        return sorted(p.name.removesuffix(".yml") for p in where.iterdir() if p.name.endswith(".yml"))
    package = files("autarky") / folder
    return sorted(m.name for m in pkgutil.iter_modules([str(package)]) if not m.name.startswith("_"))


def _module(folder: str, name: str) -> ModuleType:
    known = names(folder)
    if name not in known:
        raise AutarkyError(f"there is no {_SINGULAR[folder]} {name!r}; there are {', '.join(known)}")
    return importlib.import_module(f"autarky.{folder}.{name}")


def source(name: str) -> ModuleType:
    """Return a source's module.

    Raises
    ------
    AutarkyError : unknown; the message lists the known ones
    """
    return _module("sources", name)


def study(name: str) -> ModuleType:
    """Return a study's module (`self-reliance` is `studies/self_reliance.py`)."""
    return _module("studies", name.replace("-", "_"))


def indicator(name: str) -> Indicator:
    """Return an indicator by name, with options as in `growth:base=first-year` or `volatility:ddof=0`."""
    stem, *options = name.split(":")
    found: Indicator = getattr(_module("indicators", stem), stem)
    return found.with_options(dict(_option(name, o) for o in options)) if options else found


def _option(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise AutarkyError(f"indicator {name!r}: option {text!r} should read NAME=VALUE")
    return key, value


def card(folder: str, name: str) -> Mapping[str, Any]:
    """Return a card by id, or from a YAML file of the user's when `name` is a path.

    Raises
    ------
    CardError : unknown id, not YAML, or a card whose `id` is not its file's name
    """
    import yaml

    if name.endswith((".yml", ".yaml")):
        path = Path(name)
        if not path.is_file():
            raise CardError(f"{name}: there is no such card file")
        text = path.read_text(encoding="utf-8")
        stem = path.stem
    else:
        if name not in names(folder):
            raise CardError(f"there is no card {name!r} in {folder}; there are {', '.join(names(folder))}")
        text = (files("autarky") / "data" / folder / f"{name}.yml").read_text(encoding="utf-8")
        stem = name
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CardError(f"{name}: not valid YAML: {error}") from error
    if not isinstance(content, dict) or content.get("id") != stem:
        raise CardError(f"{name}: a card is a mapping whose `id` is its file's name, {stem!r}")
    return content

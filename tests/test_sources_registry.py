"""Every source, found by its folder, keeps the promises of a source."""

from __future__ import annotations

import inspect

import pytest
from conftest import Cli

from autarky import registry
from autarky.macro import is_macro
from autarky.tables import Origin

SOURCES = registry.names("sources")


def test_the_folder_is_the_list() -> None:
    assert {"baci", "comtrade", "gacc", "nbs", "rates", "tidy", "worldbank"} <= set(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_keeps_its_promises(name: str) -> None:
    source = registry.source(name)
    assert source.__doc__
    assert source.__doc__.strip().endswith(".")
    assert isinstance(source.ORIGIN, Origin)
    assert source.ORIGIN.id == name
    assert source.ORIGIN.title
    assert source.ORIGIN.licence
    assert source.ORIGIN.publisher
    assert not source.ORIGIN.synthetic
    assert source.SUFFIXES
    assert all(s.startswith(".") and s == s.lower() for s in source.SUFFIXES)
    assert all(isinstance(group, set) and len(group) >= 2 for group in source.SIGNATURE)
    wanted = ["raw", "options"] if is_macro(source) else ["con", "raw", "options", "context", "numbered"]
    assert list(inspect.signature(source.parse).parameters) == wanted
    assert source.parse.__doc__


def test_signatures_tell_sources_apart() -> None:
    groups = [(name, group) for name in SOURCES for group in registry.source(name).SIGNATURE]
    for name, group in groups:
        assert not [other for other, theirs in groups if other != name and theirs <= group]


@pytest.mark.parametrize("name", SOURCES)
def test_the_command_line_lists_it(name: str, cli: Cli) -> None:
    ran = cli("list", "sources")
    assert ran.code == 0
    assert any(line.split()[0] == name for line in ran.out.splitlines())


def test_a_source_that_is_not_there(cli: Cli) -> None:
    ran = cli("ingest", "imf", "x.csv", "--store", "nowhere")
    assert ran.code == 2
    assert "there is no source 'imf'; there are baci, comtrade, gacc, nbs, rates, tidy, worldbank" in ran.err

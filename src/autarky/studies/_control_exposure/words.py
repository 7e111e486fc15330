"""What the control-exposure report says; every figure in it is computed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from autarky.exposure import EDITION
from autarky.findings import Section
from autarky.price_effect import FAR
from autarky.studies._control_exposure.indirect import DEMAND, EVERY, MANUFACTURING
from autarky.studies._control_exposure.measured import PRODUCTION, TRADE_ALL
from autarky.studies._control_exposure.scope import Scope, name_of, slug

if TYPE_CHECKING:
    from autarky.studies._control_exposure.indirect import Indirect

_SHARES = ("face_share", "value_added_share")
Frames = dict[str, pd.DataFrame]


def title(scope: Scope) -> str:
    """Return the report's title."""
    return f"Exposure of {name_of(scope.importer)} to export controls of {name_of(scope.issuer)}"


def subtitle(scope: Scope) -> str:
    """Return day, year and data in one line."""
    return (
        f"Controls of {scope.as_of} on exports to {name_of(scope.importer)}; trade of {scope.year} in {scope.nomenclature}. "
        f"Data: {sources(scope)}."
    )


def sources(scope: Scope) -> str:
    """Return the titles of the data's origins."""
    return "; ".join(o.title for o in scope.origins)


def source_line(scope: Scope) -> str:
    """Return the line that stands under every chart."""
    return f"Data: {sources(scope)}; controls: registry of autarky, {scope.as_of}."


def usd(value: float | None) -> str:
    """Return dollars in words, in the unit that fits."""
    if value is None or pd.isna(value):
        return "not reported"
    for scale, unit in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= scale:
            return f"{value / scale:,.1f} {unit} US dollars"
    return f"{value:,.0f} US dollars"


def _span(low: float | None, high: float | None, form: str = "usd") -> str:
    """Return the figures of exact and of all lines in words."""
    said = [
        ("not reported" if v is None or pd.isna(v) else usd(v) if form == "usd" else f"{v:.1%}") for v in (low, high)
    ]
    return f"{said[1]} (exact lines the same)" if said[0] == said[1] else f"{said[0]} on exact lines, {said[1]} on all"


def sections(scope: Scope, frames: Frames, drawn: set[str], looked: Indirect | None) -> tuple[Section, ...]:
    """Return the report's parts in order; `drawn` are the names of the figures that there are."""

    def items(*names: str) -> tuple[str, ...]:
        return tuple(n for n in names if n in drawn or (n in frames and len(frames[n])))

    parts = [
        Section("What was measured", _measured(scope, frames)),
        Section("Minerals by exposure", _ranking(scope, frames), items("bounds", "minerals")),
        Section("Indirect exposure", _indirect(scope, looked, frames), items("look-through-chart", "look-through")),
        Section("Price", _prices(scope, frames), items("price-ranges", "prices")),
        Section("By-products and their hosts", _hosts(scope, frames), items("hosts")),
    ]
    for mineral in frames["minerals"]["mineral"]:
        own = f"lines-{slug(mineral)}"
        held = (frames["lines"]["mineral"] == mineral).any()
        names = [n for n in (f"suppliers-{slug(mineral)}", f"years-{slug(mineral)}") if n in drawn]
        parts.append(
            Section(_heading(mineral), _mineral(scope, frames, mineral, looked), (*names, *([own] if held else [])))
        )
    parts.append(Section("What could not be measured", _unmeasured(frames), items("unmeasured", "lines")))
    return tuple(parts)


def _named(row: pd.Series[float]) -> str:
    """Return the share on the lines that name the mineral in words, where there are any."""
    return "" if pd.isna(row["named_share"]) else f"{row['named_share']:.1%} on the lines that name it, "


def _heading(mineral: str) -> str:
    return mineral[:1].upper() + mineral[1:]


def _measured(scope: Scope, frames: Frames) -> tuple[str, ...]:
    table, controlled = frames["minerals"], scope.controlled
    announced = controlled[controlled["status"] == "announced"]["item"].nunique()
    codes = controlled["hs10"].dropna()
    return (
        f"On {scope.as_of} {name_of(scope.issuer)} controls exports to {name_of(scope.importer)} of "
        f"{controlled['item'].nunique()} items ({announced} of them announced and not yet in force) in {len(table)} groups of "
        f"goods, listed with {codes.nunique()} codes of ten digits in {codes.str[:6].nunique()} headings of six digits. "
        f"{int((table['lines_held'] > 0).sum())} of the {len(table)} groups have a line in the data.",
        "**A code match is a bound and not a measure.** The data have six digits. Every 10-digit line is a part of a 6-digit "
        "line, so in these data each match is partial, whatever the registry calls it: what is imported of a line is the most "
        "that can be imported of the item, and how much less it is, the data do not say. Two figures stand side by side: "
        "**exact lines**, those of items for which the registry has a 10-digit line that is the item, and **all lines**, which "
        "adds lines that hold other goods as well and lines that are one of several candidates. Some lines of either kind are "
        "wide, as that of all chemical products not named elsewhere: so **named lines**, whose description names the mineral "
        "(or the rare earths), stand beside them and give the rank. Shares and concentrations are those of the lines, and "
        "bound nothing.",
        f"The codes of the controls are of {EDITION}, the data of {scope.nomenclature}. Where the UN's correlation tables lead a "
        "line to several, those that name another element and not the mineral are set aside, and named below; one that "
        "names the mineral is taken; all others count under “all lines” only.",
        "A line or a partner without a row is not reported: it is not zero, and no figure is made for it. “All lines” are those "
        "that the data have; of lines that they lack nothing is known here, and the last section lists them.",
    )


def _ranking(scope: Scope, frames: Frames) -> tuple[str, ...]:
    table = frames["minerals"]
    held = table.dropna(subset="rank")
    if held.empty:
        return (f"For no mineral are imports from {name_of(scope.issuer)} reported in {scope.year}.",)
    first = held.iloc[0]
    said = (
        f"The largest share of {name_of(scope.issuer)} is that of {first['mineral']}: {_named(first)}"
        f"{_span(first['exact_share'], first['all_share'], 'share')}, {_span(first['exact_usd'], first['all_usd'])}. "
    )
    same = held[held.duplicated(["all_usd", "imports_usd"], keep=False)]["mineral"]
    if len(same):
        said += f"{_heading(', '.join(same))} are in the same lines and cannot be told apart. "
    rest = table[table["rank"].isna()]
    if len(rest):
        said += f"Without a figure: {', '.join(rest['mineral'])}; the table says why."
    return (said.strip(),)


def _indirect(scope: Scope, looked: Indirect | None, frames: Frames) -> tuple[str, ...]:
    what = (
        "Goods of third countries hold inputs of the issuer. An inter-country input–output table follows them: "
        "**face value** is what is bought directly from the issuer's industries, **look-through** the part of the value of "
        "all purchases that arose in these industries at any stage, in whatever country the goods were finished."
    )
    if looked is None:
        return (
            what,
            "No table was given, so this part is empty. Give one with --icio FILE: a NumPy archive with Z, Y, x, countries and "
            "industries, such as the World Input-Output Database; it needs pymrio (pip install 'autarky[icio]').",
        )
    table = looked.table
    said = [what]
    for kind in dict.fromkeys(table["purchases"]):
        row = table[(table["purchases"] == kind) & (table["industry"] == EVERY)].iloc[0]
        said.append(
            f"{kind} of {name_of(scope.importer)}: {usd(row['purchases_usd'])}. Bought directly from {name_of(scope.issuer)}: "
            f"{usd(row['face_usd'])}, {row['face_share']:.2%}. Arose there at any stage: {usd(row['value_added_usd'])}, "
            f"{row['value_added_share']:.2%}; of this {row['direct_share']:.2%} came in goods of {name_of(scope.issuer)}, "
            f"{row['own_share']:.2%} in goods of {name_of(scope.importer)} itself and {row['third_share']:.2%} in goods of third "
            f"countries (most: {row['third']})."
        )
    said.append(_coarse(scope, looked, frames))
    said.append(
        f"Table: {looked.source}. {' '.join(n[:1].upper() + n[1:] + '.' for n in looked.notes)} Face value counts the whole "
        "price of what is bought, look-through only what arose in the industry itself, so the second can be the smaller one."
    )
    return tuple(s for s in said if s)


def _coarse(scope: Scope, looked: Indirect, frames: Frames) -> str:
    """Say with dollars how coarse an industry is as a proxy of a mineral."""
    if not looked.proxies:
        return ""
    table = frames["minerals"].set_index("mineral")
    with_value = [m for m in table.index if m in looked.proxies and pd.notna(table.loc[m, "all_usd"])]
    if not with_value:
        return ""
    mineral = with_value[0]
    industries = looked.proxies[mineral]
    output = sum(looked.output[i] for i in industries)
    return (
        f"**An industry is a coarse proxy of a mineral.** The industries that make the lines of {mineral} "
        f"({'; '.join(industries)}) of {name_of(scope.issuer)} have an output of {usd(output)} in the table; "
        f"the imports of {name_of(scope.importer)} on the lines of {mineral} from there are "
        f"{usd(float(table.loc[mineral, 'all_usd']))} in {scope.year}. What is said of the industries is said of all that they make."
    )


def _prices(scope: Scope, frames: Frames) -> tuple[str, ...]:
    card, table = scope.card, frames["prices"]
    said = (
        "If the issuer's supply s is taken off the world market and both sides answer with constant elasticities, the price moves "
        "by Δln p = −ln(1 − s)/(ε_d + ε_s). "
        f"Elasticity of demand: {card.demand.low:g} to {card.demand.high:g} ({card.demand.source}); of supply: {card.supply.low:g} to "
        f"{card.supply.high:g} ({card.supply.source}); absolute values, card “{card.id}”."
    )
    held = table[(table["basis"] == TRADE_ALL) & table["high"].notna()]
    most = ""
    if len(held):
        row = held.loc[held["removed"].idxmax()]
        most = (
            f"On world trade of all lines the largest share is that of {row['mineral']}, {row['removed']:.1%}: the price "
            f"would be {_times(row['low'])} to {_times(row['high'])} what it was."
        )
    basis = (
        "World supply is the trade of all reporters, which leaves out what is used where it is made; "
        + ("and, beside it, world production where the file has the mineral, of which the issuer would go on using its own part. " if scope.production is not None
           else "with --production FILE it is world production as well.")
    )  # fmt: skip
    limits = (
        "All exports of the issuer are taken as removed, from everybody: an upper end. A control that is aimed at one country, "
        "or that licenses and does not ban, removes less, and goods can go round by third countries."
    )
    compared = [
        f"For {p.mineral}, {p.source} prints {p.note}." for p in card.published if p.mineral in set(table["mineral"])
    ]
    return tuple(s for s in (said, most, f"{basis} {limits}", *card.notes, *compared) if s)


def _hosts(scope: Scope, frames: Frames) -> tuple[str, ...]:
    held = frames["hosts"]
    own = sorted(set(held.loc[held["controlled"], "mineral"]))
    others = [m for m in scope.minerals if m not in own]
    first = (
        "A by-product is recovered where its host is refined, so its supply follows the production of the host more than its own "
        f"price. Hosts are known for {', '.join(own) or 'none'} of the minerals under control; for {', '.join(others)} the "
        "sources of the cards name none."
    )
    if scope.production is None:
        return (
            first,
            "Give world production with --production FILE (World Mining Data, or the USGS) to see who has the hosts.",
        )
    return (first, f"Production: {scope.production.source}.")


def _mineral(scope: Scope, frames: Frames, mineral: str, looked: Indirect | None) -> tuple[str, ...]:
    row = frames["minerals"].set_index("mineral").loc[mineral]
    issuer, importer = name_of(scope.issuer), name_of(scope.importer)
    said = [
        f"{int(row['items'])} items under control, {int(row['unlisted'])} of them without a line. Of {int(row['lines'])} lines "
        f"that may hold them the data have {int(row['lines_held'])}."
    ]
    if pd.isna(row["all_share"]):
        said.append(f"No share of {issuer}: {row['flag']}.")
    else:
        said.append(
            f"Imports of {importer} from {issuer} in {scope.year}: {_span(row['exact_usd'], row['all_usd'])}; share {_named(row)}"
            f"{_span(row['exact_share'], row['all_share'], 'share')}."
        )
    if pd.notna(row["herfindahl"]):
        without = (
            "undefined, as nobody else supplies"
            if pd.isna(row["herfindahl_without"])
            else f"{row['herfindahl_without']:.2f}"
        )
        said.append(
            f"Suppliers on all lines: {int(row['suppliers'])}, HHI {row['herfindahl']:.2f}, without {issuer} {without}. "
            f"Next: {row['next'] or 'nobody'}."
        )
    said += _mineral_price(scope, frames, mineral)
    for host in frames["hosts"][frames["hosts"]["mineral"] == mineral].itertuples():
        share = (
            ""
            if pd.isna(host.issuer_share)
            else f"; {issuer} has {host.issuer_share:.1%} of its production ({host.year})"
        )
        said.append(f"Recovered from {host.host}{share}.")
    if looked is not None and mineral in looked.proxies:
        shares = {k: [looked.of_mineral(mineral, k, c) for c in _SHARES] for k in (DEMAND, MANUFACTURING)}
        parts = [
            f"{k.lower()}: {face:.2%} at face value, {deep:.2%} looking through" for k, (face, deep) in shares.items()
        ]
        industries = "; ".join(looked.proxies[mineral])
        said.append(f"Industries that stand for it ({industries}), a coarse proxy: {'; '.join(parts)}.")
    return tuple(said)


def _mineral_price(scope: Scope, frames: Frames, mineral: str) -> list[str]:
    table = frames["prices"][frames["prices"]["mineral"] == mineral].set_index("basis")
    said = []
    for basis, name in ((TRADE_ALL, "world trade of all lines"), (PRODUCTION, "world production")):
        if basis not in table.index or pd.isna(table.loc[basis, "low"]):
            continue
        row = table.loc[basis]
        said.append(
            f"{name_of(scope.issuer)} has {row['removed']:.1%} of {name} ({row['year']}); without it the price would be "
            f"{_times(row['low'])} to {_times(row['high'])} what it was."
        )
    return said


def _times(change: float) -> str:
    """Return a relative change as a multiple; beyond ten times an elasticity tells no more."""
    if pd.isna(change):
        return "without limit"
    return f"{1 + change:.2f} times" if math.log1p(change) <= FAR else "more than ten times"


def _unmeasured(frames: Frames) -> tuple[str, ...]:
    table = frames["unmeasured"]
    absent = table[table["reason"].str.startswith("not in the data")]["product"].nunique()
    aside = table[table["reason"].str.startswith("set aside")]["product"].nunique()
    bare = int(table["reason"].str.startswith("no line lists").sum())
    return (
        f"{absent} lines that may hold a controlled item are not in the data, {aside} candidates were set aside, and {bare} items "
        "(technology, and goods without a line) have no code. They are in no figure of this report, and they are not zero.",
    )

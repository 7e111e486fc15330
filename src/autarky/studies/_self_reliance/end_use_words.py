"""What the part on end use says; every figure in it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from autarky import reclassified
from autarky.end_use import BIG
from autarky.errors import listed
from autarky.placement import UNCLASSIFIED, span
from autarky.roll_forward import ALL
from autarky.studies._self_reliance import annual_given

if TYPE_CHECKING:
    from autarky.reclassified import Classification, Moves
    from autarky.roll_forward import Bridge
    from autarky.studies._self_reliance.end_use import Found
    from autarky.studies._self_reliance.scope import Given


def lacking(reason: str) -> str:
    """Say that the part has nothing to work on, and what would give it something."""
    return (
        f"Not computed: {reason}. Aggregates by end use need annual rows of all products (6-digit HS, BEC4 or BEC5), or all "
        "twelve months of a year, of the reporter or, as its mirror, of its partner; `autarky ingest comtrade FILE --store …` "
        "adds them. The UN's end-use tables come with `autarky reference fetch`."
    )


def levels(given: Given, found: Found, imports: pd.DataFrame) -> tuple[str, ...]:
    """Say what was measured, how it went, what is unclassified and what rests on choices."""
    paragraphs = [annual_given.described(found.bec4, given), f"{found.gdp_said}."]
    relative = found.gdp is not None and bool(imports["share_of_gdp"].notna().any())
    name = "share_of_gdp" if relative else "value_usd"
    held = imports.dropna(subset=name)
    if held.empty:
        paragraphs.append("No imports with a value are in the rows.")
    else:
        first, last = int(held["year"].min()), int(held["year"].max())
        table = held.pivot(index="year", columns="category", values=name)
        said = [_moved(c, table[c], relative) for c in BIG if c in table]
        paragraphs.append(f"Imports, {first} to {last}: {'; '.join(said)}.")
        missing = sorted(set(imports["year"]) - set(held["year"]))
        if missing:
            why = imports[imports["year"].isin(missing)].drop_duplicates("year")
            paragraphs.append(f"Without a figure: {'; '.join(f'{r.year} ({r.flag})' for r in why.itertuples())}.")
        paragraphs.append(_unclassified(found, imports))
    paragraphs.append(_assumed(found))
    paragraphs += [said for said in (annual_given.scope_said(found.bec4, found.printed), _cautions(found)) if said]
    return tuple(paragraphs)


def _moved(name: str, values: pd.Series[float], relative: bool) -> str:
    own = values.dropna()
    if len(own) < 2:
        return f"{name} goods {_level(own.iloc[-1], relative)}" if len(own) else f"{name} goods without a value"
    change = f"{own.iloc[-1] / own.iloc[0] - 1:+.0%}" if own.iloc[0] else "from nothing"
    return f"{name} goods {_level(own.iloc[0], relative)} to {_level(own.iloc[-1], relative)} ({change})"


def _level(value: float, relative: bool) -> str:
    # Trade with one partner is often a few thousandths of GDP.
    return f"{value:.{2 if value >= 0.01 else 3}%} of GDP" if relative else f"{value / 1e9:.1f} billion USD"


def _unclassified(found: Found, imports: pd.DataFrame) -> str:
    share = imports[imports["category"] == UNCLASSIFIED].set_index("year")["share"].dropna()
    own = found.bec4.unmapped[found.bec4.unmapped["flow"] == "import"]
    if own.empty:
        return "Every product has an end use."
    codes = own.groupby(["product", "why"])["value_usd"].sum().sort_values(ascending=False)
    named = [f"{product} ({why}, {value / 1e6:,.0f} million USD)" for (product, why), value in codes.items()]
    return (
        f"**Unclassified:** {share.min():.1%} ({share.idxmin()}) to {share.max():.1%} ({share.idxmax()}) of imports have no end use in the "
        f"UN's tables and are in none of the four categories, which are to that extent lower bounds: {listed(named, 4)}."
    )


def _assumed(found: Found) -> str:
    said = []
    for own in (found.bec4, found.bec5):
        total = float(own.frame["value_usd"].sum())
        kinds = own.assumed.groupby("assumption")["value_usd"].sum().sort_values(ascending=False)
        parts = ", ".join(f"{kind} {value / total:.1%}" for kind, value in kinds.items())
        said.append(f"{own.nomenclature} {kinds.sum() / total:.1%}{f' ({parts})' if parts else ''}")
    policy = "half in each" if found.bec5.dual_use == "split" else "in the first that it names"
    return f"Share of all value whose category rests on a choice: {'; '.join(said)}. BEC5 names two uses for some products; they count {policy}."


def _cautions(found: Found) -> str:
    said = found.bec4.cautions
    return f"**Caution.** {_sentences(said)}" if said else ""


def _sentences(said: tuple[str, ...]) -> str:
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in said)


def window(years: pd.DataFrame) -> str:
    """Return the first and last year of a comparison."""
    return span(years["year"])


def classifications(moves: Moves, flow: str, printed: Any) -> tuple[str, ...]:
    """Say how much moves between BEC4 and BEC5, and how much of it the source's examples are."""
    years = moves.years[moves.years["flow"] == flow]
    own = moves.moves[moves.moves["flow"] == flow]
    if own.empty:
        return (f"Of the {flow}s nothing is placed differently.",)
    total, moved = float(years["value_usd"].sum()), float(own["value_usd"].sum())
    part = float(own.loc[own["in_part"], "value_usd"].sum())
    paragraphs = [
        f"Every product, {window(moves.years)}: of {total / 1e9:,.0f} billion USD of {flow}s, {moved / 1e9:,.0f} billion ({moved / total:.1%}; "
        f"{years['moved_share'].min():.1%} to {years['moved_share'].max():.1%} by year) are in another category by BEC5 than by BEC4: "
        f"{own['product'].nunique()} products. For {part / moved:.0%} of that value one classification names the other's category as a "
        "further use, so that a split of dual uses would move less."
    ]
    named = printed.moves["products"]
    codes = {p["code"] for p in named}
    before = printed.moves["before"]
    wider = codes | {before[c] for c in codes if c in before}
    share, more = (reclassified.share_of(moves, c, flow) for c in (codes, wider))
    examples = "; ".join(f"{p['name']}, {p['code']}" for p in named)
    paragraphs.append(
        f"The source names {len(named)} examples ({examples}) and says that the reclassifications make up "
        f"{printed.moves['printed']} ({printed.moves['where']}). Here these {len(codes)} codes are {share or 0.0:.1%} of the {flow} value that moves, "
        f"and {more or 0.0:.1%} with the codes in which the same goods stood before HS2022 ({', '.join(before.values())})."
    )
    still = [p for p in named if p["code"] not in set(moves.moves["product"])]
    if still:
        missing = "; ".join(f"{p['name']} ({p['code']}), printed as {p['bec4']} to {p['bec5']}" for p in still)
        paragraphs.append(
            f"Not among what moves here: {missing}. "
            "Either the data have none of it, or the UN's tables place it in one category in both."
        )
    return tuple(paragraphs)


def other(moves: Moves, classification: Classification) -> tuple[str, ...]:
    """Say how much a classification covers and moves."""
    paragraphs = []
    for flow, years in moves.years.groupby("flow"):
        total, known, moved = (float(years[c].sum()) for c in ("value_usd", "known_usd", "moved_usd"))
        covers = f"it says a category for {known / total:.1%} of the value" if total else "there is no value"
        moves_said = f"; {moved / total:.1%} of the value ({moved / 1e9:,.1f} billion USD) moves" if total else ""
        paragraphs.append(f"{str(flow).capitalize()}s {span(years['year'])}: {covers}{moves_said}.")
    whole = (
        "It means to name every product; what it leaves out is not known, and not taken to be the same."
        if classification.complete
        else "It names some products only. All others are not known: neither the same nor different."
    )
    return (f"“{classification.title}” beside BEC4. {whole}", " ".join(paragraphs))


def bridged(made: Bridge, tried: pd.DataFrame, years: list[int], target: int) -> tuple[str, ...]:
    """Say how the residuals spread and how well the bridge did on a year that is known."""
    spread = made.spread.assign(width=made.spread["high"] - made.spread["low"]).dropna(subset="width")
    paragraphs = [
        f"Mean residual (BEC4 − BEC5)/BEC5 of {span(pd.Series(years))}, by flow and category; BEC4 of {target} is then BEC5 of {target} times one plus the mean. "
        "The range is that of the lowest and highest residual seen: three years give no probability."
    ]
    if len(spread):
        widest = spread.loc[spread["width"].idxmax()]
        paragraphs.append(
            f"The residual is not constant: it spreads most for {widest['flow']}s of {widest['category']} goods, from {widest['low']:+.1%} to {widest['high']:+.1%}."
        )
    known = tried.dropna(subset="error")
    if len(known):
        worst = known.loc[known["error"].abs().idxmax()]
        sums = known.groupby("flow")[["value_usd", "actual_usd"]].sum()
        overall = "; ".join(f"{f}s {r.value_usd / r.actual_usd - 1:+.1%}" for f, r in sums.iterrows())
        paragraphs.append(
            f"Here BEC4 of {target} is known as well, so the bridge can be judged: {int(known['within'].sum())} of {len(known)} actual values lie within the range; the errors are "
            f"{known['error'].abs().mean():.1%} on average, at most {worst['error']:+.1%} ({worst['flow']}s, {worst['category']}); of the four categories "
            f"together {overall}."
        )
    return tuple(paragraphs)


def not_rolled(reason: str) -> str:
    """Say why nothing is carried forward."""
    return (
        f"Not computed: {reason}. It needs annual values, and monthly 6-digit rows of all products for the year before and the years after the base, "
        "or a table of monthly indices (month, category, index)."
    )


def rolled(
    chained: pd.DataFrame,
    rebased: pd.DataFrame,
    base: int,
    years: list[int],
    origin: str,
    covered: pd.DataFrame | None,
    found: Found,
) -> tuple[str, ...]:
    """Say how far the roll-forward is from what is reported."""
    whole = chained[(chained["category"] == ALL) & chained["year"].isna() & (chained["flow"] != ALL)]
    again = rebased[(rebased["category"] == ALL) & rebased["year"].isna()].set_index("flow")["residual"]
    each = chained[chained["year"].notna() & (chained["category"] != ALL) & chained["residual"].notna()]
    said = "; ".join(
        f"{r.flow}s {r.residual:+.2%} (each year from the actual one before: {again[r.flow]:+.2%})"
        for r in whole.itertuples()
    )
    worst = each.loc[each["residual"].abs().idxmax()]
    paragraphs = [
        f"Annual values of {base}, carried to {span(pd.Series(years))} by the monthly indices of {origin} (a month as a percentage of the previous year's monthly mean), "
        f"against the annual values reported: {said}. By category the largest residual is {worst['residual']:+.1%} ({worst['flow']}s, {worst['category']}, {worst['year']})."
    ]
    if covered is not None and set(found.bec4.years["freq"].dropna()) == {"M"}:
        paragraphs.append(
            "The annual values are sums of these same months, so that the two agree says nothing: annual rows of another record would."
        )
    elif covered is not None and len(covered):
        near = covered[covered["year"].isin([base, *years])]
        if len(near):
            paragraphs.append(
                f"Months and years are two records of the same trade: the months add up to {near['ratio'].min():.1%} to {near['ratio'].max():.1%} of the annual value."
            )
    printed = found.printed.validation
    residuals = ", ".join(f"{'overall' if k == ALL else f'{k}s'} {v:.1%}" for k, v in printed["residuals"].items())
    paragraphs.append(
        f"The source prints residuals of about {residuals} for {span(pd.Series(printed['years']))} from {printed['base_year']} ({printed['where']}), without a sign or a rule "
        "for taking the years together."
    )
    return tuple(paragraphs)


def sure(found: Found) -> tuple[str, ...]:
    """Say how far the aggregates can be trusted."""
    share = found.bec4.frame[found.bec4.frame["category"] == UNCLASSIFIED].groupby("flow")["share"].max()
    said = ", ".join(f"{flow}s up to {value:.1%} a year" for flow, value in share.items())
    return (
        f"**End use.** Goods without an end use are in none of the four categories, which are lower bounds to that extent: {said}.",
    )

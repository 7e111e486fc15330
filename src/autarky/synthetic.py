"""A synthetic panel of China's monthly imports, for the tutorial and for tests.

Nothing in it was observed. Every value is a function of a seed and of the two watch-list cards: the 17 groups of
batch 1 reproduce the published volatility and growth, the levels follow the text, and codes and partners are drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from autarky.errors import CardError, MeasureError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats = npt.NDArray[np.float64]

CARDS = ("naughton-fang-2025-batch1", "naughton-fang-2025-batch2")
FIRST_YEAR = 2015
MONTHS = 120

# New Year's Day of the lunar calendar, 2015-2024, as day of the year: factories close around it and imports dip.
LUNAR_NEW_YEAR = (50, 39, 28, 47, 36, 25, 43, 32, 22, 41)
# The other regularities of the year, January to December, in logarithms.
SEASON = (-0.02, -0.03, 0.04, 0.0, -0.01, 0.0, 0.01, 0.0, 0.03, -0.03, 0.01, 0.02)

# Suppliers behind the leading ones of a group, roughly by their exports of machinery and electronics.
POOL = (
    "DEU JPN USA KOR TWN ITA FRA GBR CHE SGP MYS THA NLD AUT SWE CZE "
    "POL MEX ESP BEL IRL ISR DNK FIN HUN CAN IND VNM PHL IDN"
)

# Levels of the text: the total of a category (or of a group) in one month, (category, year, month, US dollars).
ANCHORS = (
    ("Semiconductor Intermediate", 2021, 12, 35.0e9),
    ("Semiconductor Capital", 2024, 12, 4.5e9),
    ("Advanced Manufacturing", 2018, 7, 1.47e9),
)


class Shape(NamedTuple):
    """How one group is drawn.

    `level` is January 2015 in million US dollars (an anchor overrides the scale of its category, not the proportions
    within it), `price` the typical US dollars per kilogram, `noise` the standard deviation of the monthly noise in
    logarithms, `partners` the leading suppliers, `path` the turning points as `year:level` with January 2015 at 1.
    """

    level: float
    price: float
    noise: float
    partners: str
    path: str


# The paths are invented. The solver bends them to V and G, so they settle where a group turns, not how far.
SHAPES = {
    "Lithography for Electronics": Shape(170, 900, 0.12, "NLD JPN USA SGP KOR TWN DEU",
        "2015:1 2016:1.15 2017:1.4 2018:1.75 2019:1.8 2020:2 2021:2.4 2022:2.95 2022.4:3.1 2022.8:2.8 2023.3:3.4 "
        "2023.8:7.8 2024.3:6 2024.75:7.5 2025:11.5"),
    "Silicon Processing Equipment": Shape(55, 160, 0.10, "JPN DEU KOR USA TWN SGP",
        "2015:1 2016:1.2 2017:1.6 2018:2.2 2019:2.5 2020:2.8 2021:3.7 2022.3:4.8 2022.8:4.2 2023.5:4.9 2024.3:5.5 "
        "2025:7.2"),
    "Integrated Circuits": Shape(14000, 2500, 0.035, "TWN KOR MYS JPN USA PHL VNM SGP THA IRL DEU",
        "2015:1 2016:1.02 2017:1.15 2018:1.45 2018.8:1.7 2019.2:1.45 2020:1.6 2020.6:1.85 2021:2.05 2021.6:2.25 "
        "2022:2.42 2022.35:2.05 2022.8:1.5 2023.3:1.42 2024:1.6 2024.55:1.85 2025:1.92"),
    "Cleanroom Process Equipment": Shape(170, 300, 0.12, "JPN USA SGP KOR NLD DEU TWN MYS",
        "2015:1 2016:1.1 2017:1.3 2018:1.7 2019:1.8 2020:2.1 2021:2.8 2022.3:3.6 2022.8:3.1 2023.5:3.6 2024.5:4.4 "
        "2025:6.4"),
    "Telecommunication Equipment": Shape(520, 180, 0.09, "TWN JPN USA THA MYS KOR SGP DEU",
        "2015:1 2016:1.15 2017:1.22 2018.4:1.42 2019.4:1.12 2020.3:1.17 2021.2:1.3 2022.2:.9 2023:.67 2024:.65 "
        "2025:.68"),
    "Energy Equip.": Shape(60, 60, 0.16, "USA DEU JPN ITA FRA CHE SWE GBR",
        "2015:1 2016:1.05 2017:1.3 2018:1.9 2019:1.6 2020:1.9 2021:3 2022:2.6 2023:3.1 2024:4.6 2025:5"),
    "Laser/Optical Measurement Devices": Shape(330, 400, 0.09, "DEU JPN USA ISR KOR SGP TWN GBR",
        "2015:1 2016:1 2017:1.2 2018.5:1.95 2019.3:1.4 2020.2:1.3 2021.2:2.05 2022:1.9 2023:1.6 2024:1.6 2025:1.85"),
    "Passive Components": Shape(130, 90, 0.07, "JPN KOR TWN PHL MYS THA SGP DEU",
        "2015:1 2016:1.02 2017:1.15 2018.6:1.9 2019.5:1.25 2020.3:1.35 2021.6:2.1 2022.3:1.9 2023:1.15 2024:1.25 "
        "2025:1.5"),
    "Fluid Control Equipment": Shape(70, 120, 0.07, "DEU JPN USA CHE MEX SGP",
        "2015:1 2016:1.02 2017:1.15 2018.4:1.4 2019:1.38 2020:1.45 2021.2:1.75 2022:1.75 2023:1.7 2024:1.78 "
        "2025:1.85"),
    "Bearings and Alloy Steel": Shape(260, 6, 0.05, "JPN DEU KOR SWE TWN ITA AUT",
        "2015:1 2016:.95 2017:1.08 2018.3:1.28 2019.5:1.08 2020.3:1.05 2021.3:1.37 2022.3:1.15 2023:1.03 2024:.94 "
        "2025:.94"),
    "Hot / Cold Process Equipment": Shape(220, 70, 0.12, "JPN KOR USA DEU TWN ITA AUT",
        "2015:1 2016:1.02 2017:1.15 2018.4:1.35 2019.3:1.25 2020.2:1.3 2021.5:1.6 2022.3:1.65 2022.9:1.5 2023.4:1.8 "
        "2024:2.2 2025:3"),
    "Polymers": Shape(950, 1.3, 0.08, "SAU IRN KOR ARE SGP THA TWN USA QAT KWT JPN",
        "2015:1 2015.5:1.25 2016:1.12 2017:1.35 2018.4:1.8 2019.5:1.5 2020.3:1.35 2021:1.8 2021.8:1.5 2022.5:1.2 "
        "2023:1.03 2024:.97 2025:.92"),
    "Automotive and Power Systems": Shape(1150, 15, 0.06, "DEU JPN USA KOR MEX FRA THA ESP CZE POL",
        "2015:1 2016:1.02 2017:1.25 2018.4:1.6 2019.3:1.3 2020.15:1.12 2021.1:1.75 2022:1.35 2023:1.03 2024:.97 "
        "2025:.97"),
    "Batteries and Components": Shape(330, 45, 0.07, "KOR JPN SGP MYS USA IDN",
        "2015:1 2016:1.12 2017:1.18 2018.3:1.38 2019.3:1.13 2020.2:1.07 2021:1.38 2022:1.07 2023:.83 2024:.75 "
        "2025:.78"),
    "Medical and Bio Precision Equipment": Shape(400, 250, 0.08, "DEU USA JPN NLD CZE GBR SGP CHE",
        "2015:1 2016:1 2017:1.1 2018.5:1.65 2019.3:1.3 2020.2:1.1 2021.3:1.85 2022.3:1.6 2023:1.3 2024:1.35 "
        "2025:1.55"),
    "Aviation and Aerospace": Shape(1900, 1500, 0.25, "FRA USA DEU CAN BRA GBR",
        "2015:1 2016:1.05 2017:1.1 2018:1.45 2018.9:1.9 2019.4:.7 2020.3:.3 2021:1.05 2021.5:1.15 2022.3:.3 "
        "2023:.36 2024:.58 2025:.7"),
    "Medicines": Shape(900, 350, 0.10, "DEU USA IRL CHE FRA ITA GBR SWE BEL DNK",
        "2015:1 2016:1.12 2017:1.32 2018:1.55 2019:1.95 2020:2.15 2021:2.5 2022:2.75 2023:3.1 2024:3.2 2025:3.5"),
    "Advanced Manufacturing": Shape(850, 55, 0.03, "JPN DEU KOR USA TWN ITA CHE",
        "2015:1 2016:1.05 2017:1.28 2017.8:1.55 2018.5:1.8 2019.3:1.32 2020.2:1.22 2021.15:1.7 2022:1.45 2023:1.25 "
        "2024:1.12 2025:1.05"),
}  # fmt: skip


def panel(seed: int = 2025) -> pa.Table:
    """Draw China's synthetic monthly imports, 2015-01 to 2024-12.

    Holds every code of the two cards by supplier, each code in the years of its printed window only. The total of each
    of the 17 groups of batch 1 has the published V and G (solved, not approximated). Levels follow the text of the
    source: integrated circuits below 20 bn a month in 2015, 35 bn at the end of 2021, 20 bn in late 2022, 25-30 bn in
    late 2024; semiconductor capital goods reach their record in December 2024 at 4.5 bn; other capital and other
    intermediate goods are lower in 2024 than in 2015; batch 2 peaks in mid-2018 and early 2021.

    Where V and G of a group conflict with a level of the text, V and G win. One pair of claims cannot both hold:
    semiconductor capital goods rise throughout (section 3) and fall back slightly in 2022 (section 5); here their
    annual mean rises in every year but 2022. A code that the paper prints without a window is drawn for all ten years,
    even where the tariff did not yet hold it, or held it no longer.

    Parameters
    ----------
    seed
        The same seed gives the same table; another seed draws other noise, code and partner shares, with the same V
        and G. The levels were checked for the default.

    Returns
    -------
    pyarrow.Table
        `period` (date, first of the month), `partner` (ISO 3166-1 alpha-3), `product` (8 digits), `value_usd`,
        `weight_kg` (null where not reported). A month in which a partner does not trade has no row.

    References
    ----------
    Naughton and Fang (2025), table C1, sections 3 and 5, appendix A.

    """
    import numpy as np
    import pyarrow as pa

    groups = _groups()
    totals = _totals(groups, np.random.default_rng([seed, 0]))
    parts = []
    for number, (name, group) in enumerate(groups.items()):
        # One stream a group: editing the card of one leaves the rows of the others as they were.
        rng = np.random.default_rng([seed, 1, number])
        for code, values in _by_code(group, totals[name], rng).items():
            parts.append(_by_partner(code, values, SHAPES[name], rng))
    month, product, partner, value, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    first = np.datetime64(f"{FIRST_YEAR}-01", "M")
    table = pa.table(
        {
            "period": pa.array((first + month).astype("datetime64[D]"), pa.date32()),
            "partner": pa.array(partner, pa.string()),
            "product": pa.array(product, pa.string()),
            "value_usd": pa.array(value, pa.float64()),
            "weight_kg": pa.array(weight, pa.float64(), from_pandas=True),
        }
    )
    return table.sort_by([("period", "ascending"), ("product", "ascending"), ("partner", "ascending")])


def _volatility_and_growth(values: Floats) -> tuple[float, float]:
    """Return V = SD/mean (ddof 1) and G = sum of t(x_t - x_1)/x_1 over sum of t, of one monthly series."""
    import numpy as np

    t = np.arange(1, len(values) + 1)
    growth = float(t @ (values / values[0] - 1) / t.sum())
    return float(values.std(ddof=1) / values.mean()), growth


def _groups() -> dict[str, dict[str, Any]]:
    """Groups of both cards by name, in the order printed."""
    from importlib.resources import files

    import yaml

    folder = files("autarky") / "data" / "watchlists"
    cards = [yaml.safe_load((folder / f"{card}.yml").read_text(encoding="utf-8")) for card in CARDS]
    groups = {group["group"]: group for card in cards for group in card["groups"]}
    if set(groups) != set(SHAPES):
        raise CardError(
            f"the panel draws {len(SHAPES)} groups and the cards hold {len(groups)}; different: "
            f"{sorted(set(groups) ^ set(SHAPES))}. Give each group of the cards a row in autarky.synthetic.SHAPES."
        )
    return groups


def _totals(groups: dict[str, dict[str, Any]], rng: np.random.Generator) -> dict[str, Floats]:
    """Monthly total of every group in US dollars."""
    import numpy as np

    season = _season()
    totals = {}
    for name, group in groups.items():
        shape = SHAPES[name]
        drawn = _path(shape.path) + season + _noise(shape.noise, rng)
        published = group["published"]
        if published is None:
            series = np.exp(drawn)
        else:
            series = _solve(name, drawn, (published["volatility"], published["growth"]))
        totals[name] = shape.level * 1e6 * series / series[0]
    for anchored, year, month, usd in ANCHORS:
        members = [name for name, group in groups.items() if anchored in (name, group["category"])]
        there = 12 * (year - FIRST_YEAR) + month - 1
        scale = usd / sum(totals[name][there] for name in members)
        totals.update({name: totals[name] * scale for name in members})
    return totals


def _solve(name: str, drawn: Floats, published: tuple[float, float]) -> Floats:
    """Bend a drawn series (in logarithms) until its V and G are the published ones.

    Three knobs (slope, bend, size of the swings around the line) meet two conditions: each Newton step is the smallest
    that does, so that the drawn series is changed as little as need be.
    """
    import numpy as np

    time = np.linspace(-1, 1, MONTHS)
    swings = drawn - np.polynomial.Polynomial.fit(time, drawn, 1)(time)
    knobs = np.column_stack([time, time**2, swings / swings.std()])

    def error(at: Floats) -> Floats:
        return np.subtract(_volatility_and_growth(np.exp(drawn + knobs @ at)), published)

    at = np.zeros(3)
    for _ in range(60):
        miss = error(at)
        if np.abs(miss).max() < 1e-13:
            break
        jacobian = np.column_stack([(error(at + step) - error(at - step)) / 2e-6 for step in 1e-6 * np.eye(3)])
        move = np.linalg.lstsq(jacobian, -miss)[0]
        at = at + move * min(1.0, 0.1 / np.abs(move).max())
    if np.abs(error(at)).max() > 1e-10:
        raise MeasureError(
            f"no series of the shape of {name!r} has V = {published[0]} and G = {published[1]} with this seed. "
            "Try another seed, or another path in autarky.synthetic.SHAPES."
        )
    return np.exp(drawn + knobs @ at)


def _path(points: str) -> Floats:
    """Logarithm of the turning points, joined and smoothed by month."""
    import numpy as np

    years, levels = np.array([point.split(":") for point in points.split()], dtype=float).T
    months = FIRST_YEAR + (np.arange(MONTHS) + 0.5) / 12
    joined = np.pad(np.interp(months, years, np.log(levels)), 2, mode="edge")
    return np.convolve(joined, np.array([1.0, 2, 3, 2, 1]) / 9, mode="valid")


def _season() -> Floats:
    """Dip around the Lunar New Year and the ordinary months, in logarithms."""
    import numpy as np

    season = np.tile(SEASON, MONTHS // 12)
    for year, day in enumerate(LUNAR_NEW_YEAR):
        closed = np.arange(day - 3, day + 12)
        in_january = float((closed <= 31).mean())
        season[12 * year] -= 0.2 * in_january
        season[12 * year + 1] -= 0.2 * (1 - in_january)
    return season


def _noise(sd: float, rng: np.random.Generator) -> Floats:
    """Autocorrelated noise that fades in over a quarter, so that G does not hang on an odd first month."""
    import numpy as np

    shocks = rng.normal(0, sd * np.sqrt(1 - 0.3**2), MONTHS)
    noise = np.zeros(MONTHS)
    for month in range(1, MONTHS):
        noise[month] = 0.3 * noise[month - 1] + shocks[month]
    return noise * np.minimum(np.arange(MONTHS) / 3, 1)


def _by_code(group: dict[str, Any], total: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Split a group's total over its codes; NaN where a code is outside its window.

    Codes that replace each other share one path, so a successor goes on at the level where its predecessors ended.
    """
    import numpy as np

    years = FIRST_YEAR + np.arange(MONTHS) // 12
    families: dict[str, list[dict[str, Any]]] = {}
    for row in group["codes"]:
        families.setdefault(_family(row, group["codes"]), []).append(row)
    drivers = [key for key, rows in families.items() if any(row["code"] in group["published_drivers"] for row in rows)]
    others = [key for key in families if key not in drivers]
    weights = {}
    for rank, key in enumerate([*drivers, *rng.permutation(others)], start=1):
        path = np.exp(_drift(0.3, rng) + rng.normal(0, 0.04, MONTHS)) / rank**1.1
        inside = [(years >= (row["since"] or 0)) & (years <= (row["until"] or 9999)) for row in families[key]]
        portions = rng.uniform(0.5, 1.5, len(inside))[:, None] * np.array(inside)
        sums = portions.sum(axis=0)
        for row, portion in zip(families[key], portions, strict=True):
            weights[row["code"]] = np.divide(path * portion, sums, out=np.zeros(MONTHS), where=sums > 0)
    whole = sum(weights.values())
    return {code: np.where(weight > 0, total * weight / whole, np.nan) for code, weight in weights.items()}


def _turn(row: dict[str, Any]) -> int | None:
    """Year in which the row's window opens, or the first year after it closed."""
    if row["since"]:
        return int(row["since"])
    return int(row["until"]) + 1 if row["until"] else None


def _family(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Name of the codes that one split ties together: same year, same subheading or, failing that, same heading."""
    year = _turn(row)
    if year is None:
        return str(row["code"])
    twins = [one["code"] for one in rows if _turn(one) == year and bool(one["since"]) != bool(row["since"])]
    digits = 6 if any(twin[:6] == row["code"][:6] for twin in twins) else 4
    return f"{row['code'][:digits]} in {year}"


def _by_partner(code: str, values: Floats, shape: Shape, rng: np.random.Generator) -> tuple[npt.NDArray[Any], ...]:
    """Columns month, product, partner, value, weight of one code."""
    import numpy as np

    ranking = np.array(list(dict.fromkeys((shape.partners + " " + POOL).split())))
    nearness = np.log(np.arange(1, len(ranking) + 1)) + rng.normal(0, 0.35, len(ranking))
    partners = ranking[np.argsort(nearness)][: rng.integers(8, 21)]
    rank = np.arange(1, len(partners) + 1)[:, None]
    drift = np.array([_drift(0.5, rng) for _ in partners])
    weight = np.exp(-1.3 * np.log(rank) + drift + rng.normal(0, 0.15, drift.shape))
    # Small suppliers skip months; the first never does, so that every month of a code has a row.
    weight[rng.random(weight.shape) < 0.25 * (rank - 1) / len(partners)] = 0
    value = values * weight / weight.sum(axis=0)
    price = shape.price * np.exp(rng.normal(0, 0.5) + rng.normal(0, 0.3, rank.shape) + rng.normal(0, 0.1, value.shape))
    kilograms = np.where(rng.random(value.shape) < 0.02, np.nan, value / price)
    which, month = np.nonzero(value > 0)
    return month, np.full(len(month), code), partners[which], value[which, month], kilograms[which, month]


def _drift(sd: float, rng: np.random.Generator) -> Floats:
    """Slow wander around zero: a random walk over years, joined by month, with `sd` after ten years."""
    import numpy as np

    steps = rng.normal(0, sd / np.sqrt(10), 11).cumsum()
    wander: Floats = np.interp(np.arange(MONTHS) / 12, np.arange(11), steps)
    return wander

"""Input–output algebra: face value and look-through reliance by an inter-country table (Miller & Blair, ch. 2 and 3).

::

    Z   n×n   purchases of inputs: row = who delivers, column = who uses
    Y   n×m   final demand for what a row delivers, one column an economy
    x   n     gross output, x = Z·1 + Y·1
    A = Z·diag(x)⁻¹,  L = (I − A)⁻¹,  x = L·(Y·1),  v = 1 − A'·1,  v'·L = 1'

`v` is what an industry's output holds beside inputs: value added, and in WIOD also net taxes on products and
international transport margins. As v'L = 1', every dollar of purchases is divided among the industries of the world.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from autarky.errors import AutarkyError, MeasureError, SourceError, listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ["economy", "industry"]
ARRAYS = ("Z", "Y", "x", "countries", "industries")
# Published tables are rounded to whole units; more than this share of output apart is not rounding.
TOLERANCE = 0.005
# Least value to which a share is a figure and not the rounding of an empty column.
LEAST = 1e-9


@dataclass(frozen=True)
class InterCountry:
    """An inter-country input–output table.

    Attributes
    ----------
    Z : inputs, (economy, industry) × (economy, industry), in the table's own unit
    Y : final demand, (economy, industry) × economy
    x : gross output, as the sum of a row of Z and Y
    notes : what had to be said about it: rounding, industries without output
    """

    Z: pd.DataFrame
    Y: pd.DataFrame
    x: pd.Series[float]
    notes: tuple[str, ...] = ()

    @property
    def economies(self) -> list[str]:
        """The economies, in the order of the table."""
        return list(dict.fromkeys(self.Z.index.get_level_values("economy")))

    @property
    def industries(self) -> list[str]:
        """The industries, in the order of the table."""
        return list(dict.fromkeys(self.Z.index.get_level_values("industry")))


@dataclass(frozen=True)
class Solved:
    """A table with its coefficients.

    Attributes
    ----------
    table : the table
    A, L : direct and total requirements, per unit of output of the column
    v : what a unit of output holds beside inputs, 1 − the column's sum of A; 1 for an industry without output
    """

    table: InterCountry
    A: pd.DataFrame
    L: pd.DataFrame
    v: pd.Series[float]


def read(path: str | Path, unit: float = 1e6) -> InterCountry:
    """Return an inter-country table from a NumPy archive.

    Parameters
    ----------
    path : .npz with Z (n×n), Y (n×(economies·categories), the categories of an economy side by side), x (n),
        countries and industries (n = economies·industries, economy by economy), as in WIOD
    unit : US dollars in a unit of the file; WIOD is in millions

    Returns
    -------
    InterCountry, in US dollars

    Raises
    ------
    SourceError : no such file, an array that is missing or of another shape, a value that is not a number, a gross
        output that is not the sum of its row
    """
    arrays = _arrays(Path(path))
    name = Path(path).name
    Z, Y, x = (np.asarray(arrays[k], dtype=float) * unit for k in ("Z", "Y", "x"))
    economies, industries = ([str(c) for c in arrays[k]] for k in ("countries", "industries"))
    count = len(economies) * len(industries)
    if Z.shape != (count, count) or x.shape != (count,):
        raise SourceError(
            f"{name}: Z is {Z.shape} and x {x.shape}; {len(economies)} economies of {len(industries)} industries need "
            f"{(count, count)} and {(count,)}"
        )
    if Y.ndim != 2 or Y.shape[0] != count or Y.shape[1] % len(economies):
        raise SourceError(f"{name}: Y is {Y.shape}; expected {count} rows and a whole number of columns an economy")
    bad = [k for k, held in (("Z", Z), ("Y", Y), ("x", x)) if not np.isfinite(held).all()]
    if bad:
        raise SourceError(f"{name}: {listed(bad)} hold values that are not numbers")
    index = pd.MultiIndex.from_product([economies, industries], names=NAMES)
    demand = Y.reshape(count, len(economies), -1).sum(axis=2)
    return table(pd.DataFrame(Z, index, index), pd.DataFrame(demand, index, economies), pd.Series(x, index), name)


def table(Z: pd.DataFrame, Y: pd.DataFrame, x: pd.Series[float], name: str = "the table") -> InterCountry:
    """Return a table whose gross output is the sum of its rows, and say how far the published one is from it.

    Raises
    ------
    SourceError : labels that differ, an output that is not the sum of its row, an industry that buys inputs and has no
        output
    """
    if not (Z.index.equals(Z.columns) and Z.index.equals(Y.index) and Z.index.equals(x.index)):
        raise SourceError(f"{name}: the rows of Z, Y and x and the columns of Z do not have the same labels")
    total = Z.sum(axis=1) + Y.sum(axis=1)
    apart = (total - x).abs()
    if apart.sum() > TOLERANCE * x.abs().sum():
        raise SourceError(
            f"{name}: gross output is {apart.sum() / x.abs().sum():.1%} apart from the sums of rows (most: "
            f"{'/'.join(apart.idxmax())}); expected x = inputs sold + final demand. Is Y in the file's own order?"
        )
    notes = []
    if apart.max() > 0:
        notes.append(
            f"gross output is taken as the sum of its row: {apart.sum() / x.abs().sum():.3%} in all apart from the "
            f"output of the file, at most {apart.max() / 1e6:,.0f} million US dollars ({'/'.join(apart.idxmax())})"
        )
    none = total <= LEAST
    buys = list(Z.columns[none & (Z.abs().sum() > LEAST)])
    if buys:
        raise SourceError(f"{name}: {listed(['/'.join(b) for b in buys])} buy inputs and have no output")
    if none.any():
        named = ["/".join(k) for k in total.index[none]]
        below = int((total < -LEAST).sum())
        notes.append(
            f"{int(none.sum())} industries have no output ({below} of them a negative one, from stocks) and buy no "
            f"inputs: {listed(named, 30)}; their coefficients are zero and nothing is drawn from them"
        )
    return InterCountry(Z, Y, total, tuple(notes))


def renamed(given: InterCountry, economies: Mapping[str, str]) -> InterCountry:
    """Return the table with other codes for some of its economies; those that it does not have are passed over."""
    Z = given.Z.rename(index=economies, columns=economies, level="economy")
    x = given.x.rename(index=economies, level="economy")
    return replace(given, Z=Z, Y=given.Y.rename(index=economies, level="economy").rename(columns=economies), x=x)


def solved(given: InterCountry) -> Solved:
    """Return direct and total requirements.

    Raises
    ------
    AutarkyError : pymrio is not installed
    MeasureError : I − A cannot be inverted
    """
    pymrio = _pymrio()
    direct = pymrio.calc_A(given.Z, given.x.to_frame("indout"))
    try:
        total = pymrio.calc_L(direct)
    except np.linalg.LinAlgError as error:
        raise MeasureError(f"I − A cannot be inverted ({error}): some industry uses up its own output") from error
    return Solved(given, direct, total, 1.0 - direct.sum())


def purchases(given: InterCountry, economy: str, industries: Sequence[str] | None = None) -> pd.Series[float]:
    """Return what an economy buys: its final demand, or the inputs of some of its industries.

    Returns
    -------
    Series over (economy, industry) of who delivers, US dollars

    Raises
    ------
    MeasureError : the table does not have the economy or the industry
    """
    _check(given, [economy], industries or [])
    if industries is None:
        return given.Y[economy]
    users = [(economy, i) for i in industries if (economy, i) in given.Z.columns]
    return given.Z[users].sum(axis=1)


def origins(given: Solved, bought: pd.Series[float]) -> pd.Series[float]:
    """Return in which industry the value of purchases arose, at all stages: v_i·(L·f)_i.

    Returns
    -------
    Series over (economy, industry), US dollars; the sum is that of the purchases
    """
    return given.v * (given.L @ bought)


def content(given: Solved, economy: str, industries: Sequence[str] | None = None) -> pd.Series[float]:
    """Return how much of a dollar of every industry's output arose in an economy's industries: Σ_{i∈S} v_i·L_ij.

    Returns
    -------
    Series over (economy, industry) of the output, between 0 and 1
    """
    rows = _rows(given.table, economy, industries)
    share: pd.Series[float] = given.v[rows] @ given.L.loc[rows]
    return share


@dataclass(frozen=True)
class Reliance:
    """What purchases owe to an economy's industries.

    Attributes
    ----------
    purchases_usd : the purchases
    face_usd : bought from these industries directly
    value_added_usd : of the purchases, arose in these industries at any stage
    gross_share : of the gross output that the purchases need at all stages, made by these industries
    via : Series over economies: `value_added_usd` by who delivers the purchase; sums to it
    """

    purchases_usd: float
    face_usd: float
    value_added_usd: float
    gross_share: float | None
    via: pd.Series[float]

    @property
    def face_share(self) -> float | None:
        """Share of the purchases that is bought directly; None without purchases."""
        return self.face_usd / self.purchases_usd if abs(self.purchases_usd) > LEAST else None

    @property
    def value_added_share(self) -> float | None:
        """Share of the purchases' value that arose there, looking through all stages; None without purchases."""
        return self.value_added_usd / self.purchases_usd if abs(self.purchases_usd) > LEAST else None


def reliance(
    given: Solved, bought: pd.Series[float], economy: str, industries: Sequence[str] | None = None
) -> Reliance:
    """Set what purchases owe to an economy's industries at face value beside all stages of production.

    face = Σ_{i∈S} f_i / Σ f;  look-through = Σ_{i∈S} v_i·(L·f)_i / Σ f;  gross = Σ_{i∈S} (L·f)_i / Σ (L·f)

    Parameters
    ----------
    given : table with coefficients
    bought : purchases f over (economy, industry) of who delivers
    economy, industries : S; None: all industries of the economy

    Undefined when
    --------------
    there are no purchases: the shares are None.

    References
    ----------
    Baldwin, R., Freeman, R. & Theodorakopoulos, A. (2023), "Hidden Exposure: Measuring US Supply Chain Reliance",
    Brookings Papers on Economic Activity, Fall 2023 (face value and look-through exposure; there by gross output);
    Johnson, R. C. & Noguera, G. (2012), "Accounting for Intermediates", Journal of International Economics 86,
    224–236 (value added).
    """
    rows = _rows(given.table, economy, industries)
    made = given.L @ bought
    embodied = content(given, economy, industries) * bought
    total = float(made.sum())
    return Reliance(
        purchases_usd=float(bought.sum()),
        face_usd=float(bought[rows].sum()),
        value_added_usd=float((given.v * made)[rows].sum()),
        gross_share=float(made[rows].sum()) / total if abs(total) > LEAST else None,
        via=embodied.groupby(level="economy", sort=False).sum(),
    )


def _rows(given: InterCountry, economy: str, industries: Sequence[str] | None) -> NDArray[np.bool_]:
    _check(given, [economy], industries or [])
    index = given.Z.index
    held = index.get_level_values("economy") == economy
    if industries is not None:
        held = held & index.get_level_values("industry").isin(list(industries))
    return np.asarray(held)


def _check(given: InterCountry, economies: Sequence[str], industries: Sequence[str]) -> None:
    for kind, named, known in (
        ("economy", economies, given.economies),
        ("industry", industries, given.industries),
    ):
        unknown = [n for n in named if n not in known]
        if unknown:
            raise MeasureError(f"the inter-country table has no {kind} {listed(unknown)}; it has {listed(known, 60)}")


def _arrays(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file")
    if not zipfile.is_zipfile(path):
        raise SourceError(f"{path.name}: not a NumPy archive (.npz) of arrays {', '.join(ARRAYS)}, or cut short")
    try:
        with np.load(path, allow_pickle=False) as archive:
            held = {k: archive[k] for k in archive.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path.name}: an array of it cannot be read: {error}") from error
    missing = [k for k in ARRAYS if k not in held]
    if missing:
        raise SourceError(
            f"{path.name}: the arrays {listed(missing)} are missing; expected {', '.join(ARRAYS)}, found "
            f"{listed(list(held))}"
        )
    return held


def _pymrio() -> Any:
    try:
        import pymrio
    except ImportError:
        raise AutarkyError(
            "inter-country input–output tables need pymrio, which is not installed: pip install 'autarky[icio]'"
        ) from None
    return pymrio

"""What the parts of the control-exposure study are given."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autarky import codes

if TYPE_CHECKING:
    import pandas as pd

    from autarky.exposure import Direct
    from autarky.price_effect import Elasticities
    from autarky.studies._control_exposure.production import Production
    from autarky.tables import Origin


@dataclass(frozen=True)
class Scope:
    """What the study looks at.

    Attributes
    ----------
    importer, issuer : ISO3
    as_of : the day whose controls are looked at
    nomenclature : HS edition of the data
    controlled : `Registry.as_of` for exports to the importer, of the issuer
    lines : `exposure.lines`
    direct : `exposure.direct`
    card : elasticities
    production : world production; None where no file was given
    most : next suppliers that are named
    origins : of the flows
    """

    importer: str
    issuer: str
    as_of: datetime.date
    nomenclature: str
    controlled: pd.DataFrame
    lines: pd.DataFrame
    direct: Direct
    card: Elasticities
    production: Production | None
    most: int
    origins: tuple[Origin, ...]

    @property
    def year(self) -> int:
        """The year of the suppliers."""
        return self.direct.year

    @property
    def minerals(self) -> list[str]:
        """The minerals under control, in alphabetical order."""
        return sorted(set(self.controlled["product"]))


def name_of(area: str) -> str:
    """Return the short name of an area; a named area that is no country stays as it is."""
    return codes.area_names().get(area, area)


def slug(mineral: str) -> str:
    """Return a mineral's name as a part of a file's name."""
    return mineral.lower().replace(" ", "-")

"""Write rca_ecomplexity.csv: revealed comparative advantage as the package ecomplexity computes it.

    pip install ecomplexity==0.5.3 && python tests/worked/rca_ecomplexity.py

The panel is drawn: no figure in it is of a real country.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from ecomplexity import ecomplexity

rng = np.random.default_rng(1965)
rows = [
    (year, country, product, round(float(rng.lognormal(12, 2))))
    for year in (2020, 2021)
    for country in ("BRA", "CHL", "CHN", "DEU", "JPN", "USA")
    for product in ("010121", "120190", "260300", "270900", "854231", "870323", "880240")
    if rng.random() > 0.3
]
panel = pd.DataFrame(rows, columns=["year", "reporter", "product", "value_usd"])
found = ecomplexity(panel, {"time": "year", "loc": "reporter", "prod": "product", "val": "value_usd"})
# The package has a row for every country and product; those that the panel lacks are 0 in it.
kept = found[found["value_usd"] > 0][["year", "reporter", "product", "value_usd", "rca"]]
kept.to_csv(Path(__file__).with_name("rca_ecomplexity.csv"), index=False)

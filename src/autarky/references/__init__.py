"""The reference: nomenclatures and correspondences as tables, each with a card, in a directory outside the package.

Getting them: `add` (files that one has), `fetch` (the UN's own, over the network).  Using them: `load`, `path`, `card`,
`listings`, `overrides`; `status` says what is here and what could be.

::

    sheets    any file → cells as text              catalog   what is known to exist (data/references.yml)
    checks    editions, codes, no row twice         reading   the directory: cards, tables, status
    shapes    columns of a publisher → a table      adding    checked tables → the directory
                                                    fetching  the publisher → adding
"""

from autarky.references.adding import Added, add
from autarky.references.catalog import identify
from autarky.references.fetching import fetch
from autarky.references.reading import card, directory, listings, load, overrides, path, status

__all__ = ["Added", "add", "card", "directory", "fetch", "identify", "listings", "load", "overrides", "path", "status"]

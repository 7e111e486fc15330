"""autarky: trade dependence, choke points and self-reliance from customs data."""

__version__ = "0.1.0"

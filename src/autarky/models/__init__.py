"""Models: one file each.  A model is fitted to a short series and says what it expected, with how much doubt.

::

    stockpiling   imports beyond what trend, income and ordinary demand account for
    design        months and regressors → a checked design matrix
    forecasts     how far a sum of projected months may be off
    paths         the excess month by month, and what became of it after its peak
    checks        how far a fit can be trusted: diagnostics, placebo baselines, other forms
"""

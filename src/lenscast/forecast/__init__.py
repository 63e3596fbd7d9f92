"""From summaries and Jacobians to Fisher matrices.

`derivatives` makes Jacobians and `comparison` checks them, `covariance` measures the covariance of a data vector,
`estimators` combines both into Fisher matrices, `fisher` holds their algebra, `convergence` says which parameter
directions the simulations constrain, `tables` writes it down. The modules know arrays and names; cosmology, maps and
statistics are their callers' business. Everything is float64; names select parameters and data, never positions.
"""

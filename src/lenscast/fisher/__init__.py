"""From summaries and Jacobians to Fisher matrices.

`derivatives` makes Jacobians, `covariance` measures the covariance of a data vector, `estimators` combines both into
Fisher matrices with the factors of `finite_samples`, and `fisher` holds the algebra of these matrices. `reliability`
says which parameter directions the simulations constrain, `tables` writes the forecast as tables, and `data_vector`
takes all these steps for one data vector. The modules know arrays and names; cosmology, maps and statistics are left to
the callers. Everything is float64; names select parameters and data, never positions.
"""

"""From summaries and Jacobians to Fisher matrices.

`derivatives` makes Jacobians, `control` removes noise from them that the data explain, `covariance` measures the
covariance of a data vector, `estimators` combines both into Fisher matrices with the factors of `finite_samples`.
`matrices` holds the algebra of these matrices and `derived` the parameters that follow from others. `verdicts` says
what is measured, what the prior sets and what the simulations limit, `intervals` how well errors are known,
`reliability` how they depend on the number of boxes, `tables` writes the forecast as tables and `shown_tables` what
is shown of them. `data_vector` takes all these steps for one data vector. The modules know arrays and names;
cosmology, maps and statistics are left to the callers. Everything is float64; names select parameters and data, never
positions.
"""

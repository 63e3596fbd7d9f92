"""Comparisons of simulations with what is known better: finer simulations, theory, and finite differences.

`matter` compares the power and the phases of corrected particle meshes with those of their references, `lensing` the
statistics of maps with those of a finer simulation and of ray tracing, `tomography` spectra of lensing and alignments
with theory, `derivatives` automatic derivatives with central differences; `observed` holds the data vectors that
comparisons take, `one_point` the variance and skewness of smoothed maps, `slices` the density of matter in a slab.
Most return tables; figures are left to `lenscast.plotting`.
"""

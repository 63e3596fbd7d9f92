"""Fisher forecasts of higher-order weak-lensing statistics from differentiable N-body lightcones.

Cosmological parameters go through `cosmology` (background, growth, linear power), `gravity` (initial field,
LPT, particle-mesh N-body) and `lensing` (planes, convergence), which `simulate` composes into maps and their
forward-mode tangents. `statistics` turns a map into a summary, `forecast` turns summaries and Jacobians into
Fisher matrices. `io` and `plotting` are leaves. Import what is needed from these modules: this one imports
none, so that `import lenscast` and the config are free of JAX.
"""

__version__ = "0.1.0"

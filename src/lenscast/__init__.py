"""Fisher forecasts of higher-order weak-lensing statistics from differentiable N-body lightcones.

`pipeline` says what is done, in five steps. In a notebook:

    experiment = lenscast.read("config.yaml")
    summaries = lenscast.summaries(experiment, seeds=range(100, 148))
    forecast = lenscast.forecast(summaries, lenscast.jacobians(experiment, seeds=range(24)), experiment)
    posterior = lenscast.load_forecast("results/default/fisher/C_ell.h5")

Arrays of other codes are forecast too: `load_arrays`, and `forecast` with a `Setting`.
`tangents` gives maps with their derivatives (`interface`). Importing this module does not load JAX.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenscast.interface import (
        Setting,
        forecast,
        jacobians,
        load_arrays,
        load_forecast,
        maps,
        measure,
        measure_tangents,
        read,
        summaries,
        tangents,
    )

__version__ = "0.1.0"

__all__ = [
    "Setting",
    "forecast",
    "jacobians",
    "load_arrays",
    "load_forecast",
    "maps",
    "measure",
    "measure_tangents",
    "read",
    "summaries",
    "tangents",
]


def __getattr__(name: str) -> Any:
    """Function of the Python interface, which loads JAX when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lenscast import interface

    return getattr(interface, name)

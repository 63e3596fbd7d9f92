"""Fisher forecasts of higher-order weak-lensing statistics from differentiable N-body lightcones.

`pipeline` says what is done, in five steps. In a notebook:

    experiment = lenscast.read("config.yaml")
    maps = lenscast.maps(experiment, seeds=range(4))
    posterior = lenscast.load_forecast("results/default/fisher/C_ell.h5")

`measure`, `tangents` and `forecast` complete the steps (`interface`). Importing this module does not load JAX.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenscast.interface import forecast, load_forecast, maps, measure, measure_tangents, read, tangents

__version__ = "0.1.0"

__all__ = ["forecast", "load_forecast", "maps", "measure", "measure_tangents", "read", "tangents"]


def __getattr__(name: str) -> Any:
    """Function of the Python interface, which loads JAX when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lenscast import interface

    return getattr(interface, name)

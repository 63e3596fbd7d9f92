"""Where the meshes and particles of one box are: on one device, or split over several.

What gravity computes mode by mode, point by point or particle by particle is the same code for both, and JAX lets each
device compute its part. What needs other parts of the box are the methods that `Single` and `Split` share.
"""

import jax
import numpy as np
from jax.sharding import Mesh

from lenscast.gravity.exchange import COLUMNS, ROWS
from lenscast.gravity.single import SINGLE, Single
from lenscast.gravity.split import Split
from lenscast.sections.distribution import Distribution

__all__ = ["SINGLE", "Domain", "Single", "Split", "domain"]

Domain = Single | Split


def domain(distribution: Distribution) -> Domain:
    """Where a box is, on the first devices that JAX finds.

    Parameters
    ----------
    distribution
        Number of devices, how they split the box, and the halo.

    Raises
    ------
    ValueError
        If JAX finds fewer devices.
    """
    if distribution.devices == 1:
        return SINGLE
    devices = jax.devices()
    if len(devices) < distribution.devices:
        raise ValueError(
            f"distribution.devices = {distribution.devices}: JAX finds {len(devices)} ({devices[0].platform}); "
            "lower it, take a machine with more, or, for CPU cores, set JAX_NUM_CPU_DEVICES before JAX starts"
        )
    grid = np.asarray(devices[: distribution.devices]).reshape(distribution.grid)
    return Split(Mesh(grid, (ROWS, COLUMNS)), distribution)

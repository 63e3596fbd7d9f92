"""Wavenumbers of real-to-complex transforms on periodic meshes.

Convention: ``jnp.fft.rfftn``, the last axis halved, no factor on the forward transform. Wavenumbers are angular, in the
inverse unit of the mesh spacing.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def wavenumbers(
    shape: tuple[int, ...], spacing: float, dtype: jnp.dtype | type = jnp.float32
) -> tuple[Float[Array, "..."], ...]:
    """Angular wavenumber along each axis of the ``rfftn`` of a mesh, shaped to broadcast.

    Component i has length 1 on all axes but i; ``sum(k**2 for k in wavenumbers(...))`` is the squared wavenumber on the
    mesh.

    Parameters
    ----------
    shape
        Mesh points along each axis, in real space.
    spacing
        Distance between mesh points, equal along all axes [Mpc/h or radian].
    dtype
        Type of the wavenumbers.

    Raises
    ------
    ValueError
        If an axis has no points or the spacing is not positive.
    """
    if not shape or min(shape) < 1:
        raise ValueError(f"shape = {shape}: give at least one axis, with one point or more on each")
    if not spacing > 0:
        raise ValueError(f"spacing = {spacing}: give a positive distance between mesh points")
    last = len(shape) - 1
    components = []
    for axis, size in enumerate(shape):
        # rfftn drops the negative frequencies of the last axis: they are conjugates of the positive ones
        frequencies = np.fft.rfftfreq(size, spacing) if axis == last else np.fft.fftfreq(size, spacing)
        extent = [1] * len(shape)
        extent[axis] = -1
        components.append(jnp.asarray(2 * np.pi * frequencies.reshape(extent), dtype))
    return tuple(components)

"""Whether two codes did the same work: their densities today, or gradients with respect to the field, mode by mode."""

from typing import NamedTuple

import numpy as np

LOW_K = 0.3  # h/Mpc
CORRELATION = 0.995


class Agreement(NamedTuple):
    """Difference of a field from a reference with the same initial field, at k < LOW_K.

    Attributes
    ----------
    power
        Largest deviation of the ratio of the power spectra from 1, with its sign.
    correlation
        Smallest cross-correlation coefficient.
    """

    power: float
    correlation: float

    def holds(self, power_tolerance: float) -> bool:
        """Whether both codes ran the same simulation."""
        return abs(self.power) < power_tolerance and self.correlation > CORRELATION


def agreement(field: np.ndarray, reference: np.ndarray, box_size: float) -> Agreement:
    """Compare a field with a reference on the same mesh.

    Parameters
    ----------
    field, reference
        Densities or gradients.
    box_size
        Side of the box [Mpc/h].

    Raises
    ------
    ValueError
        If the meshes differ.
    """
    if field.shape != reference.shape:
        raise ValueError(f"the fields lie on meshes of {field.shape} and {reference.shape}")
    a, b = (np.fft.rfftn(x) for x in (field, reference))
    bins, inside = _shells(field.shape[0], box_size)

    def binned(values: np.ndarray) -> np.ndarray:
        return np.bincount(bins[inside], weights=values.real[inside])[1:]

    P_a, P_b, cross = binned(a * a.conj()), binned(b * b.conj()), binned(a * b.conj())
    power = P_a / P_b - 1
    return Agreement(float(power[np.argmax(np.abs(power))]), float(np.min(cross / np.sqrt(P_a * P_b))))


def _shells(size: int, box_size: float) -> tuple[np.ndarray, np.ndarray]:
    """Shell of each mode, as wide as the fundamental mode, and True for modes below LOW_K except the mean."""
    n, n_last = np.fft.fftfreq(size, 1 / size), np.fft.rfftfreq(size, 1 / size)
    number = np.sqrt(n[:, None, None] ** 2 + n[None, :, None] ** 2 + n_last**2)
    return np.rint(number).astype(int), (number > 0) & (number * 2 * np.pi / box_size < LOW_K)

"""Kernels of the planes for the light of the sources, and the two sums over planes that they enter.

The convergence of source bin b is the projected overdensity, Kilbinger (2015), arXiv:1411.0115, Eq. 20,

    kappa_b(theta) = int dchi q_b(chi) delta(chi theta, chi),
    q_b(chi) = (3/2) Omega_m (H0/c)^2 (chi / a) g_b(chi),      g_b(chi) = int dz n_b(z) [1 - chi / chi(z)],

with the lensing efficiency g_b of the galaxies behind chi. In the Limber approximation its spectra are, Eq. 29,

    C^{ij}_ell = int dchi q_i(chi) q_j(chi) / chi^2 P(ell / chi, z(chi)).

A lens plane holds the overdensity delta_p averaged over its thickness dchi, so the midpoint rule makes sums of both
integrals, with one number q_bp = q_b(chi_p) dchi for each plane p and source bin b:

    kappa_b = sum_p q_bp delta_p = (3 Omega_m H0^2 / 2 c^2) sum_p delta_p chi_p g_b(chi_p) dchi / a_p,
    C^{ij}_ell = sum_p q_ip q_jp C_p(ell),      C_p(ell) = P(ell / chi_p, z_p) / (chi_p^2 dchi).

`convergence_born` is the first sum and `limber_sum` the second. Intrinsic alignments add to q_bp the kernel of
`lenscast.lensing.alignment`. With planes of 205 Mpc/h the midpoint rule is exact to 0.2 % of C_ell for ell >= 277
(docs/design.md).

Convention: a kernel is a convergence per unit overdensity of a plane. Redshifts of sources are observed, hence fixed;
distances chi(z) and scale factors a_p follow the cosmology. The universe is flat.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from lenscast.cosmology import Cosmology
from lenscast.geometry import SPEED_OF_LIGHT_OVER_H0
from lenscast.lensing.alignment import AlignmentConstants, alignment_kernel
from lenscast.lensing.systematics import Systematics
from lenscast.lensing.views import VisiblePlanes
from lenscast.sections.lightcone import Lightcone
from lenscast.sources import Sources

NEAREST = 1e-3
"""Smallest redshift of a source: a shift moves no source closer, and no plane lies in front of it."""


class Kernels(NamedTuple):
    """What the planes do to the light of the sources.

    Attributes
    ----------
    lensing
        Convergence per unit overdensity, see `lensing_kernel`.
    alignment
        Convergence that intrinsic alignments mimic, per unit overdensity, see `alignment_kernel`.
    strength
        Convergence per unit overdensity for sources at infinity, which deflects rays, see `plane_strength`.
    """

    lensing: Float[Array, "plane source"]
    alignment: Float[Array, "plane source"]
    strength: Float[Array, " plane"]


def plane_kernels(
    sources: Sources,
    systematics: Systematics,
    cosmology: Cosmology,
    lightcone: Lightcone,
    alignment: AlignmentConstants,
) -> Kernels:
    """All kernels of the planes."""
    shift = systematics.delta_z
    shares = source_shares(sources, shift, cosmology, lightcone)
    return Kernels(
        lensing_kernel(sources, shift, cosmology, lightcone),
        alignment_kernel(shares, systematics.A_IA, systematics.eta, cosmology, lightcone, alignment),
        plane_strength(cosmology, lightcone),
    )


def plane_strength(cosmology: Cosmology, lightcone: Lightcone) -> Float[Array, " plane"]:
    """Convergence per unit overdensity for sources at infinity, (3/2) Omega_m (H0/c)^2 chi_p dchi / a_p."""
    chi = jnp.asarray(lightcone.chi)
    strength = 1.5 * cosmology.parameters.Omega_m / SPEED_OF_LIGHT_OVER_H0**2 * lightcone.thickness
    return strength * chi / cosmology.distances.scale_factor(chi)


def lensing_kernel(
    sources: Sources, shift: Float[Array, " source"], cosmology: Cosmology, lightcone: Lightcone
) -> Float[Array, "plane source"]:
    """Convergence per unit overdensity of each plane, q_bp: `plane_strength` times the lensing efficiency g_b(chi_p).

    Parameters
    ----------
    sources
        Redshift distributions of the source bins.
    shift
        Shift Delta z of each bin, added to its redshifts: n_b(z) becomes n_b(z - Delta z_b).
    cosmology
        Distances of planes and sources, and matter density.
    lightcone
        Planes.
    """
    chi = jnp.asarray(lightcone.chi)[:, None, None]

    def efficiency(z: Float64[np.ndarray, " interval"]) -> Float[Array, "plane source interval"]:
        """1 - chi_p / chi(z), negative for sources in front of the plane."""
        redshift = jnp.maximum(jnp.asarray(z)[None] + shift[:, None], NEAREST)
        return 1 - chi / cosmology.distances.comoving_distance(1 / (1 + redshift))[None]

    near, far = efficiency(sources.low), efficiency(sources.high)
    # The mean of max(efficiency, 0) over a cell, with the efficiency linear and n(z) constant in it. A plane inside the
    # cell lenses only the part behind it, a triangle of height `far`. So the kernel changes smoothly when distances or
    # shifts move the plane through the cell; the efficiency at the middle of the cell would have a kink there.
    is_crossed = (near < 0) & (far > 0)
    # the inner `where` keeps the branch that is not used finite; otherwise the derivative would be NaN
    triangle = far**2 / (2 * jnp.where(is_crossed, far - near, 1))
    in_cell = jnp.where(is_crossed, triangle, jnp.maximum(near + far, 0) / 2)
    return plane_strength(cosmology, lightcone)[:, None] * jnp.einsum("psc,sc->ps", in_cell, jnp.asarray(sources.share))


def source_shares(
    sources: Sources, shift: Float[Array, " source"], cosmology: Cosmology, lightcone: Lightcone
) -> Float[Array, "plane source"]:
    """Share of the galaxies of each source bin that lie in the slab of each plane; they align with its matter.

    Parameters
    ----------
    sources
        Redshift distributions of the source bins.
    shift
        Shift Delta z of each bin, see `lensing_kernel`.
    cosmology
        Redshifts at the edges of the slabs.
    lightcone
        Planes.
    """
    edges = jnp.arange(1, lightcone.planes + 1) * lightcone.thickness
    z = 1 / cosmology.distances.scale_factor(edges) - 1
    above = z[:, None, None] - shift[None, :, None] - jnp.asarray(sources.low)[None, None]
    width = jnp.asarray(sources.high - sources.low)[None, None]
    # the fraction u of each cell below the edge; a cell of width 0 is as a whole in front of the edge or behind it
    is_point = width == 0
    below_edge = jnp.where(is_point, (above > 0).astype(z.dtype), jnp.clip(above / jnp.where(is_point, 1, width), 0, 1))
    tilt = jnp.asarray(sources.tilt)[None]
    # int_0^u [1 + tilt (2 u' - 1)] du' = u (1 - tilt + tilt u) of the galaxies of a cell are in front of the edge
    in_front = jnp.einsum("psc,sc->ps", below_edge * (1 - tilt + tilt * below_edge), jnp.asarray(sources.share))
    return jnp.diff(in_front, axis=0, prepend=0)


def convergence(visible: VisiblePlanes, kernels: Kernels) -> Float32[Array, "source y x"]:
    """Convergence of each source bin, the contribution of intrinsic alignments included.

    The map is linear in the kernels: the derivative with respect to a parameter of the kernels is the map of their
    derivative.
    """
    return convergence_born(visible.lensing, kernels.lensing) + convergence_born(visible.matter, kernels.alignment)


def convergence_born(
    delta: Float32[Array, "plane y x"], kernel: Float[Array, "plane source"]
) -> Float32[Array, "source y x"]:
    """Convergence of each source bin, the Born sum kappa_b = sum_p q_bp delta_p; Kilbinger (2015), Eq. 20.

    Parameters
    ----------
    delta
        Overdensity of each plane at the pixels. In place of it `lenscast.lensing.rays` gives a quantity with which the
        same sum is the convergence of deflected rays.
    kernel
        Kernel q_bp of each plane, from `lensing_kernel`.
    """
    # distances need the float64 of the kernels, maps do not: without the cast all maps would be float64
    return jnp.einsum("pyx,ps->syx", delta, kernel.astype(delta.dtype))


def limber_sum(
    plane_power: Float[np.ndarray, "plane ell"], kernel: Float[np.ndarray, "plane source"]
) -> Float[np.ndarray, "pair ell"]:
    """Spectra [sr] of all pairs of source bins, the Limber sum C^{ij}_ell = sum_p q_ip q_jp C_p(ell).

    On thin planes the sum is the Limber integral, Kilbinger (2015), Eq. 29. Pairs run as (1, 1), (1, 2), ..., (2, 2),
    (2, 3), ...: the first bin is never the farther one.

    Parameters
    ----------
    plane_power
        Spectrum [sr] of the overdensity of each plane, P(ell / chi_p, z_p) / (chi_p^2 dchi), perhaps times a window.
    kernel
        Kernel q_bp of each plane and source bin.
    """
    first, second = np.triu_indices(kernel.shape[1])
    return np.einsum("ip,il->pl", kernel[:, first] * kernel[:, second], plane_power)

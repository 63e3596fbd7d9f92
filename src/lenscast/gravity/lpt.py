"""Lagrangian perturbation theory: the particles that start a simulation.

Convention: x = q - D1 grad phi1 + D2 grad phi2 with the potentials of the linear field today, D1 = 1 today, and
momenta p = a^2 dx/dt in H0 Mpc/h.
"""

from functools import reduce
from itertools import combinations
from operator import add

import jax.numpy as jnp
from jaxtyping import Array, Complex64, Float, Float32

from lenscast.cosmology import Cosmology
from lenscast.cosmology.background import expansion
from lenscast.gravity.domain import SINGLE, Domain
from lenscast.gravity.forces import gradient_wavenumbers, inverse_laplacian, spectral_gradient
from lenscast.gravity.mesh import Particles
from lenscast.sections.box import ParticleMesh


def lpt(
    field: Float32[Array, "x y z"],
    a: Float[Array, ""] | float,
    cosmology: Cosmology,
    mesh: ParticleMesh,
    order: int = 2,
    domain: Domain = SINGLE,
) -> Particles:
    """Particles displaced from the lattice by first- or second-order Lagrangian perturbation theory.

    Parameters
    ----------
    field
        Linear overdensity today on the particle lattice.
    a
        Scale factor.
    cosmology
        Gives growth and expansion.
    mesh
        Box and number of particles.
    order
        1 (Zel'dovich approximation) or 2.
    domain
        Where the box is.

    Raises
    ------
    ValueError
        If the order is neither 1 nor 2, or the field is not on the particle lattice.

    Notes
    -----
    x = q - D1 grad phi1 + D2 grad phi2, laplacian phi1 = delta, laplacian phi2 = sum_(i<j) phi1,ii phi1,jj - phi1,ij^2.

    References
    ----------
    Bouchet et al. (1995), astro-ph/9406013; Scoccimarro (1998), astro-ph/9711187, App. D.
    """
    if order not in (1, 2):
        raise ValueError(f"order = {order}: Lagrangian perturbation theory is available to order 1 or 2")
    if field.shape != (mesh.particles,) * 3:
        raise ValueError(
            f"field of shape {field.shape}: give one value per lattice point of {mesh.particles}^3 particles"
        )
    a = jnp.asarray(a, jnp.float64)
    # p = a^2 dx/dt = a^3 E dx/da in units of H0: this factor turns dD/da into the growth of momentum
    velocity = a**3 * expansion(a, cosmology.parameters)
    growth = cosmology.growth
    potential = inverse_laplacian(domain.modes(field), mesh, domain)
    first = -_displacement(potential, mesh, domain)
    # growth in double precision, as it is tabulated; arrays of particles in single
    displacement = growth.D1(a).astype(jnp.float32) * first
    momentum = (velocity * growth.dD1_da(a)).astype(jnp.float32) * first
    if order == 2:
        # D2 is negative, about -(3/7) D1^2; its sign is in D2 and not in front of grad phi2
        source = domain.modes(_second_order_source(potential, mesh, domain))
        second = _displacement(inverse_laplacian(source, mesh, domain), mesh, domain)
        displacement += growth.D2(a).astype(jnp.float32) * second
        momentum += (velocity * growth.dD2_da(a)).astype(jnp.float32) * second
    return Particles(displacement, momentum)


def _displacement(
    potential: Complex64[Array, "x y half"], mesh: ParticleMesh, domain: Domain
) -> Float32[Array, "3 particle"]:
    """Gradient of a potential on the lattice, in Lagrangian order."""
    return domain.at_lattice(spectral_gradient(potential, mesh, domain))


def _second_order_source(
    potential: Complex64[Array, "x y half"], mesh: ParticleMesh, domain: Domain
) -> Float32[Array, "x y z"]:
    """Sum over i < j of phi,ii phi,jj - phi,ij^2.

    Sums of two wavenumbers beyond Nyquist fold back in the products (aliasing). No mode is removed against it.
    """
    # the wavenumbers of `spectral_gradient`, so that source and displacement are derivatives of one field
    k = gradient_wavenumbers(mesh.particles, mesh.box_size / mesh.particles, domain)

    def second(i: int, j: int) -> Float32[Array, "x y z"]:
        return domain.field(-k[i] * k[j] * potential)

    diagonal = [second(i, i) for i in range(3)]
    return reduce(add, (diagonal[i] * diagonal[j] - second(i, j) ** 2 for i, j in combinations(range(3), 2)))

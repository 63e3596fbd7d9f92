r"""Time integration of a particle-mesh simulation, through `diffrax.diffeqsolve`.

Equations of motion in the scale factor, with p = a^2 dx/dt in H0 Mpc/h:

    dx/da = p / (a^3 E),    dp/da = -(3/2) Omega_m grad phi / (a^2 E).

Derivatives of any quantity at an output scale factor include the motion of that scale factor itself. A correction of
small scales is two callables of a `Method`; which corrections exist is the business of `lenscast.corrections`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, PyTree

from lenscast.cosmology import Cosmology, Parameters
from lenscast.cosmology.background import expansion
from lenscast.gravity.domain import SINGLE, Domain
from lenscast.gravity.forces import acceleration
from lenscast.gravity.integrators import BullFrog, DriftKick, FastPM, State
from lenscast.gravity.mesh import Particles
from lenscast.sections.box import AdaptiveSteps, FixedSteps, Integrator, ParticleMesh


class Method(eqx.Module):
    """How particles move: resolution, time integration, and the two places where a correction enters.

    Both callables are pytrees, such as an `equinox.Module`: derivatives pass through what they hold.

    Attributes
    ----------
    mesh
        Box, number of particles and force mesh.
    integrator
        Time integration.
    gain
        Factor of each mode of the potential at the scale factor a; None for 1. It acts on the force of every step.
    displacement
        Displacement [Mpc/h] to add to the comoving positions [Mpc/h] of an output at the scale factor a; None for 0.
        The steps go on from the particles without it.
    domain
        Where the box is.
    """

    mesh: ParticleMesh = eqx.field(static=True)
    integrator: Integrator = eqx.field(static=True)
    gain: Callable[[Float32[Array, ""]], Float32[Array, "x y half"]] | None = None
    displacement: Callable[[Float32[Array, "3 particle"], Float32[Array, ""]], Float32[Array, "3 particle"]] | None = (
        None
    )
    domain: Domain = eqx.field(static=True, default=SINGLE)

    def position(self, particles: Particles) -> Float32[Array, "3 particle"]:
        """Comoving positions, not wrapped [Mpc/h]."""
        return self.domain.lattice(self.mesh) + particles.displacement


def nbody(
    initial: Particles,
    a: Float[Array, " time"],
    cosmology: Cosmology,
    method: Method,
    *,
    save: Callable[[Particles], PyTree[Array]] | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> PyTree[Array]:
    """Evolve particles and return them, or what ``save`` makes of them, at each scale factor.

    Parameters
    ----------
    initial
        Particles at a[0], such as those of `lpt`.
    a
        Increasing scale factors: the start, then one or more outputs.
    cosmology
        Parameters, growth and expansion.
    method
        Resolution, time integration and correction.
    save
        Function of the particles at each output, such as the painting of planes; by default the `Particles`
        themselves. Memory holds only what it returns.
    adjoint
        How diffrax differentiates the solve. `ForwardMode()`, the default, serves `jvp`.
        `RecursiveCheckpointAdjoint()` serves `grad` with memory for a few states. `BacksolveAdjoint()` serves `grad`
        with memory for one state, by solving the adjoint equation backwards; it takes adaptive steps, whole particle
        states, and scale factors that do not depend on the variable of the derivative. Its gradient is accurate to
        1e-4 to 1e-2 whatever the tolerance, because the force has kinks where particles cross cells.

    Returns
    -------
    The outputs, stacked along a leading axis of the scale factors a[1:].

    Raises
    ------
    ValueError
        If there is no output, or if `BacksolveAdjoint` cannot differentiate the solve.
    RuntimeError
        While running: if scale factors do not increase or max_steps do not suffice.

    Notes
    -----
    Errors while running go through a callback to Python, and JAX keeps no program with a callback in its compilation
    cache. With EQX_ON_ERROR=nan in the environment, set before equinox is imported, the results become NaN instead and
    the cache works.

    References
    ----------
    Adjoints: Kidger (2021), arXiv:2202.02435, Chap. 5. Equations: Lanzieri et al. (2022), arXiv:2207.05509.
    """
    if a.ndim != 1 or a.shape[0] < 2:
        raise ValueError(f"a has shape {a.shape}: give the scale factor of the start and one or more outputs")
    if isinstance(adjoint, diffrax.BacksolveAdjoint):
        _refuse_what_cannot_be_solved_backwards(method, save)

    def output(t: Array, state: State) -> PyTree[Array]:
        particles = Particles(*state)
        if method.displacement is not None:
            shift = method.displacement(method.position(particles), t)
            particles = Particles(particles.displacement + shift, particles.momentum)
        return particles if save is None else save(particles)

    times = a.astype(jnp.float32)
    forces = _Forces(method)
    solve = _SOLVES[type(method.integrator)](method.integrator, times, cosmology, forces)
    single_output, whole_states = times.size == 2, save is None and method.displacement is None
    if single_output:  # XLA makes straight code of a loop that saves once, and would compute `output` at every step
        saveat = diffrax.SaveAt(t1=True)
    elif whole_states:  # `BacksolveAdjoint` takes no function here
        saveat = diffrax.SaveAt(ts=times[1:])
    else:
        saveat = diffrax.SaveAt(ts=times[1:], fn=lambda t, y, args: output(t, y))
    solution = diffrax.diffeqsolve(
        solve.terms,
        solve.solver,
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=(initial.displacement, initial.momentum),
        args=solve.args,
        saveat=saveat,
        stepsize_controller=solve.stepsize_controller,
        adjoint=adjoint or diffrax.ForwardMode(),
        max_steps=solve.max_steps,
    )
    if single_output:
        last = output(times[-1], jax.tree.map(lambda x: x[0], solution.ys))
        return jax.tree.map(lambda x: x[None], last)
    # not Particles(...): the annotations of its fields refuse the leading axis of the outputs
    return jax.tree.unflatten(jax.tree.structure(initial), solution.ys) if whole_states else solution.ys


def _refuse_what_cannot_be_solved_backwards(method: Method, save: Callable | None) -> None:
    """Raise an error for what `BacksolveAdjoint` cannot differentiate."""
    adaptive = type(method.integrator) is AdaptiveSteps
    if not adaptive or save is not None or method.displacement is not None:
        raise ValueError(
            "BacksolveAdjoint solves a differential equation backwards: it needs AdaptiveSteps, save=None and no "
            "displacement of the outputs (PGD); use RecursiveCheckpointAdjoint() with fixed steps, save or PGD"
        )


class _Forces(eqx.Module):
    """Vector field of the growth-matched solvers: momentum and acceleration, which they multiply by growth."""

    method: Method

    def __call__(self, t: Any, y: State, args: Any) -> DriftKick:
        displacement, momentum = y
        method = self.method
        gain = None if method.gain is None else method.gain(t)
        position = method.domain.lattice(method.mesh) + displacement
        return momentum, acceleration(position, method.mesh, gain, method.domain)


class _Motion(eqx.Module):
    """Vector field of the adaptive solvers: dx/da and dp/da, of parameters in single precision."""

    forces: _Forces

    def __call__(self, t: Any, y: State, args: Parameters) -> State:
        parameters = jax.tree.map(lambda parameter: parameter.astype(jnp.float64), args)
        a = jnp.asarray(t, jnp.float64)
        rate = expansion(a, parameters)
        drift = (1 / (a**3 * rate)).astype(jnp.float32)
        kick = (1.5 * parameters.Omega_m / (a**2 * rate)).astype(jnp.float32)
        momentum, pull = self.forces(t, y, args)
        return drift * momentum, kick * pull


class _Solve(NamedTuple):
    """Arguments of `diffrax.diffeqsolve` that depend on the integrator."""

    terms: diffrax.AbstractTerm
    solver: diffrax.AbstractSolver
    stepsize_controller: diffrax.AbstractStepSizeController
    max_steps: int
    args: Cosmology | Parameters


def _fixed_steps(
    integrator: FixedSteps, times: Float32[Array, " time"], cosmology: Cosmology, forces: _Forces
) -> _Solve:
    """Steps of equal width in D1 from the first time to the last; outputs lie anywhere between."""
    ends = cosmology.growth.D1(jnp.stack([times[0], times[-1]]).astype(jnp.float64))
    inner = cosmology.growth.scale_factor(jnp.linspace(ends[0], ends[1], integrator.steps + 1)[1:-1])
    # the ends are the given times themselves: the inverse of D1 would round them, and t0 and t1 must match
    steps = jnp.concatenate([times[:1], inner.astype(jnp.float32), times[-1:]])
    solver = {"bullfrog": BullFrog, "fastpm": FastPM}[integrator.kind]()
    return _Solve(diffrax.ODETerm(forces), solver, diffrax.StepTo(steps), integrator.steps, cosmology)


def _adaptive_steps(
    integrator: AdaptiveSteps, times: Float32[Array, " time"], cosmology: Cosmology, forces: _Forces
) -> _Solve:
    """Steps whose width follows from the tolerances."""
    solver = {"tsit5": diffrax.Tsit5, "dopri5": diffrax.Dopri5}[integrator.kind]()
    controller = diffrax.PIDController(rtol=integrator.rtol, atol=integrator.atol)
    # `BacksolveAdjoint` integrates the adjoints of particles and parameters together, and diffrax does so in one
    # precision only: parameters pass through args in single precision, without the tables of growth.
    single = jax.tree.map(lambda parameter: parameter.astype(jnp.float32), cosmology.parameters)
    return _Solve(diffrax.ODETerm(_Motion(forces)), solver, controller, integrator.max_steps, single)


_SOLVES: Mapping[type, Callable[..., _Solve]] = MappingProxyType(
    {FixedSteps: _fixed_steps, AdaptiveSteps: _adaptive_steps}
)

r"""Time integration of a particle-mesh simulation, through `diffrax.diffeqsolve`.

Equations of motion in the scale factor, with p = a^2 dx/dt in H0 Mpc/h:

    dx/da = p / (a^3 E),    dp/da = -(3/2) Omega_m grad phi / (a^2 E).

Derivatives of any quantity at an output scale factor include the motion of that scale factor itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, PyTree

from lenscast.cosmology import Cosmology, Parameters
from lenscast.cosmology.background import expansion
from lenscast.gravity.correction import Filter, ForceCorrection
from lenscast.gravity.forces import acceleration
from lenscast.gravity.integrators import BullFrog, FastPM
from lenscast.gravity.mesh import ParticleMesh, Particles
from lenscast.gravity.pgd import PGD

__all__ = ["Adaptive", "Correction", "FixedSteps", "Integrator", "integrator_of", "nbody"]


@dataclass(frozen=True)
class FixedSteps:
    """Growth-matched steps of equal width in the linear growth factor.

    Attributes
    ----------
    kind : "bullfrog" or "fastpm".
    steps : their number between the start and the last output.
    """

    kind: Literal["bullfrog", "fastpm"]
    steps: int

    def __post_init__(self) -> None:
        if self.kind not in ("bullfrog", "fastpm"):
            raise ValueError(f"kind = {self.kind!r}: fixed steps are 'bullfrog' or 'fastpm'")
        if self.steps < 1:
            raise ValueError(f"steps = {self.steps}: give at least 1 step")


@dataclass(frozen=True)
class Adaptive:
    """Runge-Kutta steps of adaptive width.

    Attributes
    ----------
    kind : "tsit5" or "dopri5".
    rtol, atol : relative and absolute tolerance of a step [atol in Mpc/h and in H0 Mpc/h].
    max_steps : bound on the number of steps; an error when it does not suffice.
    """

    kind: Literal["tsit5", "dopri5"]
    rtol: float
    atol: float
    max_steps: int = 512

    def __post_init__(self) -> None:
        if self.kind not in ("tsit5", "dopri5"):
            raise ValueError(f"kind = {self.kind!r}: adaptive steps are 'tsit5' or 'dopri5'")
        if not (self.rtol > 0 and self.atol > 0):
            raise ValueError(f"rtol = {self.rtol}, atol = {self.atol}: give positive tolerances")


Integrator = FixedSteps | Adaptive
Correction = ForceCorrection | PGD


def integrator_of(kind: str, **settings: Any) -> Integrator:
    """Integrator of a config's section: its kind and what goes with it.

    Parameters
    ----------
    kind : "bullfrog" or "fastpm", with steps; "tsit5" or "dopri5", with rtol and atol.
    settings : fields of `FixedSteps` or of `Adaptive`.
    """
    method: Any = FixedSteps if kind in ("bullfrog", "fastpm") else Adaptive
    return method(kind, **settings)


def nbody(
    initial: Particles,
    a: Float[Array, " time"],
    cosmology: Cosmology,
    mesh: ParticleMesh,
    integrator: Integrator,
    correction: Correction | None = None,
    *,
    save: Callable[[Particles], PyTree[Array]] | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
) -> PyTree[Array]:
    """Evolve particles and return what is asked of them at each scale factor.

    Parameters
    ----------
    initial : particles at a[0], such as from `lpt`.
    a : increasing scale factors: the start, then one or more outputs.
    cosmology : parameters, growth and expansion.
    mesh : box, number of particles and force mesh.
    integrator : `FixedSteps` or `Adaptive`.
    correction : of small scales: of the force at every step, or by `PGD` of the positions at each output, after which
        the steps go on as if it had not been.
    save : what to keep of the particles at each output, such as painted planes; by default the `Particles` themselves.
        Memory holds only what is kept.
    adjoint : how diffrax differentiates the solve. `ForwardMode()`, the default, serves `jvp`;
        `RecursiveCheckpointAdjoint()` serves `grad` with memory for a few states; `BacksolveAdjoint()` serves `grad`
        with memory for one state, by solving the adjoint equation of the talk backwards: adaptive integrators, whole
        particle states and scale factors that do not depend on what is differentiated. Its gradient is good to 1e-4
        to 1e-2 whatever the tolerance, for the force has kinks where particles cross cells.

    Returns
    -------
    What ``save`` returns, stacked along a leading axis of the outputs a[1:].

    Raises
    ------
    ValueError
        If there is no output, or `BacksolveAdjoint` meets what it cannot do.
    RuntimeError
        While running: if scale factors are out of order or max_steps do not suffice.

    Notes
    -----
    Errors while running go through a callback to Python, and JAX keeps no program with a callback in its compilation
    cache. With EQX_ON_ERROR=nan in the environment, set before equinox is imported, they become NaN instead and the
    cache works.

    References: adjoints, Kidger (2021), arXiv:2202.02435, Chap. 5; equations, Lanzieri et al. (2022), arXiv:2207.05509.
    """
    if a.ndim != 1 or a.shape[0] < 2:
        raise ValueError(f"a has shape {a.shape}: give the scale factor of the start and one or more outputs")
    if isinstance(adjoint, diffrax.BacksolveAdjoint) and (
        save is not None or isinstance(correction, PGD) or isinstance(integrator, FixedSteps)
    ):
        raise ValueError(
            "BacksolveAdjoint solves a differential equation backwards: it needs an Adaptive integrator, save=None and "
            "no PGD; use RecursiveCheckpointAdjoint() with fixed steps, save or PGD"
        )

    def output(t: Array, particles: Particles) -> PyTree[Array]:
        if isinstance(correction, PGD):
            moved = correction.displacement(particles.position(mesh), t, cosmology, mesh)
            particles = Particles(particles.displacement + moved, particles.momentum)
        return particles if save is None else save(particles)

    times = a.astype(jnp.float32)
    gain = correction.filter(cosmology, mesh) if isinstance(correction, ForceCorrection) else None
    if isinstance(integrator, FixedSteps):
        method = _fixed_steps(integrator, times, cosmology, _Forces(mesh, gain))
    else:
        method = _adaptive(integrator, cosmology, _Forces(mesh, gain))
    kept = diffrax.SaveAt(ts=times[1:])
    once = times.size == 2
    if once:  # XLA makes straight code of a loop that saves once, and saves at every step
        kept = diffrax.SaveAt(t1=True)
    elif save is not None or isinstance(correction, PGD):
        kept = diffrax.SaveAt(ts=times[1:], fn=lambda t, y, args: output(t, y))
    solution = diffrax.diffeqsolve(
        method.terms,
        method.solver,
        t0=times[0],
        t1=times[-1],
        dt0=None,
        y0=initial,
        args=method.args,
        saveat=kept,
        stepsize_controller=method.stepsize_controller,
        adjoint=adjoint or diffrax.ForwardMode(),
        max_steps=method.max_steps,
    )
    if once:
        last = output(times[-1], jax.tree.map(lambda x: x[0], solution.ys))
        return jax.tree.map(lambda x: x[None], last)
    return solution.ys


class _Method(NamedTuple):
    """What `diffrax.diffeqsolve` needs to know of an integrator."""

    terms: diffrax.AbstractTerm
    solver: diffrax.AbstractSolver
    stepsize_controller: diffrax.AbstractStepSizeController
    max_steps: int
    args: Cosmology | Parameters


class _Forces(eqx.Module):
    """Vector field of the growth-matched solvers: they multiply momentum and acceleration by the growth of a step."""

    mesh: ParticleMesh = eqx.field(static=True)
    gain: Filter | None

    def __call__(self, t: Any, y: Particles, args: Any) -> Particles:
        gain = None if self.gain is None else self.gain(t)
        return Particles(y.momentum, acceleration(y.position(self.mesh), self.mesh, gain))


class _Motion(eqx.Module):
    """Vector field of the equations of motion as they stand, of parameters in single precision."""

    forces: _Forces

    def __call__(self, t: Any, y: Particles, args: Parameters) -> Particles:
        parameters = jax.tree.map(lambda parameter: parameter.astype(jnp.float64), args)
        a = jnp.asarray(t, jnp.float64)
        rate = expansion(a, parameters)
        drift = (1 / (a**3 * rate)).astype(jnp.float32)
        kick = (1.5 * parameters.Omega_m / (a**2 * rate)).astype(jnp.float32)
        field = self.forces(t, y, args)
        return Particles(drift * field.displacement, kick * field.momentum)


def _fixed_steps(
    integrator: FixedSteps, times: Float32[Array, " time"], cosmology: Cosmology, forces: _Forces
) -> _Method:
    """Steps of equal growth."""
    ends = cosmology.growth.D1(jnp.stack([times[0], times[-1]]).astype(jnp.float64))
    inner = cosmology.growth.scale_factor(jnp.linspace(ends[0], ends[1], integrator.steps + 1)[1:-1])
    steps = jnp.concatenate([times[:1], inner.astype(jnp.float32), times[-1:]])
    solver = {"bullfrog": BullFrog, "fastpm": FastPM}[integrator.kind]()
    return _Method(diffrax.ODETerm(forces), solver, diffrax.StepTo(steps), integrator.steps, cosmology)


def _adaptive(integrator: Adaptive, cosmology: Cosmology, forces: _Forces) -> _Method:
    """Steps of a tolerance.

    Parameters pass in single precision: `BacksolveAdjoint` integrates the adjoints of particles and parameters
    together, and diffrax does so in one precision only.
    """
    solver = {"tsit5": diffrax.Tsit5, "dopri5": diffrax.Dopri5}[integrator.kind]()
    controller = diffrax.PIDController(rtol=integrator.rtol, atol=integrator.atol)
    single = jax.tree.map(lambda parameter: parameter.astype(jnp.float32), cosmology.parameters)
    return _Method(diffrax.ODETerm(_Motion(forces)), solver, controller, integrator.max_steps, single)

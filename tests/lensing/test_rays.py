"""Rays bent by the planes: against straight rays, closed forms, and perturbation theory in plain numpy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast.lensing import convergence_born, deflected_sky, distortion, draw_view, straight_sky
from lenscast.sections.lightcone import Lightcone

SKY = jax.jit(straight_sky, static_argnums=2)
DEFLECTED = jax.jit(deflected_sky, static_argnums=3)
DISTORTION = jax.jit(distortion, static_argnums=4)

# Waves of 67 Mpc/h and more on cells of 0.8: bilinear reading smooths them by (k d)^2 / 4 < 1.5e-3.
SMOOTH = Lightcone(box_size=200.0, slabs_per_box=1, planes=3, plane_mesh=256, field_deg=20.0, pixels=48)
STRENGTH = jnp.array([0.01, 0.03, 0.05])
KERNEL = jnp.array([[0.006, 0.008], [0.0, 0.015], [0.0, 0.01]])


def as_planes(delta):
    """Planes that look the same along all axes of the box."""
    delta = np.asarray(delta, np.float32)
    return jnp.asarray(np.broadcast_to(delta[:, None, None], (len(delta), 3, 1, *delta.shape[1:])))


class Waves:
    """A periodic plane of a few waves, with the exact derivatives of its potential."""

    def __init__(self, lightcone, seed):
        rng = np.random.default_rng(seed)
        index = np.array([index for index in itertools.product(range(-3, 4), range(4)) if 0 < np.hypot(*index) <= 3])
        self.k = 2 * np.pi / lightcone.box_size * index
        self.amplitude, self.phase = 0.4 * rng.normal(size=len(index)), rng.uniform(0, 2 * np.pi, len(index))
        self.points = np.arange(lightcone.plane_mesh) * lightcone.box_size / lightcone.plane_mesh

    def derivative(self, position, *axes):
        """Derivative of the potential along axes, laplacian phi = delta, at positions [2 y x]."""
        factor = -self.amplitude / (self.k**2).sum(axis=1)
        for axis in axes:
            factor = factor * self.k[:, axis]
        phase = np.tensordot(self.k, position, axes=1) + self.phase[:, None, None] + len(axes) * np.pi / 2
        return np.tensordot(factor, np.cos(phase), axes=1)

    def gradient(self, position):
        return np.stack([self.derivative(position, i) for i in (0, 1)])

    def tidal(self, position):
        return np.array([[self.derivative(position, i, j) for j in (0, 1)] for i in (0, 1)])

    def tidal_gradient(self, position):
        """Index of the last derivative last."""
        axes = itertools.product((0, 1), repeat=3)
        third = np.stack([self.derivative(position, *along) for along in axes])
        return np.moveaxis(third.reshape(2, 2, 2, *third.shape[1:]), 2, 2)

    @property
    def delta(self):
        tidal = self.tidal(np.stack(np.meshgrid(self.points, self.points, indexing="ij")))
        return tidal[0, 0] + tidal[1, 1]


def directions(lightcone):
    """Angles (y, x) of the pixels."""
    return np.stack(np.meshgrid(lightcone.angles, lightcone.angles, indexing="ij"))


@pytest.fixture(scope="module")
def waves():
    return [Waves(SMOOTH, seed) for seed in range(SMOOTH.planes)]


@pytest.fixture(scope="module")
def planes(waves):
    return as_planes([wave.delta for wave in waves])


@pytest.fixture(scope="module")
def straight(view_of):
    return view_of(SMOOTH)


@pytest.fixture(scope="module")
def distorted(planes, straight):
    return DISTORTION(planes, straight, STRENGTH, KERNEL, SMOOTH)


def test_rays_without_deflection_see_the_sky(lightcone):
    shape = (lightcone.planes, 3, lightcone.slabs_per_box, lightcone.plane_mesh, lightcone.plane_mesh)
    planes = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    view = jax.jit(draw_view, static_argnums=1)(jax.random.key(1), lightcone)
    assert len({*map(tuple, np.column_stack([view.axis, view.slab, view.transpose, view.flip]).tolist())}) > 5
    seen = DEFLECTED(planes, view, jnp.zeros(lightcone.planes), lightcone)
    expected = SKY(planes, view, lightcone)
    # coordinates in float32, 1e-6 of the 32 cells
    np.testing.assert_allclose(seen.matter, expected, atol=1e-4)
    np.testing.assert_allclose(seen.lensing, expected, atol=1e-4)


def test_what_deflection_changes_grows_with_strength(planes, straight):
    born = SKY(planes, straight, SMOOTH)
    for name in ("lensing", "matter"):
        changes = [getattr(DEFLECTED(planes, straight, STRENGTH * f, SMOOTH), name) - born for f in (0.1, 0.05)]
        np.testing.assert_allclose(changes[0][0], 0, atol=1e-5)  # nothing bends rays before the first plane
        size = np.abs(changes[0]).max()
        assert size > 1e-3
        # the next order is as much smaller as the first was, a few times the strength; rounding 1e-5
        np.testing.assert_allclose(changes[0], 2 * changes[1], atol=0.03 * size)
        assert np.abs(changes[0] - changes[1]).max() > 0.4 * size


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("flipped", list(itertools.product([False, True], repeat=2)))
def test_a_single_wave_deflects_as_its_potential_says(view_of, transposed, flipped):
    lightcone = Lightcone(box_size=100.0, slabs_per_box=1, planes=1, plane_mesh=256, field_deg=20.0, pixels=32)
    k, shift, weight = 2 * np.pi / 100 * np.array([3, -1]), np.array([13.0, 58.0]), 0.02
    points = np.arange(256) * 100 / 256
    delta = np.cos(k[0] * points[:, None] + k[1] * points)
    flip, turn = np.full((1, 2), flipped), np.full(1, transposed)
    view = view_of(lightcone, flip=flip, transpose=turn, shift=shift[None].astype(np.float32))
    seen = DISTORTION(as_planes(delta[None]), view, jnp.array([0.04]), jnp.array([[weight]]), lightcone)
    chi, theta = lightcone.chi[0], directions(lightcone)
    # the plane is read at row = +-y + shift, column = +-x + shift, y and x exchanged if transposed
    waves = k * np.where(flipped, -1, 1)
    waves = waves[::-1] if transposed else waves
    phase = np.tensordot(waves, chi * theta, axes=1) + k @ shift
    gradient = waves[:, None, None] / (k @ k) * np.sin(phase)
    tidal = np.multiply.outer(np.outer(waves, waves) / (k @ k), np.cos(phase))
    # (k d)^2 / 4 = 1.5e-3 of a wave of 32 Mpc/h
    np.testing.assert_allclose(seen.deflection[0], 2 * weight / chi * gradient, atol=3e-3 * 2 * weight / chi / k.max())
    np.testing.assert_allclose(seen.matrix[0], 2 * weight * tidal, atol=3e-3 * 2 * weight)
    np.testing.assert_allclose(seen.convergence[0], weight * np.cos(phase), atol=3e-3 * weight)
    # position angle of the wave vector from the x axis
    angle = np.arctan2(*waves)
    shear = weight * np.cos(phase) * np.array([np.cos(2 * angle), np.sin(2 * angle)])[:, None, None]
    np.testing.assert_allclose(seen.shear[0], shear, atol=3e-3 * weight)
    np.testing.assert_array_equal(seen.rotation, 0)


def test_a_concentrated_mass_deflects_by_what_the_ray_encloses(view_of):
    # a Gaussian of unit peak on the axis; its mean stays in, as a sheet
    lightcone = Lightcone(box_size=400.0, slabs_per_box=1, planes=1, plane_mesh=512, field_deg=20.0, pixels=64)
    points, width, weight = np.arange(512) * 400 / 512, 6.0, 0.03
    line = np.exp(-(np.minimum(points, 400 - points) ** 2) / 2 / width**2)
    planes = as_planes(np.outer(line, line)[None])
    seen = DISTORTION(planes, view_of(lightcone), jnp.array([0.1]), jnp.array([[weight]]), lightcone)
    chi, theta = lightcone.chi[0], directions(lightcone)
    radius = chi * np.hypot(*theta)
    mean_inside = weight * 2 * width**2 / radius**2 * (1 - np.exp(-(radius**2) / 2 / width**2))
    # second derivatives of the profile times d^2 / 4 = 0.15; images of the mass act as (r / L)^4 of the mean, 1e-3
    atol = 8e-3 * weight
    np.testing.assert_allclose(seen.deflection[0], mean_inside * theta, atol=atol * np.abs(theta).max())
    kappa = weight * np.exp(-(radius**2) / 2 / width**2)
    np.testing.assert_allclose(seen.convergence[0], kappa, atol=atol)
    angle = np.arctan2(*theta)
    tangential = -(seen.shear[0, 0] * np.cos(2 * angle) + seen.shear[0, 1] * np.sin(2 * angle))
    cross = seen.shear[0, 0] * np.sin(2 * angle) - seen.shear[0, 1] * np.cos(2 * angle)
    np.testing.assert_allclose(tangential, mean_inside - kappa, atol=atol)
    np.testing.assert_allclose(cross, 0, atol=atol)
    assert tangential.max() > 20 * atol


def test_uniform_sheets_magnify_about_the_axis(view_of):
    lightcone = Lightcone(box_size=60.0, slabs_per_box=1, planes=3, plane_mesh=8, field_deg=10.0, pixels=16)
    density, strength, source = np.array([0.5, -0.3, 0.8]), np.array([0.1, 0.2, 0.3]), 170.0
    weights = strength * (1 - lightcone.chi / source)
    planes = as_planes(density[:, None, None] * np.ones((8, 8)))
    seen = DISTORTION(planes, view_of(lightcone), jnp.asarray(strength), jnp.asarray(weights[:, None]), lightcone)
    size, slope, chi = 0.0, 1.0, 0.0  # x / theta
    for here, kick in zip(lightcone.chi, strength * density / lightcone.chi, strict=True):
        size, chi = size + slope * (here - chi), here
        slope -= kick * size
    demagnified = (size + slope * (source - chi)) / source
    np.testing.assert_allclose(seen.deflection[0], (1 - demagnified) * directions(lightcone), atol=1e-6)
    expected = (1 - demagnified) * np.eye(2)[:, :, None, None] * np.ones((16, 16))
    np.testing.assert_allclose(seen.matrix[0], expected, atol=1e-6)
    np.testing.assert_allclose(seen.magnification[0], demagnified**-2, rtol=1e-6)


def test_distortion_is_the_derivative_of_the_deflection(planes, straight):
    # a narrow field: 4th-order differences over pixels of 0.25 and more Mpc/h are exact to 1e-6
    narrow = SMOOTH.model_copy(update={"field_deg": 9.0, "pixels": 64})
    seen = DISTORTION(planes, straight, 3 * STRENGTH, 3 * KERNEL, narrow)
    spacing = narrow.angles[1] - narrow.angles[0]
    deflection = np.asarray(seen.deflection, np.float64)
    difference = np.stack([np.gradient(deflection, spacing, axis=axis) for axis in (2, 3)], axis=2)[..., 4:-4, 4:-4]
    matrix = seen.matrix[..., 4:-4, 4:-4]
    # slopes between mesh points are constant, hence wrong by k d / 2 = 0.04 at most, of some sign
    assert np.sqrt(((difference - matrix) ** 2).mean()) < 0.02 * np.sqrt((matrix**2).mean())
    turn = (difference[1, 1, 0] - difference[1, 0, 1]) / 2
    rotation, far = seen.rotation[1, 4:-4, 4:-4], np.asarray(seen.matrix[1])
    assert np.abs(rotation).max() > 1e-4
    assert np.corrcoef(turn.ravel(), rotation.ravel())[0, 1] > 0.9
    determinant = np.linalg.det(np.moveaxis(np.eye(2)[:, :, None, None] - far, (0, 1), (2, 3)))
    np.testing.assert_allclose(seen.magnification[1], 1 / determinant, rtol=1e-5)


def test_shear_and_convergence_of_a_periodic_plane_are_one_field(view_of):
    # the field sees the box once, a pixel a cell
    size, chi = 64, 50.0
    lightcone = Lightcone(box_size=100.0, slabs_per_box=1, planes=1, plane_mesh=size, field_deg=20.0, pixels=size)
    lightcone = lightcone.model_copy(update={"field_deg": np.degrees(100 / chi)})  # wider than a config allows
    delta = np.random.default_rng(3).normal(size=(1, size, size))
    seen = DISTORTION(as_planes(delta), view_of(lightcone), jnp.array([0.1]), jnp.array([[0.05]]), lightcone)
    shear, kappa = (np.fft.fft2(np.asarray(x[0], np.float64)) for x in (seen.shear, seen.convergence))
    k = np.fft.fftfreq(size) * size
    angle = np.arctan2(k[:, None], k)
    electric = shear[0] * np.cos(2 * angle) + shear[1] * np.sin(2 * angle)
    magnetic = shear[1] * np.cos(2 * angle) - shear[0] * np.sin(2 * angle)
    inside = (np.maximum(np.abs(k[:, None]), np.abs(k)) < size / 2) & (np.hypot(k[:, None], k) > 0)
    # sums of 4096 pixels, each rounded by 1e-7 of 0.05
    atol = 1e-5 * np.abs(kappa).max()
    np.testing.assert_allclose(electric[inside], kappa[inside], atol=atol)
    np.testing.assert_allclose(magnetic[inside], 0, atol=atol)


def test_two_planes_couple_as_perturbation_theory_says(planes, straight, waves):
    """To second order: plane 2 is read at the deflected position (Born's correction) and sees sheared rays."""
    first, second = SMOOTH.chi[:2]
    s, weights = 0.002, jnp.array([[0.001], [0.0015], [0.0]])
    strength = jnp.array([s, 0.003, 0.0])
    measured, undeflected = (DISTORTION(planes, straight, factor * strength, weights, SMOOTH) for factor in (1.0, 0.0))
    theta = directions(SMOOTH)
    offset = -(second - first) * 2 * s / first * waves[0].gradient(first * theta)
    moved = np.einsum("ijkyx,kyx->ijyx", waves[1].tidal_gradient(second * theta), offset)
    stretched = -(1 - first / second) * 2 * s * waves[0].tidal(first * theta)
    coupled = np.einsum("ijyx,jkyx->ikyx", waves[1].tidal(second * theta), stretched)
    expected = 2 * 0.0015 * (moved + coupled)
    change = np.asarray(measured.matrix[0] - undeflected.matrix[0], np.float64)
    for term in (moved, coupled):
        assert np.abs(term).max() > 0.08 * np.abs(moved + coupled).max()
    # the derivative of a bilinear field is wrong by k d / 2 = 0.04 within a cell; float32 rounds by 1e-7 of 0.003.
    # Twenty sets of waves: .011 to .022 of the rms, and .036 of the largest at most; each term is .11 of it at least
    assert np.sqrt(((change - expected) ** 2).mean()) < 0.04 * np.sqrt((expected**2).mean())
    np.testing.assert_allclose(change, expected, atol=0.06 * np.abs(expected).max())
    # rotation: from coupling alone, where bilinear reading costs (k d)^2 / 4
    rotation = 0.0015 * (coupled[1, 0] - coupled[0, 1])
    assert np.abs(rotation).max() > 0.04 * np.abs(expected).max()
    # .002 to .016 for these sets of waves
    np.testing.assert_allclose(measured.rotation[0], rotation, atol=0.03 * np.abs(rotation).max())
    np.testing.assert_array_equal(undeflected.rotation, 0)


def test_convergence_is_the_sum_over_planes_of_the_born_approximation(planes, straight, distorted):
    lensing = DEFLECTED(planes, straight, STRENGTH, SMOOTH).lensing
    np.testing.assert_allclose(distorted.convergence, convergence_born(lensing, KERNEL), atol=1e-7)
    # sources that are distributed: the mean of their distortions
    mean = DISTORTION(planes, straight, STRENGTH, KERNEL.mean(axis=1, keepdims=True), SMOOTH)
    np.testing.assert_allclose(mean.matrix[0], distorted.matrix.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(mean.deflection[0], distorted.deflection.mean(axis=0), atol=1e-7)


@pytest.fixture(scope="module")
def signal(view_of):
    """Function that gives parts of what a map is made of, with all that rays carry in it."""
    view = view_of(SMOOTH, flip=np.eye(3, 2, dtype=bool), transpose=np.array([True, False, True]))

    def parts(planes, strength):
        visible = deflected_sky(planes, view, strength, SMOOTH)
        far = distortion(planes, view, strength, KERNEL * 10, SMOOTH)
        return {**visible._asdict(), "deflection": 1e2 * far.deflection, "matrix": far.matrix}

    return parts


@pytest.fixture(scope="module")
def changes(planes):
    dots = as_planes([Waves(SMOOTH, 10 + seed).delta for seed in range(SMOOTH.planes)])
    return jnp.stack([dots, 0 * dots, dots]), jnp.array([[0.0, 0.0, 0.0], [0.01, 0.02, -0.01], [0.01, 0.0, 0.01]])


@pytest.mark.slow
def test_tangents_agree_with_differences(signal, planes, changes):
    forward = jax.jit(jax.vmap(lambda *dots: jax.jvp(signal, (planes, STRENGTH), dots)[1]))(*changes)
    step, function = 0.02, jax.jit(signal)
    for number, (planes_dot, strength_dot) in enumerate(zip(*changes, strict=True)):
        ends = [function(planes + sign * step * planes_dot, STRENGTH + sign * step * strength_dot) for sign in (1, -1)]
        for name, tangent in forward.items():
            difference = (ends[0][name] - ends[1][name]) / (2 * step)
            error = np.sqrt(((tangent[number] - difference) ** 2).mean())
            # one ray in fifty passes into the next cell within a step, where slopes differ by k d = 0.07
            assert error < 1e-2 * np.sqrt((difference**2).mean()), (number, name)


@pytest.mark.slow
def test_gradients_agree_with_tangents(signal, planes, changes):
    @jax.jit
    def both_modes(planes_dot, strength_dot):
        tangent = jax.jvp(signal, (planes, STRENGTH), (planes_dot, strength_dot))[1]
        return tangent, jax.vjp(signal, planes, STRENGTH)[1](tangent)

    tangent, gradients = both_modes(changes[0][2], changes[1][2])
    forward = sum((value.astype(jnp.float64) ** 2).sum() for value in tangent.values())
    backward = [np.vdot(np.asarray(x, np.float64), dot[2]) for x, dot in zip(gradients, changes, strict=True)]
    # each part is seen by the comparison; other waves: 5e-4 and more
    assert min(map(abs, backward)) > 3e-4 * forward
    # sums of 7e4 pixels in float32
    np.testing.assert_allclose(sum(backward), forward, rtol=1e-4)

"""Statistics of Gaussian fields against their analytic expectations."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from lenscast.statistics import Observation, Region, ShapeNoise
from lenscast.statistics.registry import statistics_from_config
from lenscast.statistics.starlet import noise_rms, smooth_rms, starlet_transfer

PIXELS, LEVEL = 128, 3
SIZE = 300 / 256
SIGMA = 0.05
EDGES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
MAPS = 80


def transfer(kind):
    """Factor by which the normalised filter multiplies each mode of a periodic map, and the phases of the mode."""
    y, x = np.meshgrid(*2 * [2 * np.pi * np.fft.fftfreq(PIXELS)], indexing="ij")
    if kind == "starlet":
        return starlet_transfer(LEVEL, y, x) / noise_rms(LEVEL), y, x
    lower = sum(starlet_transfer(level, y, x) for level in range(1, LEVEL + 1))
    return (1 - lower) / smooth_rms(LEVEL), y, x


@pytest.fixture(scope="module")
def power(amplitude):
    """Variance of each mode of signal and noise, in units of the noise per pixel."""
    half = amplitude(PIXELS) ** 2 / SIGMA**2
    full = np.concatenate([half, half[:, -2:0:-1]], axis=1)
    return 1 + full


@pytest.fixture(scope="module", params=["starlet", "smoothing"])
def field(request, power):
    """Filter, variance of nu, of one component of its gradient, and minus its covariance with h_xx, per pixel."""
    factor, _, x = transfer(request.param)
    variances = factor**2 * power
    gradient = np.sin(x) ** 2  # of the central difference
    curvature = 2 - 2 * np.cos(x)
    return request.param, *(float(np.mean(variances * each)) for each in (1.0, gradient, curvature))


@pytest.fixture(scope="module")
def maps(gaussian_map):
    """Signal and noise of independent maps."""
    noise = SIGMA * jax.random.normal(jax.random.key(8), (MAPS, 1, PIXELS, PIXELS), jnp.float32)
    kappa = jnp.stack([gaussian_map(key, PIXELS) for key in jax.random.split(jax.random.key(7), MAPS)])[:, None]
    return kappa, noise


def sample(kind, section, maps):
    """What is measured on each map, and expected there."""
    statistic = statistics_from_config({kind: {"scales_arcmin": [2**LEVEL * SIZE], **section}})[kind]
    region = Region(PIXELS, PIXELS * SIZE / 60, statistic.reach(SIZE))
    observation = Observation(region, ShapeNoise((SIGMA,)))
    both = jax.jit(lambda *one: [getattr(statistic, name)(*one, observation) for name in ("measured", "expected")])
    return [np.array(each) for each in zip(*(both(*one) for one in zip(*maps, strict=True)), strict=True)]


def assert_mean(samples, analytic, within=0.0):
    """Means over maps agree with the analytic ones within their errors, and a relative error if one is given."""
    for values in samples:
        error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
        assert np.all(np.abs(values.mean(axis=0) - analytic) < 3.5 * error + within * np.abs(analytic).max())


def density(nu, variance):
    return stats.norm.pdf(nu, scale=np.sqrt(variance))


def test_pdf_is_normal(field, maps):
    kind, variance, *_ = field
    analytic = np.diff(stats.norm.cdf(EDGES, scale=np.sqrt(variance))) / np.diff(EDGES)
    assert_mean(sample("pdf", {"filter": kind, "snr_edges": list(EDGES)}, maps), analytic)


def test_l1_norm_is_that_of_a_normal_variable(field, maps):
    kind, variance, *_ = field
    ends = [-np.inf, *EDGES, np.inf]
    side = PIXELS - 4 * (2**LEVEL - 1)
    analytic = [
        side**2 * integrate.quad(lambda nu: abs(nu) * density(nu, variance), low, high)[0]
        for low, high in pairwise(ends)
    ]
    assert_mean(sample("l1_norm", {"filter": kind, "snr_edges": list(EDGES)}, maps), analytic)


def test_moments_are_those_of_a_gaussian_field(field, maps):
    kind, variance, *_ = field
    rms = {"starlet": noise_rms, "smoothing": smooth_rms}[kind](LEVEL) * SIGMA
    assert_mean(sample("moments", {"filter": kind, "order": 2}, maps), variance * rms**2)
    assert_mean(sample("moments", {"filter": kind, "order": 3}, maps), 0.0)
    measured, _ = sample("moments", {"filter": kind, "order": 4}, maps)
    # the mean of 3 <nu^2>^2 is larger by 3 times the variance of <nu^2>
    squares, _ = sample("moments", {"filter": kind, "order": 2}, maps)
    assert_mean([measured + 3 * squares.var(axis=0)], 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("functional", ["V0", "V1", "V2"])
def test_minkowski_functionals_are_those_of_a_gaussian_field(functional, field, maps):
    """Tomita (1986), Prog. Theor. Phys. 76, 952; with the derivatives that central differences have, exactly."""
    kind, variance, gradient, curvature = field
    means = np.diff(stats.norm.cdf(EDGES, scale=np.sqrt(variance))) / np.diff(EDGES)
    falls = -np.diff(density(EDGES, variance)) / np.diff(EDGES)
    analytic = {
        "V0": stats.norm.sf((EDGES[1:] + EDGES[:-1]) / 2, scale=np.sqrt(variance)),
        "V1": means * np.sqrt(np.pi / 2 * gradient) / 4 / SIZE,
        # h_xx has the mean -curvature nu / variance, and density(nu) nu / variance is minus the slope of the density
        "V2": falls * curvature / (2 * np.pi) / SIZE**2,
    }[functional]
    section = {"filter": kind, "functional": functional, "snr_edges": list(EDGES)}
    assert_mean(sample("minkowski", section, maps), analytic)


def peak_density(nu, gamma, theta):
    """Maxima per area and nu of a Gaussian field of unit variance, Bond & Efstathiou (1987), MNRAS 226, 655, A1.9."""
    x, rest = gamma * nu, 1 - gamma**2
    first = (x**2 - gamma**2) * (1 - special.erfc(x / np.sqrt(2 * rest)) / 2)
    second = x * rest * np.exp(-(x**2) / (2 * rest)) / np.sqrt(2 * np.pi * rest)
    third = np.exp(-(x**2) / (3 - 2 * gamma**2)) / np.sqrt(3 - 2 * gamma**2)
    third *= 1 - special.erfc(x / np.sqrt(2 * rest * (3 - 2 * gamma**2))) / 2
    return (first + second + third) * np.exp(-(nu**2) / 2) / ((2 * np.pi) ** 1.5 * theta**2)


@pytest.mark.slow
def test_minima_are_those_of_a_gaussian_field():
    """White noise on level 4, whose scale is 16 pixels: pixels sample its minima well."""
    level, pixels, edges = 4, 256, [-1.0, 0.0, 0.7, 1.4, 2.1]
    y, x = np.meshgrid(*2 * [2 * np.pi * np.fft.fftfreq(1024)], indexing="ij")
    power = (starlet_transfer(level, y, x) / noise_rms(level)) ** 2
    gradient, curvature = (np.mean(power * (x**2 + y**2) ** each) for each in (1, 2))
    gamma, theta = gradient / np.sqrt(curvature), np.sqrt(2 * gradient / curvature)
    total = integrate.quad(peak_density, -np.inf, np.inf, args=(gamma, theta))[0]
    assert total == pytest.approx(1 / (4 * np.sqrt(3) * np.pi * theta**2), rel=1e-6)
    statistic = statistics_from_config(
        {
            "minima": {
                "scales_arcmin": [2**level * SIZE],
                "snr_edges": edges,
                "stencil": "pixel",
                "counts": "hard",
            }
        }
    )["minima"]
    region = Region(pixels, pixels * SIZE / 60, statistic.reach(SIZE))
    observation = Observation(region, ShapeNoise((SIGMA,)))
    noise = SIGMA * jax.random.normal(jax.random.key(9), (60, 1, pixels, pixels), jnp.float32)
    blank = jnp.zeros_like(noise[0])
    methods = statistic.measured, statistic.expected
    counts = jax.jit(lambda each: [method(blank, each, observation) for method in methods])
    samples = [np.array(each) for each in zip(*map(counts, noise), strict=True)]
    ends = [-np.inf, *edges, np.inf]
    analytic = [
        region.side**2 * integrate.quad(peak_density, low, high, args=(gamma, theta))[0] for low, high in pairwise(ends)
    ]
    # pixels at a sixteenth of the scale miss and move a few per cent
    assert_mean(samples, np.array(analytic), within=0.02)
    estimate = jax.jit(lambda key: statistic.estimate(blank, key, observation))
    drawn = np.array([*map(estimate, jax.random.split(jax.random.key(1), 30))])
    assert_mean([drawn], np.array(analytic), within=0.02)


def test_minima_are_peaks_of_minus_kappa(maps):
    section = {"snr_edges": [0.0, 1.0], "stencil": "scale", "counts": "hard"}
    kappa, noise = (each[:3] for each in maps)
    for ours, theirs in zip(
        sample("minima", section, (kappa, noise)), sample("peaks", section, (-kappa, -noise)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)

"""Snapshots: particles written in Gadget's format come back, and files that contradict themselves are refused."""

import inspect
from collections.abc import Callable
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lenscast import io
from lenscast.gravity import FixedSteps, Method, ParticleMesh, Particles, linear_field, lpt, nbody
from lenscast.io.gadget import Header
from lenscast.io.snapshot_checks import check_momentum

MESH = ParticleMesh(box_size=100.0, particles=16)
A = 0.25
HEADER = {"Time": A, "HubbleParam": 0.6774, "OmegaBaryon": 0.0, "Sigma8": 0.8159, "NumFilesPerSnapshot": 1}
# coordinates are stored as float32, rounded by up to 2^-8 kpc/h at the far end of the box; velocities to 24 bits
TOLERANCE = {"displacement": {"rtol": 1e-6, "atol": 4e-6}, "momentum": {"rtol": 3e-7, "atol": 0}}


@pytest.fixture(scope="module")
def particles(cosmos) -> Particles:
    return jax.jit(lambda field: lpt(field, A, cosmos, MESH))(linear_field(jax.random.key(1), cosmos.power, MESH))


@pytest.fixture
def snapshot(tmp_path: Path, particles: Particles, cosmos) -> Callable[..., Path]:
    """Writes `particles` as Gadget does, in one file or several, with rows in any order."""

    def write(ids: np.ndarray | None = None, files: int = 1, shift: float = 0.0) -> Path:
        Omega_m, side = float(cosmos.parameters.Omega_m), MESH.particles
        count = side**3
        ids = np.arange(count) + 1 if ids is None else ids
        lattice = (np.indices((side,) * 3).reshape(3, -1) + shift) * (MESH.box_size / side)
        position = lattice + np.asarray(particles.displacement, np.float64)
        blocks = {
            "Coordinates": (1e3 * (position % MESH.box_size)).T.astype(np.float32),
            "Velocities": (np.asarray(particles.momentum, np.float64) * 100 / A**1.5).T.astype(np.float32),
            "ParticleIDs": ids.astype(np.uint32),
        }
        rows = np.random.default_rng(2).permutation(count)
        mass = 27.7536627 * Omega_m * MESH.box_size**3 / count
        for index, part in enumerate(np.array_split(rows, files)):
            with h5py.File(tmp_path / (f"snap_003.{index}.hdf5" if files > 1 else "snap_003.hdf5"), "w") as file:
                attributes = file.create_group("Header").attrs
                attributes.update(HEADER, Omega0=Omega_m, BoxSize=1e3 * MESH.box_size, NumFilesPerSnapshot=files)
                attributes["MassTable"] = [0.0, mass, 0.0, 0.0, 0.0, 0.0]
                attributes["NumPart_Total"] = np.array([0, count, 0, 0, 0, 0], np.uint32)
                attributes["NumPart_ThisFile"] = np.array([0, len(part), 0, 0, 0, 0], np.int32)
                for name, values in blocks.items():
                    file[f"PartType1/{name}"] = values[part]
        return tmp_path / ("snap_003.0.hdf5" if files > 1 else "snap_003.hdf5")

    return write


def assert_same(read: Particles, written: Particles, step: int = 1) -> None:
    for name, tolerance in TOLERANCE.items():
        expected = np.asarray(getattr(written, name)).reshape(3, *(MESH.particles,) * 3)[:, ::step, ::step, ::step]
        assert getattr(read, name).dtype == np.float32
        np.testing.assert_allclose(getattr(read, name), expected.reshape(3, -1), **tolerance, err_msg=name)


def tiled(tile: int) -> np.ndarray:
    """IDs from 1 that count tile after tile, and point after point in each."""
    side = MESH.particles
    i, j, k = np.indices((side,) * 3).reshape(3, -1)
    tiles, points = ((i // tile, j // tile, k // tile), (i % tile, j % tile, k % tile))
    return 1 + np.ravel_multi_index((*tiles, *points), (side // tile,) * 3 + (tile,) * 3)


def test_snapshot_gives_back_particles_in_lagrangian_order_and_what_the_header_says(
    snapshot, particles, cosmos
) -> None:
    read = io.read_snapshot(snapshot(), box_size=100.0)
    assert_same(read.particles, particles)
    assert read[:-1] == (A, 100.0, 16, float(cosmos.parameters.Omega_m), 0.6774, None, 0.8159, None)


def test_ids_may_count_from_zero(snapshot, particles) -> None:
    assert_same(io.read_snapshot(snapshot(np.arange(16**3))).particles, particles)


@pytest.mark.parametrize("given", [0, 2])
def test_any_file_of_a_snapshot_stands_for_all(snapshot, particles, given: int) -> None:
    path = snapshot(files=3)
    assert_same(io.read_snapshot(path.with_name(f"snap_003.{given}.hdf5")).particles, particles)


def test_file_without_dark_matter_may_lack_the_group(snapshot, particles) -> None:
    path = snapshot(files=2)
    with h5py.File(path, "a") as first, h5py.File(path.with_name("snap_003.1.hdf5"), "a") as second:
        for name in list(first["PartType1"]):
            values = np.concatenate([first.pop(f"PartType1/{name}")[()], second.pop(f"PartType1/{name}")[()]])
            first[f"PartType1/{name}"] = values
        del second["PartType1"]
        first["Header"].attrs["NumPart_ThisFile"] = [0, 16**3]
        second["Header"].attrs["NumPart_ThisFile"] = [0, 0]
    assert_same(io.read_snapshot(path).particles, particles)


@pytest.mark.parametrize("tile", [4, 8])
def test_camels_order_counts_tile_after_tile(snapshot, particles, tile: int) -> None:
    path = snapshot(tiled(tile))
    assert_same(io.read_snapshot(path, order="camels", tile=tile).particles, particles)
    with pytest.raises(ValueError, match=r"0\.\d\d boxes \(rms\) from where .* give the order of the IDs"):
        io.read_snapshot(path)


@pytest.mark.parametrize(("order", "ids"), [("grid", None), ("camels", tiled(4))])
def test_subsampling_keeps_particles_of_the_coarser_lattice(snapshot, particles, order: str, ids) -> None:
    read = io.read_snapshot(snapshot(ids), order=order, tile=4, subsample=4)
    assert read.particles_per_side == 4
    assert_same(read.particles, particles, step=4)
    whole = particles.position(MESH).reshape(3, 16, 16, 16)[:, ::4, ::4, ::4].reshape(3, -1)
    np.testing.assert_allclose(read.particles.position(ParticleMesh(box_size=100.0, particles=4)), whole, atol=2e-5)


def test_shift_of_the_lattice_is_told_and_taken_out(snapshot, particles) -> None:
    path = snapshot(shift=0.5)
    with pytest.raises(ValueError, match=r"mean displacement of \[0\.5, 0\.5, 0\.5\] spacings .* lattice_shift"):
        io.read_snapshot(path)
    assert_same(io.read_snapshot(path, lattice_shift=0.5).particles, particles)


def test_units_are_those_of_the_header(snapshot, particles) -> None:
    path = snapshot()
    with h5py.File(path, "a") as file:
        attributes, group = file["Header"].attrs, file["PartType1"]
        attributes.update(BoxSize=100.0, UnitLength_in_cm=3.085678e24, UnitVelocity_in_cm_per_s=1e4)
        attributes.update(MassTable=attributes["MassTable"] * 1e10, UnitMass_in_g=1.989e33)
        group["Coordinates"][:] /= 1e3
        group["Velocities"][:] *= 10
    read = io.read_snapshot(path)
    assert read.box_size == 100.0
    for name in TOLERANCE:  # another rounding to 24 bits
        np.testing.assert_allclose(getattr(read.particles, name), getattr(particles, name), rtol=1e-6, atol=8e-6)


def test_cosmology_may_stand_among_the_parameters_of_gadget_4(snapshot, particles) -> None:
    path = snapshot()
    with h5py.File(path, "a") as file:
        header, parameters = file["Header"].attrs, file.create_group("Parameters").attrs
        for name in "Omega0", "HubbleParam":
            parameters[name] = header.pop(name)
    assert io.read_snapshot(path).h == 0.6774


def header(**attributes: object) -> Callable[[h5py.File], None]:
    return lambda file: file["Header"].attrs.update(attributes)


def scaled(name: str, factor: float) -> Callable[[h5py.File], None]:
    def scale(file: h5py.File) -> None:
        file[f"PartType1/{name}"][:] = file[f"PartType1/{name}"][:] * factor

    return scale


def id_too_high(file: h5py.File) -> None:
    file["PartType1/ParticleIDs"][0] = 5000


def id_twice(file: h5py.File) -> None:
    ids = file["PartType1/ParticleIDs"]
    ids[:] = np.where(ids[:] == 7, 8, ids[:])


def without(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.pop(name)


def one_particle_less(file: h5py.File) -> None:
    for name in "Coordinates", "Velocities", "ParticleIDs":
        values = file.pop(f"PartType1/{name}")[1:]
        file[f"PartType1/{name}"] = values
    header(NumPart_Total=[0, 16**3 - 1], NumPart_ThisFile=[0, 16**3 - 1])(file)


def short_block(file: h5py.File) -> None:
    file["PartType1/Velocities"] = file.pop("PartType1/Velocities")[5:]


REFUSED = {
    "another unit of length": (header(UnitLength_in_cm=1.0), r"UnitLength_in_cm = 1.0: convert to kpc/h"),
    "units that are not those stated": (
        header(BoxSize=100.0),
        r"Omega_m = 3.07\S+e\+08, but Omega0 = 0.3075: the units",
    ),
    "not all the matter": (header(MassTable=[0, 1.0]), r"particles of 1e10 Msun/h in a box of 100 Mpc/h make"),
    "positions outside the box": (scaled("Coordinates", 1.1), r"coordinates from .* in a box of BoxSize = 100000"),
    "positions without numbers": (scaled("Coordinates", np.nan), r"[1-9]\d* of \d+ rows of Coordinates are not finite"),
    "time in other units": (header(Time=13.8), r"Time = 13.8 in the header: give one above 0, at most 1.1"),
    "no time": (lambda file: file["Header"].attrs.pop("Time"), r"the header has no Time, only \['BoxSize'"),
    "a box of three sides": (header(BoxSize=[1e5, 1e5, 2e5]), r"BoxSize = \[100000.0, 100000.0, 200000.0\]"),
    "no counts": (lambda file: file["Header"].attrs.pop("NumPart_Total"), "does not count its particles by type"),
    "no velocities": (
        without("PartType1/Velocities"),
        r"PartType1 has no \['Velocities'\], only \['Coordinates', 'Par",
    ),
    "no dark matter": (
        without("PartType1"),
        r"PartType1 has no \['Coordinates', .*'\], only \[\]; write snapshots with",
    ),
    "gas": (
        header(NumPart_Total=[8, 16**3, 0, 0, 2, 1]),
        r"types \[0, 1, 4, 5\]: only dark-matter-only .* take the dark",
    ),
    "fewer particles than counted": (
        header(NumPart_Total=[0, 32**3]),
        r"adds up to 4096, but the header counts 32768 part",
    ),
    "a number that is no cube": (one_particle_less, r"4095 particles, which is not a cube \(the nearest is 16\^3\)"),
    "an ID too high": (id_too_high, r"IDs from 1 to 5000 for 4096 particles: only IDs that count from 0 or 1"),
    "an ID twice": (id_twice, r"1 of 4096 IDs are missing, as others appear twice"),
    "peculiar velocities": (
        scaled("Velocities", A**0.5),
        r"velocities are 0\.50\d times those of linear .* \(allowed: 5 %\).* Gadget's convention; these may be "
        r"peculiar velocities a dx/dt, which are to be divided by sqrt\(a\)$",
    ),
    "velocities dx/dt": (
        scaled("Velocities", A**-0.5),
        r"velocities are 2\.01 times .* comoving velocities dx/dt, .* multip",
    ),
    "momenta": (scaled("Velocities", A**1.5), r"velocities are 0\.126 times .* momenta a\^2 dx/dt, .* by a\^1\.5$"),
    "velocities in cm/s": (scaled("Velocities", 1e5), r"velocities are 1\.01e\+05 times .* may be velocities in cm/s$"),
    "velocities 7 % off": (
        scaled("Velocities", 1.07),
        r"velocities are 1\.08 times .* Time is wrong: 0\.2\d+ would",
    ),
    "another time": (header(Time=0.9), r"velocities are .* or Time is wrong: 0\.2[45]\d* would fit$"),
    "a time that is not that of the redshift": (
        header(Redshift=2.0),
        r"Time = 0\.25, but Redshift = 2, which is Time = 0\.333333: give the same time in both",
    ),
    "an open universe": (header(OmegaLambda=0.3), r"Omega0 \+ OmegaLambda = 0\.6075; give a snapshot of a flat univ"),
    "a block that is short": (short_block, r"Velocities has 4091 rows, but NumPart_ThisFile counts 4096 particles"),
    "velocities without numbers": (scaled("Velocities", np.nan), r"[1-9]\d* of \d+ rows of Velocities are not finite"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_snapshot_is_refused_for(snapshot, change: Callable[[h5py.File], None], message: str) -> None:
    path = snapshot()
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(ValueError, match=message) as refusal:
        io.read_snapshot(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"box_size": 25.0}, r"a box of 100 Mpc/h .* but box_size = 25.0 Mpc/h was asked for"),
        ({"subsample": 3}, r"subsample = 3: give a divisor of the 16 particles per side"),
        ({"subsample": 0}, r"subsample = 0: give a divisor"),
        ({"order": "camels"}, r"tile = 64: give a divisor of the 16 particles per side"),
    ],
)
def test_request_that_does_not_fit_the_snapshot_is_refused(snapshot, asked: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        io.read_snapshot(snapshot(), **asked)


@pytest.mark.parametrize("name", ["Time", "BoxSize", "Omega0", "NumPart_Total", "MassTable", "Redshift"])
def test_files_of_two_snapshots_are_refused(snapshot, name: str) -> None:
    path = snapshot(files=3)
    other = path.with_name("snap_003.1.hdf5")
    with h5py.File(other, "a") as file:
        attributes = file["Header"].attrs
        attributes[name] = 1.5 * np.asarray(attributes.get(name, 2.0))
    with pytest.raises(ValueError, match=rf"{other} has {name} = .*, and {path} .*: they are files of two snapshots"):
        io.read_snapshot(path)


def test_files_whose_counts_do_not_add_up_are_refused(snapshot) -> None:
    path = snapshot(files=2)
    with h5py.File(path, "a") as file:
        file["Header"].attrs["NumPart_ThisFile"] = np.array([0, 5, 0, 0, 0, 0], np.int32)
    with pytest.raises(ValueError, match="of its 2 files adds up to 2053, but the header counts 4096 particles"):
        io.read_snapshot(path)


def test_a_box_may_have_its_side_three_times(snapshot, particles) -> None:
    path = snapshot()
    with h5py.File(path, "a") as file:
        file["Header"].attrs["BoxSize"] = np.full(3, 1e5)
    assert_same(io.read_snapshot(path).particles, particles)


@pytest.mark.slow
@pytest.mark.parametrize("box_size", [25.0, 50.0, 100.0])
def test_velocities_of_simulations_pass_where_their_largest_modes_are_not_linear(box_size: float, cosmos) -> None:
    mesh = ParticleMesh(box_size=box_size, particles=32)
    field = linear_field(jax.random.key(0), cosmos.power, mesh)
    start = jax.jit(lambda field: lpt(field, 0.1, cosmos, mesh))(field)
    method = Method(mesh, FixedSteps(kind="bullfrog", steps=10))
    times = jnp.array([0.1, 0.5, 1.0])
    states = jax.jit(lambda start: nbody(start, times, cosmos, method))(start)
    Omega_m = float(cosmos.parameters.Omega_m)
    for number, a in enumerate((0.5, 1.0)):
        header = Header(Path("snap"), {"Time": a, "BoxSize": 1e3 * box_size})
        fields = [np.asarray(each[number]).reshape(3, 32, 32, 32) for each in (states.displacement, states.momentum)]
        check_momentum(header, *fields, Omega_m)
        with pytest.raises(ValueError, match=r"0\.[345]\d* times"):
            check_momentum(header, fields[0], 0.5 * fields[1], Omega_m)


def test_folders_foreign_files_and_lost_parts_are_refused(snapshot, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder: give the snapshot's file, or any one of its files"):
        io.read_snapshot(tmp_path)
    (tmp_path / "text.hdf5").write_text("not HDF5")
    with pytest.raises(ValueError, match="is truncated, damaged or not HDF5"):
        io.read_snapshot(tmp_path / "text.hdf5")
    with pytest.raises(FileNotFoundError):
        io.read_snapshot(tmp_path / "nowhere.hdf5")
    path = snapshot(files=3)
    path.with_name("snap_003.1.hdf5").unlink()
    with pytest.raises(ValueError, match=r"one of 3 files of a snapshot, but \['snap_003.1.hdf5'\] are not beside it"):
        io.read_snapshot(path)
    renamed = path.rename(tmp_path / "snap.hdf5")
    with pytest.raises(ValueError, match=r"one of 3 files of a snapshot: number them like snap.0.hdf5"):
        io.read_snapshot(renamed)


def test_unknown_order_is_refused(snapshot) -> None:
    with pytest.raises(ValueError, match="order = 'tiles': give 'grid' or 'camels'"):
        inspect.unwrap(io.read_snapshot)(snapshot(), order="tiles")  # without the type checker of the tests

"""The kernels of a particle mesh in compiled code on one thread: loops in C, and SciPy's transforms."""

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import scipy.fft
from workload import Program, Workload

STREAM = 1 << 25  # numbers in each array of the triad; the arrays do not fit into caches


@cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "cic.so")
        source = Path(__file__).with_name("cic.c")
        flags = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC")
        subprocess.run(["cc", *flags, str(source), "-o", str(library), "-lm"], check=True)
        return ctypes.CDLL(str(library))


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _on_mesh(name: str, work: Workload) -> Callable[..., None]:
    """A function of the library for the mesh and the box of the workload."""
    size, scale = work.particles, ctypes.c_float(work.particles / work.box_size)

    def call(*arrays: np.ndarray) -> None:
        *inputs, out = arrays
        getattr(_library(), name)(*map(_pointer, inputs), ctypes.c_long(size**3), scale, size, _pointer(out))

    return call


def paint(work: Workload) -> Program:
    position, mesh = np.load(work.positions)["arr_0"], np.empty((work.particles,) * 3, np.float32)
    paint_on = _on_mesh("paint", work)

    def run() -> np.ndarray:
        paint_on(position, mesh)
        return mesh

    return Program(run)


def read(work: Workload) -> Program:
    position, size = np.load(work.positions)["arr_0"], work.particles
    field, values = np.random.default_rng(0).random((size,) * 3 + (3,), np.float32), np.empty_like(position)
    read_from = _on_mesh("read_three", work)

    def run() -> np.ndarray:
        read_from(field, position, values)
        return values

    return Program(run)


def transforms(work: Workload) -> Program:
    """One forward and three backward transforms, as in a force with a spectral gradient."""
    mesh = np.random.default_rng(0).random((work.particles,) * 3, np.float32)

    def run() -> list[np.ndarray]:
        modes = scipy.fft.rfftn(mesh, workers=1)
        return [scipy.fft.irfftn(modes, s=mesh.shape, workers=1) for _ in range(3)]

    return Program(run)


def triad(work: Workload) -> Program:
    a, b, c = (np.full(STREAM, value, np.float32) for value in (0.0, 1.0, 2.0))

    def run() -> np.ndarray:
        _library().triad(_pointer(b), _pointer(c), ctypes.c_long(STREAM), _pointer(a))
        return a

    return Program(run)


PROGRAMS = {"paint": paint, "read": read, "transforms": transforms, "triad": triad}

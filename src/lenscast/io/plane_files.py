"""Lens planes of a box and their derivatives in files, as 16-bit numbers.

Each derivative is stored in units of a power of two near its rms, which leaves the range of 16 bits to its peaks.
Rounding is relative, 2^-11 of each value at most, and independent from cell to cell: in a box of the default experiment
the relative change of spectra is below 1e-6 and that of their derivatives below 1e-4 (2e-4 where these cross 0).
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lenscast.io.reading import load
from lenscast.io.variables import Variable
from lenscast.model import PlanesAndTangents

AXES = ("plane", "axis", "slab", "y", "x")


def plane_variables(given: PlanesAndTangents) -> dict[str, Variable]:
    """Variables of one box for `BatchWriter.append`.

    Parameters
    ----------
    given
        Planes and their derivatives, of single precision.
    """
    tangents = np.asarray(given.tangents)
    rms = np.sqrt([np.mean(np.square(each), dtype=np.float64) for each in tangents])
    scale = 2.0 ** np.round(np.log2(np.where(rms > 0, rms, 1.0)))
    stored = (tangents / scale.reshape(-1, *(1 for _ in AXES)).astype(np.float32)).astype(np.float16)
    unit = "1 per unit of the parameter"
    variables = {
        "planes": Variable(np.asarray(given.planes).astype(np.float16)[None], ("box", *AXES), "1", "overdensity"),
    }
    if len(tangents):
        variables["tangents"] = Variable(
            stored[None], ("box", "param", *AXES), unit, "derivative of the overdensity, over tangent_scale"
        )
        variables["tangent_scale"] = Variable(scale[None], ("box", "param"), unit, "unit of the stored derivatives")
    return variables


def load_planes(path: str | Path, box: int) -> PlanesAndTangents:
    """Planes of one box and their derivatives, of single precision.

    Parameters
    ----------
    path
        File of a batch of boxes.
    box
        Number of the box in the file.
    """
    variables = load(path, select={"box": slice(box, box + 1)}).variables
    planes = jnp.asarray(variables["planes"].values[0].astype(np.float32))
    if "tangents" not in variables:
        return PlanesAndTangents(planes, jnp.zeros((0, *planes.shape), jnp.float32))
    scale = variables["tangent_scale"].values[0].astype(np.float32)
    tangents = variables["tangents"].values[0].astype(np.float32) * scale.reshape(-1, *(1 for _ in AXES))
    return PlanesAndTangents(planes, jnp.asarray(tangents))

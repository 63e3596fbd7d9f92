"""Write the starlet and peak tables that the tests compare against, with lenspack.

Run ``python make_tables.py`` in an environment of its own, ``pip install lenspack==1.0.0 "numpy<2"``.

The map is white noise of unit rms, rounded to the digits that are written. Coefficients of lenspack are not normalised
and continue the map past its edges: only those that reach over no edge are written.
"""

from pathlib import Path

import numpy as np
from lenspack.image.transforms import starlet2d
from lenspack.peaks import find_peaks2d

PIXELS = 56
LEVELS = (1, 2, 3)
DIRECTORY = Path(__file__).parent


def main() -> None:
    """Write the map and, for each level, coefficients on every fifth pixel of the interior and all peaks there."""
    white = np.random.default_rng(20110).normal(size=(PIXELS, PIXELS)).round(4)
    np.savetxt(DIRECTORY / "map.txt", white, fmt="%.4f", header="white noise [y x]")
    coefficients = starlet2d(white, nscales=max(LEVELS))
    for level in LEVELS:
        reach = 2 * (2**level - 1)
        inside = coefficients[level - 1, reach:-reach, reach:-reach]
        np.savetxt(
            DIRECTORY / f"coefficients_{level}.txt", inside[::5, ::5], fmt="%.9e", header="c_(j-1) - c_j, [::5, ::5]"
        )
        y, x, height = find_peaks2d(inside, ordered=False)
        np.savetxt(
            DIRECTORY / f"peaks_{level}.txt", np.column_stack([y, x, height]), fmt="%d %d %.9e", header="y x height"
        )


if __name__ == "__main__":
    main()

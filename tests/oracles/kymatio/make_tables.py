"""Write the tables of Morlet wavelets that the tests compare against, with kymatio.

Run ``python make_tables.py`` in an environment of its own, ``pip install kymatio==0.3.0``.

kymatio numbers scales from 0, and has the first axis of the map along its orientation 0. Its orientations are written
in the order of the angle from the x axis, the second axis of the map, from 0 to 3 pi / 4.
"""

from pathlib import Path

import numpy as np
from kymatio.scattering2d.filter_bank import filter_bank

PIXELS, LEVELS, ANGLES = 64, (1, 2, 3), 4
DIRECTORY = Path(__file__).parent


def main() -> None:
    """Write the transform of each wavelet at every fourth mode, one row for each orientation."""
    bank = filter_bank(PIXELS, PIXELS, max(LEVELS), ANGLES)
    for level in LEVELS:
        rows = {}
        for wavelet in bank["psi"]:
            if wavelet["j"] == level - 1:
                from_first_axis = (ANGLES - ANGLES // 2 - 1 - wavelet["theta"]) * np.pi / ANGLES
                angle = round(np.mod(np.pi / 2 - from_first_axis, np.pi) / (np.pi / ANGLES)) % ANGLES
                transform = np.abs(wavelet["levels"][0])
                # psi at an angle + pi is the conjugate, whose transform is mirrored
                mirrored = np.roll(transform[::-1, ::-1], (1, 1), (0, 1))
                forward = 0 <= np.pi / 2 - from_first_axis < np.pi
                rows[angle] = (transform if forward else mirrored)[::4, ::4].ravel()
        np.savetxt(DIRECTORY / f"wavelets_{level}.txt", [rows[angle] for angle in range(ANGLES)], fmt="%.7f")


if __name__ == "__main__":
    main()

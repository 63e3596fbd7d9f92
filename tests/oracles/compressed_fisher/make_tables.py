"""Write the matrices that the tests compare against, with the code of Coulton & Wandelt (2023, arXiv:2305.08994).

Run ``python make_tables.py`` in an environment of its own, ``pip install CompressedFisher==0.1.0 numpy scipy``.

Simulations are white noise, rounded to the digits that are written. The first half of the derivatives compresses.
"""

from pathlib import Path

import numpy as np
from CompressedFisher import gaussianFisher

PARAMETERS, BINS, BOXES, MAPS = 3, 6, 10, 40
DIRECTORY = Path(__file__).parent


def main() -> None:
    """Write maps, derivatives, and the matrices of all estimators."""
    rng = np.random.default_rng(2305)
    maps = (rng.normal(size=(MAPS, BINS)) @ rng.normal(size=(BINS, BINS))).round(4)
    mean = rng.normal(size=(PARAMETERS, BINS))
    derivatives = (mean + 0.5 * rng.normal(size=(BOXES, PARAMETERS, BINS))).round(4)
    np.savetxt(DIRECTORY / "maps.txt", maps, fmt="%.4f", header="[map bin]")
    rows = derivatives.reshape(BOXES * PARAMETERS, BINS)
    np.savetxt(DIRECTORY / "derivatives.txt", rows, fmt="%.4f", header="[(box param) bin]")

    names = [str(index) for index in range(PARAMETERS)]
    code = gaussianFisher(names, BOXES)
    code.initailize_covmat(maps)
    code.initailize_mean(maps)
    code.initailize_deriv_sims(dic_deriv_sims={name: derivatives[:, index] for index, name in enumerate(names)})
    halves = np.arange(BOXES // 2), np.arange(BOXES // 2, BOXES)
    code._apply_deriv_split(*halves)
    matrices = {
        "compressed": code._compute_compressed_fisher_matrix(names),
        "combined": code._compute_combined_fisher_matrix(names),
    }
    code._apply_deriv_split(np.arange(BOXES), np.arange(BOXES))
    matrices |= {"standard": code._compute_fisher_matrix(names), "bias": code._compute_fisher_matrix_error(names)}
    for name, matrix in matrices.items():
        np.savetxt(DIRECTORY / f"{name}.txt", matrix, fmt="%.10e", header="[param param]")


if __name__ == "__main__":
    main()

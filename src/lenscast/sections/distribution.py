"""Section of how one box is split over devices: a setting of speed and memory, which no result depends on."""

import math
from typing import Literal

from pydantic import Field

from lenscast.sections.section import Section


def stored_modes(points: int, columns: int) -> int:
    """Modes along z of a real transform that columns of devices store: zeros fill them up to equal parts."""
    return -(-(points // 2 + 1) // columns) * columns


class Distribution(Section):
    """How one box is split over devices."""

    devices: int = Field(default=1, ge=1, le=65536, description="devices that one box is split over")
    layout: Literal["slabs", "pencils"] = Field(
        default="slabs", description="parts of the box: slabs, cut along x, or pencils, cut along x and y"
    )
    halo_mpc: float = Field(
        default=40.0,
        gt=0.0,
        le=1000.0,
        description="farthest that particles may move along an axis that is cut [Mpc/h]; their mesh is that much wider",
    )

    @property
    def grid(self) -> tuple[int, int]:
        """Parts along x and y; pencils are as square as the number of devices allows."""
        columns = 1
        if self.layout == "pencils":
            columns = next(n for n in range(math.isqrt(self.devices), 0, -1) if self.devices % n == 0)
        return self.devices // columns, columns

    def halo(self, cell_size: float) -> tuple[int, int]:
        """Cells of the halo on each side of a block, along x and y; 0 on an axis that is not cut.

        Parameters
        ----------
        cell_size
            Spacing of the force mesh [Mpc/h].
        """
        # a particle at the farthest lies in a cell that the halo has to reach, and its cloud in the following one too
        width = math.ceil(self.halo_mpc / cell_size) + 1
        return (width if self.grid[0] > 1 else 0), (width if self.grid[1] > 1 else 0)

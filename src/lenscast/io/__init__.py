"""Files: HDF5 with named axes, units and provenance, tables as CSV, weights as JSON, and snapshots of other codes.

Layout of an HDF5 file: ``/variables/<name>``, with attributes ``axes`` (JSON; HDF5 dimension labels too), ``unit`` and
``description``; ``/coordinates/<axis>``, a compound dataset with one row per index of the axis; ``/provenance/<key>``,
text. A damaged byte is an error that names the file, or changes nothing that is read. Files appear whole or not at all,
hold finite numbers only, and carry no time, host or path: equal content gives equal bytes. What is stored, and under
which names, is the caller's business.
"""

from lenscast.io.arrays import load_arrays
from lenscast.io.atomic import save_table
from lenscast.io.batch_files import batch_writer, gathered, requested_seeds, require_made_by
from lenscast.io.checkpoints import fingerprint, is_checkpoint, load_state, save_state
from lenscast.io.corrections import correction_of, load_correction, save_correction, warn_of_mismatch
from lenscast.io.origin import disagreement, provenance
from lenscast.io.products import (
    load_forecast,
    load_information,
    load_jacobians,
    load_level,
    load_observed,
    load_summaries,
    save_forecast,
    save_jacobians,
    save_summaries,
)
from lenscast.io.reading import load
from lenscast.io.snapshots import read_snapshot
from lenscast.io.variables import NotFiniteError, Variable
from lenscast.io.writing import save, writer

__all__ = [
    "NotFiniteError",
    "Variable",
    "batch_writer",
    "correction_of",
    "disagreement",
    "fingerprint",
    "gathered",
    "is_checkpoint",
    "load",
    "load_arrays",
    "load_correction",
    "load_forecast",
    "load_information",
    "load_jacobians",
    "load_level",
    "load_observed",
    "load_state",
    "load_summaries",
    "provenance",
    "read_snapshot",
    "requested_seeds",
    "require_made_by",
    "save",
    "save_correction",
    "save_forecast",
    "save_jacobians",
    "save_state",
    "save_summaries",
    "save_table",
    "warn_of_mismatch",
    "writer",
]

"""Convergence power spectra from CAMB's matter power."""

from _job import start

log = start(snakemake)

from lenscast import io
from lenscast.cosmology import Parameters
from lenscast.lensing import Lightcone
from lenscast.theory import spectra_table

p = snakemake.params
geometry = {key: p.lightcone[key] for key in ("slabs_per_box", "planes", "plane_mesh", "field_deg", "pixels")}
table = spectra_table(
    Parameters.from_config(p.cosmology), p.z_source, p.ell_edges, Lightcone(p.box_size, **geometry), p.steps
)
io.save_table(snakemake.output.table, table)
log.info("\n%s", table.to_string(index=False))

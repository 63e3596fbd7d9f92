"""Maps beside those of a finer simulation of the same boxes, and beside theory."""

from _job import start

log = start(snakemake)

import numpy as np

import _build as build
from lenscast import io
from lenscast.cosmology import Parameters
from lenscast.lensing_validation import comparison_table, published_spectra, theory_spectra

p = snakemake.params
files = {variant: paths for variant, paths in snakemake.input.items() if variant != "depth"}
observed = {variant: build.spectra_and_counts(paths, p.settings) for variant, paths in files.items()}
values, (_, box, bins) = {variant: each.values for variant, each in observed.items()}, observed["refined"]
z_source, cosmology = p.maps["sources"]["z"], Parameters.from_config(p.maps["cosmology"])
table = comparison_table(values, box, bins, "refined")
table["z_source"] = np.array(z_source)[table["source_1"]]
if p.theory:
    spectrum, lightcone = build.measurement(p.settings)[0], build.simulation(p.maps).lightcone
    theory = theory_spectra(cosmology, z_source, spectrum, lightcone)
    for columns in (theory, published_spectra(z_source, spectrum.ell_edges)):
        table = table.merge(columns, how="left", on=["statistic", "source_1", "low"]) if len(columns) else table
io.save_table(snakemake.output.table, table)
log.info("\n%s", table.set_index("name").filter(regex="_ratio").to_string())

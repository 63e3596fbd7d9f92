"""Maps compared with those of a finer simulation of the same boxes, and with theory."""

from _job import experiment, start

log = start(snakemake)

import numpy as np

from lenscast import io
from lenscast.experiment.observation import observation
from lenscast.pipeline import fiducial
from lenscast.theory import MeasuredSpectrum
from lenscast.validation.lensing import published_spectra, theory_spectra, variant_comparison, with_theory_ratios

p, described = snakemake.params, experiment(snakemake).variant("plain").measuring(*snakemake.params.statistics)
files = {variant: paths for variant, paths in snakemake.input.items() if variant != "depth"}
observed = {variant: io.load_observed(paths, described) for variant, paths in files.items()}
values, (_, box, bins) = {variant: each.values for variant, each in observed.items()}, observed["refined"]
z_source = described.survey.sources.z
table = variant_comparison(values, box, bins, "refined")
table["z_source"] = np.array(z_source)[table["source_1"]]
if p.theory and p.spectrum in p.statistics:
    spectrum = described.statistics[p.spectrum]
    measured = MeasuredSpectrum(spectrum, observation(described))
    theory = theory_spectra(fiducial(described).cosmology, z_source, measured, described.lightcone)
    for columns in (theory, published_spectra(z_source, spectrum)):
        table = table.merge(columns, how="left", on=["statistic", "source_1", "low"]) if len(columns) else table
    table = with_theory_ratios(table, list(values))
io.save_table(snakemake.output.table, table)
log.info("\n%s", table.set_index("name").filter(regex="_ratio").to_string())

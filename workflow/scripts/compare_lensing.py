"""Maps beside those of a finer simulation of the same boxes, and beside theory."""

from _job import start

log = start(snakemake)

import numpy as np

import _build as build
from lenscast import io
from lenscast.cosmology import Parameters
from lenscast.lensing_validation import comparison_table, published_spectra, theory_spectra

p = snakemake.params
files = {variant: [io.load(path) for path in paths] for variant, paths in snakemake.input.items() if variant != "depth"}
bins = files["plain"][0].coordinates["bin"]
box = np.concatenate([file.coordinates["map"]["seed"] for file in files["plain"]])
is_peak = (bins["statistic"] == "peaks").to_numpy()
chosen = (is_peak | (bins["source_1"] == bins["source_2"])).to_numpy()
noise = build.noise_alone(p.settings)


def observed(contents):
    """Hard counts of the noisy maps, and spectra without noise."""
    names = ("measured", "expected")
    hard, mean = (np.concatenate([each.variables[name].values for each in contents]) for name in names)
    return np.where(is_peak, hard, mean - noise)[:, chosen]


z_source, cosmology = p.maps["sources"]["z"], Parameters.from_config(p.maps["cosmology"])
table = comparison_table({name: observed(each) for name, each in files.items()}, box, bins[chosen])
table["z_source"] = np.array(z_source)[table["source_1"]]
if p.theory:
    spectrum, lightcone = build.measurement(p.settings)[0], build.simulation(p.maps).lightcone
    edges = p.settings["statistics"]["power_spectrum"]["ell_edges"]
    theory = theory_spectra(cosmology, z_source, edges, lightcone, spectrum.region, spectrum.weights)
    for columns in (theory, published_spectra(z_source, edges)):
        table = table.merge(columns, how="left", on=["statistic", "source_1", "low"]) if len(columns) else table
io.save_table(snakemake.output.table, table)
log.info("\n%s", table.set_index("name").filter(regex="_ratio").to_string())

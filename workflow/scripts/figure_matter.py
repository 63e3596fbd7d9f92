"""Power and cross-correlation of corrected simulations beside their reference."""

from _job import start

start(snakemake)

import pandas as pd

from lenscast import io, plotting

p = snakemake.params
table = pd.read_csv(snakemake.input.table)
shown = {min(table["a"], key=lambda a, wanted=wanted: abs(a - wanted)) for wanted in p.a}
simulation = io.load(snakemake.input.slices, []).coordinates["simulation"].iloc[0]
title = p.title.format(**simulation)
plotting.save(plotting.matter_comparison(table[table["a"].isin(shown)], title), snakemake.output.figure)

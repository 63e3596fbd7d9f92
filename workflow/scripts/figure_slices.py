"""Slices of density of corrected simulations beside their reference."""

from _job import start

start(snakemake)

from lenscast import io, plotting

contents = io.load(snakemake.input.slices)
simulation = contents.coordinates["simulation"].iloc[0]
density = {kind: contents.variables[kind].values for kind in ("pm", "hpn", "pgd", "reference")}
size, thickness = simulation["box_size"], simulation["thickness"]
title = (snakemake.params.title + ", a = {a:.3g}").format(**simulation)
plotting.save(plotting.density_slices(density, size, thickness, size / 4, title), snakemake.output.figure)

"""Tables over all simulations of a training: errors at chosen wavenumbers, and what a correction must not do."""

from _job import start

log = start(snakemake)

import pandas as pd

from lenscast import io
from lenscast.validation.matter import at_wavenumbers, checks

p = snakemake.params
tables = {key: pd.read_csv(path) for key, path in zip(p.roles.items(), snakemake.input.tables, strict=True)}


def together(parts):
    return pd.concat(parts, names=["simulation", "role"]).reset_index(["simulation", "role"])


summary = together({key: at_wavenumbers(table, p.k, p.of_nyquist) for key, table in tables.items()})
io.save_table(snakemake.output.summary, summary)
found = together({key: checks(table) for key, table in tables.items()})
io.save_table(snakemake.output.checks, found)
for name, rows in found.query("variant == 'hpn'").groupby("simulation", sort=False):
    worse = rows.query("worse_shells > 0").itertuples()
    where = ", ".join(f"{row.worse_shells} at a = {row.a:.3g} (by {row.largest_loss:.1g})" for row in worse)
    log.info("%s: shells below Nyquist that the network makes worse in cross-correlation: %s", name, where or "none")

"""A simulation that a correction is to reproduce, or is compared with."""

from _job import start

log = start(snakemake)

import _training as training
from lenscast import io

settings, name = snakemake.params.settings, snakemake.wildcards.reference
makers = {"particle_mesh": training.particle_mesh, "snapshots": training.snapshots}
made = makers[settings["reference"]["kind"]](settings)
command = f"snakemake --config training=training.yaml -- {snakemake.output.reference}"
origin = io.provenance(settings, [settings["reference"].get("seed", 0)], command)
training.save_reference(snakemake.output.reference, name, made, origin)
log.info("%s, snapshots at a = %s", made.mesh, [round(float(a), 4) for a in made.a[1:]])

"""A simulation that a correction is to reproduce, or is compared with."""

from _job import start

log = start(snakemake)

import _training as build
from lenscast import io
from lenscast.sections.training import ReferenceDescription

description = ReferenceDescription.model_validate(snakemake.params.settings)
kind, name = description.reference.kind, snakemake.wildcards.reference
made = {"particle_mesh": build.particle_mesh, "snapshots": build.from_snapshots}[kind](description)
command = f"snakemake --config training=training.yaml -- {snakemake.output.reference}"
origin = io.provenance(snakemake.params.settings, [getattr(description.reference, "seed", 0)], command)
build.save_reference(snakemake.output.reference, name, made, origin)
log.info("%s, snapshots at a = %s", made.mesh, [round(float(a), 4) for a in made.a[1:]])

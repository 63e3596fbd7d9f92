"""A simulation that a correction is to reproduce, or is compared with."""

from _job import start

log = start(snakemake)

import json

import _training as build
from lenscast import io
from lenscast.sections.training import ReferenceDescription

p = snakemake.params
files = {"files": p.files} if p.files else {}  # the settings have hashes in place of their paths
settings = {**p.settings, "reference": {**p.settings["reference"], **files}}
description = ReferenceDescription.model_validate(settings)
kind, name = description.reference.kind, snakemake.wildcards.reference
made = {"particle_mesh": build.particle_mesh, "snapshots": build.from_snapshots}[kind](description)
command = f"snakemake --config training=training.yaml -- {snakemake.output.reference}"
origin = io.provenance(settings, [getattr(description.reference, "seed", 0)], command)
origin |= {"settings": json.dumps({"reference": {"settings": p.settings}}, sort_keys=True)}
build.save_reference(snakemake.output.reference, name, made, origin)
log.info("%s, snapshots at a = %s", made.mesh, [round(float(a), 4) for a in made.a[1:]])

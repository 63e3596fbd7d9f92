"""A simulation that a correction is to reproduce, or is compared with."""

from _job import start

log = start(snakemake)

import json

from lenscast import io
from lenscast.io.references import make_reference, save_reference
from lenscast.sections.training import ReferenceDescription

p = snakemake.params
files = {"files": p.files} if p.files else {}  # the settings have hashes in place of their paths
settings = {**p.settings, "reference": {**p.settings["reference"], **files}}
description = ReferenceDescription.model_validate(settings)
wanted, made = description.reference, make_reference(description)
command = f"snakemake --config training=training.yaml -- {snakemake.output.reference}"
origin = io.provenance(settings, [getattr(wanted, "seed", 0)], command)
origin |= {"settings": json.dumps({"reference": {"settings": p.settings}}, sort_keys=True)}
save_reference(snakemake.output.reference, snakemake.wildcards.reference, made, origin)
log.info("%s, snapshots at a = %s", made.mesh, [round(float(a), 4) for a in made.a[1:]])

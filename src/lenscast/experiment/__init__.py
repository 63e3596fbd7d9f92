"""The experiment: read from YAML, typed, and checked against ranges and against itself.

`experiment` composes the sections, `map_checks`, `sampling_checks` and `resolution_checks` hold the rules between them,
`plane_checks` compare the sum over lens planes with the integral, for which `matter` has the power, `lattice` predicts
what particles too far apart leave in maps, `file_checks` open the files that a config names, `memory` estimates jobs,
and `distribution_checks` and `device_costs` are about a box on several devices; `remarks` say what is valid and should
be known. `strict_yaml` reads all YAML, `base` completes a config on its base, `reading` goes from YAML to a checked
experiment, `schema` is for editors, `dependence` says what makes a file out of date, `campaigns` and `disk` which runs
can be merged and what they take on disk. Nothing here imports JAX: the workflow reads configs while it parses, in a
process that must not claim an accelerator.
"""

from lenscast.experiment.base import complete, shipped
from lenscast.experiment.device_costs import described_devices
from lenscast.experiment.experiment import Experiment
from lenscast.experiment.reading import load, read, read_map_campaign, read_training
from lenscast.experiment.remarks import described_sources, remarks
from lenscast.experiment.schema import json_schema
from lenscast.experiment.strict_yaml import read_yaml
from lenscast.sections.errors import ConfigError
from lenscast.sections.training import Training

__all__ = [
    "ConfigError",
    "Experiment",
    "Training",
    "complete",
    "described_devices",
    "described_sources",
    "json_schema",
    "load",
    "read",
    "read_map_campaign",
    "read_training",
    "read_yaml",
    "remarks",
    "shipped",
]

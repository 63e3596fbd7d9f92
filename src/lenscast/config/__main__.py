"""Print a JSON schema.

python -m lenscast.config > workflow/schemas/config.schema.json
python -m lenscast.config training > workflow/schemas/training.schema.json
"""

import json
import sys

from . import Config, TrainingConfig, json_schema

print(json.dumps(json_schema(TrainingConfig if sys.argv[1:] == ["training"] else Config), indent=2))

"""Print the JSON schema: `python -m lenscast.config > workflow/schemas/config.schema.json`."""

import json

from . import json_schema

print(json.dumps(json_schema(), indent=2))

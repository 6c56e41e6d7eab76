"""Prints the names of all operators that ONNX's own sets 1 to 25 have had: operators.txt.

    python make_operators.py > operators.txt        (onnx 1.23.2)
"""

import onnx.defs

NEWEST = 25
schemas = onnx.defs.get_all_schemas_with_history()
names = {schema.name for schema in schemas if schema.domain == "" and schema.since_version <= NEWEST}
print("\n".join(sorted(names)))

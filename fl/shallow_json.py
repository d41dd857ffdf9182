"""JSON that somebody else may have written."""

import json
import re
from typing import Any

MOST_DEPTH = 20
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|$)|[\[\]{}]', re.DOTALL)
"""A text, to its end or that of the data, or a bracket."""


def shallow_json(data: bytes) -> Any:
    """Read JSON that is nested a little at most: what is nested deep ends Python's reader in an error, or the process.

    Raises:
        ValueError: it is no JSON in UTF-8, or nested deeper than 20.
    """
    depth = 0
    for found in _TOKEN.finditer(data):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(found[0], 0)
        if depth > MOST_DEPTH:
            raise ValueError(f"nested deeper than {MOST_DEPTH}")
    return json.loads(data.decode())  # of bytes, `json` would read UTF-16 as well, in which other bytes are brackets

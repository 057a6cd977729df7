"""Content hashes."""

import hashlib
import json
from typing import Any


def digest(data: Any) -> str:
    """sha256 of plain JSON data, in hex."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()

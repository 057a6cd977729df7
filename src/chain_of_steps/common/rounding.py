"""Numbers as stored in rows."""

from collections.abc import Mapping
from typing import Any


def rounded(values: Any, digits: int = 4, by_name: Mapping[str, int] | None = None) -> Any:
    """Nested lists and mappings of floats, rounded for storage; NaN becomes None.

    Args:
        by_name: other digits for what stands under a name, at any depth.
    """
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, Mapping):
        places = by_name or {}
        return {k: rounded(v, places.get(k, digits), by_name) for k, v in values.items()}
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits, by_name) for value in values]
    if isinstance(values, float):
        return None if values != values else round(values, digits)
    return values

"""Numbers as rows hold them."""

from typing import Any


def rounded(values: Any, digits: int = 4) -> Any:
    """Nested lists of floats, rounded for storage; NaN becomes None."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits) for value in values]
    if isinstance(values, float):
        return None if values != values else round(values, digits)
    return values

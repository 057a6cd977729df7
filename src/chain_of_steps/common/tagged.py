"""Records of dataclasses of several kinds: plain data, with the name of the class under `kind`."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def record(value: Any) -> dict[str, Any]:
    """Plain JSON data that determines a value, its class under `kind`."""
    kind = type(value)
    return {"kind": kind.__name__, **TypeAdapter(kind).dump_python(value, mode="json")}


def from_record(data: dict[str, Any], kinds: Mapping[str, type[T]], what: str) -> T:
    """The value that `record` wrote down.

    Args:
        kinds: the classes that it may have, by name.
        what: what it should be, for the message, e.g. `intervention`.

    Raises:
        ValueError: for an unknown kind, or fields that do not fit it.
    """
    if not isinstance(data, dict) or data.get("kind") not in kinds:
        raise ValueError(f"{data!r} is no {what}; expected one of {', '.join(kinds)}")
    fields = {name: value for name, value in data.items() if name != "kind"}
    return TypeAdapter(kinds[data["kind"]]).validate_python(fields)

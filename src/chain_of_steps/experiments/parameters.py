"""Parameters that people write: reads a YAML file and checks the arguments of a plan; each fault
is named."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, ValidationError, validate_call

MOST = 2**63 - 1  # seeds and counts are signed integers of 64 bits
FEW = 5  # samples of a quick look; a probe needs as many
COUNTS = {
    *("samples", "samples_per_cell", "samples_of", "room_samples", "picture_samples"),
    *("light_samples", "null_per_cell", "maps_per_cell", "cells", "controls", "restarted", "deep"),
    *("pairs", "layer_pairs", "map_pairs", "validation"),
}  # parameters that say how many samples there are, or how many of each cell
STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)


class Once(yaml.SafeLoader):
    """Refuses a name that occurs twice: YAML would silently keep the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        for i, name in enumerate(names):
            if name in names[:i] and name != "<<":
                raise yaml.YAMLError(
                    f"{name!r} occurs twice, again in line {node.value[i][0].start_mark.line + 1}"
                )
        return super().construct_mapping(node, deep)


def read(file: str | Path, *keys: str) -> Any:
    """What a YAML file holds, or the part of it under `keys`.

    Raises:
        ValueError: if it cannot be read, or has no such part.
    """
    try:
        found = Once(Path(file).read_text(encoding="utf-8")).get_single_data()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is no YAML file: {' '.join(str(error).split())}") from error
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            known = ", ".join(map(str, found)) if isinstance(found, dict) else "no names at all"
            raise ValueError(f"{file} has no section {key!r}; it has {known}")
        found = found[key]
    return found


def settings(
    notebook: str,
    section: dict[str, Any] | None = None,
    quick: bool = False,
    changes: dict[str, Any] | None = None,
    file: str | Path = "params.yaml",
) -> dict[str, Any]:
    """The parameters of a notebook: by default those of its published figures, scale `mini`.

    Args:
        section: all of them, instead.
        quick: at most `FEW` samples of each kind. They are the first of those published, so that
            their rows are in the store.
        changes: by name; those to a group of parameters are made within the group.

    Raises:
        ValueError: for a change of something that is no parameter.
    """
    found = dict(section or read(file, "mini", notebook))
    found = _few(found) if quick else found
    for name, change in (changes or {}).items():
        if name not in found:
            raise ValueError(f"{notebook} has no parameters {name!r}; it has {', '.join(found)}")
        found[name] = found[name] | change if isinstance(change, dict) else change
    return found


def _few(group: dict) -> dict:
    """The same parameters, with at most `FEW` samples of each kind."""
    return {name: _fewer(name, value) for name, value in group.items()}


def _fewer(name: str, value: Any) -> Any:
    if name in COUNTS and isinstance(value, int):
        return min(value, FEW)
    if name in COUNTS and isinstance(value, dict) and all(type(n) is int for n in value.values()):
        return {key: min(n, FEW) for key, n in value.items()}
    return _few(value) if isinstance(value, dict) else value


def checked(plan: Callable) -> Callable:
    """Decorates a function of parameters: mistyped names, wrong types, negative numbers and strides
    of 0 are refused.

    Raises:
        ValueError: that names the parameter and what was expected.
    """
    known = [name for name in inspect.signature(plan).parameters if name != "self"]
    validated = validate_call(config=STRICT)(plan)

    @functools.wraps(plan)
    def checks(*arguments: Any, **parameters: Any) -> Any:
        if unknown := [name for name in parameters if name not in known]:
            raise ValueError(f"unknown parameter {unknown[0]!r}; expected {', '.join(known)}")
        given = dict(zip(known[::-1], arguments[::-1], strict=False)) | parameters
        for name, value in given.items():
            _check_numbers(name, value, at_least=1 if name.endswith("stride") else 0)
        try:
            return validated(*arguments, **parameters)
        except ValidationError as error:
            raise ValueError(_first(error)) from None

    return checks


def _check_numbers(name: str, value: Any, at_least: int) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, (int, float)) and not at_least <= number <= MOST:  # NaN is neither
            raise ValueError(
                f"parameter {name!r} is {number}; expected {at_least} or more"
                + (", up to 2^63 - 1" if number > MOST else "")
            )


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] in ("missing_argument", "missing"):
        return f"parameter {place!r} is missing"
    return f"parameter {place!r} is {fault['input']!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"

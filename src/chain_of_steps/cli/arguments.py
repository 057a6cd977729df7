"""Types of arguments, shared by all commands so that each value is checked in the same way.

A parser that rejects a value raises ValueError with what it expected; `errors` adds the rest.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from cyclopts import Parameter, Token

from ..common.errors import USER_ERROR

MINI = "data/mini"
MOST, INFINITY = 2**63 - 1, float("inf")
DIGITS = re.compile("[0-9]{1,19}")
NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """Seconds of a duration such as 90s, 120m or 2h.

    Raises:
        ValueError: for anything else, and for no time at all.
    """
    number, unit = text[:-1], text[-1:]
    if not NUMBER.fullmatch(number) or unit not in UNITS or not 0.0 < float(number) < INFINITY:
        raise ValueError("expected a duration above 0, such as 90s, 120m or 2h")
    return float(number) * UNITS[unit]


def positive(text: str) -> float:
    """A number.

    Raises:
        ValueError: unless it is above 0 and finite.
    """
    if not NUMBER.fullmatch(text) or not 0.0 < float(text) < INFINITY:
        raise ValueError("expected a number above 0")
    return float(text)


def whole(text: str, least: int = 1) -> int:
    """A whole number.

    Raises:
        ValueError: if it is smaller than `least`, or fits no signed integer of 64 bits.
    """
    if not DIGITS.fullmatch(text) or not least <= int(text) <= MOST:
        raise ValueError(f"expected a whole number from {least} to 2^63 - 1")
    return int(text)


def _file_or_dash(text: str) -> str:
    if text.startswith("-") and text != "-":
        raise ValueError("expected a file, or - for standard output")
    return text


def _parsed(parse: Callable[[str], object], **more) -> Parameter:
    """A parameter of one token, which `parse` turns into its value."""

    def convert(_: type, tokens: Sequence[Token]) -> object:
        return parse(tokens[0].value)

    return Parameter(converter=convert, allow_leading_hyphen=True, **more)  # `parse` rejects "-5"


class Parser(argparse.ArgumentParser):
    """For the scripts of tools/: a wrong argument is one sentence, as in `chain-of-steps`."""

    def __init__(self, description: str):
        raw = argparse.RawDescriptionHelpFormatter
        super().__init__(description=description, formatter_class=raw, allow_abbrev=False)

    def number(self, name: str, parse: Callable[[str], object], **more) -> None:
        """Adds an option whose value one of the functions above parses."""

        def convert(text: str) -> object:
            try:
                return parse(text)
            except ValueError as error:
                raise argparse.ArgumentTypeError(f"is {text!r}; {error}") from None

        self.add_argument(name, type=convert, **more)

    def error(self, message: str) -> None:
        """Ends the process with that sentence."""
        said = re.sub(r"^argument (\S+?): ", r"\1 ", message)
        print(f"{self.prog.removesuffix('.py')}: {said}", file=sys.stderr)
        sys.exit(USER_ERROR)


Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Count = Annotated[int, _parsed(lambda text: whole(text, 1), metavar="N")]
Seed = Annotated[
    int, _parsed(lambda text: whole(text, 0), metavar="N", help="Seed of samples and noise.")
]
Budget = Annotated[float, _parsed(seconds, metavar="TIME")]
Positive = Annotated[float, _parsed(positive, metavar="NUMBER")]
FileOrDash = Annotated[str, _parsed(_file_or_dash, metavar="FILE")]
Domain = Annotated[
    Literal["in-domain", "out-of-domain", "all"], Parameter(help="Tasks of this domain.")
]
Model = Annotated[str, Parameter(metavar="DIR", help="Folder of the model.")]
Task = Annotated[str, Parameter(metavar="NAME", help="This task only.")]
# Named here, too, since importing them would take seconds; a test compares.
Preset = Annotated[
    str,
    Parameter(
        metavar="NAME",
        help="Schedule of the denoising steps: mini, stochastic, student, paper, official or hub; "
        "paper/5 is paper in 5 steps.",
    ),
]
Device = Annotated[str, Parameter(metavar="NAME", help="Where to compute: cpu, cuda or cuda:1.")]
Load = Annotated[
    str,
    Parameter(
        metavar="HOW",
        show_default=False,
        help="How to load the model, for example 'dtype=bfloat16 offload=group storage=fp8 "
        "lora=high.safetensors,low.safetensors'.",
    ),
]

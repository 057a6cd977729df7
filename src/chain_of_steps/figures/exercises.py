"""Exercises in notebooks: feedback, lenient reading of what a reader typed, stand-ins.

An answer is judged by what it means. A tensor, an array and a list are the same answer, and so are
"c", "C" and " (c) ".
"""

import functools
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

EMPTY = "There is nothing here yet: replace the three dots."


@dataclass(frozen=True)
class Feedback:
    """What a check says: right or not, and why, with a hint."""

    right: bool
    why: str

    def __repr__(self) -> str:
        return f"{'Right' if self.right else 'Not yet'}. {self.why}"


class NotAnAnswer(Exception):
    """What was typed cannot be read as an answer of the kind that was asked for."""


def check(judge: Callable[..., Feedback]) -> Callable[..., Feedback]:
    """A check that gives feedback on anything, also on what cannot be read."""

    @functools.wraps(judge)
    def checked(*answers: object) -> Feedback:
        try:
            return judge(*answers)
        except NotAnAnswer as problem:
            return Feedback(False, str(problem))

    return checked


def result(function: object, *arguments: object) -> object:
    """What the reader's function returns.

    Raises:
        NotAnAnswer: if it is no function, or raises.
    """
    if is_empty(function):
        raise NotAnAnswer(EMPTY)
    if not callable(function):
        raise NotAnAnswer(f"{function!r} is not a function; keep the line that begins with def.")
    try:
        return function(*arguments)
    except Exception as error:
        raise NotAnAnswer(f"Your function raises {type(error).__name__}: {error}") from error


def tensor(value: object) -> Tensor:
    """Numbers of any kind (tensor, array, list, number) as float32.

    Raises:
        NotAnAnswer: for anything else.
    """
    if is_empty(value):
        raise NotAnAnswer("Your function does not return anything yet: replace the three dots.")
    try:
        return torch.as_tensor(value).detach().float()
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise NotAnAnswer(f"This is a {kind}; a tensor, an array or a number is expected.") from (
            error
        )


def number(value: object) -> float:
    """One number: int, float, array or tensor of one element, or a text such as "0.4 %", "1/3".

    Raises:
        NotAnAnswer: for anything else.
    """
    if is_empty(value):
        raise NotAnAnswer(EMPTY)
    if isinstance(value, str):
        return _number_in(value)
    found = tensor(value).flatten()
    if len(found) != 1:
        raise NotAnAnswer(f"{value!r} is not one number, but {len(found)}.")
    return float(value) if isinstance(value, (int, float)) else float(found[0])


def _number_in(text: str) -> float:
    pattern = r"\s*(-?[\d.]+)\s*(?:/\s*([\d.]+))?\s*(%|per ?cent)?\s*"
    match = re.fullmatch(pattern, text.replace(",", "."))
    try:
        above, below, percent = match.groups()
        return float(above) / float(below or 1) / (100 if percent else 1)
    except (AttributeError, ValueError, ZeroDivisionError) as error:
        raise NotAnAnswer(f"{text!r} is not a number.") from error


def numbers(value: object, count: int) -> list[float]:
    """A fixed count of numbers, in a tuple, list, array or tensor.

    Raises:
        NotAnAnswer: for anything else.
    """
    if is_empty(value):
        raise NotAnAnswer(EMPTY)
    listed = value if isinstance(value, (list, tuple)) else np.atleast_1d(tensor(value)).tolist()
    if len(listed) != count:
        raise NotAnAnswer(f"Give {count} numbers; this is {len(listed)}.")
    return [number(each) for each in listed]


def word(value: object, known: tuple[str, ...]) -> str:
    """One of the known words, whatever its case, spaces and brackets.

    Raises:
        NotAnAnswer: for anything else.
    """
    if is_empty(value):
        raise NotAnAnswer(EMPTY)
    plain = re.sub(r"[\s_().:\"'-]+", " ", str(value)).strip().lower()
    if plain not in known:
        expected = f"{', '.join(known[:-1])} or {known[-1]}"
        raise NotAnAnswer(f"{value!r} is none of the answers; write {expected}.")
    return plain


def is_empty(value: object) -> bool:
    """Whether a place still holds three dots, or nothing."""
    dots = isinstance(value, str) and value.strip(" .…") == ""
    return value is None or value is ... or dots


def stand_ins(checks: Mapping[str, Callable], solutions: Path) -> Callable:
    """A function `usable(name=answer, ...)`: each answer as it is if its check finds it right, the
    reference solution otherwise, which is announced. So a notebook runs on to its end.

    Args:
        checks: by the name of the exercise.
        solutions: a file that defines all of these names.
    """

    def usable(**answers: object) -> object:
        found = []
        for name, answer in answers.items():
            right = checks[name](answer).right
            if not right:
                print(f"{name} is not right yet; here the reference solution stands in for it.")
                answer = runpy.run_path(str(solutions))[name]
            found.append(_with_tensors(answer) if callable(answer) else answer)
        return found[0] if len(found) == 1 else tuple(found)

    return usable


def _with_tensors(function: Callable) -> Callable:
    """The function with the arrays that it returns as tensors, also those in a list, for the steps
    that follow."""

    def plain(value: object) -> object:
        if isinstance(value, list) and any(
            isinstance(each, (Tensor, np.ndarray)) for each in value
        ):
            return [plain(each) for each in value]
        return tensor(value) if isinstance(value, (np.ndarray, list)) else value

    @functools.wraps(function)
    def wrapped(*arguments: object) -> object:
        return plain(function(*arguments))

    return wrapped

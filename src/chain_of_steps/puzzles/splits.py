"""The split of a state: decided by its content, so that no list has to be kept."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ..common.hashing import digest

Split = Literal["test", "validation", "training"]
SPLITS: tuple[Split, ...] = ("test", "validation", "training")


def split_of(canonical: Any, buckets: int = 10) -> Split:
    """The split of a canonical state: sha256 mod `buckets`; 0 test, 1 validation, else training."""
    return SPLITS[min(int(digest(canonical), 16) % buckets, 2)]


def draw_until(
    rng: np.random.Generator,
    split: Split,
    propose: Callable[[np.random.Generator], dict | None],
    canonical: Callable[[dict], Any],
    tries: int = 100_000,
) -> dict:
    """Calls `propose(rng)` until it gives a state (not None) whose canonical form is in `split`.

    Raises:
        ValueError: for an unknown split, or where `tries` proposals give no such state.
    """
    check_split(split)
    for _ in range(tries):
        state = propose(rng)
        if state is not None and split_of(canonical(state)) == split:
            return state
    raise ValueError(f"no state of the {split} split was found in {tries} tries; change the knobs")


def check_split(split: str) -> None:
    """Raises ValueError if there is no such split."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; expected one of {', '.join(SPLITS)}")

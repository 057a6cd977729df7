"""What a run decides along its steps: answers, commit steps, revisions, present values, order.

Every function takes one run: the beliefs (S, P, V) that its clean estimates show in P parts of V
values at S steps, or the decided answers (S, P): indices of values, -1 where nothing is decided.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata, spearmanr

from ..puzzles import reading
from ..puzzles.base import Answer, Sample, assignment
from ..puzzles.latin_squares import candidates, propagate

TIE = 1 / 255  # opacities that differ by less are equal: 8-bit frames do not resolve the difference
HELD = 0.2  # least margin by which a part holds a value: less may be a ghost of several values
FIRM = 0.5  # margin by which it holds a value firmly
NEVER = -1  # as a commit step
FLAT = 1e-9  # residuals of less variance are those of a perfect fit


def decide(beliefs: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Decided answers (..., P) from beliefs (..., P, V); -1 in a part that shows nothing.

    Args:
        rng: breaks ties (`TIE`) at random. Without it the plain argmax decides. The two differ
            where an estimate is a mean of several answers: next to sigma = 1 the mean of two valid
            answers is tilted by 1e-6 towards one of them, and the plain argmax reads it as decided.
    """
    if rng is None:
        return reading.decide(beliefs)
    shown = np.nan_to_num(beliefs, nan=0.0)
    tied = shown > shown.max(-1, keepdims=True) - TIE
    lots = np.where(tied, rng.random(shown.shape), -1.0)
    return np.where(reading.decide(beliefs) < 0, -1, lots.argmax(-1))


def valid(sample: Sample, decided: np.ndarray) -> np.ndarray:
    """Which of the decided answers (S, P) are valid, (S,) bool."""
    return _of_each(decided, sample.is_valid).astype(bool)


def violations(sample: Sample, decided: np.ndarray) -> np.ndarray:
    """How many constraints each of the decided answers (S, P) violates, (S,) int."""
    return _of_each(decided, sample.violations)


def _of_each(decided: np.ndarray, measure: Callable[[Answer], int]) -> np.ndarray:
    """A measure of the answer at every step; each distinct answer is measured once."""
    distinct, which = np.unique(decided, axis=0, return_inverse=True)
    return np.array([measure(assignment(answer)) for answer in distinct])[which.ravel()]


# Commit steps.


def commit_steps(decided: np.ndarray) -> np.ndarray:
    """The commit step of each part, (P,) int: the first step from which its decided value stays to
    the end; `NEVER` if nothing is decided at the end.

    Args:
        decided: (S, P).
    """
    steps = len(decided)
    different = decided != decided[-1]  # (S, P)
    last = np.where(different.any(0), steps - 1 - different[::-1].argmax(0), -1)
    return np.where(decided[-1] < 0, NEVER, last + 1)


def commit_step(decided: np.ndarray) -> int:
    """The commit step of the whole answer: that of its last part, or `NEVER` if a part has none."""
    steps = commit_steps(decided)
    return NEVER if (steps == NEVER).any() else int(steps.max())


def in_sigma(steps: np.ndarray | int, sigmas: np.ndarray | list[float]) -> np.ndarray:
    """The noise levels of commit steps; NaN for `NEVER`."""
    return np.where(np.equal(steps, NEVER), np.nan, np.asarray(sigmas)[steps])


def commit_order(decided: np.ndarray, rounds: np.ndarray, given: np.ndarray | None = None) -> float:
    """Spearman correlation of commit step and propagation round, over the parts of round 1 or more
    that commit. NaN if one of the two is constant: then there is no order to compare.

    Args:
        decided: (S, P).
        rounds: (P,), see `part_rounds`.
        given: (P,), what is held fixed, e.g. `part_candidates`: the correlation is the partial one.
            NaN also where the round or the commit step follows from it.
    """
    steps = commit_steps(decided)
    counts = (rounds >= 1) & (steps != NEVER)
    if len(set(steps[counts])) < 2 or len(set(rounds[counts])) < 2:
        return float("nan")
    if given is None:
        return float(spearmanr(steps[counts], rounds[counts]).statistic)
    return partial_spearman(steps[counts], rounds[counts], given[counts])


def partial_spearman(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """The Spearman correlation of x and y with a third variable held fixed: that of what is left of
    their ranks after linear regression on the ranks of the third. NaN if nothing is left.

    Args:
        x, y, given: (n,).
    """
    if np.isnan(given).any():
        return float("nan")
    known = np.stack([np.ones(len(x)), rankdata(given)], 1)
    ranks = np.stack([rankdata(x), rankdata(y)], 1)
    left = ranks - known @ np.linalg.lstsq(known, ranks, rcond=None)[0]
    if (left.var(0) < FLAT).any():
        return float("nan")
    return float(np.corrcoef(left.T)[0, 1])


def part_rounds(sample: Sample) -> np.ndarray:
    """The propagation round in which each part becomes known, (P,) float. Latin square: 0 for a
    clue. Relay with the route drawn: the number of moves from the start. NaN where no round is
    defined: off the route, where propagation does not suffice, and in other puzzles.
    """
    undefined = np.full(len(sample.parts), np.nan)
    state = sample.state
    if sample.puzzle.name == "latin":
        rounds = propagate(np.array(state["clues"], np.int8))
        return undefined if rounds is None else rounds.ravel().astype(float)
    if sample.puzzle.name == "relay" and state["drawn"]:
        moves = {f"row {r} column {c}": i for i, (r, c) in enumerate(state["routes"][0])}
        return np.array([moves.get(part.name, np.nan) for part in sample.parts], float)
    return undefined


def part_candidates(sample: Sample) -> np.ndarray:
    """The number of values that the clues in its row and column leave to each open cell of a Latin
    square, (P,) float: how hard a cell looks at the start. NaN for clues and in other puzzles."""
    if sample.puzzle.name != "latin":
        return np.full(len(sample.parts), np.nan)
    counts = candidates(np.array(sample.state["clues"], np.int8)).sum(-1).ravel()
    return np.where(counts > 0, counts, np.nan)


# Revisions.


class Revisions(NamedTuple):
    """Numbers of revisions of a run, by whether the value before and after is right."""

    wrong_to_right: int
    right_to_wrong: int
    wrong_to_wrong: int


def revisions(beliefs: np.ndarray, reference: np.ndarray, floor: float) -> Revisions:
    """Counts the revisions of one run, see `changes`.

    Args:
        beliefs: (S, P, V).
        reference: (P,), the right value of each part, see `reference_answer`.
        floor: the tie floor, e.g. the median margin of an untrained network.
    """
    return changes(held(beliefs, floor), reference)


def held(beliefs: np.ndarray, floor: float) -> np.ndarray:
    """The value that each part *holds* at each step, (S, P): the decided one where the margin
    exceeds `floor`, else -1.

    Args:
        beliefs: (S, P, V).
    """
    return np.where(margins(beliefs) > floor, reading.decide(beliefs), -1)


def changes(held: np.ndarray, reference: np.ndarray) -> Revisions:
    """Counts revisions: changes from one value held to the next one held. Both margins exceed the
    floor, but they need not belong to adjacent steps: a change passes through a tie, and with more
    steps through more steps of it, so a rule of adjacent steps would find fewer revisions the finer
    the schedule.

    Args:
        held: (S, P) values, -1 where a part holds none.
        reference: (P,), see `revisions`.
    """
    counts = {(False, True): 0, (True, False): 0, (False, False): 0}
    for values, right in zip(held.T, reference, strict=True):
        for before, after in itertools.pairwise(values[values >= 0]):
            if before != after:
                counts[bool(before == right), bool(after == right)] += 1
    return Revisions(*counts.values())


def margins(beliefs: np.ndarray) -> np.ndarray:
    """The strongest belief minus the second strongest, (...), from beliefs (..., V)."""
    ordered = np.sort(np.nan_to_num(beliefs, nan=0.0), axis=-1)
    return ordered[..., -1] - ordered[..., -2]


def reference_answer(sample: Sample, decided: np.ndarray) -> np.ndarray:
    """The valid answer that says which parts of a run are right, (P,): the run's final answer if
    that is valid, else the listed valid answer that differs from it in fewest parts (the first of
    equals). With a unique answer it is that answer, whatever the run decides.

    If several answers are valid, a run that changes from one valid answer to another counts as
    wrong before the change: only strata with a unique answer separate correction from choice.

    Args:
        decided: (S, P); only the last step matters.
    """
    final = decided[-1]
    if sample.is_valid(assignment(final)):
        return final
    answers = np.array(sample.solutions.answers)
    return answers[(answers != final).sum(1).argmin()]


# Present values.


def possible(sample: Sample) -> np.ndarray:
    """Which values each part has in some listed valid answer, (P, V) bool."""
    answers = np.array(sample.solutions.answers)  # (K, P)
    return (answers[..., None] == np.arange(len(sample.parts[0].values))).any(0)


def present(beliefs: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """Which possible values are present, (S, P, V) bool: opacity at least .5 / K, with K values
    possible in the part, and at least twice that of every impossible value of the part.

    Args:
        beliefs: (S, P, V).
        possible: (P, V) bool.
    """
    shown = np.nan_to_num(beliefs, nan=0.0)
    enough = 0.5 / np.maximum(possible.sum(-1, keepdims=True), 1)  # (P, 1)
    impossible = np.where(possible, 0.0, shown).max(-1, keepdims=True)  # (S, P, 1)
    return possible & (shown >= enough) & (shown >= 2 * impossible)


def pruned(present: np.ndarray) -> np.ndarray:
    """Which parts show two or more values at some step and exactly one at the last step, (P,) bool.

    Args:
        present: (S, P, V) bool.
    """
    count = present.sum(-1)  # (S, P)
    return (count >= 2).any(0) & (count[-1] == 1)


def falls_below(values: np.ndarray, level: float) -> float:
    """The step at which a curve falls below a level for good, between two steps by linear
    interpolation. NaN if it never is at the level, or ends there.

    Args:
        values: (S,).
    """
    above = np.flatnonzero(np.asarray(values) >= level)
    if not len(above) or above[-1] == len(values) - 1:
        return float("nan")
    before, after = values[above[-1]], values[above[-1] + 1]
    return float(above[-1] + (before - level) / (before - after))

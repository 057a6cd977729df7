"""Which of k runs counts: choices made from what a row keeps of each run, without new evaluations.

*Blind* choices see answers, margins and denoising errors. Those *with checker* use the puzzle's
rules too: in a maze, where violations are counted from the nearest valid path, that is an oracle.
Every function gives the index of the chosen run among the first k; the first of equals wins.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np


def vote(result: dict, k: int) -> int:
    """The answer that most runs give; run 0 where all differ."""
    answers = result["answers"][:k]
    votes = Counter(answers)
    return max(range(k), key=lambda j: (votes[answers[j]], -j))


def recognised(result: dict, k: int, level: int = 0) -> int:
    """The run that changes least when it is noised again (arXiv 2606.29150).

    Args:
        level: its index among the row's noise levels.
    """
    return int(np.argmin(result["errors"][level][:k]))


def recognised_vote(result: dict, k: int, level: int = 0) -> int:
    """A run with the answer that most runs give; of equally frequent ones, the run that changes
    least when it is noised again."""
    answers, errors = result["answers"][:k], result["errors"][level]
    votes = Counter(answers)
    return min(range(k), key=lambda j: (-votes[answers[j]], errors[j], j))


def early_plan(result: dict, k: int) -> int:
    """The run whose early clean estimate is the most decided: only this one has to be finished.

    As in arXiv 2603.30043, where a verifier scores the plans; this score is blind.
    """
    return int(np.argmax(result["margins"][:k]))


def checked_plan(result: dict, k: int) -> int:
    """The run whose early clean estimate violates least (with checker)."""
    return int(np.argmin(result["planned"][:k]))


def fewest_violations(result: dict, k: int) -> int:
    """The run that violates least at its end (with checker)."""
    return int(np.argmin(result["violated"][:k]))


def first_valid(result: dict, k: int) -> int:
    """The first valid run, or run 0: pass@k, the bound of every choice (with checker)."""
    valid: Sequence[str] = result["valids"][:k]
    return max(valid.find("1"), 0)

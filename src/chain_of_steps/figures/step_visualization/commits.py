"""When the parts of an answer are decided for good: in the order of deduction, of frames?"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ...measures import decisions
from ...measures.decisions import NEVER
from ...measures.intervals import clustered
from ...measures.traces import decoded
from ..summaries import clusters, mean, share

EARLY = 2  # a run commits late if some part commits after this step


def rounds(result: dict) -> np.ndarray:
    """The propagation round of each part, (P,): 0 for a clue, NaN where there is none."""
    return np.array(result["part_rounds"], float)


def commit_sigma(result: dict, sigmas: Sequence[float]) -> float:
    """The noise level at which the whole answer is decided for good; NaN if a part never is."""
    return float(decisions.in_sigma(decisions.commit_step(decoded(result["decided"])), sigmas))


def order(result: dict) -> float:
    """Spearman correlation of commit step and propagation round over the parts of a run."""
    return decisions.commit_order(decoded(result["decided"]), rounds(result))


def order_partial(result: dict) -> float:
    """The same among cells that look equally hard at the start: with the number of candidates that
    the clues leave to a cell held fixed. NaN for a run whose answer is not valid: what it decides
    follows from nothing."""
    if not result["valid"]:
        return float("nan")
    candidates = np.array(result["part_candidates"], float)
    return decisions.commit_order(decoded(result["decided"]), rounds(result), candidates)


def late(result: dict) -> bool:
    """Whether some open part commits after step `EARLY`: else there is no order to see."""
    steps = decisions.commit_steps(decoded(result["decided"]))
    return bool((steps[rounds(result) != 0] > EARLY).any())


def committed(rows: list[dict], sigmas: Sequence[float]) -> dict:
    """When a cell's runs commit, and in which order."""
    return {
        "commit_sigma": mean(rows, lambda r: commit_sigma(r, sigmas)),
        "commits": share(rows, lambda r: not np.isnan(commit_sigma(r, sigmas))),
        "late_commit": share(rows, late),
        "order": mean(rows, order),
        "order_partial": mean(rows, order_partial),
        "commit_by_round": _by_round(rows),
    }


def _by_round(rows: list[dict]) -> dict[str, dict]:
    """The mean commit step of the parts of each propagation round, from round 1 on."""
    steps, owners = defaultdict(list), defaultdict(list)
    for row, cluster in zip(rows, clusters(rows), strict=True):
        commits = decisions.commit_steps(decoded(row["result"]["decided"]))
        for step, number in zip(commits, rounds(row["result"]), strict=True):
            if number >= 1 and step != NEVER:
                steps[int(number)].append(step)
                owners[int(number)].append(cluster)
    return {str(number): clustered(steps[number], owners[number]) for number in sorted(steps)}


# By frame.


def commit_by_frame(result: dict, everywhere: bool = False) -> np.ndarray:
    """The commit step of each latent frame's decided answer, (F,): that of the last of its open
    parts. NaN for the given frame, and where no part commits.

    Args:
        everywhere: only parts that commit in every frame that can be read. Cells that appear in
            rounds are missing in early frames, so fewer parts have to commit there.
    """
    frames = np.array([decoded(texts) for texts in result["decided_by_frame"]])  # (F, S, P)
    steps = np.array([decisions.commit_steps(decided) for decided in frames])  # (F, P)
    counts = (steps != NEVER) & (rounds(result) != 0)  # round 0: a clue, given
    counts[0] = False  # the given frame
    if everywhere:
        counts &= counts[counts.any(1)].all(0)
    last = np.where(counts, steps, NEVER).max(1)
    return np.where(last == NEVER, np.nan, last)


def frame_slope(result: dict, everywhere: bool = False) -> float:
    """The slope of commit step over latent frame, in steps per frame. Chain-of-Frames predicts that
    early frames commit first: above 0. NaN with fewer than two frames that commit, or where all do
    at step 0, which cannot distinguish the two."""
    steps = commit_by_frame(result, everywhere)
    known = np.flatnonzero(~np.isnan(steps))
    if len(known) < 2 or not steps[known].any():
        return float("nan")
    return float(np.polyfit(known, steps[known], 1)[0])


def by_frame(rows: list[dict]) -> dict:
    """When the latent frames commit, in runs that are read by frame."""
    known = [row for row in rows if not np.isnan(frame_slope(row["result"]))]
    count = len(rows[0]["result"]["decided_by_frame"])
    return {
        "frame_slope": mean(rows, frame_slope),
        "frame_slope_same_parts": mean(rows, lambda r: frame_slope(r, everywhere=True)),
        "commit_by_frame": {
            str(f): mean(known, lambda r, f=f: commit_by_frame(r)[f]) for f in range(1, count)
        },
    }

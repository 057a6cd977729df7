"""From rows to numbers: from which step on it can be read what fits the prompt, and what will be
marked; and how often either is read at the first step."""

from collections.abc import Sequence

import numpy as np

from ...measures.intervals import clustered, difference, proportion
from ..summaries import by_cell
from .curves import of_means
from .onsets import BELIEF, FLOORS, QUESTIONS, UNLEARNED

CHANCE = 0.5  # concordance of scores that know nothing


def onsets_of(rows: list[dict]) -> dict[str, dict]:
    """By cell: `perception_at` and `action_at`, concordance by step off the middle block; `floors`,
    the same off other sources, by question; `shown_at`, that of the ring in the clean estimate.

    `perception_onset`, `action_onset`, `shown_onset`: see `onset`, from chance. `onset_gap` and
    `shown_gap`: action, and ring, minus perception. `onset_gap_from_floor`, exploratory: the gap
    from the best of the floors at step 0 (at least chance), that is, from what the noise of step 0,
    untrained weights and shuffled labels give. Intervals are over samples, with the probes as they
    are. Where one thing fits, the two labels are the same, and the gaps 0 by construction.

    No onset is needed for `perception_at_step_0` and `action_at_step_0`, the share of samples in
    which every thing for which the answer is yes gets a higher score than all others; and
    `perception_minus_action_at_step_0`, paired.
    """
    found: dict[str, dict] = {}
    for cell, own in by_cell(rows).items():
        at = {(r["run"]["question"], r["run"]["source"]): r["result"] for r in own}
        found[cell] = _onsets(at)
    return found


def _onsets(at: dict[tuple[str, str], dict]) -> dict:
    middle = next(source for _, source in at if source.isdigit())
    first = next(iter(at.values()))
    steps, groups = first["step"], first["cluster"]
    curves = {name: np.array(row["concordance"], float) for name, row in at.items()}  # (T, n)
    levels = {
        name: {str(s): clustered(values, groups) for s, values in zip(steps, curve, strict=True)}
        for name, curve in curves.items()
    }
    found: dict = {f"{question}_at": levels[question, middle] for question in QUESTIONS}
    found["shown_at"] = levels["action", BELIEF]
    found["floors"] = {
        question: {source: levels[question, source] for source in FLOORS} for question in QUESTIONS
    }
    perception, action, shown = (
        curves[key] for key in (("perception", middle), ("action", middle), ("action", BELIEF))
    )

    def of(curve: np.ndarray) -> np.ndarray:
        return onset(curve, CHANCE, steps)

    for name, curve in (("perception", perception), ("action", action), ("shown", shown)):
        found[f"{name}_onset"] = of_means(of, [curve], groups)
    for name, later in (("onset_gap", action), ("shown_gap", shown)):
        found[name] = of_means(lambda p, a: of(a) - of(p), [perception, later], groups)

    def from_floor(p: np.ndarray, f: np.ndarray, a: np.ndarray, g: np.ndarray) -> np.ndarray:
        return onset(a, best(g), steps) - onset(p, best(f), steps)

    untaught = [np.array([curves[q, s][0] for s in UNLEARNED]) for q in QUESTIONS]  # (F, n) each
    pairs = [perception, untaught[0], action, untaught[1]]
    found["onset_gap_from_floor"] = of_means(from_floor, pairs, groups)
    return found | _at_step_0(perception[0], action[0], groups)


def _at_step_0(perception: np.ndarray, action: np.ndarray, groups: Sequence[str]) -> dict:
    """Of concordances (n,) of the samples at step 0."""
    known = ~np.isnan(perception) & ~np.isnan(action)
    own = np.array(groups)[known]
    right = [curve[known] == 1.0 for curve in (perception, action)]
    return {
        "perception_at_step_0": proportion(right[0], own),
        "action_at_step_0": proportion(right[1], own),
        "perception_minus_action_at_step_0": difference(*right, own),
    }


def best(floors: np.ndarray) -> np.ndarray:
    """The best of floors (B, F), at least chance; (B,)."""
    return np.maximum(floors.max(-1), CHANCE)


def onset(curve: np.ndarray, floor: np.ndarray | float, steps: Sequence[int]) -> np.ndarray:
    """Where curves (B, T) over these steps are first half of the way from their floor to their end,
    (B,), on the straight line between two of the steps. NaN for a curve that does not end above it.

    Before the first pass of the network nothing can be read: a curve starts at its floor at step
    -1, so an onset in the first pass is between -1 and 0.

    Args:
        floor: (B,), or one for all.
    """
    start, end = np.broadcast_to(floor, len(curve)), curve[:, -1]
    half = start + (end - start) / 2
    places, whole = np.array([-1.0, *steps]), np.column_stack([start, curve])
    after = 1 + (curve >= half[:, None]).argmax(-1)  # the first step that has reached it
    low, high = (np.take_along_axis(whole, i[:, None], 1)[:, 0] for i in (after - 1, after))
    with np.errstate(invalid="ignore", divide="ignore"):
        way = (half - low) / (high - low)
    found = places[after - 1] + way * (places[after] - places[after - 1])
    return np.where(end > start, found, np.nan)

"""From rows to numbers: from which step on it can be read what fits the prompt, and what will be
marked."""

from collections.abc import Sequence

import numpy as np

from ...measures.intervals import clustered
from ..summaries import by_cell
from .curves import of_means
from .onsets import BELIEF, FLOORS, QUESTIONS, UNLEARNED

CHANCE = 0.5  # concordance of scores that know nothing


def onsets_of(rows: list[dict]) -> dict[str, dict]:
    """By cell: `perception_at` and `action_at`, concordance by step off the middle block; `floors`,
    the same off other sources, by question; `shown_at`, that of the ring in the clean estimate.

    `perception_onset`, `action_onset`, `shown_onset`: see `onset`. `onset_gap` and `shown_gap`:
    action, and ring, minus perception; `gap_from_chance`, the first of them with chance as the
    floor. Intervals are over samples, with the probes as they are.
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
    pairs = {  # of each: its curve, and what is known at step 0 without the network, (F, n)
        name: [curves[question, source], np.array([curves[question, f][0] for f in UNLEARNED])]
        for name, question, source in (
            ("perception", "perception", middle),
            ("action", "action", middle),
            ("shown", "action", BELIEF),
        )
    }
    for name, pair in pairs.items():
        found[f"{name}_onset"] = of_means(lambda *own: onset(*own, steps), pair, groups)

    def gap(early: np.ndarray, e: np.ndarray, later: np.ndarray, f: np.ndarray) -> np.ndarray:
        return onset(later, f, steps) - onset(early, e, steps)

    chance = [np.full((1, curve.shape[1]), CHANCE) for curve, _ in pairs.values()]
    plain = [pairs["perception"][0], chance[0], pairs["action"][0], chance[1]]
    found["onset_gap"] = of_means(gap, [*pairs["perception"], *pairs["action"]], groups)
    found["shown_gap"] = of_means(gap, [*pairs["perception"], *pairs["shown"]], groups)
    found["gap_from_chance"] = of_means(gap, plain, groups)
    return found


def onset(curve: np.ndarray, floors: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """The first of the steps at which curves (B, T) are half of the way from their floor to their
    end, (B,); NaN for a curve that does not end above it.

    The floor is the best of `floors` (B, F), at least chance: what the noise of step 0, untrained
    weights or shuffled labels give. Floors of later steps would not do: there the input shows what
    earlier steps have worked out.
    """
    floor, end = np.maximum(floors.max(-1), CHANCE), curve[:, -1]
    reached = curve >= (floor + (end - floor) / 2)[:, None]
    return np.where(end > floor, np.array(steps, float)[reached.argmax(-1)], np.nan)

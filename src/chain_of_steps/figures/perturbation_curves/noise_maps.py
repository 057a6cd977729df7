"""From rows of `perturbation` to maps: how far noise at a step spreads to later ones, and which
step it matters at."""

import numpy as np
import pandas as pd

from ...measures.intervals import interval, interval_of
from ...measures.presence import nanmean

TENSORS = ("x", "x0_hat", "tokens", "evidence")


def summary(lines: pd.DataFrame, steps: int, sigmas: list[float]) -> dict:
    """Step x step maps of dissimilarity to the clean run, their ceiling (an unrelated run), and
    where they peak.

    Args:
        lines: those of `perturbation.table` that were compared with the clean run at every step.
    """
    noised = lines[lines["design"] == "step"]
    samples = [group for _, group in noised.groupby(["task", "index"])]
    result: dict = {"n": len(samples)}
    for name in TENSORS if samples else ():
        stack = np.stack(
            [_map(group, name, steps) for group in samples]
        )  # (n, S injected, S later)
        unrelated = np.array(
            [maps[name] for maps in lines[lines["design"] == "clean"]["maps"]], float
        )  # (n, S)
        sensitivity = at_the_end(name, stack)
        result[name] = {
            "map": np.round(nanmean(stack, 0), 4).tolist(),
            "unrelated": np.round(nanmean(unrelated, 0), 4).tolist(),
            "sensitivity": [interval(column) for column in sensitivity.T],
            "peak": peak(sensitivity, np.arange(steps) / (steps - 1)),
            "peak_sigma": peak(sensitivity, np.array(sigmas[:-1])),
            "persistence": persistence(sensitivity, unrelated),
        }
    return result


def _map(group: pd.DataFrame, name: str, steps: int) -> np.ndarray:
    """(S injected, S later) of one sample; NaN before the noise enters."""
    values = np.full((steps, steps), np.nan)
    for step, maps in zip(group["step"], group["maps"], strict=True):
        values[step, maps["from"] :] = np.array(maps[name], float)
    return values


def at_the_end(name: str, stack: np.ndarray) -> np.ndarray:
    """What is left of the change at the last step, by injected step, (n, S).

    Latents replaced at the last step are unrelated by construction: NaN.
    """
    values = stack[:, :, -1].copy()
    if name == "x":
        values[:, -1] = np.nan
    return values


def peak(sensitivity: np.ndarray, places: np.ndarray) -> dict:
    """Where the mean curve over samples, (n, S), is highest: the place (S,) of that step."""

    def highest(chosen: np.ndarray) -> np.ndarray:
        return places[np.nan_to_num(nanmean(sensitivity[chosen], -2)).argmax(-1)]

    return interval_of(highest, len(sensitivity))


def persistence(sensitivity: np.ndarray, unrelated: np.ndarray) -> dict:
    """What noise in the first quarter of the steps leaves at the last one, as a share of an
    unrelated run's distance there; both averaged over samples first.

    Args:
        sensitivity: (n, S).
        unrelated: (n, S), dissimilarity to an unrelated run at every step.
    """
    left, whole = sensitivity[:, : max(1, sensitivity.shape[1] // 4)].mean(1), unrelated[:, -1]
    return interval_of(
        lambda chosen: left[chosen].sum(-1) / np.maximum(whole[chosen].sum(-1), 1e-9), len(left)
    )

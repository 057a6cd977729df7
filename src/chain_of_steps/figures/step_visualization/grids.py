"""Pictures of clean estimates: steps from left to right, or steps by frames."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..names import plain
from ..style import WIDTH, grid, judged, nothing, picture, step_name, style
from .pictures import Case


def along_steps(cases: Sequence[Case], sigmas: Sequence[float], steps: Sequence[int]) -> Figure:
    """A row for each case: the given frame, then the last frame of the clean estimate at chosen
    steps, marked by whether its decided answer is valid, with its violations.

    Args:
        cases: with clips (S, frames, H, W, 3).
    """
    if not cases:
        return nothing("no such case was generated")
    with style():
        figure, axes = grid(len(cases), len(steps) + 1)
        for row, case in zip(axes, cases, strict=True):
            picture(row[0], case.clips[-1, 0])
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis, s in zip(row[1:], steps, strict=True):
                wrong = int(case.violations[s])
                judged(axis, case.clips[s, -1], not wrong, f"{wrong} broken" if wrong else "")
        axes[0, 0].set_title("given", fontsize="small")
        for axis, s in zip(axes[0, 1:], steps, strict=True):
            axis.set_title(step_name(sigmas, s), fontsize="small")
    return figure


def steps_by_frames(
    cases: dict[str, Case], sigmas: Sequence[float], steps: Sequence[int]
) -> Figure:
    """Grids side by side: rows are steps, columns pixel frames, as in the paper's figure 1.

    Args:
        cases: by their cell.
    """
    if not cases:
        return nothing("no cell is read by frame")
    frames = next(iter(cases.values())).clips.shape[1]
    with style():
        wide = WIDTH / len(cases) - 0.6
        figure = plt.figure(figsize=(WIDTH, 0.7 + len(steps) * wide / frames), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.01, hspace=0.01)
        grids = np.atleast_1d(figure.subfigures(1, len(cases)))
        for grid, (cell, case) in zip(grids, cases.items(), strict=True):
            axes = grid.subplots(len(steps), frames, squeeze=False)
            for row, s in zip(axes, steps, strict=True):
                for axis, pixels in zip(row, case.clips[s], strict=True):
                    picture(axis, pixels)
                label = step_name(sigmas, s)
                row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize="small")
            for f, axis in enumerate(axes[0]):
                axis.set_title("given" if f == 0 else f"frame {f}", fontsize="small")
            grid.suptitle(plain(cell), fontsize="medium")
    return figure

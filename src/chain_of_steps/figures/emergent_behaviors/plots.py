"""Figures 4 and 5 of the paper, measured: each function draws one result. Every panel is one cell,
and says its n."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ...puzzles import reading
from ..names import broken, plain
from ..style import (
    PALETTE,
    WIDTH,
    answers,
    band,
    grid,
    judged,
    labelled,
    legend,
    note,
    nothing,
    spread,
    step_axis,
    step_name,
    style,
)
from .mistakes import Repair
from .onsets import QUESTIONS
from .wrong_parts import KINDS, NAMES

FLOORS = {"input": "--", "random network": "-.", "shuffled": ":"}
ASKED = {"perception": "does it fit the prompt?", "action": "will it be marked?"}
COLUMNS = 3  # of panels
SHOWN = 7  # steps of a picture
HALF = 0.5  # noise level from which on a mistake is still readable in most answers

Cells = dict[str, dict]


def memory(summary: dict) -> Figure:
    """Valid answers by the step from which the given frame is dropped."""
    sigmas, cells = summary["sigmas"]["memory"], _with(summary, "dropped_at")

    def draw(axis: Axes, found: dict) -> None:
        clean = found["clean"]
        axis.axhline(clean["mean"], color="0.45", lw=1.4, ls="--", label="always given")
        axis.axhspan(clean["low"], clean["high"], color="0.45", alpha=0.12, lw=0)
        _curve(axis, found["dropped_at"], PALETTE[0], "dropped from this step on")
        label = "given from this step on only"
        for step, value in found["restored_at"].items():
            _point(axis, int(step), value, PALETTE[2], label)
        half = (len(sigmas) - 1) // 2
        if "erased" in found:
            label = "dropped, and frame 0 wiped from the latents"
            _point(axis, half + 0.4, found["erased"], PALETTE[1], label, "s")
        step_axis(axis, sigmas[:-1], ticks=4)

    return _panels(cells, draw, "valid answers", lambda found: found["clean"]["n"])


def recovery(summary: dict) -> Figure:
    """Mistakes that are put in: by kind at one noise level, and the consistent ones by level."""
    sigmas, cells = summary["sigmas"]["mistakes"], _with(summary, "repaired")
    if not cells:
        return nothing("no mistake was put in")
    steps = sorted(int(s) for s in next(iter(cells.values()))["recovered"]["control"])
    step = max((s for s in steps if sigmas[s] > HALF), default=steps[-1])
    with style():
        panels = {"width_ratios": (3, 2), "layout": "constrained"}
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 4.8), **panels)
        for number, kind in enumerate(KINDS):
            for y, found in enumerate(cells.values()):
                place, value = y + 0.19 * (number - 1.5), found["recovered"][kind][str(step)]
                colour, label = ("0.5", *PALETTE)[number], NAMES[kind] * (y == 0)
                left.plot([value["low"], value["high"]], [place] * 2, color=colour, lw=1.8)
                left.plot(value["mean"], place, "Dos^"[number], color=colour, label=label)
        counts = [found["recovered"]["control"][str(step)]["n"] for found in cells.values()]
        rows = [f"{broken(c)} ({n})" for c, n in zip(cells, counts, strict=True)]
        left.set_yticks(range(len(rows)), rows)
        left.invert_yaxis()
        left.set(xlim=(-0.03, 1.03), xlabel="share that ends right")
        left.set_title(f"put in at step {step}, $\\sigma$ {sigmas[step]:.2f}")
        for (cell, found), colour in zip(cells.items(), PALETTE[3:], strict=False):
            _curve(right, found["recovered"]["consistent"], colour, f"{plain(cell)}")
        step_axis(right, sigmas[:-1], r"put in at this step / $\sigma$", ticks=4)
        right.set(ylim=(-0.03, 1.03), title=f"{NAMES['consistent']}, by step")
        legend(figure, labelled([left, right]), 2)
    return figure


def repaired(summary: dict) -> Figure:
    """Consistent mistakes by the step noised to: what was readable, and what of that was repaired.
    The small numbers are those of runs that repair counts."""
    sigmas, cells = summary["sigmas"]["mistakes"], _with(summary, "repaired")
    kind = "consistent"

    def draw(axis: Axes, found: dict) -> None:
        _curve(axis, found["recovered"][kind], PALETTE[0], "ends right, all runs")
        _curve(axis, found["readable"][kind], "0.35", "mistake readable in the noised answer")
        axis.lines[-1].set_linestyle(":")
        known = {step: value for step, value in found["repaired"][kind].items() if value["n"]}
        label = "ends right, of those readable and not right at once"
        for step, value in known.items():
            _point(axis, int(step) + 0.3, value, PALETTE[1], label)
            place = int(step) + 0.3, value["high"] + 0.03
            axis.text(*place, value["n"], color=PALETTE[1], ha="center", fontsize="small")
        step_axis(axis, sigmas[:-1], r"noised to this step / $\sigma$", ticks=4)

    def count(found: dict) -> int:
        return next(iter(found["recovered"][kind].values()))["n"]

    return _panels(cells, draw, "share of runs", count, columns=2, top=1.12)


def repairs(cases: list[Repair], sigmas: list[float]) -> Figure:
    """Where a run from a mistake goes: one row per case, the changed part framed."""
    if not cases:
        return nothing("no mistake was put into a picture")
    with style():
        figure, axes = grid(len(cases), SHOWN + 1)
        for row, case in zip(axes, cases, strict=True):
            chosen = spread(len(case.clips), SHOWN)
            decided = reading.decided(case.sample, case.start)
            judged(row[0], case.start, case.sample.is_valid(decided))
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis in row[len(chosen) + 1 :]:
                axis.axis("off")
            for axis, s in zip(row[1:], chosen, strict=False):
                answers(axis, case.sample, case.clips[s, -1])
            for axis in row[: len(chosen) + 1]:
                _frame(axis, case.changed)
        steps = [cases[0].step + s for s in spread(len(cases[0].clips), SHOWN)]
        axes[0, 0].set_title("put in", fontsize="small")
        for axis, s in zip(axes[0, 1:], steps, strict=False):
            axis.set_title(step_name(sigmas, s), fontsize="small")
    return figure


def onsets(summary: dict) -> Figure:
    """What fits the prompt, and what will be marked: how well each can be read, by step."""
    sigmas, known = summary["sigmas"]["onsets"], _with(summary, "perception_at")
    cells = {cell: found for cell, found in known.items() if not _always(found)}
    if not cells:
        return nothing("no cell in which something can be read later than at the first step")
    with style():
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(
            len(cells), 2, figsize=(WIDTH, 0.6 + 3.6 * len(cells)), **panels
        )
        for row, (cell, found) in zip(axes, cells.items(), strict=True):
            for axis, question, colour in zip(row, QUESTIONS, PALETTE, strict=False):
                _reading(axis, found, question, colour)
                step_axis(axis, sigmas[:-1])
                axis.set(title=ASKED[question], ylim=(0.3, 1.03))
            n = next(iter(found["perception_at"].values()))["n"]
            row[0].set_ylabel(f"{plain(cell)} (n = {n})\nAUROC within a board")
        legend(figure, labelled(axes.flat))
        if flat := [plain(cell) for cell in known if cell not in cells]:
            note(figure, f"Both can be read at every step, from the first on: {'; '.join(flat)}.")
    return figure


def _always(found: dict) -> bool:
    """Whether both questions can be read perfectly at every step."""
    read = [value["mean"] for q in QUESTIONS for value in found[f"{q}_at"].values()]
    return all(mean == 1.0 for mean in read)


def _reading(axis: Axes, found: dict, question: str, colour: str) -> None:
    """One question: the middle block, its onset, what the picture shows, and floors."""
    onset = found[f"{question}_onset"]
    if onset["n"]:
        label = f"onset of {question}, 95 % interval"
        axis.axvspan(onset["low"], onset["high"], color=colour, alpha=0.25, lw=1, label=label)
    _curve(axis, found[f"{question}_at"], colour, f"probe, middle block: {question}")
    if question == "action":
        _curve(axis, found["shown_at"], PALETTE[2], "ring in the clean estimate")
    for name, line in FLOORS.items():
        _curve(axis, found["floors"][question][name], "0.5", f"floor: {name}")
        axis.lines[-1].set(linestyle=line, linewidth=1.2)


def _panels(
    cells: Cells,
    draw: Callable[[Axes, dict], None],
    label: str,
    count: Callable[[dict], int],
    columns: int = COLUMNS,
    top: float = 1.03,
) -> Figure:
    """A panel per cell, with one legend for all.

    Args:
        count: the number of runs of a cell.
        top: of the vertical axis.
    """
    if not cells:
        return nothing("no such cell was run")
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    with style():
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 0.6 + 2.9 * rows), **panels)
        for axis in axes.flat[len(cells) :]:
            axis.axis("off")
        for axis, (cell, found) in zip(axes.flat, cells.items(), strict=False):
            draw(axis, found)
            axis.set_ylim(-0.03, top)
            axis.set_title(f"{broken(cell)} (n = {count(found)})", fontsize="medium")
        for row in axes:
            row[0].set_ylabel(label)
        legend(figure, labelled(axes.flat))
    return figure


def _with(summary: dict, metric: str) -> Cells:
    """The cells that have a metric."""
    return {cell: found for cell, found in summary["cells"].items() if metric in found}


def _curve(axis: Axes, values: dict[str, dict], colour: str, label: str) -> None:
    places = sorted(map(int, values))
    band(axis, places, [values[str(s)] for s in places], colour, label)


def _point(
    axis: Axes, place: float, value: dict, colour: str, label: str, marker: str = "D"
) -> None:
    axis.plot([place, place], [value["low"], value["high"]], color=colour, lw=1.4)
    axis.plot(place, value["mean"], marker, color=colour, ms=5, label=label, ls="none")


def _frame(axis: Axes, changed: np.ndarray) -> None:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    corner = columns[0] - 1.5, rows[0] - 1.5
    width, height = columns[-1] - columns[0] + 3, rows[-1] - rows[0] + 3
    axis.add_patch(Rectangle(corner, width, height, fill=False, ec=PALETTE[1], lw=1.8))

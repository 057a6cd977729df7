"""Figures 4 and 5 of the paper, measured: each function draws one result. Every panel is one cell,
and says its n."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..names import broken, plain
from ..style import (
    PALETTE,
    WIDTH,
    band,
    nothing,
    picture,
    spread,
    step_axis,
    step_name,
    style,
)
from .mistakes import Repair
from .onsets import QUESTIONS
from .wrong_parts import WRONG

FLOORS = {"x0_hat": ":", "input": "--", "random network": "-.", "shuffled": "-"}
LABELS = {"x0_hat": r"same probe on $\hat{x}_0$"}  # the network's own output is no floor
COLUMNS = 3  # of panels
SHOWN = 7  # steps of a picture

Cells = dict[str, dict]


def memory(summary: dict) -> Figure:
    """Valid answers by the step from which the given frame is dropped."""
    sigmas, cells = summary["sigmas"]["memory"], _with(summary, "dropped_at")

    def draw(axis: Axes, cell: str, found: dict) -> None:
        _line(axis, found["clean"], "0.45", "clean")
        _line(axis, found["dropped_at_0"], PALETTE[1], "never given")
        _curve(axis, found["dropped_at"], PALETTE[0], "dropped from this step on")
        for step, value in found["restored_at"].items():
            label = (
                "given from this step on only"
                if step == min(found["restored_at"], key=int)
                else None
            )
            _point(axis, int(step), value, PALETTE[2], label)
        half = (len(sigmas) - 1) // 2
        if "erased" in found:
            _point(axis, half + 0.3, found["erased"], PALETTE[3], "dropped, and frame 0 erased")
        axis.set_title(f"{plain(cell)} (n = {found['clean']['n']})", fontsize="medium")
        step_axis(axis, sigmas[:-1], ticks=4)

    title = (
        "How long is the given frame needed? Valid answers once it is dropped from the condition"
    )
    return _panels(cells, draw, title, "valid answers")


def recovery(summary: dict) -> Figure:
    """Mistakes that are put in, by the step noised to: a row per cell, a column per kind."""
    sigmas, cells = summary["sigmas"]["mistakes"], _with(summary, "repaired")
    if not cells:
        return nothing("no mistake was put in")
    with style():
        size = (WIDTH, 1.3 + 2.3 * len(cells))
        figure, axes = plt.subplots(
            len(cells), len(WRONG), figsize=size, sharey=True, squeeze=False, layout="constrained"
        )
        for row, (cell, found) in zip(axes, cells.items(), strict=True):
            n = next(iter(found["recovered"]["control"].values()))["n"]
            row[0].set_ylabel(f"{broken(cell)}\n(n = {n})\nends right")
            for axis, kind in zip(row, WRONG, strict=True):
                _mistake(axis, found, kind)
                step_axis(axis, sigmas[:-1], "", ticks=4)
                axis.set_ylim(-0.03, 1.18)
        for axis, kind in zip(axes[0], WRONG, strict=True):
            axis.set_title(f"{kind} mistake", fontsize="medium")
        for axis in axes[-1]:
            axis.set_xlabel(r"noised to this step / $\sigma$")
        shown = [axis.get_legend_handles_labels()[::-1] for axis in axes.flat]
        handles = {label: line for own in shown for label, line in zip(*own, strict=True)}
        figure.legend(handles.values(), handles, frameon=False, ncols=2, loc="outside lower center")
        figure.suptitle("A mistake in an answer, noised to a step: does the run end right?")
    return figure


def _mistake(axis: Axes, found: dict, kind: str) -> None:
    """One kind of mistake in one cell. The small numbers are those of runs that repair counts."""
    _line(axis, found["unaided"], PALETTE[4], "clean runs, from noise (valid)")
    _points(axis, found["recovered"]["control"], "0.45", "no mistake (control)", -0.3)
    _curve(axis, found["recovered"][kind], PALETTE[0], "ends right, all runs")
    _means(axis, found["at_once"][kind], PALETTE[0], "--", "right in the first estimate")
    _means(axis, found["readable"][kind], "0.2", ":", "mistake readable in the noised answer")
    repaired = {step: value for step, value in found["repaired"][kind].items() if value["n"]}
    label = "ends right: readable, not right at once"
    if repaired:
        _points(axis, repaired, PALETTE[1], label, 0.3)
    for step, value in repaired.items():
        where = int(step) + 0.3, max(value["high"], 1.0) + 0.03
        axis.text(*where, value["n"], color=PALETTE[1], ha="center", fontsize="x-small")


def revisions(summary: dict) -> Figure:
    """Revisions of clean runs by step: wrong to right up, right to wrong down."""
    sigmas, cells = summary["sigmas"]["mistakes"], _with(summary, "revisions")

    def draw(axis: Axes, cell: str, found: dict) -> None:
        own = found["revisions"]
        steps = range(len(own["wrong_to_right"]))
        axis.bar(steps, own["wrong_to_right"], color=PALETTE[2], label="wrong to right")
        axis.bar(steps, -np.array(own["right_to_wrong"]), color=PALETTE[1], label="right to wrong")
        axis.axhline(0, color="0.3", lw=0.8)
        n = found["wrong_to_right"]["n"]
        axis.set_title(f"{plain(cell)} (n = {n})", fontsize="medium")
        step_axis(axis, sigmas[:-1], ticks=4)

    title = "Revisions of clean runs: parts that change their value, by step"
    return _panels(cells, draw, title, "parts per run", columns=2, unit=False)


def repairs(cases: list[Repair], sigmas: list[float]) -> Figure:
    """Where a run from a mistake goes: one row per case, the changed part framed."""
    if not cases:
        return nothing("no mistake was put into a picture")
    columns = SHOWN + 1
    with style():
        size = (WIDTH, WIDTH * len(cases) / columns * 1.04 + 0.4)
        figure, axes = plt.subplots(len(cases), columns, figsize=size, squeeze=False)
        for row, case in zip(axes, cases, strict=True):
            chosen = spread(len(case.clips), SHOWN)
            picture(row[0], case.start)
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis in row[len(chosen) + 1 :]:
                axis.axis("off")
            for axis, s in zip(row[1:], chosen, strict=False):
                picture(axis, case.clips[s, -1])
            for axis in row[: len(chosen) + 1]:
                _frame(axis, case.changed)
        steps = [cases[0].step + s for s in spread(len(cases[0].clips), SHOWN)]
        axes[0, 0].set_title("put in")
        for axis, s in zip(axes[0, 1:], steps, strict=False):
            axis.set_title(step_name(sigmas, s))
        figure.suptitle("Mistakes put into a noised answer: which are repaired?")
        figure.tight_layout(pad=0.3)
    return figure


def onsets(summary: dict) -> Figure:
    """What fits the prompt, and what will be marked: how well each can be read, by step."""
    sigmas, cells = summary["sigmas"]["onsets"], _with(summary, "perception_at")
    if not cells:
        return nothing("no cell with onsets")
    with style():
        figure, axes = plt.subplots(
            2, len(cells), figsize=(WIDTH, 6.4), sharey=True, squeeze=False, layout="constrained"
        )
        for column, (cell, found) in zip(axes.T, cells.items(), strict=True):
            for axis, question, colour in zip(column, QUESTIONS, PALETTE, strict=False):
                _reading(axis, found, question, colour)
                step_axis(axis, sigmas[:-1])
            gap = found["onset_gap"]
            n = next(iter(found["perception_at"].values()))["n"]
            said = _brief(gap, "+.1f") + " steps" if gap["n"] else "undefined"
            column[0].set_title(
                f"{plain(cell)} (n = {n})\naction minus perception:\n{said}", fontsize="medium"
            )
        axes[0, 0].set_ylabel("perception: fits the prompt\n(AUROC within a sample)")
        axes[1, 0].set_ylabel("action: will be marked\n(AUROC within a sample)")
        axes[0, 0].set_ylim(0.3, 1.03)
        for row in axes:
            row[-1].legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
        figure.suptitle(
            "Which things fit the prompt, and which is marked: from which step on can it be read?"
        )
    return figure


def _reading(axis: Axes, found: dict, question: str, colour: str) -> None:
    """One question: the middle block, its onset, what the picture shows, and floors."""
    _curve(axis, found[f"{question}_at"], colour, "middle block")
    if question == "action":
        _curve(axis, found["shown_at"], PALETTE[2], "ring in the clean estimate")
    for name, line in FLOORS.items():
        _means(
            axis, found["floors"][question][name], "0.5", line, LABELS.get(name, f"floor: {name}")
        )
    onset = found[f"{question}_onset"]
    if onset["n"]:
        axis.axvline(onset["mean"], color=colour, lw=1.2, label="onset (95 % interval)")
        axis.axvspan(onset["low"], onset["high"], color=colour, alpha=0.12, lw=0)


def _panels(
    cells: Cells,
    draw: Callable[[Axes, str, dict], None],
    title: str,
    label: str,
    columns: int = COLUMNS,
    unit: bool = True,
) -> Figure:
    """A panel per cell, with one legend for all."""
    if not cells:
        return nothing("no such cell was run")
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    with style():
        size = (WIDTH, 0.9 + 2.8 * rows)
        figure, axes = plt.subplots(
            rows, columns, figsize=size, sharey=True, squeeze=False, layout="constrained"
        )
        for axis in axes.flat[len(cells) :]:
            axis.axis("off")
        for axis, (cell, found) in zip(axes.flat, cells.items(), strict=False):
            draw(axis, cell, found)
            if unit:
                axis.set_ylim(-0.03, 1.03)
        for row in axes:
            row[0].set_ylabel(label)
        handles = dict(zip(*axes[0, 0].get_legend_handles_labels()[::-1], strict=True))
        figure.legend(handles.values(), handles, frameon=False, ncols=3, loc="outside lower center")
        figure.suptitle(title)
    return figure


def _with(summary: dict, metric: str) -> Cells:
    """The cells that have a metric."""
    return {cell: found for cell, found in summary["cells"].items() if metric in found}


def _curve(axis: Axes, values: dict[str, dict], colour: str, label: str) -> None:
    places = sorted(map(int, values))
    band(axis, places, [values[str(s)] for s in places], colour, label)


def _means(axis: Axes, values: dict[str, dict], colour: str, line: str, label: str) -> None:
    places = sorted(map(int, values))
    means = [np.nan if (m := values[str(s)]["mean"]) is None else m for s in places]
    axis.plot(places, means, color=colour, ls=line, lw=1.3, label=label)


def _line(axis: Axes, value: dict, colour: str, label: str) -> None:
    axis.axhline(value["mean"], color=colour, lw=1.4, ls="--", label=label)


def _points(axis: Axes, values: dict[str, dict], colour: str, label: str, shift: float) -> None:
    """Dots with their intervals, joined."""
    places = sorted(map(int, values))
    for s in places:
        _point(axis, s + shift, values[str(s)], colour, None)
    means = [values[str(s)]["mean"] for s in places]
    axis.plot([s + shift for s in places], means, color=colour, lw=1.2, label=label)


def _point(axis: Axes, place: float, value: dict, colour: str, label: str | None) -> None:
    axis.plot([place, place], [value["low"], value["high"]], color=colour, lw=1.4)
    axis.plot(place, value["mean"], "D", color=colour, ms=4, label=label)


def _frame(axis: Axes, changed: np.ndarray) -> None:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    corner = columns[0] - 1.5, rows[0] - 1.5
    width, height = columns[-1] - columns[0] + 3, rows[-1] - rows[0] + 3
    axis.add_patch(Rectangle(corner, width, height, fill=False, ec=PALETTE[1], lw=1.8))


def _brief(value: dict, form: str) -> str:
    mean, low, high = (format(value[key], form) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"

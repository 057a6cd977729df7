"""Noise at a step against noise in a frame, as bars: as the paper does it, and at equal doses."""

import functools
import operator

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..names import plain
from ..style import PALETTE, WIDTH, labelled, legend, note, nothing, style
from .plots import order, title

MEASURES = ("drop", "changed")


def frames(summary: dict) -> Figure:
    """What noise in one frame at all steps costs, next to noise at one step."""
    bars = {
        "all frames, one step": (("step_drop_of_same",), PALETTE[6]),
        "inner frames, one step": (("inner_step_drop",), PALETTE[0]),
        "one inner frame, all steps": (("inner_frame_drop",), PALETTE[1]),
        "the given frame, all steps": (("given_frame_drop",), "0.75"),
        "the scored frame, all steps": (("scored_frame_drop",), "0.45"),
    }
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.4), layout="constrained")
        _bars(axis, summary, bars, order(summary))
        axis.set_ylabel("valid answers lost")
        legend(figure, labelled([axis]))
    return figure


def doses(summary: dict) -> Figure:
    """Equal doses: the inner frames at one step, and as many steps of one inner frame around it."""
    designs = {"inner frames, one step": ("inner", PALETTE[0])}
    designs |= {"one inner frame, as many steps": ("window", PALETTE[1])}
    if not any(cell["doses"]["inner"]["changed"]["n"] for cell in summary["cells"].values()):
        return nothing("these latents have no inner frames")
    names = order(summary)
    shown = [name for name in names if _moved(summary["cells"][name]["doses"])]
    with style():
        layout = {"sharex": True, "layout": "constrained"}
        figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 6.0), **layout)
        for axis, what in zip(axes, MEASURES, strict=True):
            values = {
                f"{label} (energy {_energy(summary, design):.1f})": (
                    ("doses", design, what),
                    colour,
                )
                for label, (design, colour) in designs.items()
            }
            _bars(axis, summary, values, shown)
        axes[0].set_ylabel("valid answers lost")
        axes[1].set_ylabel("answers that change")
        legend(figure, labelled(axes[:1]))
        if left_out := [plain(name) for name in names if name not in shown]:
            note(figure, f"No answer is lost or changes: {'; '.join(left_out)}.")
    return figure


def _moved(doses: dict) -> bool:
    """Whether noise changes anything in a cell."""
    return any(doses[design][what]["mean"] for design in ("inner", "window") for what in MEASURES)


def _energy(summary: dict, design: str) -> float:
    known = [cell["doses"][design]["energy"] for cell in summary["cells"].values()]
    return float(np.mean([energy for energy in known if energy is not None]))


def _bars(
    axis: Axes, summary: dict, values: dict[str, tuple[tuple[str, ...], str]], names: list[str]
) -> None:
    """Grouped bars with intervals, a group for each of these cells.

    Args:
        values: the path of a metric of a cell, and a colour, by label.
    """
    (path, _) = next(iter(values.values()))
    names = [name for name in names if _metric(summary["cells"][name], path)["n"]]
    width = 0.8 / len(values)
    for number, (label, (path, colour)) in enumerate(values.items()):
        found = [_metric(summary["cells"][name], path) for name in names]
        known = [(i, each) for i, each in enumerate(found) if each["n"]]
        places = np.array([i + (number - (len(values) - 1) / 2) * width for i, _ in known])
        means = np.array([each["mean"] for _, each in known])
        ends = np.array([[each["low"], each["high"]] for _, each in known]).reshape(-1, 2).T
        axis.bar(places, means, width * 0.92, color=colour, label=label)
        axis.errorbar(places, means, np.abs(ends - means), fmt="none", ecolor="0.2", lw=1)
    counts = [_metric(summary["cells"][name], path)["n"] for name in names]
    titles = [title(summary, *each) for each in zip(names, counts, strict=True)]
    axis.set_xticks(range(len(names)), titles, fontsize="small")
    axis.axhline(0.0, color="0.6", lw=0.8)


def _metric(cell: dict, path: tuple[str, ...]) -> dict:
    return functools.reduce(operator.getitem, path, cell)

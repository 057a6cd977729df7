"""Pictures of the same evaluations spent otherwise: at one noise level, and in other ways."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ..names import short
from ..style import PALETTE, WIDTH, nothing, style
from .diagram import in_order
from .plots import span

STEPS, FIXED = "black", PALETTE[1]
COLUMNS = 4  # depths
WAYS = {  # colour and line
    "path": (STEPS, "-", "the usual steps"),
    "tuned path": ("grey", "--", "the usual steps, shift chosen"),
    "stochastic": (PALETTE[2], "-", "fresh noise at every step"),
    "fresh noise": (FIXED, "-", "passes at one level, fresh noise"),
    "equal noise": (PALETTE[4], "--", "passes at one level, equal noise"),
    "restart": (PALETTE[5], ":", r"one pass at $\sigma_s$ on the estimate of step 0"),
}


def at_one_level(found: list[dict]) -> Figure:
    """Valid answers by number of evaluations: as many denoising steps, or as many passes at one
    noise level. A row for each kind of samples, a column for each depth.

    Args:
        found: of `path_analysis.at_one_level`; shown where three numbers or more were tried.
    """
    found = [each for each in found if len(each["passes"]) > 2]
    if not found:
        return nothing("no network was measured with several numbers of steps")
    cells = in_order(each["cell"] for each in found)
    depths = sorted({each["layers"] for each in found})
    with style():
        size = (WIDTH, 1.55 * len(cells) + 1.0)
        shape = {"figsize": size, "sharex": True, "sharey": True, "squeeze": False}
        figure, axes = plt.subplots(len(cells), len(depths), **shape)
        for axis in axes.flat:
            axis.axis("off")
        for each in found:
            place = cells.index(each["cell"]), depths.index(each["layers"])
            _against(axes[place], each)
        for axis, cell in zip(axes[:, 0], cells, strict=True):
            axis.axis("on")
            axis.set_ylabel(short(cell).replace(": ", "\n"), fontsize=8)
        for axis, depth in zip(axes[0], depths, strict=True):
            axis.set_title(f"L = {depth}")
        _legend(figure, found, size[1])
    return figure


def _against(axis: Axes, each: dict) -> None:
    axis.axis("on")
    for name, colour, mark in (("path", STEPS, "o-"), ("fixed", FIXED, "s-")):
        mean, low, high = (np.array([v[k] for v in each[name]]) for k in ("mean", "low", "high"))
        axis.fill_between(each["passes"], low, high, color=colour, alpha=0.15, lw=0)
        axis.plot(each["passes"], mean, mark, color=colour, ms=3.5, lw=1.4)
    axis.set(xscale="log", ylim=(-0.04, 1.04))
    axis.set_xticks(each["passes"], each["passes"])
    axis.xaxis.set_minor_locator(NullLocator())
    levels = [level for own in each["levels"] for level in own]
    text = rf"$\sigma$ = {span(sorted(set(levels)))}"
    axis.text(0.02, 1.02, text, fontsize=7, color=FIXED, transform=axis.transAxes)


def _legend(figure: Figure, found: list[dict], height: float) -> None:
    sizes = sorted({v["n"] // v["networks"] for each in found for v in each["path"]})
    lines = [
        plt.Line2D([], [], color=STEPS, marker="o", label="so many denoising steps"),
        plt.Line2D([], [], color=FIXED, marker="s", label="so many passes at one noise level"),
    ]
    title = f"valid answers by evaluations, step 0 included; n = {span(sizes)} a network"
    place = {"loc": "lower center", "ncols": 2, "frameon": False, "fontsize": 8}
    figure.legend(handles=lines, title=title, title_fontsize=9, **place)
    figure.tight_layout(rect=(0, 0.6 / height, 1, 1), h_pad=0.5, w_pad=0.4)


def paths(found: list[dict]) -> Figure:
    """The same evaluations spent in other ways, a panel for each network and kind of samples."""
    if not found:
        return nothing("no network was measured")
    rows = -(-len(found) // COLUMNS)
    with style():
        size = (WIDTH, 2.1 * rows + 0.8)
        shape = {"figsize": size, "sharex": True, "sharey": True, "squeeze": False}
        figure, axes = plt.subplots(rows, min(COLUMNS, len(found)), **shape)
        for axis in axes.flat[len(found) :]:
            axis.axis("off")
        for axis, each in zip(axes.flat, _by_cell(found), strict=False):
            _ways(axis, each)
            title = f"{short(each['cell'])}\nL = {each['layers']}, n = {each['n']}"
            axis.set_title(title, fontsize=8)
        for axis in axes[:, 0]:
            axis.set_ylabel("valid answers")
        for axis in axes[-1]:
            axis.set_xlabel("evaluations so far")
        lines = [plt.Line2D([], [], color=c, ls=s, label=text) for c, s, text in WAYS.values()]
        place = {"ncols": 2, "loc": "lower center", "frameon": False, "fontsize": 8}
        figure.legend(handles=lines, **place)
        figure.tight_layout(rect=(0, 0.75 / size[1], 1, 1), w_pad=0.4)
    return figure


def _by_cell(found: list[dict]) -> list[dict]:
    cells = list(dict.fromkeys(each["cell"] for each in found))
    return sorted(found, key=lambda e: (cells.index(e["cell"]), e["layers"], e["network"]))


def _ways(axis: Axes, each: dict) -> None:
    for way, (colour, line, _) in WAYS.items():
        values = each["ways"].get(way, [])
        mean, low, high = (np.array([v[k] for v in values]) for k in ("mean", "low", "high"))
        axis.plot(range(1, len(mean) + 1), mean, line, color=colour, lw=1.4)
        if len(values) and way in ("path", "fresh noise"):
            axis.fill_between(range(1, len(mean) + 1), low, high, color=colour, alpha=0.15, lw=0)
    axis.set(ylim=(-0.03, 1.03))


def late(found: list[dict]) -> Figure:
    """Half of the answer becomes clues at some step: a panel for each kind of samples, a line for
    each network; dotted where the clues never come."""
    found = [each for each in found if "late clues" in each["ways"]]
    if not found:
        return nothing("no clue came late")
    cells = list(dict.fromkeys(each["cell"] for each in found))
    with style():
        shape = {"figsize": (WIDTH, 3.0), "sharey": True, "squeeze": False}
        figure, axes = plt.subplots(1, len(cells), **shape)
        for axis, cell in zip(axes[0], cells, strict=True):
            own = [each for each in found if each["cell"] == cell]
            for colour, each in zip(PALETTE, own, strict=False):
                *tried, never = each["ways"]["late clues"]
                mean, low, high = (np.array([v[k] for v in tried]) for k in ("mean", "low", "high"))
                axis.fill_between(each["late"], low, high, color=colour, alpha=0.15, lw=0)
                label = f"L = {each['layers']}"
                axis.plot(each["late"], mean, "o-", color=colour, ms=4, label=label)
                axis.axhline(never["mean"], color=colour, ls=":")
            counts = sorted({each["n"] for each in own})
            axis.set_title(f"{short(cell)}, n = {span(counts)} a network", fontsize=9)
            axis.set(xlabel="step at which half of the answer is revealed", ylim=(-0.03, 1.03))
        axes[0, 0].set_ylabel("valid, with the late clues")
        axes[0, -1].legend(frameon=False, fontsize=8)
        figure.tight_layout()
    return figure

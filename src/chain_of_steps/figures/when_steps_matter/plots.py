"""From numbers to pictures: what the steps buy, the law, scratchpad, equal work, training."""

from collections import defaultdict

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ...bench import samples
from ...measures.one_pass import MOST_PASSES
from ..names import short
from ..style import WIDTH, nothing, style
from .analysis import agreed, equal_work
from .diagram import ONE, SEVERAL, family, frame, in_order, need, tile

DEPTHS = dict(zip((1, 2, 4, 8), ("#F2A541", "#D1495B", "#6A4C93", "#1B2A49"), strict=True))
NEEDS = {  # by family: what the samples need more and more of
    ONE: "rounds of deduction",
    SEVERAL: r"$\log_2$ of the number of answers",
    "relay, drawn": "moves",
}
GAINS = {
    "gain": "all steps\n$A_S - A_0$",
    "over_one_refinement": "beyond one refinement\n$A_S - F$",
    "passes_needed": "passes needed\n$K$, unless it fails",
}


def gains(strata: dict[str, dict], steps: int) -> Figure:
    """What the steps buy against what the samples need, by depth; lines join cells of one order."""
    found = [(*key.split("/"), values) for key, values in strata.items() if key.count("/") == 2]
    found = [(c, int(d[1:]), v) for c, d, s, v in found if s == f"S{steps}" and "gain" in v]
    names = [name for name in NEEDS if any(family(cell) == name for cell, *_ in found)]
    if not names:
        return nothing(f"no network was measured with {steps} steps")
    with style():
        shape = (len(GAINS), len(names))
        figure, axes = plt.subplots(*shape, figsize=(WIDTH, 7.2), sharey="row", squeeze=False)
        for column, name in zip(axes.T, names, strict=True):
            own = [each for each in found if family(each[0]) == name]
            for axis, statistic in zip(column, GAINS, strict=True):
                _by_need(axis, own, statistic)
            column[0].set_title(name)
            column[-1].set_xlabel(NEEDS[name])
            column[-1].set_xticks(sorted({need(cell) for cell, *_ in own}))
            for axis in column[:-1]:
                axis.set_xticks(column[-1].get_xticks(), [])
        for axis, label in zip(axes[:, 0], GAINS.values(), strict=True):
            axis.set_ylabel(label)
        for axis in axes[-1]:
            axis.set_yscale("log")
            axis.set_yticks([1, 2, 4, 8, MOST_PASSES + 1], [1, 2, 4, 8, "more"], minor=False)
            axis.yaxis.set_minor_locator(NullLocator())
        n = sorted({v["gain"]["n"] for *_, v in found})
        handles = [
            plt.Line2D([], [], color=c, marker="o", label=f"L = {d}") for d, c in depths_of(found)
        ]
        title = f"S = {steps}, n = {span(n)} over all networks of a depth"
        place = {"loc": "lower center", "ncols": len(handles), "frameon": False}
        figure.legend(handles=handles, title=title, title_fontsize=9, **place)
        figure.tight_layout(rect=(0, 0.08, 1, 1))
    return figure


def depths_of(found: list[tuple]) -> list[tuple[int, str]]:
    return [(depth, DEPTHS.get(depth, "black")) for depth in sorted({d for _, d, _ in found})]


def span(values: list) -> str:
    return f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _by_need(axis: Axes, found: list[tuple], statistic: str) -> None:
    depths = depths_of(found)
    for number, (depth, colour) in enumerate(depths):
        shift = 0.12 * (number - (len(depths) - 1) / 2)
        own = [
            (samples.knobs_of(cell).get("order"), need(cell), values[statistic])
            for cell, d, values in found
            if d == depth and statistic in values  # K is left out where a network fails
        ]
        for order in dict.fromkeys(order for order, *_ in own):
            line = sorted(((x, v) for o, x, v in own if o == order), key=lambda pair: pair[0])
            x = np.array([place for place, _ in line]) + shift
            mean, low, high = (np.array([v[k] for _, v in line]) for k in ("mean", "low", "high"))
            axis.plot(x, mean, "o-", color=colour, ms=4, lw=1.2)
            axis.vlines(x, low, high, color=colour, lw=1.5)
    if statistic != "passes_needed":
        axis.axhline(0.05, color="grey", lw=0.8, ls=":")  # the margin of the phases
        axis.axhline(0.0, color="black", lw=0.6)


def law(laws: dict[str, dict | None]) -> Figure:
    """Measured shares of valid answers after k passes against what the law says, and its curve."""
    laws = {name: each for name, each in laws.items() if each}
    if not laws:
        return nothing("there are too few depths or cells for a law")
    with style():
        size = (WIDTH, 3.9)
        figure, axes = plt.subplots(1, len(laws), figsize=size, sharey=True, squeeze=False)
        for axis, (name, each) in zip(axes[0], laws.items(), strict=True):
            _law(axis, name, each)
        axes[0, 0].set_ylabel("valid answers after k passes")
        axes[0, 0].legend(frameon=False, fontsize=8)
        figure.tight_layout()
    return figure


def _law(axis: Axes, family_name: str, each: dict) -> None:
    alpha, beta = (each[f"exponent_of_{name}"]["mean"] for name in ("passes", "depth"))
    ratios, constant = [], each["constant"]
    for point in each["points"]:
        done = constant["mean"] * point["passes"] ** alpha * point["layers"] ** beta
        ratios.append(point["x"] / done)
        colour = DEPTHS.get(point["layers"], "black")
        fill = colour if point["held_out"] else "none"
        axis.plot(ratios[-1], point["share"], "o", ms=5, mfc=fill, mec=colour, mew=1.0)
    curve = np.geomspace(min(ratios), max(ratios), 200)
    axis.plot(curve, 1 / (1 + curve ** each["slope"]), color="black", lw=1.2)
    axis.set_xscale("log")
    axis.set_xlabel(rf"$x \,/\, (c\, k^{{{alpha:.2g}}} L^{{{beta:.2g}}})$")
    error = each["held_out_error"]
    mean, low, high = (constant[name] for name in ("mean", "low", "high"))
    axis.set_title(
        f"{family_name}: c = {mean:.2g} ({low:.2g} to {high:.2g})\n"
        f"held-out error {error['mean']:.2f}, of means by L and k {each['baseline_error']:.2f}",
        fontsize=8,
    )
    for depth in sorted({point["layers"] for point in each["points"]}):
        axis.plot([], [], "o", color=DEPTHS.get(depth, "black"), label=f"L = {depth}")
    axis.plot([], [], "o", color="grey", label="held out")
    axis.plot([], [], "o", mfc="none", mec="grey", label="fitted")


# Smaller ones.


def scratchpad(found: list[dict], steps: int) -> Figure:
    """Relay with the route drawn and with its end only: does working that is part of the picture
    help?"""
    found = [each for each in found if each["steps"] == steps]
    if not found:
        return nothing("no network was measured on relays")
    tasks = list(dict.fromkeys(each["task"] for each in found))
    with style():
        size = (WIDTH, 3.2)
        figure, axes = plt.subplots(1, len(tasks), figsize=size, sharey=True, squeeze=False)
        for axis, task in zip(axes[0], tasks, strict=True):
            own = [each for each in found if each["task"] == task]
            for depth in sorted({each["layers"] for each in own}):
                _moves(axis, [each for each in own if each["layers"] == depth], depth)
            chance = float(np.mean([each["chance"] for each in own]))
            if chance > 0.01:
                axis.axhline(chance, color="grey", ls=":", label="guessing an end")
            name = samples.task_of(task)
            what = "the route is drawn" if name == "relay" else "only its end is marked"
            axis.set_title(f"{what} (n = {span(sorted({e['n'] for e in own}))} a network)")
            axis.set(xlabel="moves", ylim=(-0.03, 1.03))
        axes[0, 0].set_ylabel("valid answers")
        axes[0, -1].legend(frameon=False, fontsize=8, loc="lower left")
        figure.tight_layout()
    return figure


def _moves(axis: Axes, own: list[dict], depth: int) -> None:
    """Means over networks; thin dots are single ones."""
    moves, colour = sorted({each["rounds"] for each in own}), DEPTHS.get(depth, "black")
    for name, line, label in (("at_step_0", "--", "step 0"), ("at_end", "-", "all steps")):
        mean = [np.mean([e[name] for e in own if e["rounds"] == m]) for m in moves]
        axis.plot(moves, mean, line, color=colour, label=f"L = {depth}, {label}")
        axis.plot([e["rounds"] for e in own], [e[name] for e in own], ".", color=colour, ms=4)


def equal(cells: list[dict], works: list[int]) -> Figure:
    """The same work, blocks x steps, spent in depth or in steps; kinds of samples on which only one
    depth did it are left out."""
    depths_of_cell = defaultdict(set)
    found = equal_work(cells, works)
    for each in found:
        depths_of_cell[each["work"], each["intervals"]["cell"]].add(each["layers"])
    found = [e for e in found if len(depths_of_cell[e["work"], e["intervals"]["cell"]]) > 1]
    names = in_order(each["intervals"]["cell"] for each in found)
    shown = {w: own for w in works if (own := [e for e in found if e["work"] == w])}
    if not shown:
        return nothing("no two networks did equal work")
    with style():
        size = (WIDTH, 4.2)
        figure, axes = plt.subplots(1, len(shown), figsize=size, sharey=True, squeeze=False)
        colours = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(names)))
        for axis, (work, own) in zip(axes[0], shown.items(), strict=True):
            layers = sorted({each["layers"] for each in own})
            for name, colour in zip(names, colours, strict=True):
                part = [e for e in own if e["intervals"]["cell"] == name]
                depths = [d for d in layers if any(e["layers"] == d for e in part)]
                mean = [np.mean([e["at_end"] for e in part if e["layers"] == d]) for d in depths]
                places = [layers.index(d) for d in depths]
                axis.plot(places, mean, "o-", color=colour, label=short(name), lw=1.4, ms=4)
            ticks = [f"{d} x {work // d}" for d in layers]
            axis.set_xticks(range(len(layers)), ticks)
            axis.set_xlabel("blocks x steps")
            axis.set_title(f"{work} block evaluations")
        axes[0, 0].set_ylabel("valid answers at the end")
        axes[0, -1].legend(frameon=False, fontsize=7, bbox_to_anchor=(1.0, 1.0))
        figure.tight_layout()
    return figure


def training(entries: list[dict]) -> Figure:
    """The phases of the same networks after a quarter, half and all of their training, with the
    number of steps that all of them were measured with."""
    every = agreed(entries)
    steps = {e["steps"] for e in every if e["share_of_training"] < 1.0}
    cells = in_order(e["cell"] for e in every if e["share_of_training"] < 1.0)
    depths = {e["layers"] for e in every if e["share_of_training"] < 1.0}
    shown = [
        e for e in every if e["steps"] in steps and e["cell"] in cells and e["layers"] in depths
    ]
    if not cells:
        return nothing("no earlier weights were measured")
    columns = sorted({(e["layers"], e["share_of_training"]) for e in shown})
    with style():
        size = (WIDTH, 0.42 * len(cells) + 1.6)
        figure, axis = plt.subplots(figsize=size)
        for each in shown:
            x = columns.index((each["layers"], each["share_of_training"]))
            tile(axis, x, cells.index(each["cell"]), each)
        frame(axis, [f"L = {d}\n{share:.0%}" for d, share in columns], cells)
        axis.set_xlabel("blocks, share of training")
        axis.set_yticks(range(len(cells)), [short(cell) for cell in cells])
        counts = span(sorted({e["n"] for e in shown}))
        axis.set_title(f"phases along training, S = {span(sorted(steps))}, n = {counts} a tile")
        figure.tight_layout()
    return figure

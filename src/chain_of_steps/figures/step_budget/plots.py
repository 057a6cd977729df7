"""The step budget: each function draws one result. Every curve has its own n."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ...bench.samples import knobs_of
from ...puzzles import reading
from ..names import plain, short
from ..showcase import ShownCase
from ..style import PALETTE, WIDTH, heat, nothing, picture, style
from .labels import SEVERAL, UNIQUE, counted, groups, in_order


def by_steps(cells: dict[str, dict]) -> Figure:
    """Valid answers against the number of steps, a curve for each stratum; the controls last.

    Args:
        cells: the metrics by cell, with `strata`.
    """
    panels = groups(cells)
    with style():
        figure, axes = _grid(len(panels), height=4.0)
        for axis, (title, chosen) in zip(axes, panels.items(), strict=False):
            _curves(axis, {c: cells[c]["valid_at_steps"] for c in chosen})
            axis.set_title(title)
        _tidy(axes)
        figure.suptitle("How many steps does an answer need?")
    return figure


def depth(cells: dict[str, dict]) -> Figure:
    """The same for networks on symbols: a column for each, several answers above, one below."""
    known = {cell: metrics["symbols"] for cell, metrics in cells.items() if "symbols" in metrics}
    names = [n for n in dict.fromkeys(n for each in known.values() for n in each) if n[0] == "L"]
    if not names:
        return nothing("no symbol network was run")
    rows = {SEVERAL: "log2", UNIQUE: "rounds"}
    with style():
        size = (WIDTH, 7.8)
        figure, axes = plt.subplots(2, len(names), figsize=size, squeeze=False, sharey=True)
        for row, (title, knob) in zip(axes, rows.items(), strict=True):
            for axis, name in zip(row, names, strict=True):
                chosen = [cell for cell in known if knob in knobs_of(cell)]
                _curves(axis, {c: known[c][name]["valid_at_steps"] for c in chosen})
                axis.set_title(f"{title}, {name[1:]} block{'s' if name != 'L1' else ''}")
        _tidy(axes.flat)
        figure.suptitle("Networks on symbols, of one block and of four")
        figure.tight_layout()
    return figure


def clues(cells: dict[str, dict]) -> Figure:
    """Valid answers by clues and number of steps, as a map; and what four steps lose."""
    known = [cell for cell in cells if "clues" in knobs_of(cell)]
    known.sort(key=lambda cell: knobs_of(cell)["clues"])
    if not known:
        return nothing("no cell fixes the number of clues")
    counts = list(cells[known[0]]["valid_at_steps"])
    shares = [[cells[cell]["valid_at_steps"][c]["mean"] for c in counts] for cell in known]
    names = [str(knobs_of(cell)["clues"]) for cell in known]
    n = cells[known[0]]["valid_at_steps"][counts[0]]["n"]
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.8), width_ratios=(3, 2), sharey=True)
        heat(axes[0], np.array(shares, float), 0, 1)
        for (y, x), value in np.ndenumerate(np.array(shares, float)):
            colour = "white" if value < 0.6 else "black"
            axes[0].text(x, y, f"{value:.2f}", ha="center", va="center", color=colour)
        axes[0].set_xticks(range(len(counts)), counts)
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set(xlabel="denoising steps", ylabel="clues given (of 16 cells)")
        axes[0].set_title(f"valid answers (n = {n} a line)")
        _dots(axes[1], [cells[cell]["four_steps_loss"] for cell in known])
        axes[1].axvline(0, color="0.45", lw=1.2, ls="--")
        axes[1].set(xlabel="valid with 50 steps minus with 4")
        axes[1].set_title("what four steps lose")
        figure.tight_layout()
    return figure


def by_sigma(along: dict[str, dict]) -> Figure:
    """Valid clean estimates against the noise level, a curve for each number of steps.

    Args:
        along: of `analysis.along`, the cells to show.
    """
    if not along:
        return nothing("no run of these cells was traced")
    with style():
        figure, axes = _grid(len(along), height=2.9)
        for axis, (cell, curves) in zip(axes, along.items(), strict=False):
            for colour, (count, curve) in zip(PALETTE, curves.items(), strict=False):
                name = f"{count} steps"
                axis.plot(curve["sigmas"], curve["valid"], "o-", ms=3, color=colour, label=name)
            axis.set_xlim(1.02, 0)
            n = max(curve["n"] for curve in curves.values())
            axis.set(ylim=(-0.03, 1.03), title=f"{plain(cell)} (n = {n})")
            axis.set(xlabel=r"noise level $\sigma$ (noisiest on the left)")
            axis.set_ylabel(r"valid in $\hat x_0$")
        axes[0].legend(frameon=False, fontsize=8)
        figure.suptitle("Is an answer found at a noise level, or after a number of steps?")
        figure.tight_layout()
    return figure


def student(cells: dict[str, dict]) -> Figure:
    """Few steps, distilled or not, against all: valid answers, and answers drawn legibly."""
    known = [cell for cell in in_order(cells) if "student" in cells[cell]]
    if not known:
        return nothing("the student was not run")
    ways = {
        "50 steps": lambda c, what: c[f"{what}_at_steps"].get("50"),
        "4 steps": lambda c, what: c[f"{what}_at_steps"].get("4"),
        "4 steps, at the student's noise levels": lambda c, what: c.get("few", {}).get(what),
        "student, 4 distilled steps": lambda c, what: c["student"][what],
    }
    titles = {"valid": "decided: valid answers", "drawn": "drawn: legible answers"}
    return _ways(cells, known, ways, titles, "What is left in four steps, distilled or not")


def samplers(cells: dict[str, dict]) -> Figure:
    """Valid answers with three samplers, as differences to Euler with equally many steps."""
    kinds = [f"{sampler}_minus_euler" for sampler in ("stochastic", "unipc")]
    known = [cell for cell in in_order(cells) if any(kind in cells[cell] for kind in kinds)]
    if not known:
        return nothing("only the Euler sampler was run")
    lines = {
        f"{sampler}, {count} steps": lambda c, _, kind=kind, count=count: c.get(kind, {}).get(count)
        for kind, sampler in zip(kinds, ("stochastic", "UniPC"), strict=True)
        for count in sorted({n for cell in known for n in cells[cell].get(kind, {})}, key=int)
    }
    titles = {"valid": "valid answers, minus those of Euler's method in as many steps"}
    figure = _ways(cells, known, lines, titles, "Does another sampler find more?")
    axis = figure.axes[0]
    axis.axvline(0, color="0.45", lw=1.2, ls="--")
    axis.set_xlim(-0.6, 0.6)
    return figure


def frames(cells: dict[str, dict]) -> Figure:
    """Valid, drawn and score against the number of frames, a curve for each cell."""
    known = [cell for cell in cells if "frames" in cells[cell]]
    if not known:
        return nothing("only clips of one length were run")
    titles = {"valid": "valid answers", "drawn": "drawn legibly", "score": "score of the video"}
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.3), sharey=True)
        for axis, (what, title) in zip(axes, titles.items(), strict=True):
            for number, cell in enumerate(known):
                lengths = [int(length) for length in cells[cell]["frames"]]
                values = [each[what] for each in cells[cell]["frames"].values()]
                places = np.array(lengths) + 0.25 * (number - (len(known) - 1) / 2)
                _line(axis, places, values, PALETTE[number % len(PALETTE)], plain(cell))
                axis.set_xticks(lengths)
            axis.set(title=title, xlabel="pixel frames of the clip", ylim=(-0.03, 1.03))
        axes[0].legend(frameon=False, fontsize=8, loc="lower left")
        figure.suptitle("Longer clips of the same puzzles")
        figure.tight_layout()
    return figure


def squares(cases: list[ShownCase], steps: list[int]) -> Figure:
    """What every number of steps ends with: given frame, then the last frame of each clip.

    Args:
        cases: their clips are those of `steps`, in order.
    """
    if not cases:
        return nothing("no cell fixes the number of clues")
    with style():
        columns = len(steps) + 1
        size = (WIDTH, WIDTH * len(cases) / columns * 1.2)
        figure, axes = plt.subplots(len(cases), columns, figsize=size, squeeze=False)
        for row, case in zip(axes, cases, strict=True):
            picture(row[0], case.clips[-1, 0])
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis, clip in zip(row[1:], case.clips, strict=True):
                picture(axis, clip[-1])
                axis.set_xlabel(_verdict(case, clip[-1]))
        axes[0, 0].set_title("given")
        for axis, count in zip(axes[0, 1:], steps, strict=True):
            axis.set_title(f"{count} step{'s' if count != 1 else ''}")
        figure.suptitle("What every number of steps ends with")
        figure.tight_layout(pad=0.4)
    return figure


# Shared by the figures.


def _curves(axis: Axes, curves: dict[str, dict[str, dict]]) -> None:
    """Validity against the number of steps, on a logarithmic axis, by cell; squares of order 5 are
    dashed."""
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.88, max(2, len(curves))))
    counts: set[int] = set()
    for number, (cell, curve) in enumerate(curves.items()):
        steps = sorted(int(count) for count in curve)
        places = np.array(steps) * 1.04 ** (number - (len(curves) - 1) / 2)  # apart
        dashes = "o--" if knobs_of(cell).get("order", 4) > 4 else "o-"
        values = [curve[str(step)] for step in steps]
        _line(axis, places, values, shades[number], short(cell), dashes)
        counts |= set(steps)
    axis.set_xscale("log")
    axis.set_xticks(sorted(counts), [str(count) for count in sorted(counts)])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(xlabel="denoising steps", ylim=(-0.03, 1.03))


def _line(axis: Axes, places, values: list[dict], colour, name: str, dashes: str = "o-") -> None:
    """Means with their intervals as bars, joined; the largest n in the legend."""
    mean, low, high = np.array([[v[key] for v in values] for key in ("mean", "low", "high")], float)
    name = f"{name} (n = {max(value['n'] for value in values)})"
    bars = [mean - low, high - mean]
    look = {"fmt": dashes, "ms": 3.5, "lw": 1.4, "elinewidth": 0.9, "color": colour}
    axis.errorbar(places, mean, bars, label=name, **look)


def _tidy(axes) -> None:
    for axis in axes:
        axis.set_ylabel("valid answers")
        if axis.lines:
            place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17), "ncols": 2}
            axis.legend(frameon=False, fontsize=7.5, columnspacing=1.0, **place)


def _grid(count: int, height: float) -> tuple[Figure, np.ndarray]:
    """Up to two panels in a row; those left over are empty."""
    rows = max(1, -(-count // 2))
    columns = min(2, max(1, count))
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height * rows), squeeze=False)
    for axis in axes.flat[count:]:
        axis.axis("off")
    figure.set_layout_engine("tight")
    return figure, axes.ravel()


def _ways(
    cells: dict, known: list[str], ways: dict, titles: dict[str, str], heading: str
) -> Figure:
    """A line for each cell, with a dot and its interval for each way."""
    with style():
        size = (WIDTH, 1.3 + 0.11 * len(known) * (len(ways) + 1))
        figure, axes = plt.subplots(1, len(titles), figsize=size, sharey=True, squeeze=False)
        for axis, (what, title) in zip(axes[0], titles.items(), strict=True):
            for number, (name, of) in enumerate(ways.items()):
                places = np.arange(len(known)) + 0.8 * ((number + 0.5) / len(ways) - 0.5)
                values = [of(cells[cell], what) for cell in known]
                _dots(axis, values, places, PALETTE[number], name)
            axis.set_title(title)
            axis.set_xlim(-0.02, 1.02)
        axes[0, 0].set_yticks(range(len(known)), [counted(cells, cell) for cell in known])
        axes[0, 0].set_ylim(len(known) - 0.4, -0.6)
        handles, names = axes[0, 0].get_legend_handles_labels()
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "ncols": 2}
        figure.legend(handles, names, frameon=False, **place)
        figure.suptitle(heading)
        figure.tight_layout()
    return figure


def _dots(axis: Axes, values: list, places=None, colour: str = PALETTE[0], name: str = "") -> None:
    places = range(len(values)) if places is None else places
    for y, value in zip(places, values, strict=True):
        if value and value["n"]:
            axis.plot([value["low"], value["high"]], [y, y], color=colour, lw=1.6)
            axis.plot(value["mean"], y, "o", ms=4.5, color=colour)
    axis.plot([], [], "o-", ms=4.5, color=colour, label=name)


def _verdict(case: ShownCase, frame: np.ndarray) -> str:
    right = case.sample.is_valid(reading.decided(case.sample, frame))
    return "valid" if right else "not valid"

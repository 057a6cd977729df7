"""The step budget: each function draws one result. Every curve has its own n."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ...bench.samples import knobs_of
from ..names import plain, short
from ..showcase import ShownCase
from ..style import (
    PALETTE,
    WIDTH,
    answers,
    grid,
    labelled,
    legend,
    note,
    nothing,
    picture,
    style,
)
from .labels import SEVERAL, UNIQUE, counted, groups, in_order


def by_steps(cells: dict[str, dict]) -> Figure:
    """Valid answers against the number of steps, a curve for each stratum in which they differ.

    Args:
        cells: the metrics by cell, with `strata`.
    """
    panels = groups(cells)
    flat = [c for chosen in panels.values() for c in chosen if _flat(cells[c]["valid_at_steps"])]
    shown = {t: [c for c in chosen if c not in flat] for t, chosen in panels.items()}
    shown = {title: chosen for title, chosen in shown.items() if chosen}
    if not shown:
        return nothing("in every cell as many answers are valid after any number of steps")
    with style():
        panels_of = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(1, len(shown), figsize=(WIDTH, 4.4), **panels_of)
        for axis, (title, chosen) in zip(axes[0], shown.items(), strict=True):
            _curves(axis, {c: cells[c]["valid_at_steps"] for c in chosen})
            axis.set_title(title)
        _tidy(axes[0])
        _said(figure, {c: cells[c]["valid_at_steps"] for c in flat})
    return figure


def depth(cells: dict[str, dict]) -> Figure:
    """The same for networks on symbols: a column for each, several answers above, one below."""
    known = {cell: metrics["symbols"] for cell, metrics in cells.items() if "symbols" in metrics}
    names = [n for n in dict.fromkeys(n for each in known.values() for n in each) if n[0] == "L"]
    if not names:
        return nothing("no symbol network was run")
    rows = {SEVERAL: "log2", UNIQUE: "rounds"}
    with style():
        panels = {"squeeze": False, "sharey": True, "layout": "constrained"}
        figure, axes = plt.subplots(2, len(names), figsize=(WIDTH, 8.4), **panels)
        flat = {}
        for row, (title, knob) in zip(axes, rows.items(), strict=True):
            for axis, name in zip(row, names, strict=True):
                chosen = [cell for cell in known if knob in knobs_of(cell)]
                curves = {c: known[c][name]["valid_at_steps"] for c in chosen}
                blocks = f"{name[1:]} block{'s' if name != 'L1' else ''}"
                flat |= {f"{c}/{blocks}": v for c, v in curves.items() if _flat(v)}
                _curves(axis, {c: v for c, v in curves.items() if not _flat(v)})
                axis.set_title(f"{title}, {blocks}")
            _tidy(row)
        _said(figure, flat)
    return figure


def _flat(curve: dict[str, dict]) -> bool:
    """Whether as many answers are valid after any number of steps."""
    return len({value["mean"] for value in curve.values()}) == 1


def _said(figure: Figure, flat: dict[str, dict[str, dict]]) -> None:
    """The curves that are not drawn, in words."""
    said = []
    for name, curve in flat.items():
        cell, _, blocks = name.partition("/")
        value = next(iter(curve.values()))
        about = f", {blocks}" if blocks else ""
        said.append(f"{plain(cell)}{about}, {value['mean']:.2f} (n = {value['n']})")
    if said:
        note(figure, f"The same after any number of steps: {'; '.join(said)}.")


def by_sigma(along: dict[str, dict]) -> Figure:
    """Valid clean estimates against the noise level, a curve for each number of steps.

    Args:
        along: of `analysis.along` with bounds, the cells to show.
    """
    shown = {cell: curves for cell, curves in along.items() if not _always(curves)}
    if not shown:
        return nothing("no run of these cells was traced, or all are valid at every step")
    with style():
        rows = -(-len(shown) // 2)
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(rows, 2, figsize=(WIDTH, 0.4 + 2.7 * rows), **panels)
        for axis in axes.flat[len(shown) :]:
            axis.axis("off")
        for axis, (cell, curves) in zip(axes.flat, shown.items(), strict=False):
            for colour, (count, curve) in zip(PALETTE, curves.items(), strict=False):
                name, places = f"{count} steps", curve["sigmas"]
                axis.plot(places, curve["valid"], "o-", ms=3, color=colour, label=name)
                bounds = curve["low"], curve["high"]
                axis.fill_between(places, *bounds, color=colour, alpha=0.15, lw=0)
            n = max(curve["n"] for curve in curves.values())
            axis.set(xlim=(1.02, 0), ylim=(-0.03, 1.03), title=f"{plain(cell)} (n = {n})")
        for axis in axes[-1]:
            axis.set_xlabel(r"noise level $\sigma$ (noisiest on the left)")
        for axis in axes[:, 0]:
            axis.set_ylabel("valid clean estimates")
        legend(figure, labelled(axes.flat))
        if flat := [plain(cell) for cell in along if cell not in shown]:
            note(figure, f"All valid at every noise level: {'; '.join(flat)}.")
    return figure


def _always(curves: dict[str, dict]) -> bool:
    return all(value == 1.0 for curve in curves.values() for value in curve["valid"])


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
    shown = [
        c for c in known if any(not _full(of(cells[c], w)) for of in ways.values() for w in titles)
    ]
    figure = _ways(cells, shown or known, ways, titles)
    if full := [counted(cells, cell) for cell in known if shown and cell not in shown]:
        note(figure, f"All valid and all legible: {'; '.join(full)}.")
    return figure


def _full(value: dict | None) -> bool:
    return not value or value["mean"] in (None, 1.0)


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
    figure = _ways(cells, known, lines, titles)
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
        panels = {"sharey": True, "layout": "constrained"}
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.3), **panels)
        for axis, (what, title) in zip(axes, titles.items(), strict=True):
            for number, cell in enumerate(known):
                lengths = [int(length) for length in cells[cell]["frames"]]
                values = [each[what] for each in cells[cell]["frames"].values()]
                places = np.array(lengths) + 0.25 * (number - (len(known) - 1) / 2)
                _line(axis, places, values, PALETTE[number % len(PALETTE)], plain(cell))
                axis.set_xticks(lengths)
            axis.set(title=title, xlabel="pixel frames of the clip", ylim=(-0.03, 1.03))
        legend(figure, labelled(axes[:1]))
    return figure


def squares(cases: list[ShownCase], steps: list[int]) -> Figure:
    """What every number of steps ends with: given frame, then the last frame of each clip.

    Args:
        cases: their clips are those of `steps`, in order.
    """
    if not cases:
        return nothing("no cell fixes the number of clues")
    with style():
        figure, axes = grid(len(cases), len(steps) + 1)
        for row, case in zip(axes, cases, strict=True):
            picture(row[0], case.clips[-1, 0])
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis, clip in zip(row[1:], case.clips, strict=True):
                answers(axis, case.sample, clip[-1])
        axes[0, 0].set_title("given", fontsize="medium")
        for axis, count in zip(axes[0, 1:], steps, strict=True):
            axis.set_title(f"{count} step{'s' if count != 1 else ''}", fontsize="medium")
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
    """A legend under each panel, where it covers no interval."""
    axes[0].set_ylabel("valid answers")
    for axis in axes:
        if axis.lines:
            place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.19)}
            axis.legend(frameon=False, fontsize="small", **place)


def _ways(cells: dict, known: list[str], ways: dict, titles: dict[str, str]) -> Figure:
    """A line for each cell, with a dot and its interval for each way."""
    with style():
        size = (WIDTH, 1.0 + 0.14 * len(known) * (len(ways) + 1))
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(1, len(titles), figsize=size, **panels)
        for axis, (what, title) in zip(axes[0], titles.items(), strict=True):
            for number, (name, of) in enumerate(ways.items()):
                places = np.arange(len(known)) + 0.8 * ((number + 0.5) / len(ways) - 0.5)
                values = [of(cells[cell], what) for cell in known]
                _dots(axis, values, places, PALETTE[number], name)
            axis.set_title(title)
            axis.set_xlim(-0.02, 1.02)
        axes[0, 0].set_yticks(range(len(known)), [counted(cells, cell) for cell in known])
        axes[0, 0].set_ylim(len(known) - 0.4, -0.6)
        legend(figure, labelled(axes[0]), 2)
    return figure


def _dots(axis: Axes, values: list, places, colour: str, name: str) -> None:
    for y, value in zip(places, values, strict=True):
        if value and value["n"]:
            axis.plot([value["low"], value["high"]], [y, y], color=colour, lw=1.6)
            axis.plot(value["mean"], y, "o", ms=4.5, color=colour)
    axis.plot([], [], "o-", ms=4.5, color=colour, label=name)

"""Curves of the figure: each function turns the summary into a picture. Every curve names the cell
that it is about and its n. What is the same everywhere is said below the panels, not drawn."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...bench.samples import knobs_of, task_of
from ..names import plain, short
from ..style import PALETTE, WIDTH, band, labelled, legend, note, nothing, step_axis, style
from .analysis import SEVERAL

Cells = dict[str, dict]  # by cell, what `analysis.of_cell` gives
FEW = 10  # runs, below which a panel leaves a cell out
FULL = 0.9  # valid answers, from which no room is left
PRUNED = {
    "pruned_share": "model",
    "exact_pruned_share": "exact posterior",
    "pruned_share_other": "model, read by another board's rules",
}
COLLAPSE = {"collapse_sigma": "model", "exact_collapse_sigma": "exact posterior"}
KINDS = {
    "wrong_to_right": ("wrong to right", PALETTE[2]),
    "right_to_wrong": ("right to wrong", PALETTE[1]),
    "wrong_to_wrong": ("wrong to another wrong", "0.5"),
}


def overview(summary: dict) -> Figure:
    """Valid answers at the first and at the last step, of every cell that leaves the steps room."""
    cells = summary["cells"]
    full = {
        c for c, f in cells.items() if min(f[e]["mean"] for e in ("at_step_0", "at_end")) >= FULL
    }
    shown = {cell: found for cell, found in cells.items() if cell not in full}
    if not shown:
        return nothing("in every cell almost all answers are valid from the first step on")
    ends = {"at_step_0": (PALETTE[4], "o", "first step"), "at_end": (PALETTE[2], "s", "last step")}
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 1.2 + 0.3 * len(shown)), layout="constrained")
        for y, found in enumerate(shown.values()):
            means = [found[name]["mean"] for name in ends]
            axis.plot(means, [y, y], color="0.82", lw=4, zorder=1)
            for number, (name, (colour, marker, label)) in enumerate(ends.items()):
                value, place = found[name], y + 0.26 * (number - 0.5)
                axis.plot([value["low"], value["high"]], [place] * 2, color=colour, lw=1.6)
                axis.plot(value["mean"], place, marker, color=colour, label=label * (y == 0))
        names = [f"{plain(cell)} ({found['at_end']['n']})" for cell, found in shown.items()]
        axis.set_yticks(range(len(names)), names)
        axis.set(xlim=(-0.02, 1.02), xlabel="share of runs with a valid answer, 95 % interval")
        axis.invert_yaxis()
        legend(figure, labelled([axis]), 2)
        _left_out(figure, full, f"At least {FULL:.0%} valid at both steps".replace("%", " %"))
    return figure


def _left_out(figure: Figure, cells: Sequence[str], why: str) -> None:
    if cells:
        note(figure, f"{why}: {'; '.join(sorted(plain(cell) for cell in cells))}.")


def strata(cells: Cells) -> dict[str, Cells]:
    """The Latin squares in two groups: several valid answers, a unique one."""
    latin = {cell: found for cell, found in cells.items() if task_of(cell) == "latin"}
    return {
        "several valid answers": {c: f for c, f in latin.items() if "log2" in knobs_of(c)},
        "a unique answer": {c: f for c, f in latin.items() if "rounds" in knobs_of(c)},
    }


def validity(summary: dict) -> Figure:
    """Valid answers by step: where several are valid, of the model and of the exact posterior mean;
    and where one is."""
    several, unique = strata(summary["cells"]).values()
    exact = {cell: found for cell, found in several.items() if "exact_curves" in found}
    open_ = {c: f for c, f in unique.items() if min(f["curves"]["valid_at"]["mean"]) < FULL}
    panels = [
        ("several valid answers: model", several, "curves"),
        ("several: exact posterior", exact, "exact_curves"),
        ("a unique answer: model", open_, "curves"),
    ]
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 4.2), sharey=True, layout="constrained")
        for axis, (title, cells, curves) in zip(axes, panels, strict=True):
            for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
                with_band(axis, found[curves]["valid_at"], colour, label(cell, found))
            axis.set(title=title, ylim=(-0.02, 1.02))
            if cells:
                below(axis, 0.28)
        axes[0].set_ylabel("valid answers")
        on_steps(axes, summary["sigmas"], ticks=4)
        why = f"A unique answer, at least {FULL:.0%} valid at every step".replace("%", " %")
        _left_out(figure, [cell for cell in unique if cell not in open_], why)
    return figure


def superposition(summary: dict, presence: dict[str, dict]) -> Figure:
    """Values present in an open part by step, of the model and of the exact posterior mean; and by
    the number of valid answers, how many parts prune and when.

    Args:
        presence: of `analysis.presence`.
    """
    cells = strata(summary["cells"])["several valid answers"]
    if not cells:
        return nothing("no cell fixes log2, the number of valid answers")
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 7.6), layout="constrained")
        for axis, name, title in zip(
            axes[0], ("model", "exact"), ("model", "exact posterior, searches nothing"), strict=True
        ):
            for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
                if name in presence[cell]:
                    with_band(axis, presence[cell][name], colour, label(cell, found))
            axis.axhline(SEVERAL, color="0.6", lw=1, ls=":")
            axis.set(title=title, ylim=(0.9, 4.2))
        axes[0, 0].set_ylabel("possible colours in an open cell")
        axes[0, 1].legend(frameon=False, fontsize="small")
        on_steps(axes[0], summary["sigmas"])
        left, right = axes[1]
        dose_response(left, cells, PRUNED)
        left.set(ylim=(-0.02, 1.04), title="several colours first, one at the end")
        left.set_ylabel("share of cells with an impossible colour")
        dose_response(right, cells, COLLAPSE)
        right.set(title=f"noise level at which {SEVERAL} colours are left")
        right.set_ylabel(r"$\sigma$ (higher is earlier)")
    return figure


def dose_response(axis: Axes, cells: Cells, names: dict[str, str]) -> None:
    """Metrics by the number of valid answers, with intervals.

    Args:
        names: what each is called in the legend, by metric.
    """
    ticks: set[int] = set()
    for number, (name, text) in enumerate(names.items()):
        known = [
            (knobs_of(c)["log2"], f[name]) for c, f in cells.items() if name in f and f[name]["n"]
        ]
        shift = 0.14 * (number - (len(names) - 1) / 2)
        places = [x + shift for x, _ in known]
        bounds = [[value[bound] for _, value in known] for bound in ("low", "high")]
        axis.vlines(places, *bounds, color=PALETTE[number], lw=1.6)
        marker, means = "os^"[number % 3], [value["mean"] for _, value in known]
        axis.plot(places, means, f"{marker}-", color=PALETTE[number], lw=0.8, label=text)
        ticks |= {x for x, _ in known}
    axis.set_xticks(sorted(ticks), [f"{2**n} to {2 ** (n + 1) - 1}" for n in sorted(ticks)])
    axis.set_xlabel("valid answers of a square")
    below(axis)


def corrections(summary: dict) -> Figure:
    """Where the answer is unique: violations by step, and revisions by kind."""
    unique = strata(summary["cells"])["a unique answer"]
    cells = {c: f for c, f in unique.items() if any(f[kind]["mean"] for kind in KINDS)}
    if not cells:
        return nothing("no cell changes from one colour to another")
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 4.6), layout="constrained")
        for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
            with_band(left, found["curves"]["violations_at"], colour, label(cell, found))
        left.set(title="violations of the decided answer", ylim=(0, None))
        left.set_ylabel("mean of the runs")
        on_steps([left], summary["sigmas"], ticks=4)
        below(left, 0.22)
        revision_bars(right, cells)
        why = "No cell changes from one colour that it holds to another"
        _left_out(figure, [cell for cell in unique if cell not in cells], why)
    return figure


def revision_bars(axis: Axes, cells: Cells) -> None:
    """Revisions per run by kind, with intervals; the firm ones darker."""
    for number, (kind, (text, colour)) in enumerate(KINDS.items()):
        for y, found in enumerate(cells.values()):
            place = y + 0.28 * (number - 1)
            _bar(axis, place, found[kind], text * (y == 0), color=colour, height=0.26, alpha=0.45)
            firm = found.get(f"firm_{kind}")
            if firm and firm["n"]:
                _bar(axis, place, firm, f"{text}, firmly" * (y == 0), color=colour, height=0.1)
    names = [f"{short(cell)} ({found['gain']['n']})" for cell, found in cells.items()]
    axis.set_yticks(range(len(cells)), names)
    axis.set(title="cells that change their colour", xlabel="revisions in a run")
    axis.invert_yaxis()
    below(axis, 0.22)


def _bar(axis: Axes, place: float, value: dict, text: str, **options) -> None:
    axis.barh(place, value["mean"], label=text or None, lw=0, **options)
    axis.plot([value["low"], value["high"]], [place] * 2, color="0.25", lw=1)


def order(summary: dict) -> Figure:
    """When parts commit by round of deduction, and the rank correlation of the two within runs."""
    told = {c: f for c, f in summary["cells"].items() if f["commit_by_round"]}
    cells = {cell: found for cell, found in told.items() if found["order"]["n"] >= FEW}
    if not cells:
        return nothing("in too few runs a cell is decided after the first step")
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 4.2), layout="constrained")
        _commits(left, cells, "commit_by_round")
        left.set(xlabel="round of deduction in which a cell can be known")
        left.set_ylabel("step at which it is decided for good")
        rank_correlations(right, cells)
        why = f"Decided at the first step in all but a few runs (fewer than {FEW})"
        _left_out(figure, [cell for cell in told if cell not in cells], why)
    return figure


def by_frame(summary: dict) -> Figure:
    """When parts commit by latent frame."""
    cells = {c: f for c, f in summary["cells"].items() if "commit_by_frame" in f}
    if not any(found["commit_by_frame"] for found in cells.values()):
        return nothing("no cell is read by frame")
    with style():
        figure, axis = plt.subplots(figsize=(0.6 * WIDTH, 4.0), layout="constrained")
        _commits(axis, cells, "commit_by_frame")
        axis.set(xlabel="latent frame", ylabel="step at which a cell is decided for good")
    return figure


def _commits(axis: Axes, cells: Cells, name: str) -> None:
    for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
        places, values = [int(key) for key in found[name]], list(found[name].values())
        if values:
            n = max(value["n"] for value in values)
            band(axis, places, values, colour, f"{short(cell)} ({n})")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_ylim(0, None)
    below(axis, 0.19)


def rank_correlations(axis: Axes, cells: Cells) -> None:
    """The correlation of commit step and round, plain and with the candidates held fixed."""
    kinds = {"order": ("all cells", "0.55"), "order_partial": ("as many candidates", PALETTE[0])}
    for number, (name, (text, colour)) in enumerate(kinds.items()):
        known = [(y, f[name]) for y, f in enumerate(cells.values()) if f[name]["n"]]
        places = [y + 0.24 * (number - 0.5) for y, _ in known]
        axis.hlines(places, *[[v[bound] for _, v in known] for bound in ("low", "high")], colour)
        axis.plot([v["mean"] for _, v in known], places, "os"[number], color=colour, label=text)
    counts = [
        f"{short(c)} ({f['order']['n']}, {f['order_partial']['n']})" for c, f in cells.items()
    ]
    axis.set_yticks(range(len(cells)), counts)
    axis.set_ylim(len(cells) - 0.5, -0.5)
    axis.axvline(0, color="0.6", lw=1)
    axis.set(xlim=(-0.3, 1.02), xlabel="rank correlation of round and step, within runs")
    below(axis, 0.19)


# What the panels share.


def shades(count: int) -> list:
    """Colours in order, dark first."""
    return sns.color_palette("viridis", max(count, 1) + 1)[:count]


def below(axis: Axes, drop: float = 0.17) -> None:
    """A legend under the panel, where it covers no interval.

    Args:
        drop: as a share of the panel's height; more where the ticks have two lines.
    """
    place = (0.5, -drop)
    axis.legend(frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=place)


def label(cell: str, found: dict) -> str:
    return f"{short(cell)} ({found['curves']['n']})"


def with_band(axis: Axes, curve: dict, colour, text: str) -> None:
    """A curve with its 95 % intervals."""
    axis.plot(curve["mean"], color=colour, label=text, lw=1.8)
    steps = np.arange(len(curve["mean"]))
    axis.fill_between(steps, curve["low"], curve["high"], color=colour, alpha=0.15, lw=0)


def on_steps(axes, sigmas: Sequence[float], ticks: int = 5) -> None:
    """Step axes for all panels."""
    for axis in np.ravel(axes):
        step_axis(axis, list(sigmas[:-1]), ticks=ticks)

"""Curves of the figure: each function turns the summary into a picture. Every curve names the cell
that it is about and its n."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...bench.samples import knobs_of, task_of
from ..names import plain, short
from ..style import PALETTE, WIDTH, band, nothing, step_axis, style
from .analysis import SEVERAL

Cells = dict[str, dict]  # by cell, what `analysis.of_cell` gives
MEANS = {  # prefixes of metrics
    "": "model",
    "exact_": "exact posterior mean",
    "calibrated_": "calibrated posterior mean",
}
PRUNED = {
    "pruned_share": "model",
    "exact_pruned_share": "exact posterior mean",
    "pruned_share_other": "model, values of another board",
}


def overview(summary: dict) -> Figure:
    """Valid answers at step 0 and at the end, of every cell."""
    cells = summary["cells"]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 0.8 + 0.24 * len(cells)), layout="constrained")
        for y, found in enumerate(cells.values()):
            ends = [found[name]["mean"] for name in ("at_step_0", "at_end")]
            axis.plot(ends, [y, y], color="0.75", lw=3, zorder=1)
            for name, colour, label in (
                ("at_step_0", PALETTE[4], "step 0"),
                ("at_end", PALETTE[2], "last step"),
            ):
                value, shift = found[name], -0.12 if name == "at_step_0" else 0.12
                axis.plot([value["low"], value["high"]], [y + shift] * 2, color=colour, lw=1.2)
                axis.plot(value["mean"], y + shift, "o", color=colour, label=label * (y == 0))
        names = [f"{plain(cell)} ({found['at_end']['n']})" for cell, found in cells.items()]
        axis.set_yticks(range(len(names)), names)
        axis.axvline(0.9, color="0.6", lw=1, ls=":")
        axis.set(xlim=(-0.02, 1.02), xlabel="valid decided answers (95 % interval)")
        axis.set_title("What the steps add: valid answers at step 0 and at the last step")
        axis.invert_yaxis()
        figure.legend(frameon=False, loc="outside lower center", ncols=2)
    return figure


def strata(cells: Cells) -> dict[str, Cells]:
    """The Latin squares in two groups: several valid answers, a unique one."""
    latin = {cell: found for cell, found in cells.items() if task_of(cell) == "latin"}
    return {
        "several valid answers": {c: f for c, f in latin.items() if "log2" in knobs_of(c)},
        "a unique answer": {c: f for c, f in latin.items() if "rounds" in knobs_of(c)},
    }


def validity(summary: dict) -> Figure:
    """Valid answers by step, next to those of the exact posterior mean; and legible ones."""
    groups = strata(summary["cells"])
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 6.6), sharey=True, layout="constrained")
        for row, (group, cells) in zip(axes, groups.items(), strict=True):
            for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
                with_band(row[0], found["curves"], "valid_at", colour, label(cell, found))
                if "exact_curves" in found:
                    line(row[0], found["exact_curves"]["valid_at"], colour, ls="--", lw=1.1)
                line(row[1], found["curves"]["drawn_at"], colour, label(cell, found))
            row[0].set(ylabel="share of runs", title=f"{group}: valid")
            row[1].set_title(f"{group}: drawn legibly")
            line(row[0], {"mean": []}, "0.3", "exact posterior mean", ls="--", lw=1.1)
            row[0].legend(frameon=False, fontsize="x-small", loc="lower right")
        for axis in axes.flat:
            axis.set_ylim(-0.02, 1.02)
        on_steps(axes, summary["sigmas"])
        figure.suptitle("Decided is not drawn: both by step, one line for each stratum (n)")
    return figure


def superposition(summary: dict) -> Figure:
    """Values present in an open part by step, next to both nulls; and by the number of valid
    answers, how many parts prune and when."""
    cells = strata(summary["cells"])["several valid answers"]
    if not cells:
        return nothing("no cell fixes log2, the number of valid answers")
    shown = {n: text for n, text in MEANS.items() if any(f"{n}curves" in f for f in cells.values())}
    with style():
        figure = plt.figure(figsize=(WIDTH, 7.8), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.15))
        axes = top.subplots(1, len(shown), sharey=True, squeeze=False)[0]
        for axis, (name, title) in zip(axes, shown.items(), strict=True):
            for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
                if curves := found.get(f"{name}curves"):
                    text = f"{short(cell)} ({curves['n']})"
                    line(axis, curves["present_at"], colour, text)
            axis.axhline(SEVERAL, color="0.6", lw=1, ls=":")
            axis.set(title=title, ylim=(0.0, 4.2))
            axis.legend(frameon=False, fontsize="x-small")
        axes[0].set_ylabel("possible values present per open cell")
        on_steps(axes, summary["sigmas"], ticks=4)
        left, right = bottom.subplots(1, 2)
        dose_response(left, cells, PRUNED)
        left.set(ylim=(-0.02, 1.04), title="some values possible: cells that prune to one")
        left.set_ylabel("share of cells")
        dose_response(right, cells, {f"{name}collapse_sigma": text for name, text in shown.items()})
        right.set(title="when: fewer than 1.5 values per open cell")
        right.set_ylabel(r"$\sigma$ (higher is earlier)")
        figure.suptitle("Several values at once, then one: the model, and means without any search")
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
        axis.vlines(places, *bounds, color=PALETTE[number], lw=1.4)
        label = f"{text} (n {_counts(known)})"
        means = [value["mean"] for _, value in known]
        axis.plot(places, means, "o-", color=PALETTE[number], lw=0.8, label=label)
        ticks |= {x for x, _ in known}
    axis.set_xticks(sorted(ticks))
    axis.set_xlabel("log2 of the number of valid answers")
    below(axis)


def _counts(known: list[tuple[int, dict]]) -> str:
    """The numbers of runs behind some points."""
    counts = sorted({value["n"] for _, value in known})
    return " to ".join(str(n) for n in dict.fromkeys([*counts[:1], *counts[-1:]])) or "0"


def corrections(summary: dict) -> Figure:
    """Violations by step, and revisions by kind."""
    groups = strata(summary["cells"])
    with style():
        figure, axes = plt.subplots(
            1, 3, figsize=(WIDTH, 4.6), layout="constrained", width_ratios=(1, 1, 1.1)
        )
        for axis, (group, cells) in zip(axes, groups.items(), strict=False):
            for (cell, found), colour in zip(cells.items(), shades(len(cells)), strict=True):
                with_band(axis, found["curves"], "violations_at", colour, label(cell, found))
                if "exact_curves" in found:
                    line(axis, found["exact_curves"]["violations_at"], colour, ls="--", lw=1.1)
            axis.set(title=group, ylim=(0, None))
            if cells:
                below(axis, 0.25)
        axes[0].set_ylabel("violations of the decided answer")
        on_steps(axes[:2], summary["sigmas"], ticks=3)
        revision_bars(axes[2], groups["a unique answer"])
        figure.suptitle(
            "Violations along the steps (dashed: exact posterior mean), and revisions of open cells"
        )
    return figure


def revision_bars(axis: Axes, cells: Cells) -> None:
    """Revisions per run by kind, with intervals; the firm ones darker."""
    kinds = {
        "wrong_to_right": ("wrong to right", PALETTE[2]),
        "right_to_wrong": ("right to wrong", PALETTE[1]),
        "wrong_to_wrong": ("wrong to wrong", "0.5"),
    }
    for number, (kind, (text, colour)) in enumerate(kinds.items()):
        for y, found in enumerate(cells.values()):
            place = y + 0.26 * (number - 1)
            _bar(axis, place, found[kind], text * (y == 0), color=colour, height=0.24, alpha=0.45)
            if firm := found.get(f"firm_{kind}"):
                _bar(axis, place, firm, f"{text}, firmly" * (y == 0), color=colour, height=0.12)
    names = [f"{short(cell)} ({found['gain']['n']})" for cell, found in cells.items()]
    axis.set_yticks(range(len(cells)), names)
    axis.set(title="revisions per run", xlabel="revisions of open cells")
    axis.invert_yaxis()
    if cells:
        below(axis)


def _bar(axis: Axes, place: float, value: dict, text: str, **options) -> None:
    axis.barh(place, value["mean"], label=text or None, lw=0, **options)
    axis.plot([value["low"], value["high"]], [place] * 2, color="0.25", lw=1)


def order(summary: dict) -> Figure:
    """When parts commit: by propagation round, by latent frame; and the two slopes."""
    cells = {c: f for c, f in summary["cells"].items() if f["commit_by_round"]}
    framed = {c: f for c, f in summary["cells"].items() if "commit_by_frame" in f}
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 4.8), layout="constrained")
        for axis, group, name in (
            (axes[0], cells, "commit_by_round"),
            (axes[1], framed, "commit_by_frame"),
        ):
            for (cell, found), colour in zip(group.items(), shades(len(group)), strict=True):
                places = [int(key) for key in found[name]]
                values = list(found[name].values())
                text = f"{short(cell)} ({max(value['n'] for value in values)})"
                band(axis, places, values, colour, text)
            axis.xaxis.get_major_locator().set_params(integer=True)
            if group:
                below(axis)
        axes[0].set(
            xlabel="propagation round",
            ylabel="commit step",
            title="by round of deduction (n cells)",
        )
        axes[1].set(xlabel="latent frame", ylabel="commit step", title="by frame (n: runs)")
        rank_correlations(axes[2], cells)
        figure.suptitle("When is a part decided for good? (mean, 95 % interval)")
    return figure


def rank_correlations(axis: Axes, cells: Cells) -> None:
    """The correlation of commit step and round, plain and with the candidates held fixed."""
    cells = {cell: found for cell, found in cells.items() if found["order"]["n"]}
    kinds = {"order": ("all runs", "0.6"), "order_partial": ("candidates fixed", PALETTE[0])}
    for number, (name, (text, colour)) in enumerate(kinds.items()):
        known = [(y, f[name]) for y, f in enumerate(cells.values()) if f[name]["n"]]
        places = [y + 0.24 * (number - 0.5) for y, _ in known]
        axis.hlines(places, *[[v[bound] for _, v in known] for bound in ("low", "high")], colour)
        axis.plot([v["mean"] for _, v in known], places, "o", color=colour, label=text)
    counts = [
        f"{short(c)} ({f['order']['n']}, {f['order_partial']['n']})" for c, f in cells.items()
    ]
    axis.set_yticks(range(len(cells)), counts)
    axis.invert_yaxis()
    axis.axvline(0, color="0.6", lw=1)
    axis.set(xlim=(-1.05, 1.05), xlabel="Spearman", title="by round, within runs")
    below(axis)


# What the panels share.


def shades(count: int) -> list:
    """Colours in order, dark first."""
    return sns.color_palette("viridis", max(count, 1))[:count]


def below(axis: Axes, drop: float = 0.17) -> None:
    """A legend under the panel, where it covers no interval.

    Args:
        drop: as a share of the panel's height; more where the ticks have two lines.
    """
    place = (0.5, -drop)
    axis.legend(frameon=False, fontsize="x-small", loc="upper center", bbox_to_anchor=place)


def label(cell: str, found: dict) -> str:
    return f"{short(cell)} ({found['curves']['n']})"


def line(axis: Axes, curve: dict, colour, text: str | None = None, **options) -> None:
    """The means of a curve."""
    axis.plot(curve["mean"], color=colour, label=text, **{"lw": 1.8} | options)


def with_band(axis: Axes, curves: dict, name: str, colour, text: str) -> None:
    """A curve with its 95 % intervals."""
    curve = curves[name]
    line(axis, curve, colour, text)
    steps = np.arange(len(curve["mean"]))
    axis.fill_between(steps, curve["low"], curve["high"], color=colour, alpha=0.15, lw=0)


def on_steps(axes, sigmas: Sequence[float], ticks: int = 5) -> None:
    """Step axes for all panels."""
    for axis in np.ravel(axes):
        step_axis(axis, list(sigmas[:-1]), ticks=ticks)

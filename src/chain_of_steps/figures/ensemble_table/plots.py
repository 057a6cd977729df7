"""The paper's ensemble table and its controls: each function draws one result with matplotlib."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...puzzles.first.suites import CATEGORIES, SPLITS
from ..style import PALETTE, WIDTH, band, style

CHECKER = "with checker"
SHORT = dict(zip(SPLITS, ("ID", "OOD"), strict=True))
POINTS = 100.0  # per unit of score


def scores(summary: dict) -> Figure:
    """Scores with intervals: overall, in domain, out of domain; a checker's choices stand apart,
    below the line."""
    table, groups = summary["table"], summary["groups"]
    blind = list(dict.fromkeys([*groups["table"], summary["best"]["name"]]))
    names = [*blind, *groups[CHECKER]]
    columns = {"overall": lambda row: row["overall"]} | {
        s: lambda row, s=s: row[s]["all"] for s in SPLITS
    }
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 0.9 + 0.34 * len(names)), sharey=True)
        for axis, (title, pick) in zip(axes, columns.items(), strict=True):
            single = pick(table["single"])
            _rows(axis, {name: pick(table[name]) for name in names})
            if single["mean"] is not None:
                axis.axvline(single["mean"], color="0.45", lw=1.2, ls="--")
            axis.axhline(len(blind) - 0.5, color="0.8", lw=1)
            axis.set(title=f"{title} (n = {single['n']})", xlabel="score")
        figure.tight_layout()
    return figure


def categories(summary: dict) -> Figure:
    """Gains of the blind strategies over single runs by split and category, in points."""
    table, groups = summary["table"], summary["groups"]
    names = list(
        dict.fromkeys([*[n for n in groups["table"] if n != "single"], summary["best"]["name"]])
    )
    places = [(split, category) for split in SPLITS for category in CATEGORIES]
    means = [
        [table[name][split][category]["gain"]["mean"] for split, category in places]
        for name in names
    ]
    gains = POINTS * np.array(means, float)
    reach = max(1.0, np.nanmax(np.abs(gains), initial=1.0))
    with style():
        size = (WIDTH, 1.4 + 0.36 * len(names))
        figure, axis = plt.subplots(figsize=size, layout="constrained")
        picture = axis.imshow(gains, cmap="RdBu", vmin=-reach, vmax=reach, aspect="auto")
        for (y, x), value in np.ndenumerate(gains):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 * reach else "black"
                axis.text(
                    x, y, f"{round(value):+d}", ha="center", va="center", fontsize=9, color=colour
                )
        axis.axvline(len(CATEGORIES) - 0.5, color="black", lw=1)
        axis.set_xticks(
            range(len(places)),
            [f"{category}\n{SHORT[split]}" for split, category in places],
            fontsize=8,
        )
        axis.set_yticks(range(len(names)), names)
        figure.colorbar(picture, ax=axis, label="gain, points", shrink=0.85)
    return figure


def costs(summary: dict) -> Figure:
    """Score against cost on the decision set: what a strategy buys; the line is what a perfect
    choice would reach."""
    entries = [*summary["rivals"], summary["best"]]
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH * 0.7, 4.4))
        for number, entry in enumerate(entries if summary["n_hard"] else ()):
            value, colour = summary["hard"][entry["name"]], PALETTE[number % len(PALETTE)]
            place = entry["cost"] + 0.03 * (number - len(entries) / 2)  # equal costs side by side
            axis.plot([place] * 2, [value["low"], value["high"]], color=colour, lw=1.6, alpha=0.6)
            axis.plot(
                place,
                value["mean"],
                "D" if entry is summary["best"] else "o",
                color=colour,
                label=entry["name"],
            )
        for name, dash in (("pass_k3", "-"), ("legal_k3", ":")):
            if summary["hard"][name]["n"]:
                label = f"{name} (with checker)"
                axis.axhline(
                    summary["hard"][name]["mean"], color="0.45", lw=1.2, ls=dash, label=label
                )
        axis.set(
            xlabel="cost, in single runs",
            ylabel="score on the decision set",
            xlim=(0.8, 3.8),
            ylim=(0, 1),
        )
        if summary["n_hard"]:
            axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        figure.tight_layout()
    return figure


def ablations(summary: dict) -> Figure:
    """Gain of merged clean estimates along the number of generations and of merged steps."""
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6), sharey=True)
        labels = {
            "by_k": ("k", "generations k"),
            "by_steps": ("steps", "merged steps, from the first on"),
        }
        for axis, (part, (name, label)) in zip(axes, labels.items(), strict=True):
            curve = summary[part]
            if curve["n"]:
                band(axis, curve[name], curve["gain"], PALETTE[0], "merged clean estimates")
            axis.axhline(0, color="0.45", lw=1.2, ls="--", label="single runs")
            axis.set_xticks(curve[name])
            axis.set(xlabel=label, title=f"n = {curve['n']}")
        axes[0].set_ylabel("gain in score")
        axes[0].legend(frameon=False)
        figure.tight_layout()
    return figure


def controls(summary: dict) -> Figure:
    """Gain of every control and other reading of "merged", and how far each moved the run."""
    names = [n for n in ("paper_recipe", "recipe_window", "x0_merge_k3") if n in summary["table"]]
    names += summary["groups"].get("control", [])
    rows = {name: summary["table"][name] for name in names}
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 0.9 + 0.3 * len(names)), sharey=True)
        labels = {name: f"{name} ({row['overall']['gain']['n']})" for name, row in rows.items()}
        _rows(axes[0], {label: rows[name]["overall"]["gain"] for name, label in labels.items()})
        _rows(axes[1], {label: rows[name]["moved"] for name, label in labels.items()})
        _rows(axes[2], {label: rows[name]["moved_final"] for name, label in labels.items()})
        axes[0].axvline(0, color="0.45", lw=1.2, ls="--")
        axes[0].set(xlabel="gain in score", title="what it gains")
        axes[1].set(
            xlabel=r"$\|\Delta\| / \|\cdot\|$", title=r"moved $\hat x_0$ of the last merged step"
        )
        axes[2].set(xlabel=r"$\|\Delta\| / \|\cdot\|$", title="moved the final latents")
        figure.tight_layout()
    return figure


def accounts(summary: dict) -> Figure:
    """Three accounts compared: the gain of each arm, and how pale its clean estimate was at the
    window's end."""
    arms = summary["accounts"]
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 0.9 + 0.4 * len(arms)), sharey=True)
        labels = {name: f"{name} ({arm['gain']['n']})" for name, arm in arms.items()}
        _rows(axes[0], {label: arms[name]["gain"] for name, label in labels.items()})
        _rows(axes[1], {label: arms[name]["contrast"] for name, label in labels.items()})
        axes[0].axvline(0, color="0.45", lw=1.2, ls="--")
        axes[0].set(xlabel="gain in score", title="what each arm gains")
        axes[1].set(
            xlabel="contrast, as a share of the final clip's",
            title="how decided it is at the window's end",
        )
        figure.tight_layout()
    return figure


def _rows(axis: Axes, values: dict[str, dict]) -> None:
    """A dot with its 95 % interval per name, top to bottom; empty where there is no value."""
    for y, value in enumerate(values.values()):
        if value["n"]:
            axis.plot([value["low"], value["high"]], [y, y], color=PALETTE[0], lw=2)
            axis.plot(value["mean"], y, "o", color=PALETTE[0])
    axis.set_yticks(range(len(values)), list(values))
    axis.set_ylim(len(values) - 0.5, -0.5)

"""The ensemble table and its controls: each function draws one result with matplotlib."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..names import broken, plain
from ..style import PALETTE, WIDTH, last_frames, nothing, step_names, style
from .merged_run import MergedRun

BLIND, CHECKED, CONTROL = PALETTE[0], PALETTE[1], "#9A9AA0"
FAMILIES = {"vote": "vote", "recognised": "recognition", "x0_merge": "merged clean estimates"}
COUNT = {"fontsize": 8, "color": "0.4"}  # n, at the right of its row
NEAR = {"textcoords": "offset points", "fontsize": 9, "color": "0.4"}
CONTROLS = ("recipe_stranger", "x0_stranger")
NAMES = {
    "stochastic": "stochastic sampler",
    "x0_merge": "merged clean estimates",
    "x0_merge_9": "merged clean estimates",
    "short": "short runs, recognition",
    "refined": "remade in part, by margin",
    "refined_checked": "remade in part, by rules",
    "more_steps_3": "three times as many steps",
    "paper_recipe": "paper's recipe, first step",
    "recipe_vote": "paper's recipe, vote",
    "recipe_window": "recipe, first steps",
    "recipe_delta": "recipe, block updates",
    "recipe_soft": "recipe, half way",
    "recipe_stranger": "recipe, unrelated prompt",
    "x0_stranger": "clean estimates, unrelated",
    "vote": "vote",
    "early_plan": "early plan, by margin",
    "recognised": "recognition",
    "recognised_vote": "vote, then recognition",
    "checked_plan": "early plan, by rules",
    "fewest_violations": "fewest violations",
    "pass_at": "pass@k",
}


def name_of(strategy: str) -> str:
    """A strategy in words."""
    family = strategy.rstrip("0123456789").removesuffix("_")
    return NAMES.get(strategy) or NAMES.get(family, strategy)


def forest(summary: dict, cells: Sequence[str]) -> Figure:
    """Paired differences to a single run: blind strategies, then those with a checker, each by k; a
    panel for each cell."""
    names = _lines(summary, cells)
    if not names:
        return nothing("no cell has such runs")
    labels = [f"{name_of(n)}  ({summary['nfe'][n] / summary['steps']:.2g})" for n in names]
    groups = [(summary["blind"][n], summary["k"][n]) for n in names]
    with style():
        size = (WIDTH, 1.1 + 0.25 * len(names))
        shared = {"sharex": True, "sharey": True, "squeeze": False}
        figure, axes = plt.subplots(1, len(cells), figsize=size, **shared)
        for axis, cell in zip(axes[0], cells, strict=True):
            _panel(axis, summary, cell, names)
            for y in (y for y in range(1, len(names)) if groups[y] != groups[y - 1]):
                axis.axhline(y - 0.5, color="0.8", lw=1)
        axes[0, 0].set_yticks(range(len(names)), labels)
        axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
        _legend(axes[0, 0], controls=not set(CONTROLS).isdisjoint(names))
        gained = (
            "valid answers minus those of single runs, paired by sample (95 %)\n"
            "in brackets: evaluations, in single runs; at the right: n"
        )
        figure.supxlabel(gained, fontsize=11)
        figure.legend(loc="upper right", ncols=3, frameon=False)
        figure.suptitle("What each strategy gains", x=0.02, ha="left")
        figure.tight_layout()
    return figure


def _legend(axis: Axes, controls: bool) -> None:
    kinds = [(BLIND, "blind"), (CONTROL, "unrelated prompt"), (CHECKED, "with checker")]
    for colour, label in kinds if controls else kinds[::2]:
        axis.plot([], [], "o-", color=colour, mfc="white", label=label)


def _lines(summary: dict, cells: Sequence[str]) -> list[str]:
    """The strategies that some cell has, blind ones first, in the order of k."""
    known = [
        name
        for name in summary["nfe"]
        if any(summary["cells"][c]["minus_single"].get(name, {"n": 0})["n"] for c in cells)
    ]
    return sorted(known, key=lambda n: (not summary["blind"][n], summary["k"][n]))


def _panel(axis: Axes, summary: dict, cell: str, names: Sequence[str]) -> None:
    found = summary["cells"][cell]
    gains, single = found["minus_single"], found["single"]
    for y, name in enumerate(names):
        value = gains[name]
        if not value["n"]:
            continue
        colour = CONTROL if name in CONTROLS else BLIND if summary["blind"][name] else CHECKED
        filled = colour if name in (found["best"], found["rival"]) else "white"
        axis.plot([value["low"], value["high"]], [y, y], color=colour, lw=1.8)
        axis.plot(value["mean"], y, "o", color=colour, mfc=filled, ms=5)
        axis.text(1.01, y, value["n"], transform=axis.get_yaxis_transform(), va="center", **COUNT)
    axis.axvline(0, color="0.45", lw=1.2, ls="--")
    room = "" if found["headroom"]["room"] else "\nno headroom"
    axis.set_title(f"{broken(cell)}\nsingle {single['mean']:.2f}{room}", fontsize=9)


def recipe(summary: dict) -> Figure:
    """The paper's recipe against what costs the same: one run, and three runs and a vote. A row for
    each cell, with the share of valid single runs on validation samples."""
    cells = {
        name: found
        for name, found in summary["cells"].items()
        if found["paper_recipe_minus_single"]["n"]
    }
    if not cells:
        return nothing("the recipe was not run")
    titles = {
        "paper_recipe_minus_single": "recipe minus a single run",
        "recipe_vote_minus_vote": "three merged seeds minus three seeds, votes",
    }
    with style():
        size = (WIDTH, 1.5 + 0.5 * len(cells))
        figure, axes = plt.subplots(1, 2, figsize=size, sharex=True, sharey=True)
        for axis, (metric, title) in zip(axes, titles.items(), strict=True):
            for y, value in enumerate(found[metric] for found in cells.values()):
                if value["n"]:
                    axis.plot([value["low"], value["high"]], [y, y], color=BLIND, lw=2)
                    axis.plot(value["mean"], y, "o", color=BLIND)
                    axis.annotate(f"{value['n']}", (value["high"], y), (4, 5), **NEAR)
            axis.axvline(0, color="0.45", lw=1.2, ls="--")
            ours, theirs = next(iter(cells.values()))[metric]["nfe"]
            axis.set_title(f"{title}\n({ours} and {theirs} evaluations)", fontsize=10)
            axis.set_xlabel("difference in valid answers")
        labels = [f"{broken(c)}\nsingle {_room(found)}" for c, found in cells.items()]
        axes[0].set_yticks(range(len(cells)), labels, fontsize=9)
        axes[0].set_ylim(len(cells) - 0.5, -0.5)
        figure.tight_layout()
    return figure


def _room(found: dict) -> str:
    """The share of valid single runs on validation samples, in words."""
    share = found["headroom"]["mean"]
    return "not measured" if share is None else f"{share:.2f} on validation"


def along_k(summary: dict) -> Figure:
    """Gain over single runs with 3 and 9 times the evaluations, a panel for each cell that has nine
    runs a sample."""
    cells = [c for c, found in summary["cells"].items() if found["along_k"]["vote"][1]["n"]]
    if not cells:
        return nothing("no cell has nine runs of each sample")
    with style():
        size = (WIDTH, 3.4)
        figure, axes = plt.subplots(1, len(cells), figsize=size, sharey=True, squeeze=False)
        for axis, cell in zip(axes[0], cells, strict=True):
            curves = summary["cells"][cell]["along_k"]
            for number, (family, label) in enumerate(FAMILIES.items()):
                _along(axis, curves[family], PALETTE[number * 2], "-", label, number - 1.5)
            _along(axis, curves["pass_at"], CHECKED, "--", "pass@k (with checker)", 1.5)
            axis.axhline(0, color="0.45", lw=1.2, ls="--")
            axis.set_xscale("log")
            axis.set_xticks([1, 3, 9], ["1", "3", "9"], minor=False)
            axis.minorticks_off()
            axis.set_title(f"{plain(cell)} (n = {curves['vote'][1]['n']})")
            axis.set_xlabel("k, runs merged or chosen from")
        axes[0, 0].set_ylabel("gain in valid answers")
        axes[0, -1].legend(frameon=False, fontsize=8)
        figure.tight_layout()
    return figure


def _along(
    axis: Axes, values: list[dict], colour: str, dash: str, label: str, place: float
) -> None:
    places = [1.0, *(k * 1.03**place for k in (3, 9))]  # side by side, to be told apart
    axis.plot(
        places, [0.0, *(v["mean"] for v in values)], dash, color=colour, label=label, marker="o"
    )
    for x, value in zip(places[1:], values, strict=True):
        axis.plot([x, x], [value["low"], value["high"]], color=colour, lw=1.4, alpha=0.6)


def recognition(summary: dict) -> Figure:
    """How well the denoising error of a finished run tells right from wrong: the curve at the level
    that strategies use, and the area by cell and level."""
    cells = [c for c, found in summary["cells"].items() if found["recognition_auroc"]["n"]]
    if not cells:
        return nothing("no cell has right and wrong runs")
    with style():
        size = (WIDTH, 1.6 + 0.55 * max(4, len(cells)))
        figure, (left, right) = plt.subplots(1, 2, figsize=size, width_ratios=(2, 3))
        for y, cell in enumerate(cells):
            found, colour = summary["cells"][cell], PALETTE[y % len(PALETTE)]
            left.plot(found["roc"]["false"], found["roc"]["true"], color=colour, lw=1.8)
            _levels(right, y, found["auroc_at"], str(summary["level"]), colour)
            _within(right, y, found["recognition_within"], colour)
        left.plot([0, 1], [0, 1], color="0.45", lw=1.2, ls="--")
        level = summary["level"]
        left.set(xlabel="right runs called wrong", ylabel="wrong runs called wrong")
        left.set_title(f"called by denoising error, $\\sigma$ = {level}")
        counts = (summary["cells"][c]["recognition_auroc"] for c in cells)
        rows = zip(cells, counts, strict=True)
        labels = [f"{broken(c)}\n{v['right']} right, {v['wrong']} wrong" for c, v in rows]
        right.set_yticks(range(len(cells)), labels, fontsize=8)
        right.set_ylim(len(cells) - 0.5, -0.5)
        right.axvline(0.5, color="0.45", lw=1.2, ls="--")
        right.set(xlabel="area under the curve", xlim=(0, 1.02))
        others = [each for each in summary["cells"][cells[0]]["auroc_at"] if each != str(level)]
        levels = f"filled: $\\sigma$ = {level}; open, downwards: {', '.join(others)}"
        right.set_title(f"{levels};\ndiamond: pairs of one sample, at {level}", fontsize=11)
        figure.suptitle("Does the denoising error tell right from wrong answers?")
        figure.tight_layout()
    return figure


def _levels(axis: Axes, y: float, at: dict[str, dict], used: str, colour: str) -> None:
    for number, (level, value) in enumerate(at.items()):
        place = y + 0.16 * (number - (len(at) - 1) / 2)
        strong = level == used
        line = {"color": colour, "lw": 2.0 if strong else 1.0}
        axis.plot([value["low"], value["high"]], [place, place], **line)
        axis.plot(value["mean"], place, "o", color=colour, mfc=colour if strong else "white", ms=5)


def _within(axis: Axes, y: float, value: dict, colour: str) -> None:
    if value["n"]:
        axis.plot([value["low"], value["high"]], [y + 0.36] * 2, color=colour, lw=2.0)
        axis.plot(value["mean"], y + 0.36, "D", color=colour, ms=6)


def merged_run(shown: MergedRun, sigmas: list[float]) -> Figure:
    """Seeds alone, then merged: the last frame of the clean estimate at chosen steps."""
    names = [*step_names(sigmas, shown.steps[:-1]).values(), "end"]
    return last_frames(
        shown.cases, dict(enumerate(names)), "Runs alone, and with their clean estimates merged"
    )

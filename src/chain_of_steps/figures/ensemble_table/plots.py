"""The ensemble table and its controls: each function draws one result with matplotlib."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..names import broken, plain
from ..style import (
    PALETTE,
    WIDTH,
    labelled,
    last_frames,
    legend,
    note,
    nothing,
    step_names,
    style,
)
from .merged_run import MergedRun

BLIND, CHECKED, CONTROL = PALETTE[0], PALETTE[1], "#9A9AA0"
COUNT = {"fontsize": 9, "color": "0.35"}  # n, at the right of its row
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
    "pass_at": "any valid one among k",
}


def name_of(strategy: str) -> str:
    """A strategy in words."""
    family = strategy.rstrip("0123456789").removesuffix("_")
    return NAMES.get(strategy) or NAMES.get(family, strategy)


def forest(summary: dict, cells: Sequence[str]) -> Figure:
    """Paired differences to a single run: blind strategies, then those with a checker, each by k; a
    panel for each cell in which some strategy gains or loses anything."""
    names = _lines(summary, cells)
    if not names:
        return nothing("no cell has such runs")
    known = {cell: summary["cells"][cell]["minus_single"].values() for cell in cells}
    shown = [c for c, gains in known.items() if any(gain["mean"] for gain in gains)] or cells
    labels = [f"{name_of(n)}  ({summary['nfe'][n] / summary['steps']:.2g})" for n in names]
    groups = [(summary["blind"][n], summary["k"][n]) for n in names]
    with style():
        size = (WIDTH, 1.1 + 0.25 * len(names))
        panels = {"sharex": True, "sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(1, len(shown), figsize=size, **panels)
        for axis, cell in zip(axes[0], shown, strict=True):
            _panel(axis, summary, cell, names)
            for y in (y for y in range(1, len(names)) if groups[y] != groups[y - 1]):
                axis.axhline(y - 0.5, color="0.8", lw=1)
        axes[0, 0].set_yticks(range(len(names)), labels)
        axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
        figure.supxlabel("valid answers minus those of single runs, paired, 95 %", fontsize=11)
        legend(figure, _kinds(controls=not set(CONTROLS).isdisjoint(names)))
        flat = "; ".join(plain(cell) for cell in cells if cell not in shown)
        said = "In brackets: evaluations, in single runs. At the right: samples."
        note(figure, said + f" Nothing is gained or lost: {flat}." * bool(flat))
    return figure


def _kinds(controls: bool) -> dict[str, Line2D]:
    """Samples of the markers by what they mean."""
    kinds = {"blind": BLIND, "an unrelated prompt's runs": CONTROL, "with a checker": CHECKED}
    if not controls:
        del kinds["an unrelated prompt's runs"]
    lines = {k: Line2D([], [], marker="o", color=c, mfc="white") for k, c in kinds.items()}
    chosen = Line2D([], [], marker="o", color="0.3", ls="none")
    return lines | {"best of its kind, chosen on validation samples": chosen}


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
    room = "" if found["headroom"]["room"] else ", no headroom"
    title = f"{broken(cell)}\nof single runs {single['mean']:.2f} valid{room}"
    axis.set_title(title, fontsize="medium")


def recipe(summary: dict) -> Figure:
    """The paper's recipe against what costs the same: one run, and three runs and a vote. A row for
    each cell, with the share of valid single runs on validation samples."""
    titles = {
        "paper_recipe_minus_single": "one run with a merged first step, minus one run",
        "recipe_vote_minus_vote": "vote of three merged runs, minus that of three runs",
    }
    cells = summary["cells"]
    rows = [(m, c, cells[c][m]) for m in titles for c in cells if cells[c][m]["n"]]
    if not rows:
        return nothing("the recipe was not run")
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 1 + 0.62 * len(rows)), layout="constrained")
        labels = {}
        for y, (metric, _, value) in enumerate(rows):
            number = list(titles).index(metric)
            colour, marker = PALETTE[number], "os"[number]
            axis.plot([value["low"], value["high"]], [y, y], color=colour, lw=2)
            (dot,) = axis.plot(value["mean"], y, marker, color=colour)
            labels.setdefault(
                f"{titles[metric]} ({' and '.join(map(str, value['nfe']))} evaluations)", dot
            )
            axis.text(
                1.01, y, value["n"], transform=axis.get_yaxis_transform(), va="center", **COUNT
            )
        axis.axvline(0, color="0.45", lw=1.2, ls="--")
        axis.set_xlabel("difference in valid answers, paired, 95 %; at the right: pairs")
        names = [f"{plain(c)}\nsingle {_room(cells[c])}" for _, c, _ in rows]
        axis.set_yticks(range(len(rows)), names, fontsize="small")
        axis.set_ylim(len(rows) - 0.5, -0.5)
        legend(figure, labels, 1)
    return figure


def _room(found: dict) -> str:
    """The share of valid single runs on validation samples, in words."""
    share = found["headroom"]["mean"]
    return "not measured" if share is None else f"{share:.2f} valid on validation"


def recognition(summary: dict) -> Figure:
    """How well the denoising error of a finished run tells right from wrong: the area under the
    curve by cell and noise level; of one sample's runs as well, at the level in use."""
    cells = [c for c, found in summary["cells"].items() if found["recognition_auroc"]["n"]]
    if not cells:
        return nothing("no cell has right and wrong runs")
    with style():
        size = (WIDTH, 1.0 + 1.3 * len(cells))
        figure, axis = plt.subplots(figsize=size, layout="constrained")
        for y, cell in enumerate(cells):
            found = summary["cells"][cell]
            at = found["auroc_at"]
            for number, (level, value) in enumerate(at.items()):
                place = y + 0.16 * (number - len(at) / 2)
                label = f"runs of all samples, $\\sigma$ {level}"
                _area(axis, place, value, (PALETTE[number + 2], "o"), label)
            label = f"runs of one sample, $\\sigma$ {summary['level']}"
            _area(axis, y + 0.16 * len(at) / 2, found["recognition_within"], (BLIND, "D"), label)
        counts = (summary["cells"][c]["recognition_auroc"] for c in cells)
        rows = zip(cells, counts, strict=True)
        labels = [f"{broken(c)}\n{v['right']} right, {v['wrong']} wrong runs" for c, v in rows]
        axis.set_yticks(range(len(cells)), labels)
        axis.set_ylim(len(cells) - 0.5, -0.5)
        axis.axvline(0.5, color="0.45", lw=1.2, ls="--")
        axis.text(0.5, -0.45, " chance", color="0.35", va="top")
        axis.set(xlim=(0.38, 1.01))
        axis.set_xlabel("probability that a wrong run has the larger denoising error")
        legend(figure, labelled([axis]))
    return figure


def _area(axis: Axes, y: float, value: dict, look: tuple[str, str], label: str) -> None:
    if value["n"]:
        colour, marker = look
        axis.plot([value["low"], value["high"]], [y, y], color=colour, lw=1.8)
        axis.plot(value["mean"], y, marker, color=colour, ms=6, ls="none", label=label)


def merged_run(shown: MergedRun, sigmas: list[float]) -> Figure:
    """Seeds alone, then merged: the last frame of the clean estimate at chosen steps."""
    names = [*step_names(sigmas, shown.steps[:-1]).values(), "end"]
    return last_frames(shown.cases, dict(enumerate(names)))

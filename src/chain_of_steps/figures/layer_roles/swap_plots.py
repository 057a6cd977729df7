"""Figure 6b of the paper and its controls: each function draws one result of the swaps."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..style import PALETTE, WIDTH, band, heat, style

KINDS = {  # label, colour, line
    "state-all-twin": ("all tokens", PALETTE[0], "-"),
    "state-cause-twin": ("tokens of the cause", PALETTE[1], "-"),
    "state-answer-twin": ("tokens of the answer", PALETTE[2], "-"),
    "held-all-twin": ("all, held to the end", PALETTE[0], "--"),
    "held-cause-twin": ("cause, held to the end", PALETTE[1], "--"),
    "held-answer-twin": ("answer, held to the end", PALETTE[2], "--"),
    "delta-all-twin": ("one block's update", PALETTE[3], "-"),
    "blend-all-twin": ("half way", PALETTE[4], "-"),
    "state-answer-stranger": ("null: an unrelated sample's tokens", "0.35", ":"),
    "noise-answer-twin": ("null: random, as long", "0.6", ":"),
}
RAMPS = {
    "state-all": "all tokens",
    "state-cause": "tokens of the cause",
    "state-answer": "tokens of the answer",
    "delta-all": "one block's update",
    "blend-all": "half way",
    "random network": "all tokens, random network",
}


def swap_curves(swaps: dict, tasks: list[str], steps: list[int]) -> Figure:
    """Figure 6b: how often a swap after one layer flips the answer, by what is swapped, with both
    nulls; in the clean estimate of the step itself, and in the final video."""
    columns = [(step, place) for step in steps for place in ("flip", "final_flip")]
    with style():
        size = (WIDTH, 2.3 * len(tasks) + 1.2)
        figure, axes = plt.subplots(
            len(tasks), len(columns), figsize=size, sharex=True, sharey=True, squeeze=False
        )
        for row, task in zip(axes, tasks, strict=True):
            for axis, (step, column) in zip(row, columns, strict=True):
                _kinds(axis, swaps.get(task, {}).get(f"step{step}", {}), column)
            row[0].set_ylabel(f"{_pair(task)}\nflips to the donor's answer")
        for axis, (step, column) in zip(axes[0], columns, strict=True):
            axis.set_title(
                f"step {step}: {'final video' if column == 'final_flip' else 'its clean estimate'}"
            )
        for axis in axes[-1]:
            axis.set_xlabel("layer")
        lines = {
            label: line
            for axis in axes.flat
            for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.tight_layout(rect=(0, 0.9 / size[1], 1, 1))
        figure.legend(lines.values(), lines, frameon=False, ncol=4, loc="lower center")
    return figure


def swap_outcomes(swaps: dict, tasks: list[str], steps: list[int]) -> Figure:
    """What the final video shows after a region's swap: the donor's answer, its own, or neither."""
    columns = [(step, where) for step in steps for where in ("cause", "answer")]
    with style():
        size = (WIDTH, 2.3 * len(tasks) + 0.5)
        figure, axes = plt.subplots(
            len(tasks), len(columns), figsize=size, sharex=True, sharey=True, squeeze=False
        )
        for row, task in zip(axes, tasks, strict=True):
            for axis, (step, where) in zip(row, columns, strict=True):
                kind = swaps.get(task, {}).get(f"step{step}", {}).get(f"state-{where}-twin")
                if kind:
                    flip, kept = (
                        [v["mean"] for v in kind[name]] for name in ("final_flip", "final_kept")
                    )
                    neither = [1.0 - a - b for a, b in zip(flip, kept, strict=True)]
                    shades = (PALETTE[1], "0.85", PALETTE[0])
                    labels = ("the donor's", "neither", "its own")
                    axis.stackplot(
                        range(len(flip)), flip, neither, kept, colors=shades, labels=labels, lw=0
                    )
                    axis.set_title(
                        f"step {step}, {where}, n = {kind['final_flip'][0]['n']}", fontsize="medium"
                    )
                axis.set(ylim=(0.0, 1.0), xlim=(0, None))
                axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            row[0].set_ylabel(_pair(task))
        for axis in axes[-1]:
            axis.set_xlabel("layer")
        axes[0, -1].legend(
            frameon=False, title="answer", loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )
        figure.tight_layout()
    return figure


def swap_ramps(ramps: dict) -> Figure:
    """How far each kind of swap moves that step's clean estimate, the degenerate ones included."""
    with style():
        figure, axes = plt.subplots(1, len(ramps), figsize=(WIDTH, 3.4), sharey=True, squeeze=False)
        for axis, (task, kinds) in zip(axes[0], ramps.items(), strict=True):
            for i, (kind, label) in enumerate(RAMPS.items()):
                if kind in kinds:
                    colour = "0.5" if kind == "random network" else PALETTE[i]
                    band(axis, range(len(kinds[kind])), kinds[kind], colour, label)
            axis.set(title=task, xlabel="layer", ylim=(-0.02, None))
        axes[0, 0].set_ylabel("way to the donor's estimate")
        axes[0, -1].legend(
            frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )
        figure.tight_layout()
    return figure


def swap_maps(
    maps: dict[tuple[str, str], tuple[np.ndarray, list[int], int]], sigmas: list[float]
) -> Figure:
    """Where and when is the answer decided? Flip rate by layer and step.

    Args:
        maps: rates (steps, L), steps and number of pairs, by row and column.
    """
    rows, columns = (list(dict.fromkeys(names)) for names in zip(*maps, strict=True))
    with style():
        size = (WIDTH, 2.9 * len(rows) + 0.5)
        figure, axes = plt.subplots(
            len(rows), len(columns), figsize=size, layout="constrained", squeeze=False
        )
        for (row, column), (values, steps, pairs) in maps.items():
            axis = axes[rows.index(row), columns.index(column)]
            image = heat(axis, values, 0.0, 1.0)
            axis.set_yticks(range(len(steps)), [f"{s} / {sigmas[s]:.2f}" for s in steps])
            axis.set_title(f"{column}\nn = {pairs}")
        for axes_of, row in zip(axes, rows, strict=True):
            axes_of[0].set_ylabel(f"{row}\nstep / $\\sigma$")
        for axis in axes[-1]:
            axis.set_xlabel("layer")
        figure.colorbar(image, ax=axes, label="answer flips to the donor's", shrink=0.7)
    return figure


def _kinds(axis: Axes, kinds: dict, column: str) -> None:
    for name, (label, colour, dashes) in KINDS.items():
        if column in kinds.get(name, {}):
            band(axis, range(len(kinds[name][column])), kinds[name][column], colour, label)
            axis.lines[-1].set_linestyle(dashes)
    axis.set_ylim(-0.02, 1.02)


def _pair(task: str) -> str:
    return task.replace("_exchanged", ",\nthings exchanged")

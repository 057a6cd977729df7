"""Figure 3 of the paper and its controls: each function draws one result with matplotlib."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..style import MODE_COLOURS, PALETTE, WIDTH, band, heat, step_axis, style

LABELS = {
    "x": r"latents $x_s$",
    "x0_hat": r"clean estimate $\hat x_0$",
    "tokens": "tokens of the middle block",
}


def curves(summary: dict) -> Figure:
    """Figure 3b: score and unchanged answers against noised step and noised frame, by mode."""
    sigmas, clean = summary["sigmas"][:-1], summary["clean"]
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 6.6), sharex="col", sharey="row")
        for column, place in enumerate(("step", "frame")):
            for mode, curve in summary[place].items():
                for row, what in enumerate(("score", "unchanged")):
                    band(axes[row, column], curve[place], curve[what], MODE_COLOURS[mode], mode)
            axes[0, column].axhline(clean["mean"], color="0.45", lw=1.2, ls="--", label="clean run")
        step_axis(axes[1, 0], sigmas)
        frames = summary["frame"]["replace"]["frame"]
        ends = {frames[0]: "\ngiven", frames[-1]: "\nscored"}
        axes[1, 1].set_xticks(frames, [f"{f}{ends.get(f, '')}" for f in frames])
        axes[1, 1].set_xlabel("latent frame")
        axes[0, 0].set(ylabel="score", ylim=(0, 1), title="noise at one step, in all frames")
        axes[1, 0].set(ylabel="share with the clean run's answer", ylim=(0, 1))
        axes[0, 1].set_title("noise in one frame, at all steps")
        axes[0, 1].legend(frameon=False, loc="lower left")
        figure.tight_layout()
    return figure


def doses(summary: dict) -> Figure:
    """Equal doses: one step of all frames, one frame of as many steps, as many cells scattered."""
    sigmas = summary["sigmas"][:-1]
    designs = {"one step, all frames": summary["step"]["replace"]}
    designs |= {
        "one frame, as many steps": summary["window"],
        "as many cells, scattered": summary["scatter"],
    }
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.7), sharex=True)
        for colour, (label, curve) in zip(PALETTE, designs.items(), strict=False):
            band(axes[0], curve["step"], curve["score"], colour, label)
            axes[1].plot(curve["step"], curve["energy"], color=colour, label=label)
        axes[0].axhline(summary["clean"]["mean"], color="0.45", lw=1.2, ls="--", label="clean run")
        axes[0].set(ylabel="score", ylim=(0, 1), title="the same number of cells")
        axes[1].set(
            ylabel=r"energy $\sum \|\delta x\|^2 / D$", ylim=(0, None), title="how much they change"
        )
        axes[0].legend(frameon=False)
        for axis in axes:
            step_axis(axis, sigmas)
        figure.tight_layout()
    return figure


def decision(summary: dict) -> Figure:
    """When is the answer decided? Unchanged answers under level-correct noise, by task."""
    sigmas, tasks = summary["sigmas"][:-1], summary["decision"]
    with style():
        figure, axes = plt.subplots(
            1, max(1, len(tasks)), figsize=(WIDTH, 3.5), sharey=True, squeeze=False
        )
        for axis, (task, modes) in zip(axes[0], tasks.items(), strict=False):
            for mode, curve in modes.items():
                band(axis, curve["step"], curve["unchanged"], MODE_COLOURS[mode], mode)
            axis.set(title=task, ylim=(0, 1.02))
            step_axis(axis, sigmas)
        axes[0, 0].set_ylabel("share with the clean run's answer")
        axes[0, -1].legend(frameon=False, loc="center")
        figure.tight_layout()
    return figure


def by_task(summary: dict) -> Figure:
    """What noise at one step, and in one inner frame at all steps, costs by task."""
    drops = {"one step, all frames": "step_drop", "one frame, all steps": "frame_drop"}
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 4.2))
        for number, (label, name) in enumerate(drops.items()):
            for place, task in enumerate(summary["by_task"].values()):
                drop, y = task[name], place + 0.15 * (2 * number - 1)
                if drop["n"]:
                    axis.plot([drop["low"], drop["high"]], [y, y], color=PALETTE[number], lw=2)
                    axis.plot(
                        drop["mean"],
                        y,
                        "o",
                        color=PALETTE[number],
                        label=label if place == 0 else None,
                    )
        names = [
            f"{name} ({task['clean']['mean']:.2f})" for name, task in summary["by_task"].items()
        ]
        axis.set_yticks(range(len(names)), names)
        axis.axvline(0.0, color="0.6", lw=1)
        axis.set(xlabel="drop of the score (clean score in brackets)")
        axis.invert_yaxis()
        axis.legend(frameon=False, loc="lower right")
        figure.tight_layout()
    return figure


def maps(summary: dict) -> Figure:
    """Figure 3c: dissimilarity to the clean run, injected step x later step, each on its own
    scale; the title has that of an unrelated run, the ceiling."""
    sigmas, labels = summary["sigmas"][:-1], LABELS | {"evidence": "evidence for candidates"}
    with style():
        figure, axes = plt.subplots(
            1, len(labels), figsize=(WIDTH, 3.7), sharey=True, layout="constrained"
        )
        for axis, (name, label) in zip(axes, labels.items(), strict=True):
            entry = summary["maps"][name]
            image = heat(axis, np.array(entry["map"], float), 0.0, None)
            ceiling = np.nanmean(np.array(entry["unrelated"], float))
            axis.set_title(f"{label}\nunrelated run: {ceiling:.2f}", fontsize="medium")
            step_axis(axis, sigmas, "later step / $\\sigma$", ticks=3)
            figure.colorbar(
                image,
                ax=axis,
                location="bottom",
                shrink=0.9,
                label="change" if name == "evidence" else "1 - CKA",
            )
        axes[0].set_ylabel("noise put in at step")
    return figure


def sensitivity(summary: dict) -> Figure:
    """Where noise matters: what is left of it at the last step, against the injected step, with
    the peak."""
    sigmas = summary["sigmas"][:-1]
    labels = LABELS | {"evidence": "evidence for candidates"}
    with style():
        figure, axes = plt.subplots(1, 4, figsize=(WIDTH, 3.2))
        for colour, axis, (name, label) in zip(PALETTE, axes, labels.items(), strict=False):
            entry = summary["maps"][name]
            band(axis, range(len(sigmas)), entry["sensitivity"], colour, label)
            low, high = (entry["peak"][end] * (len(sigmas) - 1) for end in ("low", "high"))
            axis.axvspan(low - 0.2, high + 0.2, color=colour, alpha=0.15, lw=0)
            ceiling = np.nanmean(np.array(entry["unrelated"], float)[-1:])
            axis.set(title=f"{label}\nunrelated run: {ceiling:.2f}", ylim=(0, None))
            step_axis(axis, sigmas, ticks=3)
        axes[0].set_ylabel("change left at the last step")
        figure.tight_layout()
    return figure


def cells(summary: dict) -> Figure:
    """Steps or frames: what noise in one single (step, frame) cell costs, by task."""
    tasks = summary["cells"]
    names = {"drop": "drop of the score", "changed": "changed answers"}
    with style():
        size = (WIDTH, 3.4 * len(tasks))
        figure, axes = plt.subplots(
            len(tasks), 2, figsize=size, layout="constrained", squeeze=False
        )
        for row, (task, grid) in zip(axes, tasks.items(), strict=True):
            for axis, (name, label) in zip(row, names.items(), strict=True):
                values = np.array(grid[name], float)
                image = heat(axis, values, 0.0, max(0.05, np.nanmax(values)))
                axis.set_yticks(
                    range(len(grid["step"])),
                    [f"{s} / {summary['sigmas'][s]:.2f}" for s in grid["step"]],
                )
                axis.set_xticks(range(values.shape[1]))
                axis.set(
                    title=f"{task}: {label}", ylabel=r"step / $\sigma$" if name == "drop" else ""
                )
                figure.colorbar(image, ax=axis, shrink=0.85)
        for axis in axes[-1]:
            axis.set_xlabel("latent frame")
    return figure

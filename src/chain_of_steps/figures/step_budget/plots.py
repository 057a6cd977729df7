"""The effect of steps, frames and distillation to four steps: each function draws one result."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ..showcase import ShownCase
from ..style import PALETTE, WIDTH, band, intervals, last_frames, style

STUDENT = PALETTE[2]
SAMPLERS = {"euler": "Euler", "unipc": "UniPC"}


def scores(summaries: dict[str, dict], compared: dict[str, dict]) -> Figure:
    """Score against the number of steps, by sampler, with the student; and against the number of
    frames.

    Args:
        summaries, compared: of `analysis.summary` and `analysis.compare`, by name: `all` tasks,
            and parts of them (`mazes`).
    """
    summary, colours = summaries["all"], iter(PALETTE[3:])
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.8), sharey=True, width_ratios=(2, 1))
        for title, part in summaries.items():
            for number, (name, curve) in enumerate(part["by_steps"].items()):
                colour = PALETTE[number] if title == "all" else next(colours)
                band(axes[0], curve["steps"], curve["score"], colour, f"{SAMPLERS[name]}, {title}")
        for mark, (title, part) in zip("Ds", compared.items(), strict=False):
            point, few = part["student"]["score"], len(part["student"]["solved_at"])
            reach = [[point["mean"] - point["low"]], [point["high"] - point["mean"]]]
            axes[0].errorbar(
                [few], [point["mean"]], reach, fmt=mark, color=STUDENT, label=f"student, {title}"
            )
        counts = sorted(
            {count for curve in summary["by_steps"].values() for count in curve["steps"]}
        )
        axes[0].set_xscale("log", base=2)
        axes[0].set_xticks(counts, [str(count) for count in counts])
        axes[0].minorticks_off()
        axes[0].set(xlabel="denoising steps", ylabel="score", ylim=(0, 1.02))
        axes[0].legend(
            frameon=False, loc="upper left", bbox_to_anchor=(0.0, 0.62), fontsize=8, ncols=2
        )
        by_frames = summary["by_frames"]
        band(axes[1], by_frames["frames"], by_frames["score"], PALETTE[0], "")
        axes[1].set_xticks(by_frames["frames"])
        axes[1].set(xlabel="frames of the clip, all tasks")
        figure.tight_layout()
    return figure


def by_sigma(summaries: dict[str, dict], compared: dict, levels: list[float]) -> Figure:
    """Share solved in the clean estimate, against the noise level: one curve per number of steps,
    and the student's.

    Args:
        summaries, compared: of `analysis.summary` and `analysis.compare`, by the names of the
            panels.
        levels: noise levels of the student.
    """
    with style():
        figure, axes = plt.subplots(
            1, len(summaries), figsize=(WIDTH, 4.0), sharey=True, squeeze=False
        )
        for axis, (title, summary) in zip(axes[0], summaries.items(), strict=True):
            colours = plt.get_cmap("viridis")(np.linspace(0, 0.9, max(1, len(summary["by_sigma"]))))
            for colour, (count, curve) in zip(colours, summary["by_sigma"].items(), strict=True):
                axis.plot(
                    curve["sigmas"],
                    curve["solved"],
                    "o-",
                    ms=3,
                    color=colour,
                    label=f"{count} steps",
                )
            pupil = compared[title]["student"]
            axis.plot(
                levels,
                pupil["solved_at"],
                "D--",
                color=STUDENT,
                label=f"student (n = {pupil['score']['n']})",
            )
            axis.invert_xaxis()
            axis.set(xlabel=r"noise level $\sigma$ (noisiest on the left)", ylim=(0, 1.02))
            axis.set_title(f"{title}, n = {summary['n']}")
        axes[0, 0].set_ylabel(r"solved in $\hat x_0$")
        axes[0, 0].legend(frameon=False, ncols=2, fontsize=8)
        figure.tight_layout()
    return figure


def mazes(cases: list[ShownCase], levels: list[float]) -> Figure:
    """The last frame of the clean estimate of each case at the same noise levels, and what it ends
    with.

    Args:
        cases: their numbers of steps are multiples of the number of levels.
    """
    places = [[s * (len(case.clips) // len(levels)) for s in range(len(levels))] for case in cases]
    thinned = [
        replace(case, clips=case.clips[[*chosen, -1]])
        for case, chosen in zip(cases, places, strict=True)
    ]
    titles = [*(f"$\\sigma$ {sigma:.2f}" for sigma in levels), "final"]
    return last_frames(thinned, [*levels, 0.0], list(range(len(titles))), titles)


def student(compared: dict, gains: dict) -> Figure:
    """Many steps, few steps, few distilled steps: score, several candidates at once, decided at
    once; and merging."""
    names = {name: f"{len(compared[name]['solved_at'])} steps" for name in ("usual", "few")} | {
        "student": "student"
    }
    titles = {
        "score": "score",
        "several": "several candidates at once",
        "decided": "decided at the first step",
    }
    with style():
        figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 4.4))
        for axis, (what, title) in zip(axes.flat, titles.items(), strict=False):
            intervals(axis, {label: compared[name][what] for name, label in names.items()})
            axis.set(title=title, xlim=(0, 1))
        intervals(axes[1, 1], gains)
        axes[1, 1].axvline(0, color="0.45", lw=1.2, ls="--")
        axes[1, 1].set(title="student: gain in score of three runs")
        figure.tight_layout()
    return figure

"""Figures 4 and 5 of the paper, measured: each function draws one result with matplotlib."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..style import PALETTE, WIDTH, band, intervals, picture, spread, step_axis, style

FLOORS = ("x", "x0_hat", "input", "shuffled", "random network")
GREYS = ("0.25", "0.4", "0.55", "0.7", "0.82")
NAMES = {
    "wrong_held": "wrong one held",
    "corrected": "wrong, then right",
    "right_held": "right one held",
    "spoiled": "right, then wrong",
}


def noised_clips(cases: list) -> Figure:
    """What is left of the final video under noise in hidden, visible and all inner frames: one row
    per case.

    Args:
        cases: have a `label` and `clips` (S, P, H, W, 3), uint8.
    """
    frames = spread(cases[0].clips.shape[1], 9)
    with style():
        size = (WIDTH, WIDTH * len(cases) / (len(frames) + 1.5) * 1.04)
        figure, axes = plt.subplots(len(cases), len(frames), figsize=size, squeeze=False)
        for row, case in zip(axes, cases, strict=True):
            for axis, f in zip(row, frames, strict=True):
                picture(axis, case.clips[-1, f])
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
        for f, axis in zip(frames, axes[0], strict=True):
            axis.set_title("given" if f == 0 else f"frame {f}")
        figure.tight_layout(pad=0.3)
    return figure


def memory(readable: dict, noise: dict, sigmas: list[float]) -> Figure:
    """Working memory: is the start state the leader at every step, and what does noise in hidden
    frames cost?"""
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.9))
        for colour, task in zip(PALETTE, _measured(readable), strict=False):
            entry = readable[task]
            band(axes[0], range(len(entry["at"])), entry["at"], colour, task)
            null = [value["mean"] for value in entry["null_at"]]
            axes[0].plot(null, color=colour, lw=1.2, ls="--", label=f"{task}, calibrated null")
        axes[0].set(
            ylabel="right start state leads",
            ylim=(-0.02, 1.02),
            title=r"read off $\hat{x}_0$, last frame",
        )
        axes[0].legend(frameon=False, fontsize="small")
        step_axis(axes[0], sigmas[:-1])
        order = [
            "clean",
            *(
                f"{d}-{m}"
                for m in ("replace", "level-correct")
                for d in ("hidden", "visible", "inner")
            ),
        ]
        intervals(
            axes[1], {name.replace("-", ", ", 1): noise["all"]["right"][name] for name in order}
        )
        axes[1].set(
            xlabel="right answers", xlim=(-0.02, 1.02), title="noise at all steps, by frames"
        )
        figure.tight_layout()
    return figure


def memory_probes(probes: dict, sigmas: list[float]) -> Figure:
    """What can be read off the tokens of a frame that does not show it: the chosen layer, the
    other layers, floors."""
    tasks = [task for task in probes if task != "all"]
    with style():
        figure, axes = plt.subplots(1, len(tasks), figsize=(WIDTH, 3.6), sharey=True, squeeze=False)
        for axis, task in zip(axes[0], tasks, strict=True):
            sources = probes[task]["sources"]
            for name in filter(str.isdigit, sources):
                axis.plot(*_curve(sources[name]), color=PALETTE[0], lw=0.7, alpha=0.4)
            chosen = sources[str(probes[task]["layer"])]
            places, values = sorted(map(int, chosen)), [chosen[s] for s in sorted(chosen, key=int)]
            band(
                axis,
                places,
                values,
                PALETTE[0],
                f"layer {probes[task]['layer']} (chosen on even samples)",
            )
            for grey, name in zip(GREYS, FLOORS, strict=True):
                axis.plot(
                    *_curve(sources[name]), color=grey, lw=1.2, ls="--", label=f"floor: {name}"
                )
            axis.set(title=task, ylim=(-0.02, 1.02))
            step_axis(axis, sigmas[:-1])
        axes[0, 0].set_ylabel("start state read off")
        axes[0, -1].legend(
            frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )
        figure.tight_layout()
    return figure


def self_correction(corrections: dict) -> Figure:
    """Leaders that held and lost: in the model, and in its calibrated null."""
    tasks = [name for name in corrections if name not in ("all", "paper")]
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 0.8 + 0.32 * max(len(tasks), 5)))
        paper = corrections["paper"]
        _pairs(
            axes[0],
            {label: (paper[name], paper["null"].get(name)) for name, label in NAMES.items()},
        )
        axes[0].set(
            title=f"bounce and maze (null: n = {paper['null']['n']})", xlabel="share of samples"
        )
        labelled = {f"{task} ({corrections[task]['n']})": corrections[task] for task in tasks}
        _pairs(
            axes[1],
            {label: (entry["corrected"], entry["spoiled"]) for label, entry in labelled.items()},
            PALETTE[1],
        )
        axes[1].set(
            title="by task: wrong to right (blue), right to wrong (orange)",
            xlabel="share of samples",
        )
        figure.tight_layout()
    return figure


def onsets(table: pd.DataFrame, summary: dict) -> Figure:
    """Perception before action: two onsets per sample, and their paired differences."""
    tasks = _measured(summary)
    jitter = np.random.default_rng(0)
    with style():
        figure, axes = plt.subplots(
            1, 2, figsize=(WIDTH, 3.8), gridspec_kw={"width_ratios": [1, 1.2]}
        )
        for colour, task in zip(PALETTE, tasks, strict=False):
            own = table[table["task"] == task].dropna(subset=["action", "named:layer"])
            x, y = (
                own[name] + jitter.uniform(-0.2, 0.2, len(own))
                for name in ("named:layer", "action")
            )
            axes[0].plot(x, y, "o", ms=4, alpha=0.6, color=colour, label=task)
        end = np.nanmax(table[["action", "named:layer"]].to_numpy(float), initial=1.0)
        axes[0].plot([0, end], [0, end], color="0.6", lw=1, ls="--")
        axes[0].set(
            xlabel="perception onset (step)",
            ylabel="action onset (step)",
            title="one dot per sample",
        )
        axes[0].legend(frameon=False)
        names = {
            "action": "commit step",
            "fine_action": "answer, by probe",
            "seen": r"named thing in $\hat{x}_0$",
        }
        differences = {
            f"{task}: {label}": summary[task][f"{name}_minus_perception"]
            for task in tasks
            for name, label in names.items()
        }
        intervals(axes[1], differences)
        axes[1].axvline(0, color="0.6", lw=1)
        axes[1].set(
            xlabel="steps after perception (middle layer)", title="what comes later, by how much"
        )
        figure.tight_layout()
    return figure


def _measured(summary: dict) -> list[str]:
    """The tasks of which there are samples."""
    return [name for name, entry in summary.items() if name != "all" and entry["n"]]


def _curve(steps: dict[str, dict]) -> tuple[list[int], list[float]]:
    order = sorted(steps, key=int)
    return [int(s) for s in order], [
        np.nan if steps[s]["mean"] is None else steps[s]["mean"] for s in order
    ]


def _pairs(axis: Axes, pairs: dict[str, tuple[dict, dict | None]], second: str = "0.55") -> None:
    """Two dots with intervals per name: the model's above, in blue, another's below."""
    for y, pair in enumerate(pairs.values()):
        for offset, colour, value in zip((-0.14, 0.14), (PALETTE[0], second), pair, strict=True):
            if value and value["n"]:
                axis.plot([value["low"], value["high"]], [y + offset] * 2, color=colour, lw=2)
                axis.plot(value["mean"], y + offset, "o", color=colour, ms=5)
    axis.set_yticks(range(len(pairs)), list(pairs))
    axis.set_xlim(-0.02, 1.02)
    axis.invert_yaxis()

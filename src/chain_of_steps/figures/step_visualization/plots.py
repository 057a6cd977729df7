"""Figures 1 and 2 of the paper, and what they measure: each function turns a result into a
matplotlib Figure."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from ...measures.intervals import interval
from ..style import KIND_COLOURS, PALETTE, WIDTH, heat, intervals, picture, spread, step_axis, style


def learning(record: dict) -> Figure:
    """What training achieved: the loss, and the share of samples solved with its 95 % interval, by
    clips seen.

    Args:
        record: a training.json; sessions that have no scores are left out on the right.
    """
    sessions = record["sessions"]
    losses = np.array([pair for session in sessions for pair in session["losses"]])
    scored = [session for session in sessions if "scores" in session]
    per_step = sessions[-1]["clips"] / sessions[-1]["to_step"]
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6))
        axes[0].plot(losses[:, 0] * per_step / 1000, losses[:, 1], lw=1.4)
        axes[0].set(
            xscale="log", yscale="log", ylabel=r"loss (squared error of $\hat{x}_0$)", title="loss"
        )
        for number, task in enumerate(_hardest(scored)):
            n = scored[-1]["scores"]["n"]
            shares = [s["scores"]["solved"][task] for s in scored]
            found = [interval(np.arange(n) < round(share * n)) for share in shares]
            x = np.array([s["clips"] for s in scored]) / 1000 + 6 * number  # side by side
            bars = [[share - i["low"] for share, i in zip(shares, found, strict=True)]]
            bars += [[i["high"] - share for share, i in zip(shares, found, strict=True)]]
            axes[1].errorbar(
                x, shares, bars, color=PALETTE[number], label=task, marker="o", capsize=2
            )
        axes[1].set(
            ylim=(-0.02, 1.05),
            ylabel="solved (choosing partition)",
            title="what more training bought",
        )
        axes[1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        for axis in axes:
            axis.set_xlabel("clips seen (thousands)")
        figure.tight_layout()
    return figure


def _hardest(scored: list[dict], count: int = 4) -> list[str]:
    """The tasks that were solved least over all sessions together, hardest first."""
    tasks = scored[-1]["scores"]["solved"]
    return sorted(
        tasks, key=lambda task: sum(session["scores"]["solved"][task] for session in scored)
    )[:count]


def step_grid(clips: np.ndarray, sigmas: list[float], steps: list[int], title: str) -> Figure:
    """Clean estimates as a grid of steps (rows) x frames (columns), as in the paper's figure 1.

    Args:
        clips: (S, P, H, W, 3), uint8: the decoded clean estimate of every step.
        sigmas: the noise level of every step.
        steps: which steps to show.
    """
    frames = spread(clips.shape[1], min(9, clips.shape[1]))
    with style():
        size = (WIDTH, WIDTH * len(steps) / len(frames) * 1.02)
        figure, axes = plt.subplots(len(steps), len(frames), figsize=size, squeeze=False)
        for row, s in zip(axes, steps, strict=True):
            for axis, f in zip(row, frames, strict=True):
                picture(axis, clips[s, f])
            row[0].set_ylabel(
                f"step {s}\n$\\sigma$ {sigmas[s]:.2f}", rotation=0, ha="right", va="center"
            )
        for f, axis in zip(frames, axes[0], strict=True):
            axis.set_title("given" if f == 0 else f"frame {f}")
        figure.suptitle(title, y=1.0)
        figure.tight_layout(pad=0.3)
    return figure


def exploration(summary: dict) -> Figure:
    """Present candidates, accuracy and commit step by step, with the posterior-mean null."""
    sigmas, everything = summary["sigmas"][:-1], summary["all"]
    tasks = [name for name in summary if name not in ("all", "sigmas", "ink")]
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.6), layout="constrained")
        nulls = everything.get("null", {})
        axes[0].plot(
            nulls.get("model", everything["present"]), label="model", lw=2.2
        )  # the null's own runs
        for prior, null in nulls.items():
            if prior not in ("n", "model"):
                axes[0].plot(null["present"], label=f"null, {prior}", lw=1.4, ls="--")
        axes[0].set(ylabel="candidates present (mean)", title="several at once, then one")
        axes[0].legend(frameon=False)
        for name in tasks:
            axes[1].plot(summary[name]["solved_at"], color="#C8C8CC", lw=1)
        axes[1].plot(everything["solved_at"], lw=2.2, label="all tasks")
        gains = {
            name: summary[name]["solved_at"][-1] - summary[name]["solved_at"][0] for name in tasks
        }
        for number, name in enumerate(sorted(gains, key=gains.get, reverse=True)[:2], 1):
            axes[1].plot(summary[name]["solved_at"], color=PALETTE[number], lw=1.8, label=name)
        axes[1].legend(frameon=False)
        axes[1].set(
            ylabel=r"solved, read off $\hat{x}_0$", ylim=(0, 1.02), title="accuracy by step"
        )
        for axis in axes[:2]:
            step_axis(axis, sigmas)
        intervals(axes[2], {name: summary[name]["commit"] for name in tasks})
        axes[2].set(xlabel="commit step", title="when is it decided?")
    return figure


def pruning(summary: dict) -> Figure:
    """What is present at each step, the strongest candidates by kind, and how mazes fill."""
    sigmas, everything = summary["sigmas"][:-1], summary["all"]
    with style():
        figure, axes = plt.subplots(1, 4, figsize=(WIDTH, 3.4), layout="constrained")
        for number, (name, share) in enumerate(everything["shares"].items()):
            axes[0].plot(share, color=PALETTE[number], label=f"{name} present", lw=1.8)
        axes[0].set(ylabel="share of samples", ylim=(0, 1.02), title="none, one or several")
        for kind, values in everything["by_kind"].items():
            axes[1].plot(values, color=KIND_COLOURS[kind], label=kind, lw=1.8)
        axes[1].set(
            ylabel="evidence of the strongest", ylim=(0, 1.02), title="by kind of candidate"
        )
        for axis in axes[:2]:
            step_axis(axis, sigmas, ticks=3)
            axis.legend(frameon=False, fontsize="small")
        for axis, name, title in (
            (axes[2], "on_path", "rooms on the path"),
            (axes[3], "off_path", "rooms off it"),
        ):
            if "ink" in summary:
                image = heat(axis, np.array(summary["ink"][name], float).T, 0.0, 1.0)
                axis.invert_yaxis()
                step_axis(axis, sigmas, ticks=3)
                axis.set(
                    title=title,
                    ylabel="distance from the start (rooms)" if name == "on_path" else "",
                )
                if name == "off_path":
                    figure.colorbar(image, ax=axis, label="ink", shrink=0.85)
    return figure


def steps_or_frames(summary: dict) -> Figure:
    """Slope of commit step over latent frame by task; of room onset over distance in mazes."""
    tasks = [name for name in summary if name not in ("all", "sigmas", "ink")]
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.6))
        intervals(axes[0], {name: summary[name]["frame_slope"] for name in tasks})
        axes[0].axvline(0, color="0.6", lw=1)
        axes[0].set(
            xlabel="commit step per latent frame (slope)", title="steps (0) or frames (> 0)?"
        )
        mazes = {name: summary[name]["onset_slope"] for name in tasks if name.startswith("maze")}
        intervals(axes[1], mazes)
        axes[1].axvline(0, color="0.6", lw=1)
        axes[1].margins(y=1.0)
        axes[1].set(
            xlabel="onset step per room of distance (slope)",
            title="all at once (0) or breadth first (> 0)?",
        )
        figure.tight_layout()
    return figure

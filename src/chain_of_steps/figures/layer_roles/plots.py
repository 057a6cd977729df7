"""Figures 5 and 6 of the paper and their controls: each function draws one result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from ...measures.linear_probes import FLOORS
from ..style import PALETTE, WIDTH, band, picture, spread, style


def colours(values: Tensor, sigmas: list[float]) -> Figure:
    """Three principal components of all tokens as red, green and blue: layers (rows) by steps
    (columns), last frame.

    Args:
        values: (S, 1 + L, F, h, w, 3), one basis for all.
    """
    shown = values[:, :, -1].float().numpy()
    low, high = np.quantile(shown, [0.01, 0.99], axis=(0, 1, 2, 3))
    shown = np.clip((shown - low) / (high - low), 0.0, 1.0)
    layers, steps = spread(shown.shape[1], 6), spread(len(shown), 8)
    with style():
        figure, axes = plt.subplots(
            len(layers), len(steps), figsize=(WIDTH, WIDTH * len(layers) / len(steps))
        )
        for row, k in zip(axes, layers, strict=True):
            for axis, s in zip(row, steps, strict=True):
                picture(axis, shown[s, k])
            row[0].set_ylabel(
                "input" if k == 0 else f"layer {k - 1}", rotation=0, ha="right", va="center"
            )
        for axis, s in zip(axes[0], steps, strict=True):
            axis.set_title(f"step {s}\n$\\sigma$ {sigmas[s]:.2f}")
        figure.tight_layout(pad=0.3)
    return figure


def player_of(norm: Tensor, sigmas: list[float]) -> dict:
    """What `Player` needs to scrub token norms (S, 1 + L, F, h, w) by step, frame and layer, each
    layer on its own scale."""
    values = norm.float().numpy().transpose(0, 2, 1, 3, 4)  # (S, F, 1 + L, h, w)
    low, high = values.min((0, 1, 3, 4), keepdims=True), values.max((0, 1, 3, 4), keepdims=True)
    pictures = plt.get_cmap("viridis")((values - low) / (high - low))[..., :3]
    return {
        "pictures": (pictures * 255.0 + 0.5).astype(np.uint8),
        "title": "token norms, each layer on its own scale",
        "step_labels": [
            step_label(s, sigmas).replace("$\\sigma$", "sigma") for s in range(len(values))
        ],
        "frame_labels": [f"frame {f}" for f in range(values.shape[1])],
        "layer_labels": ["input", *(f"layer {k}" for k in range(values.shape[2] - 1))],
        "scale": 32,
        "lossless": True,
    }


def energy_curves(energy: dict, sigmas: list[float]) -> Figure:
    """Norm, channel variance and change between frames, against the layer, at several steps."""
    titles = {
        "norm": "norm",
        "channel_variance": "variance over tokens",
        "temporal": "change between frames",
    }
    steps = spread(len(energy["norm"]), 5)
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.4))
        for axis, (name, title) in zip(axes, titles.items(), strict=True):
            for shade, s in zip(
                plt.get_cmap("viridis")(np.linspace(0.0, 0.85, len(steps))), steps, strict=True
            ):
                axis.plot(
                    range(-1, len(energy[name][s]) - 1),
                    energy[name][s],
                    color=shade,
                    label=step_label(s, sigmas),
                )
            axis.set(title=title, xlabel="layer (-1 is the input)")
        axes[0].legend(frameon=False)
        figure.tight_layout()
    return figure


def probe_curves(probes: dict, layers: int, sigmas: list[float]) -> Figure:
    """What a linear probe reads off each layer at several steps, and its floors at the last."""
    panels = [(task, label) for task, labels in probes.items() for label in labels]
    with style():
        figure, axes = plt.subplots(
            1, len(panels), figsize=(WIDTH, 3.6), sharey=True, squeeze=False
        )
        for axis, (task, label) in zip(axes[0], panels, strict=True):
            sources = probes[task][label]
            steps = sorted(sources["0"], key=int)
            chosen = [steps[i] for i in spread(len(steps), 4)]
            for shade, s in zip(
                plt.get_cmap("viridis")(np.linspace(0.0, 0.85, len(chosen))), chosen, strict=True
            ):
                curve = [sources[str(k)][s] for k in range(layers)]
                band(axis, range(layers), curve, shade, step_label(int(s), sigmas))
            for line, floor in zip(("-", "--", ":", "-.", (0, (1, 3))), FLOORS, strict=True):
                best = max(sources[floor][s]["mean"] for s in chosen)
                axis.axhline(best, color="0.55", lw=1, ls=line, label=f"floor: {floor}")
            axis.set(title=f"{task}: {label}", xlabel="layer", ylim=(0.45, 1.0))
        axes[0, 0].set_ylabel("balanced accuracy")
        axes[0, -1].legend(
            frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0)
        )
        figure.tight_layout()
    return figure


def probe_gains(gains: dict) -> Figure:
    """Perception, reasoning, consolidation: what is read off each layer beyond the best floor, one
    curve per label; dotted for runs that end right, dashed for those that end wrong."""
    with style():
        figure, axes = plt.subplots(1, len(gains), figsize=(WIDTH, 3.6), sharey=True, squeeze=False)
        for axis, (task, labels) in zip(axes[0], gains.items(), strict=True):
            for colour, (label, runs) in zip(PALETTE, labels.items(), strict=False):
                band(axis, range(len(runs["all"])), runs["all"], colour, label)
                for name, dashes in (("right", ":"), ("wrong", "--")):
                    axis.plot(
                        [v["mean"] if v["n"] else np.nan for v in runs[name]],
                        color=colour,
                        ls=dashes,
                        lw=1.2,
                    )
            axis.axhline(0.0, color="0.6", lw=1)
            axis.set(title=task, xlabel="layer")
            axis.legend(frameon=False)
        axes[0, 0].set_ylabel("balanced accuracy beyond the best floor")
        figure.tight_layout()
    return figure


def step_label(step: int, sigmas: list[float]) -> str:
    return f"step {step}, $\\sigma$ {sigmas[step]:.2f}"

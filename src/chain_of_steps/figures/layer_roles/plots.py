"""Figure 6a of the paper and what probes add to it: each function draws one result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from torch import Tensor

from ...measures.linear_probes import FLOORS
from ..names import broken, plain
from ..style import PALETTE, WIDTH, band, heat, nothing, spread, style

TITLES = {
    "norm": "token norm",
    "channel_variance": "variance over channels",
    "temporal": "change between latent frames",
}
LABELS = {"clue": "what can be seen", "decision": "what will be answered"}
LABEL_COLOURS = {"clue": PALETTE[0], "decision": PALETTE[1]}
OUTPUT = "x0_hat"  # what the network makes of it, and no floor of what enters


def energy_maps(norm: Tensor, step: int, sigma: float, cell: str) -> Figure:
    """Figure 6a: token norms after each layer (columns) in each latent frame (rows) of one
    generation at one step, all on one logarithmic scale.

    Args:
        norm: (S, 1 + L, F, h, w).
        cell: of the sample.
    """
    values = norm[step].float().numpy()  # (1 + L, F, h, w)
    layers, frames = spread(len(values), 9), spread(values.shape[1], 5)
    scale = LogNorm(values.min(), values.max())
    with style():
        size = (WIDTH, 1.02 * len(frames) * WIDTH / (len(layers) + 1.6) + 0.7)
        figure, axes = plt.subplots(
            len(frames), len(layers), figsize=size, layout="constrained", squeeze=False
        )
        for row, f in zip(axes, frames, strict=True):
            for axis, k in zip(row, layers, strict=True):
                image = axis.imshow(values[k, f], norm=scale, cmap="viridis")
                axis.set(xticks=[], yticks=[])
            row[0].set_ylabel(
                "given" if f == 0 else f"frame {f}", rotation=0, ha="right", va="center"
            )
        for axis, k in zip(axes[0], layers, strict=True):
            axis.set_title(_layer(k))
        figure.suptitle(
            f"Token norms of one generation ({plain(cell)}) at step {step}, $\\sigma$ {sigma:.2f}"
        )
        figure.colorbar(image, ax=axes, label="norm, log scale", shrink=0.8)
    return figure


def energy_curves(energy: dict, sigmas: list[float]) -> Figure:
    """Norm, channel variance and change between frames by layer (colour) and step, on log scales:
    the first cell in full, the others as thin lines of the last layer."""
    if not energy:
        return nothing("no generation was measured")
    (cell, first), *others = energy.items()
    steps, columns = len(first["norm"]), len(first["norm"][0])
    shades = plt.get_cmap("viridis")(np.linspace(0.0, 0.92, columns))
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.9))
        for axis, (name, title) in zip(axes, TITLES.items(), strict=True):
            values = np.array(first[name])  # (S, 1 + L)
            for k, shade in enumerate(shades):
                axis.plot(values[:, k], color=shade, label=_layer(k), lw=1.8)
            for i, (_, other) in enumerate(others):
                label = f"last layer, {len(others)} other kinds" if i == 0 else None
                axis.plot(np.array(other[name])[:, -1], color="0.6", lw=0.9, ls=":", label=label)
            if values.max() > 0:
                axis.set_yscale("log")
            _steps(axis, steps, sigmas)
            axis.set_title(title)
        figure.suptitle(
            f"Hidden states by layer and step: {plain(cell)}, mean of {first['n']} generations"
        )
        handles, names = axes[0].get_legend_handles_labels()
        figure.tight_layout(rect=(0, 0.1, 1, 1))
        figure.legend(handles, names, frameon=False, ncol=6, loc="lower center")
    return figure


def probe_curves(probes: dict) -> Figure:
    """What is read off each layer at the middle steps: what can be seen against what will be
    answered; next to each the best floor that enters, and the network's own output."""
    if not probes:
        return nothing("nothing was probed")
    with style():
        figure, axes = plt.subplots(
            1, len(probes), figsize=(WIDTH, 4.2), sharey=True, squeeze=False
        )
        for axis, (cell, found) in zip(axes[0], probes.items(), strict=True):
            for label, colour in LABEL_COLOURS.items():
                if label in found:
                    _label(axis, found[label], colour, LABELS[label])
            axis.set_title(f"{broken(cell)}\nn = {_samples(found)}", fontsize="medium")
            axis.set(xlabel="layer", ylim=(0.0, 1.03))
        axes[0, 0].set_ylabel("balanced accuracy")
        lines = _legend(axes)
        figure.suptitle("What a linear probe reads off each layer, mean of the steps S/5 to 3S/5")
        figure.tight_layout(rect=(0, 0.12, 1, 1))
        legend = {"frameon": False, "ncol": 3, "loc": "lower center", "fontsize": "small"}
        figure.legend(lines.values(), lines, **legend)
    return figure


def probe_maps(probes: dict, sigmas: list[float]) -> Figure:
    """What is read off a layer beyond the best floor that enters it at the same step: maps of all
    cells (columns) and labels (rows), on one scale."""
    cells = {cell: found for cell, found in probes.items() if "decision" in found}
    if not cells:
        return nothing("nothing was probed")
    with style():
        figure, axes = plt.subplots(
            2, len(cells), figsize=(WIDTH, 5.2), layout="constrained", squeeze=False
        )
        for column, (cell, found) in zip(axes.T, cells.items(), strict=True):
            for axis, label in zip(column, LABELS, strict=True):
                if label in found:
                    image = heat(axis, np.array(found[label]["over_input"]), -0.5, 0.5)
                    image.set_cmap("RdBu_r")
                    _step_rows(axis, found[label]["step"], sigmas)
                else:
                    axis.set_axis_off()
                if axis not in axes[:, 0]:
                    axis.set_yticklabels([])
            column[0].set_title(f"{broken(cell)}\nn = {_samples(found)}", fontsize="medium")
            column[1].set_xlabel("layer")
        for axis, title in zip(axes[:, 0], LABELS.values(), strict=True):
            axis.set_ylabel(f"{title}\nstep / $\\sigma$")
        figure.suptitle("What a layer tells beyond what enters the network at the same step")
        figure.colorbar(image, ax=axes, label="balanced accuracy, difference", shrink=0.7)
    return figure


def _label(axis: Axes, found: dict, colour: str, name: str) -> None:
    """A label's curve over layers, and two floors as horizontal lines."""
    band(axis, range(len(found["curve"])), found["curve"], colour, name)
    means = {floor: value["mean"] for floor, value in found["floors"].items()}
    best = max(means[floor] for floor in FLOORS if floor != OUTPUT)
    for value, line, title in ((means[OUTPUT], ":", "clean estimate"), (best, "--", "best floor")):
        axis.axhline(value, color=colour, lw=1.2, ls=line, label=f"{name}: {title}")


def _samples(found: dict) -> int:
    return max(v["n"] for label in LABELS if label in found for v in found[label]["curve"])


def _step_rows(axis: Axes, steps: list[int], sigmas: list[float]) -> None:
    ticks = spread(len(steps), 5)
    axis.set_yticks(ticks, [f"{steps[i]} / {sigmas[steps[i]]:.2f}" for i in ticks])


def _legend(axes: np.ndarray) -> dict:
    """Lines by label, each once."""
    return {
        label: line
        for axis in axes.flat
        for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }


def _steps(axis: Axes, steps: int, sigmas: list[float]) -> None:
    ticks = list(range(0, steps, max(1, steps // 4)))
    axis.set_xticks(ticks, [f"{s}\n{sigmas[s]:.2f}" for s in ticks])
    axis.set_xlabel(r"step / $\sigma$")


def _layer(column: int) -> str:
    return "input" if column == 0 else f"layer {column - 1}"

"""Figure 6a of the paper and what probes add to it: each function draws one result."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from torch import Tensor

from ...measures.linear_probes import FLOORS
from ..names import broken, plain
from ..style import PALETTE, WIDTH, band, heat, labelled, legend, note, nothing, spread, style

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
                image = axis.imshow(values[k, f], norm=scale, cmap="viridis", interpolation="none")
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
            row[0].set_ylabel(
                "given" if f == 0 else f"frame {f}", rotation=0, ha="right", va="center"
            )
        for axis, k in zip(axes[0], layers, strict=True):
            axis.set_title(_layer(k))
        label = f"norm of a token ({plain(cell)}, step {step}, $\\sigma$ {sigma:.2f})"
        figure.colorbar(image, ax=axes, label=label, shrink=0.95)
    return figure


def probe_curves(probes: dict) -> Figure:
    """What is read off each layer at the middle steps: what can be seen against what will be
    answered; next to each the best floor that enters, and the network's own output."""
    if not probes:
        return nothing("nothing was probed")
    with style():
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(1, len(probes), figsize=(WIDTH, 4.0), **panels)
        for axis, (cell, found) in zip(axes[0], probes.items(), strict=True):
            for label, colour in LABEL_COLOURS.items():
                if label in found and not _constant(found[label]):
                    _label(axis, found[label], colour, LABELS[label])
            axis.set_title(f"{broken(cell)}\nn = {_samples(found)}", fontsize="medium")
            axis.set(xlabel="layer", ylim=(0.4, 1.03))
            axis.xaxis.get_major_locator().set_params(integer=True)
        axes[0, 0].set_ylabel("balanced accuracy of a probe")
        legend(figure, labelled(axes.flat))
        if flat := [text for cell in probes if (text := _flat(cell, probes[cell]))]:
            note(figure, f"The same after every layer: {'; '.join(flat)}.")
    return figure


def _constant(found: dict) -> bool:
    """Whether all layers tell as much."""
    return len({value["mean"] for value in found["curve"]}) == 1


def _flat(cell: str, found: dict) -> str:
    said = [
        f"{LABELS[label]} at {found[label]['curve'][0]['mean']:.2f}"
        for label in LABELS
        if label in found and _constant(found[label])
    ]
    return f"{plain(cell)}, {', '.join(said)}" if said else ""


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
        figure.colorbar(image, ax=axes, label="balanced accuracy, difference", shrink=0.7)
    return figure


def _label(axis: Axes, found: dict, colour: str, name: str) -> None:
    """A label's curve over layers, and two floors as horizontal lines with their intervals."""
    band(axis, range(len(found["curve"])), found["curve"], colour, name)
    floors = found["floors"]
    best = max((floors[f] for f in FLOORS if f != OUTPUT), key=lambda value: value["mean"])
    for value, line, title in ((floors[OUTPUT], ":", "clean estimate"), (best, "--", "best floor")):
        axis.axhline(value["mean"], color=colour, lw=1.2, ls=line, label=f"{name}: {title}")
        axis.axhspan(value["low"], value["high"], color=colour, alpha=0.08, lw=0)


def _samples(found: dict) -> int:
    return max(v["n"] for label in LABELS if label in found for v in found[label]["curve"])


def _step_rows(axis: Axes, steps: list[int], sigmas: list[float]) -> None:
    ticks = spread(len(steps), 5)
    axis.set_yticks(ticks, [f"{steps[i]} / {sigmas[steps[i]]:.2f}" for i in ticks])


def _layer(column: int) -> str:
    return "input" if column == 0 else f"layer {column - 1}"

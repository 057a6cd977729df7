"""Figure 6a of the paper: maps of token norms, by layer and frame."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from .style import WIDTH, spread, style


def energy_maps(norm: Tensor, step: int) -> Figure:
    """Token norms after each layer (rows) in each latent frame (columns) at one step, on one scale
    for all panels, and next to it with a separate scale for each layer.

    Args:
        norm: (S, 1 + L, F, h, w).
    """
    values = norm[step].float().numpy()  # (1 + L, F, h, w)
    layers, frames = spread(len(values), 6), spread(values.shape[1], 6)
    with style():
        figure = plt.figure(figsize=(WIDTH, 5.2), layout="constrained")
        for half, title in zip(
            figure.subfigures(1, 2), ("one scale for all", "each layer on its own"), strict=True
        ):
            half.suptitle(title)
            axes = half.subplots(len(layers), len(frames))
            for row, k in zip(axes, layers, strict=True):
                scale = values if title.startswith("one") else values[k]
                for axis, f in zip(row, frames, strict=True):
                    axis.imshow(values[k, f], vmin=scale.min(), vmax=scale.max(), cmap="viridis")
                    axis.set(xticks=[], yticks=[])
                row[0].set_ylabel(
                    "input" if k == 0 else f"layer {k - 1}", rotation=0, ha="right", va="center"
                )
            for axis, f in zip(axes[-1], frames, strict=True):
                axis.set_xlabel("given" if f == 0 else f"frame {f}")
    return figure

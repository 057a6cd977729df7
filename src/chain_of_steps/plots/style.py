"""What all figures share: one style, one palette, step axes, pictures and intervals."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from ..player import OKABE_ITO

PALETTE = list(OKABE_ITO)
KIND_COLOURS = {"valid": PALETTE[2], "wrong": PALETTE[1], "illegal": "#9A9AA0"}
WIDTH = 10.0  # inches: legible at the width of a README


@contextmanager
def style() -> Iterator[None]:
    """The one style of all figures."""
    sns.set_theme(context="paper", style="ticks", palette=PALETTE, font_scale=1.15)
    with plt.rc_context({"figure.dpi": 110, "savefig.dpi": 160, "axes.spines.top": False, "axes.spines.right": False}):
        yield


def spread(steps: int, count: int) -> list[int]:
    """`count` step indices spread evenly over all steps, the first and the last among them."""
    return sorted({round(s) for s in np.linspace(0, steps - 1, count)})


def intervals(axis: Axes, values: dict[str, dict]) -> None:
    """A dot with its 95 % interval per name, top to bottom."""
    known = {name: value for name, value in values.items() if value["n"]}
    for y, value in enumerate(known.values()):
        axis.plot([value["low"], value["high"]], [y, y], color=PALETTE[0], lw=2)
        axis.plot(value["mean"], y, "o", color=PALETTE[0])
    axis.set_yticks(range(len(known)), [f"{name} ({value['n']})" for name, value in known.items()])
    axis.invert_yaxis()


def step_axis(axis: Axes, sigmas: list[float]) -> None:
    ticks = list(range(0, len(sigmas), max(1, len(sigmas) // 5)))
    axis.set_xticks(ticks, [f"{s}\n{sigmas[s]:.2f}" for s in ticks])
    axis.set_xlabel(r"step / $\sigma$")


def picture(axis: Axes, pixels: np.ndarray) -> None:
    axis.imshow(pixels, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)

"""Shared by all figures: style, palette, step axes, pictures and intervals."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from .player import OKABE_ITO

PALETTE = list(OKABE_ITO)
KIND_COLOURS = {"valid": PALETTE[2], "wrong": PALETTE[1], "illegal": "#9A9AA0"}
MODE_COLOURS = {"replace": PALETTE[0], "additive": PALETTE[1], "level-correct": PALETTE[2]}
WIDTH = 10.0  # inches: legible at the width of a README


@contextmanager
def style() -> Iterator[None]:
    """The one style of all figures."""
    sns.set_theme(context="paper", style="ticks", palette=PALETTE, font_scale=1.15)
    with plt.rc_context(
        {
            "figure.dpi": 110,
            "savefig.dpi": 160,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    ):
        yield


def spread(steps: int, count: int) -> list[int]:
    """`count` step indices spread evenly over all steps, the first and the last among them."""
    return sorted({round(s) for s in np.linspace(0, steps - 1, count)})


def mostly_early(steps: int, count: int) -> list[int]:
    """`count` step indices, the first and the last among them, closer together at the start, where
    most happens."""
    return sorted({round(s) for s in (steps - 1) * np.linspace(0, 1, count) ** 1.7})


def intervals(axis: Axes, values: dict[str, dict]) -> None:
    """A dot with its 95 % interval per name, top to bottom."""
    known = {name: value for name, value in values.items() if value["n"]}
    for y, value in enumerate(known.values()):
        axis.plot([value["low"], value["high"]], [y, y], color=PALETTE[0], lw=2)
        axis.plot(value["mean"], y, "o", color=PALETTE[0])
    axis.set_yticks(range(len(known)), [f"{name} ({value['n']})" for name, value in known.items()])
    axis.invert_yaxis()


def band(axis: Axes, places: Iterable[int], values: list[dict], colour: str, label: str) -> None:
    """A curve of means with its band of 95 % intervals."""
    known = [
        (place, v["mean"], v["low"], v["high"])
        for place, v in zip(places, values, strict=True)
        if v["n"]
    ]
    x, mean, low, high = np.array(known, float).reshape(-1, 4).T
    axis.plot(x, mean, color=colour, label=label, lw=1.8)
    axis.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)


def heat(axis: Axes, values: np.ndarray, low: float | None, high: float | None) -> AxesImage:
    """A map of numbers, NaN left white."""
    return axis.imshow(
        values, cmap="viridis", vmin=low, vmax=high, aspect="auto", interpolation="nearest"
    )


def step_axis(
    axis: Axes, sigmas: list[float], label: str = r"step / $\sigma$", ticks: int = 5
) -> None:
    """Labels about `ticks` steps with their noise level below."""
    places = list(range(0, len(sigmas), max(1, len(sigmas) // ticks)))
    axis.set_xticks(places, [f"{s}\n{sigmas[s]:.2f}" for s in places])
    axis.set_xlabel(label)


def picture(axis: Axes, pixels: np.ndarray) -> None:
    axis.imshow(pixels, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def nothing(why: str) -> Figure:
    """A figure with the reason why it is empty."""
    with style():
        figure, axis = plt.subplots(figsize=(WIDTH, 1.0))
        axis.text(0.5, 0.5, why, ha="center", va="center")
        axis.axis("off")
    return figure


def step_name(sigmas: Sequence[float], step: int) -> str:
    """`step 5`, and its noise level on a second line."""
    return f"step {step}\n$\\sigma$ {sigmas[step]:.2f}"


def step_names(sigmas: Sequence[float], steps: Iterable[int]) -> dict[int, str]:
    """The names of some steps, by step."""
    return {step: step_name(sigmas, step) for step in steps}


def last_frames(cases: list, columns: dict[int, str], title: str) -> Figure:
    """One row per case: the given frame, then the last frame of the clean estimate at chosen steps
    (figure 2).

    Args:
        cases: have a `label` and `clips` (S, P, H, W, 3), uint8.
        columns: names of the clips that are shown, by their place in `clips`.
        title: of the figure.
    """
    if not cases:
        return nothing("no run is such a case")
    with style():
        size = (WIDTH, 0.4 + WIDTH * len(cases) / (len(columns) + 1) * 1.04)
        figure, axes = plt.subplots(len(cases), len(columns) + 1, figsize=size, squeeze=False)
        for row, case in zip(axes, cases, strict=True):
            picture(row[0], case.clips[-1, 0])
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis, place in zip(row[1:], columns, strict=True):
                picture(axis, case.clips[place, -1])
        axes[0, 0].set_title("given")
        for axis, name in zip(axes[0, 1:], columns.values(), strict=True):
            axis.set_title(name)
        figure.suptitle(title)
        figure.tight_layout(pad=0.3)
    return figure

"""Shared by all figures: style, palette, step axes, pictures and intervals."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ..puzzles import reading
from ..puzzles.base import Sample
from .player import OKABE_ITO

PALETTE = list(OKABE_ITO)
RIGHT, WRONG = ("\N{CHECK MARK}", PALETTE[2]), ("\N{BALLOT X}", PALETTE[1])  # marks of answers
WIDTH = 10.0  # inches: legible at the width of a README


@contextmanager
def style() -> Iterator[None]:
    """The one style of all figures."""
    sns.set_theme(context="paper", style="ticks", palette=PALETTE, font_scale=1.15)
    with plt.rc_context(
        {
            "figure.dpi": 110,
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
    axis.imshow(pixels, interpolation="none")  # an SVG then holds these pixels and no others
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def judged(axis: Axes, pixels: np.ndarray, right: bool, text: str = "") -> None:
    """A picture with a mark for a right or a wrong answer, which has a shape besides a colour.

    Args:
        text: after the mark; `valid` or `wrong` if none is given.
    """
    picture(axis, pixels)
    mark, colour = RIGHT if right else WRONG
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=2)
    said = f"{mark} {text or ('valid' if right else 'wrong')}"
    axis.set_xlabel(said, color=colour, fontsize="small", labelpad=2)


def answers(axis: Axes, sample: Sample, pixels: np.ndarray) -> None:
    """A frame of a sample, marked by whether the answer that it shows is valid."""
    judged(axis, pixels, sample.is_valid(reading.decided(sample, pixels)))


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


def last_frames(cases: list, columns: dict[int, str]) -> Figure:
    """One row per case: the first frame, then the last frame of the clean estimate at chosen steps,
    each marked by whether its answer is valid (figure 2).

    Args:
        cases: have a `label`, a `sample` and `clips` (S, P, H, W, 3), uint8.
        columns: names of the clips that are shown, by their place in `clips`.
    """
    if not cases:
        return nothing("no run is such a case")
    with style():
        figure, axes = grid(len(cases), len(columns) + 1)
        for row, case in zip(axes, cases, strict=True):
            picture(row[0], case.clips[-1, 0])
            row[0].set_ylabel(case.label, rotation=0, ha="right", va="center")
            for axis, place in zip(row[1:], columns, strict=True):
                answers(axis, case.sample, case.clips[place, -1])
        axes[0, 0].set_title("first frame", fontsize="small")
        for axis, name in zip(axes[0, 1:], columns.values(), strict=True):
            axis.set_title(name, fontsize="small")
    return figure


def grid(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    """Axes for pictures with a line of text below each."""
    size = (WIDTH, 0.35 + rows * ((WIDTH - 1) / columns + 0.28))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.0)
    return figure, axes


def legend(figure: Figure, lines: dict[str, Artist], columns: int = 3) -> None:
    """A legend for all panels, under them."""
    place = {"loc": "upper center", "bbox_to_anchor": (0.5, _lowest(figure))}
    look = {"frameon": False, "ncols": columns, "fontsize": "small", "borderaxespad": 0.2}
    box = {"bbox_transform": figure.transFigure}  # stays there if the figure is cropped
    figure.legend(lines.values(), lines, **place, **look, **box)


def _lowest(figure: Figure) -> float:
    """The lower edge of all that has been drawn, as a share of the figure's height."""
    figure.draw_without_rendering()
    return float(figure.get_tightbbox().y0 / figure.get_figheight())


def labelled(axes: Iterable[Axes]) -> dict[str, Artist]:
    """What these panels label, each label once."""
    return {
        label: line
        for axis in axes
        for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }


def note(figure: Figure, text: str) -> None:
    """A note under all panels, for what is not worth drawing."""
    lines = textwrap.fill(text, int(14 * figure.get_figwidth()))
    place = _lowest(figure) - 0.01
    figure.text(0.01, place, lines, ha="left", va="top", fontsize="small", color="0.35")

"""Figure 6b of the paper and its controls: each function draws one result of the patches."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..names import broken, plain
from ..style import PALETTE, WIDTH, band, heat, nothing, picture, style
from .swaps import Shown

KINDS = {  # label, colour, line
    "state": ("the donor's states", PALETTE[0], "-"),
    "noise": ("null: random, as long", "0.35", "--"),
    "elsewhere": ("null: other tokens", "0.6", ":"),
}
LASTS = {  # how long a patch lasts: label, colour
    "flip_first_minus_null": ("at the first step, as in the paper", "0.55"),
    "flip_single_minus_null": ("at one step, S/5", PALETTE[1]),
    "flip_held_minus_null": ("held from S/5 on", PALETTE[0]),
    "flip_late_held_minus_null": ("held in the last three steps: pasted", PALETTE[3]),
}
BECOMES = {
    "rest_held": ("the rest as before", PALETTE[2]),
    "valid_held": ("whole answer valid", PALETTE[4]),
}
PICTURES = ("own", "donor's", "patched", "null: random", "null: other tokens")

OUTLINE = "#C2185B"  # no colour of the boards


def swap_curves(swaps: dict, early: int) -> Figure:
    """Figure 6b: how often the first region flips to the donor's answer, by layer, with both nulls:
    in the clean estimate of the patched step, and in the final video if the patch is held. Where
    only the middle layer was patched, there is a point."""
    shown = {cell: found for cell, found in swaps.items() if found["eligible"]}
    if not shown:
        return nothing("no pair of valid answers that differ was found")
    with style():
        size = (WIDTH, 5.6)
        figure, axes = plt.subplots(
            2, len(shown), figsize=size, sharex=True, sharey=True, squeeze=False
        )
        for column, (cell, found) in zip(axes.T, shown.items(), strict=True):
            curves = found["curves"]
            _kinds(column[0], curves["flip_estimate"])
            _kinds(column[1], curves["flip_held"])
            title = broken(cell)
            column[0].set_title(
                f"{title}\nn = {_pairs(curves['flip_estimate'])}", fontsize="medium"
            )
            column[1].set_title(f"n = {_pairs(curves['flip_held'])}", fontsize="medium")
            column[1].set_xlabel("layer")
        axes[0, 0].set_ylabel(f"clean estimate\nof step {early}")
        axes[1, 0].set_ylabel(f"final video, held\nfrom step {early}")
        axes[0, 0].set_ylim(-0.03, 1.03)
        lines = {
            label: line
            for axis in axes.flat
            for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        figure.suptitle("Share of pairs that show the donor's answer in the patched region")
        figure.tight_layout(rect=(0, 0.06, 1, 1))
        figure.legend(lines.values(), lines, frameon=False, ncol=4, loc="lower center")
    return figure


def swap_regions(swaps: dict) -> Figure:
    """Flips above both nulls at the middle layer, in every region, by how long the patch lasts; and
    what becomes of the answer if it is held: a row for each region of each cell."""
    rows = [
        (f"{plain(cell)}: {region}", values)
        for cell, found in swaps.items()
        for region, values in found["regions"].items()
        if values["flip_held"]["n"]
    ]
    if not rows:
        return nothing("no pair of valid answers that differ was found")
    with style():
        size = (WIDTH, 0.55 * len(rows) + 1.7)
        figure, axes = plt.subplots(1, 2, figsize=size, sharey=True, width_ratios=(3, 2))
        for axis, shown in zip(axes, (LASTS, BECOMES), strict=True):
            for number, (name, (label, colour)) in enumerate(shown.items()):
                place = 0.16 * (number - (len(shown) - 1) / 2)
                for y, value in enumerate(values[name] for _, values in rows):
                    if value["n"]:
                        at = y + place
                        axis.plot([value["low"], value["high"]], [at, at], color=colour, lw=1.8)
                        axis.plot(value["mean"], at, "o", color=colour, ms=5)
                axis.plot([], [], "o-", color=colour, label=label)
            axis.axvline(0.0, color="0.7", lw=1, zorder=0)
            axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=9)
        axes[0].set_xlabel("flips minus flips under either null")
        axes[1].set_xlabel("share of pairs, held")
        labels = [f"{name} ({values['flip_held']['n']})" for name, values in rows]
        axes[0].set_yticks(range(len(rows)), [_broken(label) for label in labels], fontsize=9)
        axes[0].set_ylim(len(rows) - 0.5, -0.5)
        figure.suptitle("What a patch of the middle layer flips, by region and duration")
        figure.tight_layout()
    return figure


def whole_state(swaps: dict) -> Figure:
    """The degenerate case: how far a patch of all tokens moves the step's clean estimate. With
    equal text it is the whole way after any layer; under another prompt it is not."""
    with style():
        figure, axis = plt.subplots(figsize=(0.62 * WIDTH, 3.4))
        for colour, (cell, found) in zip(PALETTE, swaps.items(), strict=False):
            values = found["way"].get("all", [])
            if values:
                layers = [value["layer"] for value in values]
                band(axis, layers, values, colour, f"{plain(cell)} ({values[0]['n']})")
                axis.lines[-1].set_linewidth(5.0 - len(axis.lines))  # equal lines stay visible
        axis.set(xlabel="layer", ylabel="way to the donor's estimate", ylim=(-0.03, 1.1))
        axis.set_title("All tokens patched, equal text: the donor's output after any layer")
        if axis.lines:
            axis.legend(frameon=False, fontsize="small")
        figure.tight_layout()
    return figure


def swap_maps(maps: dict[str, dict], sigmas: Sequence[float]) -> Figure:
    """Where and until when is the answer decided? Flips above both nulls by layer and step.

    Args:
        maps: by title, see `analysis.swap_map`.
    """
    known = {title: found for title, found in maps.items() if found["n"]}
    if not known:
        return nothing("no pair was patched at several steps")
    with style():
        figure, axes = plt.subplots(
            1, len(known), figsize=(WIDTH, 3.6), layout="constrained", squeeze=False
        )
        for axis, (title, found) in zip(axes[0], known.items(), strict=True):
            image = heat(axis, np.array(found["values"], float), -1.0, 1.0)
            image.set_cmap("RdBu_r")
            steps = found["steps"]
            axis.set_yticks(range(len(steps)), [f"{s} / {sigmas[s]:.2f}" for s in steps])
            axis.set_title(f"{title}, n = {found['n']}", fontsize="medium")
            axis.set(xlabel="layer", ylabel=r"step / $\sigma$")
        figure.colorbar(image, ax=axes, label="flips above both nulls")
    return figure


def pictures(shown: Shown | None) -> Figure:
    """The last frames of one pair: own, donor's, patched, and both nulls. The outline is what is
    patched."""
    if shown is None:
        return nothing("no pair of valid answers that differ was found")
    with style():
        count = len(PICTURES)
        figure, axes = plt.subplots(1, count, figsize=(WIDTH, WIDTH / count + 0.9))
        for axis, title, frame in zip(axes, PICTURES, shown.frames, strict=True):
            picture(axis, frame)
            axis.contour(shown.where, levels=[0.5], colors=[OUTLINE], linewidths=2.5)
            axis.set_title(title)
        figure.suptitle(f"{plain(shown.cell)}: held at the middle layer from step S/5")
        figure.tight_layout(pad=0.4)
    return figure


def _kinds(axis: Axes, kinds: dict) -> None:
    for kind, (label, colour, dashes) in KINDS.items():
        if kind in kinds:
            band(axis, [value["layer"] for value in kinds[kind]], kinds[kind], colour, label)
            axis.lines[-1].set_linestyle(dashes)
            if len(kinds[kind]) == 1:  # only the middle layer was patched
                (value,) = kinds[kind]
                axis.plot([value["layer"]] * 2, [value["low"], value["high"]], color=colour, lw=2)
                axis.plot(value["layer"], value["mean"], "o", color=colour)


def _pairs(kinds: dict) -> int:
    return kinds["state"][0]["n"] if kinds else 0


def _broken(label: str) -> str:
    """A row's name in two lines, region below."""
    return label.replace(": ", ":\n", 1)

"""Figure 6b of the paper and its controls: each function draws one result of the patches."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..names import broken, plain
from ..style import PALETTE, WIDTH, answers, band, grid, labelled, legend, note, nothing, style
from .swaps import Shown

KINDS = {  # label, colour, line
    "state": ("the donor's states", PALETTE[0], "-"),
    "noise": ("null: random states, as long", "0.35", "--"),
    "elsewhere": ("null: states of other tokens", "0.6", ":"),
}
LASTS = {  # how long a patch lasts: label, colour
    "flip_first_minus_null": ("at the first step, as in the paper", "0.55"),
    "flip_single_minus_null": ("at one step, a fifth in", PALETTE[1]),
    "flip_held_minus_null": ("held from a fifth in to the end", PALETTE[0]),
    "flip_late_held_minus_null": ("held in the last three steps only: pasted", PALETTE[3]),
}
BECOMES = {
    "rest_held": ("held: the other cells stay as they were", PALETTE[2]),
    "valid_held": ("held: the whole answer is valid", PALETTE[4]),
}
PICTURES = ("own run", "donor's run", "patched", "null: random states", "null: other tokens")

OUTLINE = "#C2185B"  # no colour of the boards


def swap_curves(swaps: dict, early: int) -> Figure:
    """Figure 6b: how often the first region flips to the donor's answer, by layer, with both nulls:
    in the clean estimate of the patched step, and in the final video if the patch is held. Where
    only the middle layer was patched, there is a point."""
    shown = {cell: found for cell, found in swaps.items() if found["eligible"]}
    if not shown:
        return nothing("no pair of valid answers that differ was found")
    with style():
        panels = {"sharex": True, "sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(2, len(shown), figsize=(WIDTH, 5.4), **panels)
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
        legend(figure, labelled(axes.flat))
    return figure


def swap_regions(swaps: dict) -> Figure:
    """Flips above both nulls at the middle layer, in every region, by how long the patch lasts; and
    what becomes of the answer if it is held: a row for each region of each cell."""
    found = [
        (f"{plain(cell)}: {region}", values)
        for cell, found in swaps.items()
        for region, values in found["regions"].items()
        if values["flip_held"]["n"]
    ]
    rows = [(name, values) for name, values in found if any(values[m]["mean"] for m in LASTS)]
    if not rows:
        return nothing("no patch of a pair of valid answers that differ flips anything")
    with style():
        size, panels = (WIDTH, 0.6 * len(rows) + 1.0), {"sharey": True, "layout": "constrained"}
        figure, axes = plt.subplots(1, 2, figsize=size, width_ratios=(3, 2), **panels)
        for axis, shown in zip(axes, (LASTS, BECOMES), strict=True):
            for number, (name, (label, colour)) in enumerate(shown.items()):
                place = 0.18 * (number - (len(shown) - 1) / 2)
                for y, value in enumerate(values[name] for _, values in rows):
                    if value["n"]:
                        at = y + place
                        axis.plot([value["low"], value["high"]], [at, at], color=colour, lw=1.8)
                        axis.plot(value["mean"], at, "os^D"[number], color=colour, ms=5)
                axis.plot([], [], f"{'os^D'[number]}-", color=colour, label=label)
            axis.axvline(0.0, color="0.7", lw=1, zorder=0)
        axes[0].set_xlabel("pairs that flip to the donor's answer,\nminus those under either null")
        axes[1].set_xlabel("share of pairs")
        labels = [f"{name} ({values['flip_held']['n']})" for name, values in rows]
        axes[0].set_yticks(range(len(rows)), [_broken(label) for label in labels])
        axes[0].set_ylim(len(rows) - 0.5, -0.5)
        legend(figure, labelled(axes), 2)
        if none := [name for name, _ in found if name not in dict(rows)]:
            note(figure, f"No patch flips more than a null does: {'; '.join(none)}.")
    return figure


def whole_state(swaps: dict) -> Figure:
    """The degenerate case: how far a patch of all tokens moves the step's clean estimate. With
    equal text it is the whole way after any layer, which is said; under another prompt it is
    not."""
    ways = {cell: found["way"].get("all", []) for cell, found in swaps.items()}
    flat = [cell for cell, way in ways.items() if way and len({v["mean"] for v in way}) == 1]
    with style():
        figure, axis = plt.subplots(figsize=(0.62 * WIDTH, 3.4), layout="constrained")
        for colour, (cell, way) in zip(PALETTE, ways.items(), strict=False):
            if way and cell not in flat:
                layers = [value["layer"] for value in way]
                band(axis, layers, way, colour, f"{plain(cell)} ({way[0]['n']})")
        axis.set(xlabel="layer", ylabel="way to the donor's estimate", ylim=(-0.03, 1.1))
        legend(figure, labelled([axis]), 1)
        if flat:
            said = [f"{plain(cell)} ({ways[cell][0]['mean']:.2f})" for cell in flat]
            note(figure, f"The same after every layer: {'; '.join(said)}.")
    return figure


def pictures(shown: Shown | None) -> Figure:
    """The last frames of one pair: own, donor's, patched, and both nulls. The outline is what is
    patched."""
    if shown is None:
        return nothing("no pair of valid answers that differ was found")
    with style():
        figure, axes = grid(1, len(PICTURES))
        for axis, title, frame in zip(axes[0], PICTURES, shown.frames, strict=True):
            answers(axis, shown.sample, frame)
            axis.contour(shown.where, levels=[0.5], colors=[OUTLINE], linewidths=2.5)
            axis.set_title(title, fontsize="medium")
    return figure


def _kinds(axis: Axes, kinds: dict) -> None:
    if all(len(own) > 1 and len({v["mean"] for v in own}) == 1 for own in kinds.values()):
        axis.text(0.5, 0.5, "after every layer", ha="center", transform=axis.transAxes)
        kinds = {kind: own[len(own) // 2 :][:1] for kind, own in kinds.items()}
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

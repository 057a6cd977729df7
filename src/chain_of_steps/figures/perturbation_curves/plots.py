"""Figure 3 of the paper and its controls: each function draws one result with matplotlib.

Cells with a claim stand first, their controls after them; every panel is one cell.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ..names import broken
from ..style import MODE_COLOURS, PALETTE, WIDTH, band, heat, nothing, style

COLUMNS = 4
MODES = {"replace": "replace", "level_correct": "level-correct"}
READINGS = {  # name: label, colour
    "own": ("the run itself", PALETTE[6]),
    "renoised": ("its newest estimate, noised again", PALETTE[2]),
    "restarted": ("its first estimate, noised again", PALETTE[1]),
}
EXACT = {  # the same of the exact posterior, which has no estimate of its own to noise again
    "exact_own": ("exact posterior, the run itself", "0.5"),
    "exact_restarted": ("exact posterior, first estimate", PALETTE[4]),
}
TENSORS = {"x0_hat": r"clean estimate $\hat x_0$", "tokens": "middle block"}


def curves(summary: dict) -> Figure:
    """Figure 3b: valid answers after noise at one step, against log SNR."""

    def draw(axis: Axes, cell: dict) -> None:
        _modes(axis, cell, "valid_at", cell["noised"])

    heading = "Valid answers after noise at one step"
    return _panels(summary, draw, "valid answers", "noised step", heading, _noised(summary))


def decided(summary: dict) -> Figure:
    """When the answer is decided: unchanged answers after noise at one step, and those of the exact
    posterior from the same two states."""

    def draw(axis: Axes, cell: dict) -> None:
        floor = 1.0 - cell["other_seed"]["mean"]
        axis.axhline(floor, color="0.45", lw=1.2, ls=":", label="another seed")
        _modes(axis, cell, "unchanged_at")
        exact = cell["level_correct"]
        label = "level-correct, exact posterior"
        dashed(axis, _apart(exact["sigma"]), exact["exact_unchanged_at"], "0.3", label)
        half = cell["half_sigma"]["mean"]
        if half is not None and 0.0 < half < 1.0:
            axis.axvline(2 * np.log((1 - half) / half), color=PALETTE[2], lw=1, ls="--")

    heading = "When is the answer decided?"
    return _panels(summary, draw, "unchanged answers", "noised step", heading, _noised(summary))


def _noised(summary: dict) -> dict[str, int]:
    return {name: cell["noised"]["n"] for name, cell in summary["cells"].items()}


def restarts(summary: dict) -> Figure:
    """What one pass at a step makes of the run's state, of its newest and its first estimate."""

    def draw(axis: Axes, cell: dict) -> None:
        at = cell["restart_at"]
        places = [_place(sigma) for sigma in at["sigma"]]
        axis.axhline(cell["clean"]["mean"], color="0.45", lw=1.2, ls=":", label="all steps")
        for name, (label, colour) in READINGS.items():
            band(axis, places, at[name], colour, label)
        for name, (label, colour) in EXACT.items():
            dashed(axis, places, at[name], colour, label)
        axis.set_xticks(places[::2], _names(at["step"], at["sigma"])[::2])

    return _panels(
        summary,
        draw,
        "valid at the step",
        "step",
        "One pass at a step, on three states of its noise level",
    )


def _modes(axis: Axes, cell: dict, what: str, clean: dict | None = None) -> None:
    """Both modes along log SNR; noise at step 0, another seed, stands apart at the left."""
    for name, label in MODES.items():
        curve = cell[name]
        places = _apart(curve["sigma"])
        band(axis, places, curve[what], MODE_COLOURS[label], label)
        axis.plot(
            places, [value["mean"] for value in curve[what]], "o", ms=3, c=MODE_COLOURS[label]
        )
    names = _names(curve["step"], curve["sigma"])
    axis.set_xticks(places[::2], names[::2])
    if clean is not None:
        axis.axhline(clean["mean"], color="0.45", lw=1.2, ls="--", label="no noise")


def dashed(axis: Axes, places: list[float], values: list[dict], colour: str, label: str) -> None:
    """A null: a curve of means without its intervals; nothing where it was not measured."""
    found = [(place, v["mean"]) for place, v in zip(places, values, strict=True) if v["n"]]
    if found:
        places, means = zip(*found, strict=True)
        axis.plot(places, means, "x--", ms=5, color=colour, label=label, lw=1.2)


def _apart(sigmas: list[float]) -> list[float]:
    """Places along log SNR; the first, at pure noise, stands apart at the left."""
    places = [_place(sigma) for sigma in sigmas]
    return [places[1] - 1.5 if len(places) > 1 else 0.0, *places[1:]]


def _place(sigma: float) -> float:
    return float(2.0 * np.log(max(1.0 - sigma, 1e-6) / sigma))


def _names(steps: list[int], sigmas: list[float]) -> list[str]:
    return [f"{s}\n{sigma:.2f}" for s, sigma in zip(steps, sigmas, strict=True)]


def _panels(
    summary: dict,
    draw: Callable,
    label: str,
    place: str,
    heading: str,
    counts: dict[str, int] | None = None,
    top: float = 1.0,
) -> Figure:
    """One panel per cell: controls begin a row of their own, unless all fit into one.

    Args:
        counts: samples of each cell, if not all.
        top: of the vertical axis.
    """
    counts = counts or {name: cell["n"] for name, cell in summary["cells"].items()}
    lines = order(summary)
    rows, columns = len(lines), max(len(line) for line in lines)
    with style():
        figure, axes = plt.subplots(
            rows, columns, figsize=(WIDTH, 1.3 + 2.5 * rows), sharey=True, squeeze=False
        )
        for line, cells in zip(axes, lines, strict=True):
            for axis in line[len(cells) :]:
                axis.axis("off")
            for axis, name in zip(line, cells, strict=False):
                cell = summary["cells"][name]
                draw(axis, cell)
                axis.set_title(title(summary, name, counts[name]), fontsize="small")
                axis.set_ylim(-0.02 * top, 1.04 * top)
                axis.tick_params(labelsize="x-small")
            line[0].set_ylabel(label, fontsize="small")
        axes[-1, 0].set_xlabel(
            rf"{place} / $\sigma$, on a log SNR axis", fontsize="small", loc="left"
        )
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower right", ncols=3, frameon=False, fontsize="small")
        figure.suptitle(heading)
        lines_of_legend = -(-len(labels) // 3)
        figure.tight_layout(rect=(0, 0.06 * lines_of_legend / rows, 1, 1))
    return figure


def order(summary: dict) -> list[list[str]]:
    """Names of cells, row by row."""
    cells, controls = _groups(summary)
    groups = (cells, controls) if len(cells + controls) > COLUMNS else (cells + controls,)
    return [group[i : i + COLUMNS] for group in groups for i in range(0, len(group), COLUMNS)]


def _groups(summary: dict) -> tuple[list[str], list[str]]:
    """Names of the cells with claims, and of the controls."""
    controls = [name for name in summary["cells"] if name in summary["controls"]]
    return [name for name in summary["cells"] if name not in controls], controls


def title(summary: dict, name: str, n: int) -> str:
    """Name of a cell and its n."""
    kind = "control, " if name in summary["controls"] else ""
    return f"{broken(name)}\n{kind}n = {n}"


def maps(summary: dict) -> Figure:
    """Figure 3c: dissimilarity to the clean run, noised step x later step, for the first cell and
    the first control; a tensor has one scale, and the titles have its ceiling."""
    names = [name for group in _groups(summary) for name in group[:1]]
    entries = {name: summary["cells"][name]["maps"] for name in names}
    entries = {name: entry for name, entry in entries.items() if entry["n"]}
    if not entries:
        return nothing("no run was compared step by step")
    columns = [(tensor, mode) for tensor in TENSORS for mode in MODES.values()]
    with style():
        figure, axes = plt.subplots(
            len(entries),
            len(columns),
            figsize=(WIDTH, 1.0 + 2.8 * len(entries)),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for line, (name, entry) in zip(axes, entries.items(), strict=True):
            for axis, (tensor, mode) in zip(line, columns, strict=True):
                top = max(_highest(each[tensor]) for each in entries.values())
                image = _map(axis, entry[tensor], mode, top, summary["sigmas"])
                said = f"{TENSORS[tensor]}, {mode}\nanother seed: {_ceiling(entry[tensor]):.2f}"
                axis.set_title(said, fontsize="x-small")
                if axis in axes[-1]:
                    figure.colorbar(image, ax=axis, location="bottom", label="1 - CKA")
            line[0].set_ylabel(f"{title(summary, name, entry['n'])}\nnoised step", fontsize="small")
        figure.suptitle("How far noise at one step carries: dissimilarity to the clean run")
    return figure


def _ceiling(entry: dict) -> float:
    return float(np.mean(entry["ceiling"]))


def _highest(entry: dict) -> float:
    """The largest value of a tensor's maps, at least its ceiling and .01."""
    values = np.concatenate(
        [np.array(entry[mode]["map"], float).ravel() for mode in MODES.values()]
    )
    return max(float(np.nanmax(values)), _ceiling(entry), 0.01)


def _map(axis: Axes, entry: dict, mode: str, top: float, sigmas: list[float]) -> AxesImage:
    steps, values = entry[mode]["step"], np.array(entry[mode]["map"], float)
    image = heat(axis, values, 0.0, top)
    axis.set_yticks(range(len(steps)), [str(step) for step in steps], fontsize="x-small")
    places = list(range(0, values.shape[1], max(1, values.shape[1] // 4)))
    axis.set_xticks(places, _names(places, [sigmas[s] for s in places]), fontsize="x-small")
    axis.set_xlabel(r"later step / $\sigma$", fontsize="x-small")
    return image


def left(summary: dict) -> Figure:
    """Sensitivity: what is left of the change in the last clean estimate, by noised step."""

    def draw(axis: Axes, cell: dict) -> None:
        if not cell["maps"]["n"]:
            axis.text(0.5, 0.5, "not compared", ha="center", transform=axis.transAxes)
            return
        entry = cell["maps"]["x0_hat"]
        axis.axhline(entry["left_ceiling"]["mean"], color="0.45", ls=":", label="another seed")
        for mode in MODES.values():
            steps = entry[mode]["step"]
            levels = [summary["sigmas"][step] for step in steps]
            places = [_place(sigma) for sigma in levels]
            band(axis, places, entry[mode]["left"], MODE_COLOURS[mode], mode)
            axis.set_xticks(places[::2], _names(steps, levels)[::2])

    counts = {name: cell["maps"]["n"] for name, cell in summary["cells"].items()}
    heading = "What is left of the change in the last clean estimate"
    entries = [cell["maps"]["x0_hat"] for cell in summary["cells"].values() if cell["maps"]["n"]]
    ends = [
        each["high"] for entry in entries for mode in MODES.values() for each in entry[mode]["left"]
    ]
    top = max([0.01, *ends, *(entry["left_ceiling"]["high"] for entry in entries)])
    return _panels(summary, draw, "1 - CKA at the end", "noised step", heading, counts, top)

"""Figure 3 of the paper and its controls: each function draws one result with matplotlib.

Cells with a claim stand first, their controls after them; every panel is one cell.
"""

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ..names import broken, plain
from ..style import PALETTE, WIDTH, band, heat, note, nothing, style

COLUMNS = 4
MODES = {  # label, colour
    "replace": ("replaced by pure noise", PALETTE[1]),
    "level_correct": ("fresh noise of the right level", PALETTE[0]),
}
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
KEYS = dict(zip(MODES, ("replace", "level-correct"), strict=True))  # of the maps


def curves(summary: dict) -> Figure:
    """Figure 3b: valid answers after noise at one step, against log SNR."""

    def draw(axis: Axes, cell: dict) -> list[str]:
        return _modes(axis, cell, "valid_at", cell["noised"])

    return _panels(summary, draw, "valid answers", "noised step", _noised(summary))


def decided(summary: dict) -> Figure:
    """When the answer is decided: unchanged answers after noise at one step, and those of the exact
    posterior from the same two states."""

    def draw(axis: Axes, cell: dict) -> list[str]:
        floor = 1.0 - cell["other_seed"]["mean"]
        axis.axhline(floor, color="0.45", lw=1.2, ls=":", label="another seed")
        flat = _modes(axis, cell, "unchanged_at")
        exact = cell["level_correct"]
        label = "the latter, exact posterior"
        flat += dashed(axis, _apart(exact["sigma"]), exact["exact_unchanged_at"], "0.3", label)
        half = cell["half_sigma"]["mean"]
        if half is not None and 0.0 < half < 1.0:
            axis.axvline(2 * np.log((1 - half) / half), color=MODES["level_correct"][1], lw=1)
        return flat

    return _panels(summary, draw, "unchanged answers", "noised step", _noised(summary))


def _noised(summary: dict) -> dict[str, int]:
    return {name: cell["noised"]["n"] for name, cell in summary["cells"].items()}


def restarts(summary: dict) -> Figure:
    """What one pass at a step makes of the run's state, of its newest and its first estimate."""

    def draw(axis: Axes, cell: dict) -> list[str]:
        at, flat = cell["restart_at"], []
        places = [_place(sigma) for sigma in at["sigma"]]
        axis.axhline(cell["clean"]["mean"], color="0.45", lw=1.2, ls=":", label="all steps")
        for name, (label, colour) in READINGS.items():
            flat += curve(axis, places, at[name], colour, label)
        for name, (label, colour) in EXACT.items():
            flat += dashed(axis, places, at[name], colour, label)
        axis.set_xticks(places[::2], _names(at["step"], at["sigma"])[::2])
        return flat

    return _panels(summary, draw, "valid at the step", "step")


def _modes(axis: Axes, cell: dict, what: str, clean: dict | None = None) -> list[str]:
    """Both modes along log SNR; noise at step 0, another seed, stands apart at the left. What is
    the same at every step is returned, in words, and not drawn."""
    flat = []
    for name, (label, colour) in MODES.items():
        places = _apart(cell[name]["sigma"])
        flat += curve(axis, places, cell[name][what], colour, label)
    names = _names(cell[name]["step"], cell[name]["sigma"])
    axis.set_xticks(places[::2], names[::2])
    if clean is not None:
        axis.axhline(clean["mean"], color="0.45", lw=1.2, ls="--", label="no noise")
    return flat


def curve(
    axis: Axes, places: list[float], values: list[dict], colour: str, label: str
) -> list[str]:
    """A curve with dots and its band, unless it is the same everywhere, which is then said."""
    if said := _same(values, label):
        return said
    band(axis, places, values, colour, label)
    axis.lines[-1].set(marker="o", ms=3)
    return []


def dashed(
    axis: Axes, places: list[float], values: list[dict], colour: str, label: str
) -> list[str]:
    """A null, with its intervals as bars, unless it is the same everywhere; nothing where it was
    not measured."""
    if said := _same(values, label):
        return said
    found = [(place, v) for place, v in zip(places, values, strict=True) if v["n"]]
    if found:
        mean, low, high = (np.array([v[key] for _, v in found]) for key in ("mean", "low", "high"))
        bars = {"yerr": [mean - low, high - mean], "elinewidth": 0.8, "label": label}
        x = [place for place, _ in found]
        axis.errorbar(x, mean, fmt="x--", ms=5, lw=1.2, color=colour, **bars)
    return []


def _same(values: list[dict], label: str) -> list[str]:
    means = {value["mean"] for value in values if value["n"]}
    return [f"{label} {means.pop():.2f}"] if len(means) == 1 and len(values) > 1 else []


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
    draw: Callable[[Axes, dict], list[str]],
    label: str,
    place: str,
    counts: dict[str, int] | None = None,
) -> Figure:
    """One panel per cell: controls begin a row of their own, unless all fit into one.

    Args:
        draw: returns what is not drawn since it is the same at every step.
        counts: samples of each cell, if not all.
    """
    counts = counts or {name: cell["n"] for name, cell in summary["cells"].items()}
    lines, flat = order(summary), {}
    rows, columns = len(lines), max(len(line) for line in lines)
    with style():
        size = (WIDTH, 0.9 + 3.0 * rows)
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(rows, columns, figsize=size, **panels)
        for line, cells in zip(axes, lines, strict=True):
            for axis in line[len(cells) :]:
                axis.axis("off")
            for axis, name in zip(line, cells, strict=False):
                flat[name] = draw(axis, summary["cells"][name])
                axis.set_title(title(summary, name, counts[name]), fontsize="small")
                axis.set_ylim(-0.02, 1.04)
                axis.tick_params(labelsize="small")
            line[0].set_ylabel(label)
        axes[-1, 0].set_xlabel(rf"{place} / $\sigma$, on a log SNR axis", loc="left")
        handles = {
            text: handle
            for axis in axes.flat
            for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        place_of = {"loc": "outside lower center", "ncols": 3, "frameon": False}
        figure.legend(handles.values(), handles, fontsize="small", **place_of)
        said = [f"{plain(name)}: {', '.join(each)}" for name, each in flat.items() if each]
        if said:
            note(figure, f"The same at every step: {'; '.join(said)}.")
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
    columns = [(tensor, mode) for tensor in TENSORS for mode in MODES]
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
                image = _map(axis, entry[tensor], KEYS[mode], top, summary["sigmas"])
                said = f"{TENSORS[tensor]}\n{MODES[mode][0]}"
                said += f"\nanother seed: {_ceiling(entry[tensor]):.2f}"
                axis.set_title(said, fontsize="x-small")
                if axis in axes[-1]:
                    figure.colorbar(image, ax=axis, location="bottom", label="1 - CKA")
            line[0].set_ylabel(f"{title(summary, name, entry['n'])}\nnoised step", fontsize="small")
    return figure


def _ceiling(entry: dict) -> float:
    return float(np.mean(entry["ceiling"]))


def _highest(entry: dict) -> float:
    """The largest value of a tensor's maps, at least its ceiling and .01."""
    values = np.concatenate([np.array(entry[mode]["map"], float).ravel() for mode in KEYS.values()])
    return max(float(np.nanmax(values)), _ceiling(entry), 0.01)


def _map(axis: Axes, entry: dict, mode: str, top: float, sigmas: list[float]) -> AxesImage:
    steps, values = entry[mode]["step"], np.array(entry[mode]["map"], float)
    image = heat(axis, values, 0.0, top)
    axis.set_yticks(range(len(steps)), [str(step) for step in steps], fontsize="x-small")
    places = list(range(0, values.shape[1], max(1, values.shape[1] // 4)))
    axis.set_xticks(places, _names(places, [sigmas[s] for s in places]), fontsize="x-small")
    axis.set_xlabel(r"later step / $\sigma$", fontsize="x-small")
    return image

"""Figure 3 of the paper and its controls: each function draws one result with matplotlib.

Cells with a claim stand first, their controls after them; every panel is one cell.
"""

from collections.abc import Callable
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ..names import broken, plain
from ..style import PALETTE, WIDTH, band, heat, labelled, legend, note, nothing, style

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


class Line(NamedTuple):
    """A curve of one panel; a null is dashed, with its intervals as bars."""

    label: str
    colour: str
    places: list[float]
    values: list[dict]
    null: bool = False


def curves(summary: dict) -> Figure:
    """Figure 3b: valid answers after noise at one step, against log SNR."""

    def refer(axis: Axes, cell: dict) -> None:
        axis.axhline(cell["noised"]["mean"], color="0.45", lw=1.2, ls="--", label="no noise")
        _ticks(axis, **_noised_at(cell))

    def lines(cell: dict) -> list[Line]:
        return _modes(cell, "valid_at")

    return _panels(summary, lines, refer, "valid answers", "noised step", _noised(summary))


def decided(summary: dict) -> Figure:
    """When the answer is decided: unchanged answers after noise at one step, and those of the exact
    posterior from the same two states."""

    def refer(axis: Axes, cell: dict) -> None:
        floor = 1.0 - cell["other_seed"]["mean"]
        axis.axhline(floor, color="0.45", lw=1.2, ls=":", label="another seed")
        half = cell["half_sigma"]["mean"]
        if half is not None and 0.0 < half < 1.0:
            axis.axvline(2 * np.log((1 - half) / half), color=MODES["level_correct"][1], lw=1)
        _ticks(axis, **_noised_at(cell))

    def lines(cell: dict) -> list[Line]:
        places, exact = _noised_at(cell)["places"], cell["level_correct"]["exact_unchanged_at"]
        null = Line("fresh noise, exact posterior", "0.3", places, exact, True)
        return [*_modes(cell, "unchanged_at"), null]

    return _panels(summary, lines, refer, "unchanged answers", "noised step", _noised(summary))


def _noised(summary: dict) -> dict[str, int]:
    return {name: cell["noised"]["n"] for name, cell in summary["cells"].items()}


def restarts(summary: dict) -> Figure:
    """What one pass at a step makes of the run's state, of its newest and its first estimate."""

    def refer(axis: Axes, cell: dict) -> None:
        axis.axhline(cell["clean"]["mean"], color="0.45", lw=1.2, ls=":", label="all steps")
        at = cell["restart_at"]
        _ticks(axis, [_place(sigma) for sigma in at["sigma"]], at["step"], at["sigma"])

    def lines(cell: dict) -> list[Line]:
        at = cell["restart_at"]
        places = [_place(sigma) for sigma in at["sigma"]]
        found = [Line(*READINGS[name], places, at[name]) for name in READINGS]
        return found + [Line(*EXACT[name], places, at[name], True) for name in EXACT]

    return _panels(summary, lines, refer, "valid at the step", "step")


def _modes(cell: dict, what: str) -> list[Line]:
    """Both modes along log SNR."""
    places = _noised_at(cell)["places"]
    return [Line(*MODES[name], places, cell[name][what]) for name in MODES]


def _noised_at(cell: dict) -> dict:
    """The noised steps; noise at step 0, another seed, stands apart at the left."""
    at = cell["level_correct"]
    return {"places": _apart(at["sigma"]), "steps": at["step"], "sigmas": at["sigma"]}


def _ticks(axis: Axes, places: list[float], steps: list[int], sigmas: list[float]) -> None:
    axis.set_xticks(places[::2], _names(steps, sigmas)[::2])


def _draw(axis: Axes, line: Line) -> None:
    """A curve with its intervals; nothing where it was not measured."""
    known = [(place, v) for place, v in zip(line.places, line.values, strict=True) if v["n"]]
    if line.null and known:
        mean, low, high = (np.array([v[key] for _, v in known]) for key in ("mean", "low", "high"))
        bars = {"yerr": [mean - low, high - mean], "elinewidth": 0.8, "label": line.label}
        places = [place for place, _ in known]
        axis.errorbar(places, mean, fmt="x--", ms=5, lw=1.2, color=line.colour, **bars)
    elif known:
        band(axis, line.places, line.values, line.colour, line.label)
        axis.lines[-1].set(marker="o", ms=3)


def constant(line: Line) -> bool:
    """Whether a curve is the same everywhere, so that it is said instead of drawn."""
    return len(line.values) > 1 and len({v["mean"] for v in line.values if v["n"]}) == 1


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
    lines: Callable[[dict], list[Line]],
    refer: Callable[[Axes, dict], None],
    label: str,
    place: str,
    counts: dict[str, int] | None = None,
) -> Figure:
    """One panel per cell in which some curve is not the same everywhere.

    Args:
        refer: draws what the curves are compared with.
        counts: samples of each cell, if not all.
    """
    counts = counts or {name: cell["n"] for name, cell in summary["cells"].items()}
    found = {name: lines(summary["cells"][name]) for name in order(summary)}
    shown = [name for name, each in found.items() if not all(map(constant, each))]
    shown = shown or list(found)
    with style():
        columns = min(COLUMNS, len(shown))
        rows = -(-len(shown) // columns)
        panels = {"sharey": True, "squeeze": False, "layout": "constrained"}
        figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, 1.2 + 2.9 * rows), **panels)
        for axis in axes.flat[len(shown) :]:
            axis.axis("off")
        for axis, name in zip(axes.flat, shown, strict=False):
            refer(axis, summary["cells"][name])
            for line in found[name]:
                if not constant(line):
                    _draw(axis, line)
            axis.set_title(title(summary, name, counts[name]), fontsize="medium")
            axis.set_ylim(-0.02, 1.04)
        for row in axes:
            row[0].set_ylabel(label)
        axes[-1, 0].set_xlabel(rf"{place} / $\sigma$, on a log SNR axis", loc="left")
        legend(figure, labelled(axes.flat))
        if said := [text for name in found if (text := _said(name, found[name]))]:
            note(figure, f"The same at every step: {'; '.join(said)}.")
    return figure


def _said(name: str, lines: list[Line]) -> str:
    """The constant curves of a cell in words."""
    flat = {line.label: line.values[0]["mean"] for line in lines if constant(line)}
    if len(flat) == len(lines) and len(set(flat.values())) == 1:
        return f"{plain(name)}, all curves at {lines[0].values[0]['mean']:.2f}"
    said = ", ".join(f"{label} at {mean:.2f}" for label, mean in flat.items())
    return f"{plain(name)}, {said}" if flat else ""


def order(summary: dict) -> list[str]:
    """Names of cells, the controls last."""
    cells, controls = _groups(summary)
    return cells + controls


def _groups(summary: dict) -> tuple[list[str], list[str]]:
    """Names of the cells with claims, and of the controls."""
    controls = [name for name in summary["cells"] if name in summary["controls"]]
    return [name for name in summary["cells"] if name not in controls], controls


def title(summary: dict, name: str, n: int) -> str:
    """Name of a cell and its n."""
    kind = "control, " if name in summary["controls"] else ""
    return f"{broken(name)}\n{kind}n = {n}"


def maps(summary: dict) -> Figure:
    """Figure 3c: dissimilarity to the clean run, noised step x later step, for the first cell; a
    tensor has one scale, and the titles have its ceiling."""
    names = order(summary)[:1]
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

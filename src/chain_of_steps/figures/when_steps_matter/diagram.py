"""The phase diagram as a picture."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ...bench import samples
from ...measures.phases import PHASES
from ..names import TASKS, short
from ..style import WIDTH, nothing, style
from .analysis import agreed

COLOURS = dict(
    zip(PHASES, ("#8C8C94", "#F3E9A0", "#E4E4E8", "#8CCBEF", "#F0B04D", "#2FA37C"), strict=True)
)
SURE = 0.9  # share of bootstrap samples that give the label, below which it is hatched


ONE, SEVERAL = "one answer, by deduction", "several valid answers"  # families of squares


def family(cell: str) -> str:
    """Cells of one family differ in how much their samples need, and in the order of squares."""
    task, knobs = samples.task_of(cell), samples.knobs_of(cell)
    if task.startswith("latin"):
        return SEVERAL if "log2" in knobs else ONE
    return TASKS.get(task, task)


def need(cell: str) -> int:
    """Rounds, log2 of the number of answers, moves or valid paths."""
    knobs = samples.knobs_of(cell)
    return next((knobs[n] for n in ("rounds", "log2", "moves", "paths") if n in knobs), 0)


def in_order(cells: Iterable[str]) -> list[str]:
    """Each cell once: squares first, a family together, and in it by what the samples need."""
    families = {ONE: 0, SEVERAL: 1}

    def place(cell: str) -> tuple:
        own = family(cell)
        return families.get(own, 2), own, samples.knobs_of(cell).get("order", 0), need(cell)

    return sorted(set(cells), key=place)


def diagram(summary: dict, steps: list[int]) -> Figure:
    """Rows: kinds of samples; panels: numbers of steps; columns: networks by depth, wide ones, and
    the exact posterior. The colour is the phase that most networks of a depth have, hatched where
    other draws of the samples often give another one, or networks disagree."""
    columns = _columns(summary)
    if not columns:
        return nothing("no network has been measured")
    cells = in_order(e["cell"] for found in columns.values() for e in found)
    with style():
        size = (WIDTH, 0.29 * len(cells) + 1.5)
        figure, axes = plt.subplots(1, len(steps), figsize=size, sharey=True, squeeze=False)
        for axis, s in zip(axes[0], steps, strict=True):
            for x, found in enumerate(columns.values()):
                for each in (e for e in found if e["steps"] == s):
                    tile(axis, x, cells.index(each["cell"]), each)
            frame(axis, list(columns), cells)
            axis.set_title(f"{s} steps")
        axes[0, 0].set_yticks(range(len(cells)), [short(c) for c in cells], fontsize=8)
        legend(figure, _n(columns))
        figure.tight_layout(rect=(0, 0.55 / size[1], 1, 1), w_pad=0.6)
    return figure


def _columns(summary: dict) -> dict[str, list[dict]]:
    """What each column shows, by its label."""
    layers = sorted({e["layers"] for e in summary["diagram"]})
    found = {f"{n}": [e for e in summary["diagram"] if e["layers"] == n] for n in layers}
    more = {"wide": agreed(summary["wide"]), "exact": agreed(summary["exact"])}
    return found | {name: entries for name, entries in more.items() if entries}


def _n(columns: dict[str, list[dict]]) -> str:
    found = [e for entries in columns.values() for e in entries]
    each = sorted({e["n"] // e["networks"] for e in found})
    most = max(e["networks"] for e in found)
    networks = "one network" if most == 1 else f"up to {most} networks"
    return f"n = {' or '.join(map(str, each))} a network, {networks} a tile"


def tile(axis: Axes, x: float, y: float, each: dict, text: bool = True) -> None:
    """A phase, with the shares of valid answers at step 0 and at the end."""
    unsure = each["sure"] < SURE or len(each["labels"]) > 1
    look = {"facecolor": COLOURS[each["phase"]], "edgecolor": "white", "lw": 1.2}
    axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **look))
    if unsure:
        over = {"hatch": "////", "fill": False, "edgecolor": (1, 1, 1, 0.55), "lw": 0}
        axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, **over))
    if text:
        numbers = f"{_two(each['at_step_0'])}\u2192{_two(each['at_end'])}"
        axis.text(x, y, numbers, ha="center", va="center", fontsize=6.4, color="black")


def _two(share: float) -> str:
    return "1" if share >= 0.995 else f"{share:.2f}".lstrip("0")


def frame(axis: Axes, columns: list[str], cells: list[str]) -> None:
    """Axes of a panel, with a line between families."""
    axis.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(cells) - 0.5, -0.5))
    axis.set_xticks(range(len(columns)), columns)
    axis.set_xlabel("blocks L")
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    for y in range(1, len(cells)):
        if family(cells[y]) != family(cells[y - 1]):
            axis.axhline(y - 0.5, color="black", lw=1.0)


def legend(figure: Figure, more: str) -> None:
    """The phases, below."""
    patches = [Patch(facecolor=COLOURS[name], label=name) for name in PHASES]
    patches.append(Patch(facecolor="#BBBBBB", hatch="////", edgecolor="white", label="not sure"))
    figure.legend(
        handles=patches,
        ncols=len(patches),
        loc="lower center",
        frameon=False,
        fontsize=8,
        title=f"numbers: valid answers at step 0 \u2192 after all steps; {more}",
        title_fontsize=8,
        handlelength=1.3,
        columnspacing=1.2,
    )

"""The headline: generations as coloured boards, next to the phase diagram; and as an animation."""

import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from PIL import Image, ImageDraw, ImageFont

from ...puzzles.canvas import COLOURS, INK, PAPER
from ..names import short
from ..style import WIDTH, nothing, picture, style
from . import diagram
from .networks import parse

TILE, FRAME, GAP = 22, 2, 2  # pixels of a cell, of a clue's frame, between cells
VALID, WRONG = "#1B8A5A", "#C8442B"
HOLD = 12  # last frames of the animation are held so many times as long


def board(beliefs: np.ndarray | None, clues: list[list[int]]) -> np.ndarray:
    """A board as pixels (H, W, 3), uint8: in every cell the mixture of its colours by their
    beliefs, on paper; clues have a dark frame.

    Args:
        beliefs: (P, V) in [0, 1]; None: the clues alone.
        clues: (n, n), -1 in open cells.
    """
    given = np.array(clues)
    n, colours = len(given), np.array(list(COLOURS.values()))
    if beliefs is None:
        beliefs = np.eye(n)[given.ravel()] * (given.ravel() >= 0)[:, None]
    weights = beliefs / np.maximum(beliefs.sum(-1, keepdims=True), 1.0)
    mixed = weights @ colours[:n] + (1 - weights.sum(-1, keepdims=True)) * np.array(PAPER)
    side = n * TILE + (n + 1) * GAP
    pixels = np.full((side, side, 3), 0.78)
    for cell, colour in enumerate(mixed):
        top, left = (GAP + (GAP + TILE) * place for place in divmod(cell, n))
        inner = FRAME * (given.flat[cell] >= 0)
        pixels[top : top + TILE, left : left + TILE] = np.array(INK)
        pixels[top + inner : top + TILE - inner, left + inner : left + TILE - inner] = colour
    return (255 * pixels + 0.5).astype(np.uint8)


def by_depth(rows: Sequence[dict]) -> dict[int, list[dict]]:
    """Rows of `7_boards` by the depth of their network."""
    found: dict[int, list[dict]] = {}
    for row in rows:
        found.setdefault(parse(row["run"]["network"]).layers, []).append(row)
    return dict(sorted(found.items()))


def headline(rows: Sequence[dict], summary: dict, steps: int, columns: int = 6) -> Figure:
    """Left: the first sample of a few kinds, solved or not, step by step, for a shallow and a deep
    network. Right: the phase of every kind of samples by depth, with so many steps."""
    depths = by_depth(rows)
    if not depths:
        return nothing("no generation is shown")
    count = max(map(len, depths.values()))
    with style():
        figure = plt.figure(figsize=(WIDTH, 0.66 * count * len(depths) + 1.7))
        outer = GridSpec(1, 2, figure, width_ratios=(1.55, 0.85), wspace=0.8)
        blocks = outer[0].subgridspec(len(depths), 1, hspace=0.16)
        for place, (depth, own) in zip(blocks, depths.items(), strict=True):
            grid = place.subgridspec(count, columns + 1, wspace=0.06, hspace=0.12)
            for number, row in enumerate(own):
                axes = [figure.add_subplot(grid[number, c]) for c in range(columns + 1)]
                _line(axes, row, _phase_of(summary, depth, row["run"]), titles=not number)
                if not number:
                    title = f"{depth} block{'s' * (depth > 1)}"
                    axes[0].set_title(title, loc="right", fontsize=10, fontweight="bold")
        _diagram(figure.add_subplot(outer[1]), summary, steps)
        diagram.legend(figure, "left: the first sample of its kind, right: all samples")
        bottom = 0.8 / figure.get_figheight()
        figure.subplots_adjust(left=0.125, right=0.99, top=0.95, bottom=bottom)
    return figure


def _line(axes: list[Axes], row: dict, phase: str | None, titles: bool) -> None:
    """The given board, then the clean estimate at steps from first to last, and the outcome."""
    result = row["result"]
    beliefs, clues = np.array(result["beliefs"]), result["clues"]
    shown = np.linspace(0, len(beliefs) - 1, len(axes) - 1).round().astype(int)
    label = short(row["run"]["cell"]).replace(": ", "\n")
    picture(axes[0], board(None, clues))
    axes[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=7.5)
    for axis, s in zip(axes[1:], shown, strict=True):
        picture(axis, board(beliefs[s], clues))
        if titles:
            axis.set_title(f"step {s}", fontsize=8)
    outcome = "valid" if result["valid"] else f"{result['violations']} violations"
    look = {"va": "center", "fontsize": 7.5, "color": VALID if result["valid"] else WRONG}
    place = axes[-1].transAxes
    axes[-1].text(1.1, 0.5, "\n".join(filter(None, [phase, outcome])), transform=place, **look)


def _phase_of(summary: dict, depth: int, run: dict) -> str | None:
    """The phase of all samples of its kind."""
    for each in summary["diagram"]:
        if (each["cell"], each["layers"], each["steps"]) == (run["cell"], depth, run["steps"]):
            return each["phase"]
    return None


def _diagram(axis: Axes, summary: dict, steps: int) -> None:
    found = [e for e in summary["diagram"] if e["steps"] == steps and "latin" in e["cell"]]
    cells = diagram.in_order(e["cell"] for e in found)
    layers = sorted({e["layers"] for e in found})
    for each in found:
        diagram.tile(axis, layers.index(each["layers"]), cells.index(each["cell"]), each)
    diagram.frame(axis, list(map(str, layers)), cells)
    axis.set_yticks(range(len(cells)), [short(cell) for cell in cells], fontsize=7)
    axis.set_title(f"what the {steps} steps do", fontsize=9)


# The animation.


def animation(rows: Sequence[dict], summary: dict, milliseconds: int = 120) -> bytes:
    """The same generations as a GIF, all at once, that ends on the answers; the same rows give the
    same bytes."""
    depths = by_depth(rows)
    steps = min(len(row["result"]["beliefs"]) for row in rows)
    frames = [_frame(depths, summary, s, s == steps - 1) for s in range(steps)]
    out = io.BytesIO()
    frames[0].save(
        out,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[milliseconds] * (steps - 1) + [HOLD * milliseconds],
        loop=0,
        optimize=True,
    )
    return out.getvalue()


def _frame(depths: dict[int, list[dict]], summary: dict, step: int, last: bool) -> Image.Image:
    """A row for each kind of samples, a column for each depth."""
    font, small = ImageFont.load_default(14), ImageFont.load_default(12)
    every = [row["result"] for own in depths.values() for row in own]
    side = max(len(board(None, result["clues"])) for result in every)
    left, top, wide, tall = 150, 50, side + 70, side + 34
    count = max(map(len, depths.values()))
    image = Image.new("RGB", (left + wide * len(depths), top + tall * count), "white")
    pen = ImageDraw.Draw(image)
    pen.text((10, 6), f"step {step}\nsigma {every[0]['sigmas'][step]:.2f}", "black", font)
    for column, (depth, own) in enumerate(depths.items()):
        x = left + wide * column
        pen.text((x, 20), f"{depth} block{'s' * (depth > 1)}", "black", font)
        for number, row in enumerate(own):
            y, result = top + tall * number, row["result"]
            pixels = board(np.array(result["beliefs"][step]), result["clues"])
            image.paste(Image.fromarray(pixels), (x, y))
            valid = result["valid_at"][step] == "1"
            phase = _phase_of(summary, depth, row["run"]) if last else None
            text = ": ".join(filter(None, ["valid" if valid else "not valid", phase]))
            pen.text((x, y + len(pixels) + 2), text, VALID if valid else WRONG, small)
            if not column:
                label = short(row["run"]["cell"]).replace(": ", "\n")
                pen.multiline_text((10, y + side // 3), label, "black", small)
    return image.quantize(128, dither=Image.Dither.NONE)

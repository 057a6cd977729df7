"""The explorer's chart: evidence for every candidate by step, of both runs, as SVG."""

from html import escape

from ..figures.player import OKABE_ITO
from .run import LiveRun

WIDTH, HEIGHT = 576, 170
LEFT, RIGHT, TOP, BOTTOM = 26, 8, 8, 20  # margins of the plot, pixels
TITLE = "evidence for each candidate in the last frame, by step; dashed: changed"


def chart(runs: list[LiveRun], step: int) -> str:
    """The curves of all decoded steps, the current step, and a legend.

    Args:
        runs: the clean one and, if there is one, the changed one.
        step: the current one.
    """
    total = max((run.config.steps for run in runs), default=2)
    lines = [
        line
        for dash, run in zip(("", "5 4"), runs, strict=False)
        for line in _curves(run, total, dash)
    ]
    x = _x(step, total)
    lines.append(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#888"/>'
    )
    names = _legend(runs[0]) if runs else ""
    return (
        f'<div style="font-size: 12px; line-height: 1.5; max-width: {WIDTH}px">{TITLE}<br>'
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{TITLE}">'
        f"{_axes(total)}{''.join(lines)}</svg>"
        f"<br>{names}</div>"
    )


def _curves(run: LiveRun, total: int, dash: str) -> list[str]:
    decoded, lines = [s for s in range(run.done) if run.decoded(s)], []
    for k in range(len(run.sample.candidates)):
        points = " ".join(f"{_x(s, total):.1f},{_y(run.evidence(s)[k]):.1f}" for s in decoded)
        style = f'fill="none" stroke="{_colour(k)}" stroke-width="1.6" stroke-dasharray="{dash}"'
        lines.append(f'<polyline points="{points}" {style}/>')
    return lines


def _axes(total: int) -> str:
    """0 and 1, the first and the last step."""
    last = total - 1
    words = [
        (4, _y(1) + 4, 1),
        (4, _y(0) + 4, 0),
        (LEFT, HEIGHT - 4, 0),
        (_x(last, total) - 12, HEIGHT - 4, last),
    ]
    grid = "".join(
        f'<path d="M{LEFT} {_y(y):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>' for y in (0, 0.5, 1)
    )
    return grid + "".join(
        f'<text x="{x}" y="{y:.1f}" font-size="11">{word}</text>' for x, y, word in words
    )


def _legend(run: LiveRun) -> str:
    """Every candidate with its colour, and whether it is valid."""
    return " ".join(
        f'<span style="white-space: nowrap"><b style="color: {_colour(k)}">&#9644;</b> '
        f"{escape(one.name)} ({one.kind})</span>"
        for k, one in enumerate(run.sample.candidates)
    )


def _colour(number: int) -> str:
    return OKABE_ITO[number % 7]


def _x(step: int, total: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, total - 1)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * float(value)

"""The explorer's chart: what the last frame shows at every step of both runs, as SVG."""

from dataclasses import dataclass
from html import escape

import numpy as np

from ..figures.curves import curves
from ..figures.player import OKABE_ITO, Curve
from ..measures import decisions
from ..puzzles import reading
from .run import LiveRun

WIDTH, HEIGHT = 576, 184
LEFT, RIGHT, TOP, BOTTOM = 26, 8, 8, 34  # margins of the plot, pixels
TITLE = "what the last frame shows, by step; dots: the decided answer is valid"
CHANGED = "; dashed, hollow: changed"
NAMES, DASHES, FILLS = ("clean", "changed"), ("", "5 4"), (OKABE_ITO[2], "none")


@dataclass(frozen=True)
class Decoded:
    """The decoded steps of a run, their beliefs (S, P, V) and decided answers (S, P)."""

    run: LiveRun
    steps: list[int]
    beliefs: np.ndarray
    decided: np.ndarray

    @classmethod
    def of(cls, run: LiveRun) -> "Decoded":
        steps = [s for s in range(run.done) if run.decoded(s)]
        beliefs = np.array([run.beliefs(s) for s in steps])
        return cls(run, steps, beliefs, reading.decide(beliefs) if steps else beliefs)

    def curves(self, most: int) -> list[Curve]:
        return curves(self.run.sample, self.beliefs, most) if self.steps else []


def chart(runs: list[LiveRun], step: int) -> str:
    """The curves of all decoded steps, the current step, a legend, and what is answered there.

    Args:
        runs: the clean one and, if there is one, the changed one.
        step: the current one.
    """
    total = max((run.config.steps for run in runs), default=2)
    both = [Decoded.of(run) for run in runs]
    most = max((_most(one) for one in both), default=0)
    found = [one.curves(most) for one in both]
    names = list(dict.fromkeys(curve.name for each in found for curve in each))
    colours = {name: OKABE_ITO[i % 7] for i, name in enumerate(names)}
    drawn = []
    for number, (one, each) in enumerate(zip(both, found, strict=True)):
        for curve in each:
            points = _points(one.steps, curve.values, total)
            drawn.append(
                f'<polyline points="{points}" fill="none" stroke="{colours[curve.name]}" '
                f'stroke-width="1.6" stroke-dasharray="{DASHES[number]}"/>'
            )
        drawn += _dots(one, total, number)
    title = TITLE + (CHANGED if len(runs) > 1 else "")
    lines = [title, _svg(title, step, total, drawn), _legend(runs, found, colours)]
    lines.append(
        escape("; ".join(_said(run, step, n) for run, n in zip(runs, NAMES, strict=False)))
    )
    text = "<br>".join(filter(None, lines))
    return f'<div style="font-size: 12px; line-height: 1.5; max-width: {WIDTH}px">{text}</div>'


def _most(one: Decoded) -> int:
    """The largest number of violations of a run."""
    return int(decisions.violations(one.run.sample, one.decided).max()) if one.steps else 0


def _points(steps: list[int], values: list[float], total: int) -> str:
    places = zip(steps, values, strict=True)
    return " ".join(f"{_x(s, total):.1f},{_y(value):.1f}" for s, value in places)


def _dots(one: Decoded, total: int, number: int) -> list[str]:
    """A dot below each step whose decided answer is valid, the second run's below the first's."""
    valid = decisions.valid(one.run.sample, one.decided) if one.steps else []
    y = HEIGHT - BOTTOM + 5 + 6 * number
    return [
        f'<circle cx="{_x(s, total):.1f}" cy="{y}" r="2.2" fill="{FILLS[number]}" '
        f'stroke="{FILLS[0]}"/>'
        for s, right in zip(one.steps, valid, strict=True)
        if right
    ]


def _svg(title: str, step: int, total: int, drawn: list[str]) -> str:
    x = _x(step, total)
    here = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#888"/>'
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{title}">'
        f"{_axes(total)}{''.join(drawn)}{here}</svg>"
    )


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


def _legend(runs: list[LiveRun], found: list[list[Curve]], colours: dict[str, str]) -> str:
    """Every curve with its colour; of the values of a single part, which are valid."""
    single = bool(runs) and len(runs[0].sample.parts) == 1
    kinds = {c.name: (" (not valid)" if c.dashed else " (valid)") for each in found for c in each}
    return " ".join(
        f'<span style="white-space: nowrap"><b style="color: {colour}">&#9644;</b> '
        f"{escape(name)}{kinds[name] if single else ''}</span>"
        for name, colour in colours.items()
    )


def _said(run: LiveRun, step: int, name: str) -> str:
    """What a run answers at a step, if it was decoded."""
    return f"{name}: {run.verdict(step) if run.decoded(step) else 'not computed yet'}"


def _x(step: int, total: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, total - 1)


def _y(value: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * float(value)

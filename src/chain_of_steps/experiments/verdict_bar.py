"""How the claims of a ledger came out, as one bar: an SVG for the README and the site."""

from collections import Counter
from collections.abc import Iterable

COLOURS = {  # in the order in which they are drawn
    "supported": "#009E73",
    "not supported": "#D55E00",
    "undecided": "#767676",
    "untestable here": "#b8b8b8",
}
WIDTH, HEIGHT, GAP = 900, 26, 2
STYLE = "text{font:15px system-ui,sans-serif;fill:#222}"
DARK = "@media(prefers-color-scheme:dark){text{fill:#ddd}}"


def described(verdicts: Iterable[str]) -> str:
    """The counts in words, such as `16 supported, 7 not supported`."""
    counts = Counter(verdicts)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in COLOURS)


def svg(verdicts: Iterable[str]) -> str:
    """A bar with a part for each verdict, as wide as there are claims, and its legend below.

    Raises:
        ValueError: if there is no verdict.
    """
    counts = Counter(verdicts)
    if not counts.total():
        raise ValueError("there is no verdict to draw")
    bar, legend, x, place = [], [], 0.0, 0
    for verdict, colour in COLOURS.items():
        wide = WIDTH * counts[verdict] / counts.total()
        size = f'width="{max(0.0, wide - GAP):.1f}" height="{HEIGHT}"'
        bar.append(f'<rect x="{x:.1f}" {size} fill="{colour}"/>')
        text = f"{counts[verdict]} {verdict}"
        legend.append(f'<rect x="{place}" y="40" width="13" height="13" fill="{colour}"/>')
        legend.append(f'<text x="{place + 20}" y="52">{text}</text>')
        x, place = x + wide, place + 50 + 8 * len(text)
    title = f"Verdicts on {counts.total()} claims: {described(counts.elements())}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} 60" role="img">',
            f"<title>{title}</title>",
            f"<style>{STYLE}{DARK}</style>",
            *bar,
            *legend,
            "</svg>\n",
        ]
    )

"""Pages on which a network runs in the reader's browser."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import page as latin


@dataclass(frozen=True)
class App:
    """One such page.

    Attributes:
        file: its name in the site.
        write: writes it, given the folder of the site.
    """

    file: str
    title: str
    text: str
    write: Callable[[Path], None]


APPS = [
    App(
        "latin.html",
        "Click clues, watch a network fill the square",
        "Small symbol networks run in this page. Set clues, step through, and compare a run "
        "with a machine that only looks once.",
        lambda folder: latin.main(folder / "latin.html", latin.NETWORKS, latin.METRICS),
    ),
    # A page with the picture model goes here: another App, whose `write` puts its files into the
    # folder of the site.
]

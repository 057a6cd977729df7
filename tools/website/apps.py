"""Pages on which a network runs in the reader's browser."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import page as latin
import web_page as video_model

from chain_of_steps.explorer import in_page


@dataclass(frozen=True)
class App:
    """One such page.

    Attributes:
        file: its name in the site.
        write: writes it, given the folder of the site; returns the files, none if it cannot be
            made here.
    """

    file: str
    title: str
    text: str
    write: Callable[[Path], list[str]]


def _latin(folder: Path) -> list[str]:
    latin.main(folder / in_page.FILE, latin.NETWORKS, latin.METRICS)
    return [in_page.FILE]


def _video_model(folder: Path) -> list[str]:
    if not video_model.main(folder):
        return []
    more = sorted(file.name for file in (folder / video_model.NAME).iterdir())
    return [f"{video_model.NAME}.html", *(f"{video_model.NAME}/{name}" for name in more)]


APPS = [
    App(
        in_page.FILE,
        "Click clues, watch a network fill the square",
        "Small symbol networks run in this page. Set clues, step through, and compare a run "
        "with a machine that only looks once.",
        _latin,
    ),
    App(
        f"{video_model.NAME}.html",
        "Draw a maze, watch the video model solve it",
        "The video model itself, in your browser: noise a step, merge three seeds. It downloads "
        "its weights, so this page has to come from a server; it says how.",
        _video_model,
    ),
]

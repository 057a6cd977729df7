"""The site of the project's notebooks, with made-up outputs: a figure, a progress bar, a player."""

import functools
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from chain_of_steps.figures.player import Player

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import pages  # noqa: E402
from website import executed, films  # noqa: E402

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def site(folder: Path) -> Path:
    """Writes the site; returns its folder."""
    if not (pages.APPS[0].file == "latin.html" and NETWORK.exists()):
        pytest.skip("the symbol networks are not here; `dvc pull` fetches them")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "executed", ran)
        patch.setattr(pages, "is_ready", lambda name: True)
        patch.setattr(pages.films, "films", moving)
        pages.main(folder / "site")
    return folder / "site"


NETWORK = ROOT / "data" / "symbols" / "latin-L1-0" / "model_index.json"


def ran(name: str) -> nbformat.NotebookNode:
    """A notebook with outputs in a cell at its end; a lesson's checks say that all is right."""
    notebook = executed.source(name)
    for cell in notebook.cells:
        if "asked" in cell.metadata:
            said = {"text/plain": "Right. Made up."}
            cell.outputs = [nbformat.v4.new_output("execute_result", said, execution_count=1)]
    notebook.cells.append(nbformat.v4.new_code_cell("draw()", outputs=outputs()))
    return notebook


def outputs() -> list[nbformat.NotebookNode]:
    """A figure, a progress bar and a player."""
    return [
        nbformat.v4.new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"}),
        nbformat.v4.new_output("stream", name="stderr", text="99 %|####| secret-progress"),
        nbformat.v4.new_output("display_data", {"text/html": player()._repr_html_()}),
    ]


@functools.cache
def player() -> Player:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16, 3), dtype=np.uint8)
    return Player(pictures, title="made up")


def moving(scratch: Path) -> dict[str, films.Film]:
    """Films of noise, one for every chapter that shows one."""
    frames = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    reels = [films.Reel("made up", frames, "valid"), films.Reel("again", frames[::-1])]
    film = films.Film(reels, first=3, player=player().html())
    return dict.fromkeys(("squares", "noise", "repairs", "null"), film)

"""The site of the project's notebooks, with one made-up figure and one player as only outputs."""

import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from chain_of_steps.figures.player import Player

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import pages  # noqa: E402

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def site(folder: Path) -> Path:
    """Writes the site; returns its folder."""
    if not (pages.live.NETWORKS / "latin-L1-0" / "model_index.json").exists():
        pytest.skip("the symbol networks are not here; `dvc pull` fetches them")
    out, executed = folder / "site", {}
    for name in pages.published():
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell("draw()", outputs=outputs()))
        executed[name] = folder / f"{name}.ipynb"
        nbformat.write(notebook, executed[name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "executed", executed.__getitem__)
        pages.main(out)
    return out


def outputs() -> list[nbformat.NotebookNode]:
    """A figure, a progress bar and a player."""
    pictures = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16, 3), dtype=np.uint8)
    return [
        nbformat.v4.new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"}),
        nbformat.v4.new_output("stream", name="stderr", text="99 %|####| secret-progress"),
        nbformat.v4.new_output(
            "display_data", {"text/html": Player(pictures, title="made up")._repr_html_()}
        ),
    ]

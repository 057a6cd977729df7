"""Where a notebook's figures and metrics go: `<folder>/<name>/<part>.png` and `.svg`, and
`<folder>/<name>.json`."""

import json
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from IPython import get_ipython
from IPython.display import Image, display
from matplotlib.figure import Figure

from ..common.files import atomic
from .pictures import FILE, pictures_in

BY_NAME = {"svg.hashsalt": "chain-of-steps", "svg.fonttype": "path"}  # the same ids in every run
LINE = 9.2  # characters of a title on an inch


class Report:
    """The published outputs of one notebook.

    Call `metrics` before `figure`: the titles of the pictures follow from the metrics.

    Args:
        folder: made if missing; a scratch folder unless the pipeline says otherwise.
        name: of notebook, stage and metrics file.
        pictures: the list of pictures, with their titles and alt texts; a picture that is not in it
            is saved as it is.
    """

    def __init__(self, folder: str | Path, name: str, pictures: str | Path = FILE):
        self.folder, self.name = Path(folder), name
        self.pictures, self.values = pictures_in(pictures), {}
        (self.folder / name).mkdir(parents=True, exist_ok=True)

    def figure(self, figure: Figure, part: str) -> None:
        """Titles a figure with its finding, saves it as `<name>/<part>.png` and `.svg`, and shows
        it in a notebook with its alt text; the same figure gives the same bytes.

        Texts in the SVG are paths, since a browser without the font would move them; the pictures
        of the clips are embedded with their own pixels. So there is an SVG of every picture.
        """
        known = self.pictures.get(f"{self.name}/{part}")
        about = {"Title": part, "Description": ""}
        if known:
            about = {"Title": known.title(self.values), "Description": known.alt}
            headline(figure, about["Title"])
        file = self.folder / self.name / f"{part}.png"
        save = {"bbox_inches": "tight", "pad_inches": 0.08}
        figure.savefig(file, metadata=about | {"Software": None}, **save)
        with plt.rc_context(BY_NAME):
            figure.savefig(file.with_suffix(".svg"), metadata=about | {"Date": None}, **save)
        plt.close(figure)
        if get_ipython():
            display(Image(file.read_bytes(), alt=about["Description"] or part))

    def metrics(self, values: dict) -> None:
        """Saves `<name>.json`, atomically."""
        text = json.dumps(values, indent=1, sort_keys=True)
        self.values = json.loads(text)  # with names as strings, as in the file
        with atomic(self.folder / f"{self.name}.json") as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def headline(figure: Figure, title: str) -> None:
    """Puts a title above all that a figure shows, however many lines it has."""
    lines = balanced(title, int(LINE * figure.get_figwidth()))
    figure.draw_without_rendering()
    top = figure.get_tightbbox().y1 / figure.get_figheight() + 0.02
    figure.suptitle(lines, x=0.01, y=top, ha="left", va="bottom", fontsize=13, weight="bold")


def balanced(text: str, width: int) -> str:
    """A text in as few lines as its width allows, all about as long."""
    count = len(textwrap.wrap(text, width))
    widths = range(len(text) // count, width + 1)
    return next(t for t in (textwrap.fill(text, w) for w in widths) if t.count("\n") < count)

"""The explorer without Python: symbol networks that run in a page, as one HTML file that loads
nothing, or in the output of a notebook."""

import json
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import anywidget
from diffusers import WanTransformer3DModel

from ..bench import samples
from ..figures.names import plain
from ..figures.when_steps_matter.diagram import COLOURS
from ..models.symbols import boards
from ..models.web_weights import packed
from ..puzzles.base import Sample
from ..sampling.interventions import MODES
from . import engine, web
from .config import MOST_PASSES, MOST_STEPS, SIGMAS, SUITE_SEED, Config

NETWORKS = {  # by puzzle, and by the name that a visitor sees
    "latin": {"1 block": "latin-L1-0", "4 blocks": "latin-L4-0"},
    "relay": {"1 block": "relay-L1-0", "4 blocks": "relay-L4-0"},
}
# Rounded to 8 bits a weight, so that the file stays small: its answers are the same, unlike those
# of the others (benchmarks/web.json).
ROUNDED = ("relay-L4-0",)
CELLS = {  # the kinds of samples, by task
    "latin": [f"order=4 {knob}" for knob in ("rounds=1", "rounds=2", "rounds=3")]
    + [f"order=4 log2={log2}" for log2 in (1, 3, 5, 7)]
    + [f"order=5 {knob}" for knob in ("rounds=2", "rounds=4")],
    "relay": [f"routes=2 moves={moves}" for moves in (2, 6, 10, 14)] + ["routes=4 moves=6"],
    "relay_end": [f"routes=2 moves={moves}" for moves in (2, 6, 10, 14)],
}
TASKS = {"latin": "Latin square", "relay": "relay", "relay_end": "relay, end only"}
SAMPLES = 5  # of each kind
FIRST = "latin order=4 log2=3"
FILE = "latin.html"  # the page's name
LINK = f'<p><a href="{FILE}">Open the networks in a page of their own</a>: it needs no kernel.</p>'
# The module of a widget: it asks for the content, once for all views, which share their runs.
HANDED_OVER = """
const models = new WeakMap();
export default {
  async render({ model, el }) {
    if (!models.has(model)) {
      const content = new Promise(resolve => model.on("msg:custom", resolve));
      const started = ({ traits, engine }) => local(traits, inWorker(define, engine));
      models.set(model, content.then(started));
      model.send({});
    }
    return render({ model: await models.get(model), el });
  },
};
"""
UNMEASURED = (
    "The phase diagram of these networks has not been measured yet, so that this page cannot say "
    "what the steps do on many boards like this one."
)


def content(networks: Path, metrics: Path | None = None) -> dict[str, Any]:
    """Everything that a page needs: the traits of its model (`web/contract.js`), and the data of
    its engine (`engine/engine.js`).

    Args:
        networks: folder of the symbol networks, e.g. `data/symbols`.
        metrics: of the figure of the phase diagram; without this file there is no diagram.

    Raises:
        FileNotFoundError: if a network is missing.
    """
    found = {
        puzzle: {name: pack(each, load(networks / each)) for name, each in named.items()}
        for puzzle, named in NETWORKS.items()
    }
    measured = (
        json.loads(metrics.read_text(encoding="utf-8")) if metrics and metrics.exists() else {}
    )
    return around(found, measured.get("diagram", []))


def load(folder: Path) -> WanTransformer3DModel:
    """The network of a model's folder.

    Raises:
        FileNotFoundError: if there is none.
    """
    if not (folder / "transformer").is_dir():
        raise FileNotFoundError(f"{folder} is no model's folder; `dvc pull` fetches the networks")
    return WanTransformer3DModel.from_pretrained(
        folder, subfolder="transformer", local_files_only=True
    ).float()


def pack(name: str, network: WanTransformer3DModel) -> dict:
    """A network as a page holds it, see `models/web_weights.py`."""
    return packed(network, "int8" if name in ROUNDED else "float16")


def around(networks: dict[str, dict[str, dict]], entries: list[dict]) -> dict[str, Any]:
    """The same as `content`, of networks that are packed.

    Args:
        networks: by puzzle and by name.
        entries: of the phase diagram, as `when_steps_matter.analysis.agreed` gives them.
    """
    drawn = {
        f"{task} {knobs}": [
            board(samples.draw_one(f"{task} {knobs}", i, SUITE_SEED)) for i in range(SAMPLES)
        ]
        for task, kinds in CELLS.items()
        for knobs in kinds
    }
    constants = about(networks, entries)
    traits = {"about": constants, "setting": constants["default"], "preview": {}, "controls": {}}
    return {"traits": traits, "engine": {"networks": networks, "samples": drawn}}


def about(networks: dict[str, dict[str, dict]], entries: list[dict]) -> dict[str, Any]:
    """What does not change while the page is open."""
    names = {name: each["config"]["num_layers"] for name, each in networks["latin"].items()}
    setting = Config(FIRST, steps=20).data()
    return {
        "live": True,
        "instant": True,
        "frames": 1,
        "layers": max(names.values()),
        "networks": [{"name": name, "layers": layers} for name, layers in names.items()],
        "tasks": [
            {
                "name": task,
                "label": TASKS[task],
                "knobs": [],
                "cells": [kind(task, knobs) for knobs in kinds],
            }
            for task, kinds in CELLS.items()
        ],
        "boards": ["latin", "relay"],
        "sizes": {"latin": [4, 5]},
        "presets": {setting["preset"]: MOST_STEPS},
        "modes": list(MODES),
        "changes": ["noise"],
        "controls": {"sigma": list(SIGMAS), "passes": [2, MOST_PASSES]},
        "most": {"steps": MOST_STEPS, "seeds": 1, "index": SAMPLES - 1},
        "default": setting | {"network": max(names, key=names.get)},
        "gallery": [],
        "diagram": diagram(entries),
    }


def kind(task: str, knobs: str) -> dict[str, str]:
    """A kind of samples by its knobs, with the words of a menu: `order 4: 2 rounds`."""
    return {"knobs": knobs, "label": in_words(f"{task} {knobs}")}


def in_words(cell: str) -> str:
    """`order 4: 2 rounds`, `2 routes: 6 moves`: a kind among those of its task."""
    knobs = samples.knobs_of(cell)
    if "routes" in knobs:
        return f"{knobs['routes']} routes: {knobs['moves']} moves"
    return plain(cell).removeprefix("square of ")


def board(sample: Sample) -> dict[str, Any]:
    """The board of a Latin square or a relay, as a setting has it."""
    if sample.puzzle.name == "latin":
        return {"kind": "latin", "clues": sample.state["clues"]}
    return {
        "kind": "relay",
        "signs": boards([sample]).given[0].tolist(),
        "start": sample.state["routes"][0][0],
        "drawn": sample.state["drawn"],
    }


def diagram(entries: list[dict]) -> dict[str, Any]:
    """What the page shows of the phase diagram: the puzzles that it has."""
    kept = ("cell", "layers", "steps", "phase", "at_step_0", "at_end")
    own = [
        {name: entry[name] for name in kept}
        for entry in entries
        if samples.task_of(entry["cell"]) in CELLS
    ]
    if not own:
        return {"missing": UNMEASURED}
    labels = {entry["cell"]: in_words(entry["cell"]) for entry in own}
    return {"entries": own, "labels": labels, "colours": COLOURS}


def html(found: dict[str, Any]) -> str:
    """One page, all ASCII; it can be opened as a file.

    Args:
        found: see `content`.
    """
    text = resources.files(web.__name__).joinpath("in_page.html").read_text(encoding="utf-8")
    return Template(text).substitute(
        style=web.style(),
        script=script().encode("ascii", "backslashreplace").decode(),
        data=json.dumps(found).replace("<", "\\u003c"),
    )


def script() -> str:
    """The front end, a back end in the page, and `define`, which gives the engine."""
    return "\n".join([web.standin(), web.local(), engine.source(), web.script()])


class InPage(anywidget.AnyWidget):
    """The same in a notebook's output. The networks are handed to the browser when it asks for
    them, so that no copy of the notebook holds them; without a kernel the output is a link to the
    page, where that lies next to it.

    Args:
        networks, metrics: see `content`.
    """

    _esm = script() + HANDED_OVER
    _css = web.style()

    def __init__(self, networks: str | Path, metrics: str | Path | None = None):
        super().__init__()
        found = content(Path(networks), Path(metrics) if metrics else None)
        self.on_msg(lambda *_: self.send(found))

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/html": LINK}, metadata

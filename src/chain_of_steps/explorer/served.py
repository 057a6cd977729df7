"""The explorer with the video model in the browser: a page that a web server has to bring, since it
downloads the model and onnxruntime-web."""

import json
from importlib import resources
from string import Template
from typing import Any

from ..bench import samples
from ..figures.names import plain
from ..models.video_model import VideoModel
from ..puzzles import latin, maze
from ..sampling.interventions import MODES
from . import engine, gallery, shown, web
from .config import MOST_STEPS, SUITE_SEED, Config

PROMPTS = (maze.PROMPT, latin.PROMPTS[False])  # of the boards that a visitor can draw
CELLS = {  # the kinds of samples, by task
    "maze": [f"rooms={rooms} paths={paths}" for rooms in (5, 6) for paths in (1, 2)],
    "latin": [f"order=4 {knob}" for knob in ("rounds=2", "log2=1", "log2=3")]
    + [f"order=5 rounds={rounds}" for rounds in (2, 3)],
}
TASKS = {"maze": "maze", "latin": "Latin square"}
SAMPLES = 20  # of each kind
FIRST = Config("maze rooms=5 paths=2", 1, steps=20)  # its board is what a visitor finds to edit


def html(model: VideoModel, manifest: dict, folder: str) -> str:
    """The page, all ASCII.

    Args:
        manifest: of `web_export.export`, whose `files` name everything that the page downloads.
        folder: where these files are, relative to the page.
    """
    setting = {**FIRST.data(), "board": shown.board(FIRST.sample())}
    content = {
        "traits": {"about": about(model), "setting": setting, "preview": {}},
        "engine": {"manifest": manifest, "boards": boards()},
        "folder": f"{folder}/",
    }
    parts = (web.standin(), web.local(), engine.source("picture_engine.js"), web.script())
    script = "\n".join((*parts, engine.opener()))
    weights = sum(each.numel() for each in model.pipe.transformer.parameters())
    megabytes = sum(file["bytes"] for file in manifest["files"].values()) / 1e6
    text = resources.files(web.__name__).joinpath("served.html").read_text(encoding="utf-8")
    return Template(text).substitute(
        style=web.style(),
        script=script.encode("ascii", "backslashreplace").decode(),
        data=json.dumps(content).replace("<", "\\u003c"),
        weights=f"{weights / 1e6:.1f}",
        megabytes=f"{megabytes:.0f}",
    )


def about(model: VideoModel) -> dict[str, Any]:
    """What does not change while the page is open, see `web/contract.js`."""
    return {
        "live": True,
        "frames": model.latent_frames,
        "layers": model.layers,
        "tasks": [
            {
                "name": task,
                "label": TASKS[task],
                "knobs": [],
                "cells": [kind(task, knobs) for knobs in kinds],
            }
            for task, kinds in CELLS.items()
        ],
        "boards": list(CELLS),
        "sizes": {"latin": [4, 5]},
        "presets": {FIRST.preset: FIRST.steps},
        "modes": list(MODES),
        "changes": ["noise", "merge", "drop"],
        "most": {"steps": MOST_STEPS, "seeds": 3, "index": SAMPLES - 1},
        "default": FIRST.data(),
        "gallery": [
            {name: item[name] for name in ("title", "text", "setting")}
            for item in gallery.items("served.json")
        ],
    }


def kind(task: str, knobs: str) -> dict[str, str]:
    """A kind of samples by its knobs, with the words of a menu."""
    words = plain(f"{task} {knobs}")
    return {"knobs": knobs, "label": words.removeprefix("square of ").removeprefix("maze of ")}


def boards() -> dict[str, list[dict]]:
    """Test samples by cell, as `engine/picture_engine.js` takes them."""
    return {
        f"{task} {knobs}": [board(f"{task} {knobs}", index) for index in range(SAMPLES)]
        for task, kinds in CELLS.items()
        for knobs in kinds
    }


def board(cell: str, index: int) -> dict[str, Any]:
    """The board of a test sample, of a maze with its place on the picture."""
    sample = samples.draw_one(cell, index, SUITE_SEED)
    corner = {"corner": sample.state["corner"]} if sample.puzzle.name == "maze" else {}
    return {**shown.board(sample), **corner}

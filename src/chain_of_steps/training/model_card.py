"""The files next to a trained model's weights: the record of its training with scores, the model
card, and an example."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..measures.intervals import share
from ..puzzles import suite

SHARES = ("decided", "drawn", "at_step_0")  # of a session's scores


def record(folder: Path, recipe: dict, session: dict, score: Callable[[Path], dict]) -> None:
    """Adds a session's line and the scores after it to training.json, the file that identifies a
    model of ours."""
    file = folder / "training.json"
    whole = (
        json.loads(file.read_text(encoding="utf-8"))
        if file.exists()
        else {"recipe": recipe, "sessions": []}
    )
    whole["sessions"].append(session)
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    session["scores"] = score(folder)
    file.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-video
---
# The mini model of Chain of Steps

A `WanImageToVideoPipeline` of {size} x {size} pixels and {frames} frames, trained on puzzles of the
project's mini world: {steps} steps, {clips} clips. It is made for looking at, not for use: each
frame of a clip is a latent frame, so that nothing is hidden between them.

The last frame, on {n} samples per task of the *{split}* split (seed {seed}), 20 steps, no
guidance. Decided: the answer that it shows most strongly is valid, with a 95 % Wilson interval.
Drawn: it shows that answer legibly. At step 0: the clean estimate of step 0 decides a valid answer
already.

| task | decided | 95 % | drawn | at step 0 |
|---|---|---|---|---|
{rows}

Made by `chain-of-steps train`; `training.json` holds its record, `example.png` the given frame of
a test square.
"""


CELLS = """
## By cell

{n} test samples of each, {steps} steps; `asked` was written down before the training.

![Share of valid answers at every step, by kind of sample](curves.png)

| cell | decided | 95 % | drawn | at step 0 | asked |
|---|---|---|---|---|---|
{rows}
"""


def add_cells(folder: Path, found: dict) -> None:
    """Puts what `benchmarks/generalist.py` found into the record and the card of a model."""
    file = folder / "training.json"
    record = json.loads(file.read_text(encoding="utf-8"))
    shown = {
        cell: {key: value for key, value in numbers.items() if key != "curve"}
        for cell, numbers in found["cells"].items()
    }
    record["cells"] = {"schedule": found["schedule"], "seed": found["seed"], "cells": shown}
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    write_card(folder)


def _by_cell(found: dict) -> str:
    lines = []
    for cell, numbers in found["cells"].items():
        decided, (drawn, early) = numbers["decided"], (numbers[k]["mean"] for k in SHARES[1:])
        asked = numbers.get("asked", "")
        interval = f"{decided['low']:.2f} to {decided['high']:.2f}"
        row = (f"`{cell}`", f"{decided['mean']:.2f}", interval, f"{drawn:.2f}", f"{early:.2f}")
        lines.append(f"| {' | '.join(row)} | {asked} |")
    n = max(numbers["decided"]["n"] for numbers in found["cells"].values())
    return CELLS.format(n=n, steps=found["schedule"]["steps"], rows="\n".join(lines))


def write_card(folder: Path) -> None:
    """Writes the model card, README.md, from training.json."""
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    session, recipe = record["sessions"][-1], record["recipe"]
    found = session["scores"]
    card = CARD.format(
        size=recipe["size"],
        frames=recipe["frames"],
        steps=session["to_step"],
        clips=session["clips"],
        n=found["n"],
        split=found["split"],
        seed=found["seed"],
        rows="\n".join(_row(found, task) for task in found["decided"]),
    )
    card += _by_cell(record["cells"]) if "cells" in record else ""
    (folder / "README.md").write_text(card, encoding="utf-8")


def _row(found: dict, task: str) -> str:
    decided, drawn, early = (found[key][task] for key in SHARES)
    interval = share(round(decided * found["n"]), found["n"])
    low, high = interval["low"], interval["high"]
    return f"| {task} | {decided:.2f} | {low:.2f} to {high:.2f} | {drawn:.2f} | {early:.2f} |"


def write_example(folder: Path) -> None:
    """Saves the given frame of the first test square of order 4 with 8 clues, from seed 0."""
    sample = suite.draw_one("latin", 0, seed=0, order=4, clues=8)
    pixels = (sample.first_frame() * 255.0 + 0.5).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "example.png")

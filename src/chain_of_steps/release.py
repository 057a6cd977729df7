"""What lies beside a trained model's weights: the record of its training, its scores on the way, and an example."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from . import suites
from .bench import bench
from .denoise import generate
from .models import VideoModel
from .schedule import preset

SCORED, SEED = 24, 5  # samples per in-domain task of the choosing partition, and their seed


def record(folder: Path, recipe: dict, session: dict) -> None:
    """Adds a session's line and the scores after it to training.json, by which a model of ours is known."""
    file = folder / "training.json"
    whole = json.loads(file.read_text()) if file.exists() else {"recipe": recipe, "sessions": []}
    whole["sessions"].append(session)
    file.write_text(json.dumps(whole, indent=1) + "\n")
    session["scores"] = scores(folder)
    file.write_text(json.dumps(whole, indent=1) + "\n")


def scores(folder: Path) -> dict:
    """How many samples of the choosing partition the model in a folder solves, by in-domain task."""
    tasks = suites.task_names("in-domain")
    report = bench(VideoModel.load(folder), preset("mini"), tasks, SCORED, SEED, "choosing")
    solved = {name: report["by_task"][name]["solved"] for name in tasks}
    return {"partition": "choosing", "seed": SEED, "n": SCORED, "mean_score": report["in_domain"], "solved": solved}


CARD = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: image-to-video
---
# The mini model of Chain of Steps

A `WanImageToVideoPipeline` of 48 x 48 pixels and 9 frames, trained from nothing on the eight in-domain puzzles of the
project's mini world: {steps} steps, {clips} clips. It is made for looking at, not for use: each frame of a clip is a
latent frame, so that nothing is hidden between them.

Solved, of {n} samples per task of the *choosing* partition (seed {seed}), 20 steps, no guidance:

| task | solved |
|---|---|
{rows}

Made by `chain-of-steps train`; `training.json` holds its record, `example.png` the first test maze that it solves.
"""


def write_card(folder: Path) -> None:
    """Writes the model card, README.md, from training.json."""
    session = json.loads((folder / "training.json").read_text())["sessions"][-1]
    found = session["scores"]
    rows = "\n".join(f"| {task} | {share:.2f} |" for task, share in found["solved"].items())
    card = CARD.format(steps=session["to_step"], clips=session["clips"], n=found["n"], seed=found["seed"], rows=rows)
    (folder / "README.md").write_text(card)


def write_example(folder: Path, tries: int = 50) -> None:
    """Saves the first frame of the first test maze that the model solves from seed 0."""
    model, schedule = VideoModel.load(folder), preset("mini")
    for sample in suites.draw("maze", tries, seed=0):
        latents = generate(model, model.prepare_sample(sample), schedule, seed=0).latents[-1]
        if sample.solved(model.decode(latents)):
            break
    Image.fromarray((sample.first_frame() * 255.0 + 0.5).astype(np.uint8)).save(folder / "example.png")

"""What the generalist has learned: the share of valid answers at every step, by cell, next to what
was asked of it before it was trained.

`python benchmarks/generalist.py` writes generalist.json, the figure generalist.png, and both into
the model card. Test samples that nothing else uses; rows are kept in build/, so that a second call
goes on where the first one stopped.
"""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from output import options_of, write
from tqdm import tqdm

from chain_of_steps.bench.diversity import diversity
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.sample_runs import SampleBranches, SampleRun
from chain_of_steps.figures.style import WIDTH, style
from chain_of_steps.figures.summaries import by_cell, share
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.training import model_card

SEED, SAMPLES, BATCH = 31, 100, 4
SQUARES = {f"latin order=4 clues={clues}": 0.7 for clues in (2, 4, 6)}
SQUARES |= {f"latin order=4 clues={clues}": 0.95 for clues in (8, 10, 12, 14)}
ASKED = SQUARES | {
    **{f"relay moves={moves}": 0.8 for moves in (2, 4, 6)},
    **dict.fromkeys(("mark", "tic_tac_toe", "size_pattern", "rotate"), 0.9),
    "bounce": 0.8,
    **dict.fromkeys(("out_and_back", "occlusion"), 0.95),
}
MAZES = [f"maze rooms={rooms} paths={paths}" for rooms in (5, 6) for paths in (1, 2)]
LARGER = ["latin order=5 rounds=2", "latin order=5 rounds=3", "latin order=5 rounds=4"]
EVEN = {"mark": 0.6, "tic_tac_toe": 0.6}  # entropy over seeds, as a share of the largest
BOARDS = 20  # on which it is measured
PANELS = {
    "Squares of order 4": [*SQUARES],
    "Mazes": MAZES,
    "Other tasks": [c for c in ASKED if c not in SQUARES],
}


class Clean(SampleBranches):
    """Clean generations, read at every step."""

    name = "generalist"

    def plan(self, cells: Iterable[str]) -> list[SampleRun]:
        return [
            SampleRun(cell, index, SEED, index, traced=True)
            for cell in cells
            for index in range(SAMPLES)
        ]


def table(rows: list[dict]) -> dict[str, dict]:
    """Of each cell: shares at step 0 and in the end, the curve, and whether it is what was asked:
    `reached` if the share in the end is at least that."""
    found = {}
    for cell, group in by_cell(rows).items():
        found[cell] = {
            "decided": share(group, lambda r: r["valid"]),
            "drawn": share(group, lambda r: r["drawn"]),
            "at_step_0": share(group, lambda r: r["valid_at"][0] == "1"),
            "curve": curve([row["result"]["valid_at"] for row in group]),
        }
        if cell in ASKED:
            asked, measured = ASKED[cell], "drawn" if cell.startswith("relay") else "decided"
            reached = found[cell][measured]["mean"] >= asked
            found[cell] |= {"asked": asked, "measured": measured, "reached": bool(reached)}
    return found


def curve(traces: list[str]) -> list[float]:
    """The share of valid answers at every step."""
    return np.mean([[flag == "1" for flag in trace] for trace in traces], 0).round(3).tolist()


def figure(cells: dict[str, dict], sigmas: list[float]) -> plt.Figure:
    """The curves, a panel for each kind of cells."""
    with style():
        drawn, axes = plt.subplots(1, len(PANELS), figsize=(WIDTH, 3.6), sharey=True)
        for axis, (title, names) in zip(axes, PANELS.items(), strict=True):
            shown = [name for name in names if name in cells]
            colours = plt.get_cmap("viridis")(
                [i / max(1, len(shown) - 1) for i in range(len(shown))]
            )
            for name, colour in zip(shown, colours, strict=True):
                axis.plot(sigmas[:-1], cells[name]["curve"], color=colour, label=_short(name))
            axis.set(title=title, xlabel="noise level of the step", xlim=(1, 0), ylim=(0, 1.02))
            axis.legend(fontsize=7, loc="lower right")
        axes[0].set_ylabel(f"valid answers (n = {SAMPLES} each)")
    return drawn


def _short(cell: str) -> str:
    task, _, knobs = cell.partition(" ")
    return knobs.replace("order=4 ", "").replace("=", " ") if task in ("latin", "maze") else cell


def main() -> None:
    options = options_of(__doc__).parse_args()
    model, schedule = VideoModel.load(options.model), preset("mini")
    experiment = Clean(model, schedule).in_batches(BATCH)
    runs = experiment.plan([*ASKED, *MAZES, *LARGER])
    rows = sweep(experiment, Store("build/generalist", experiment.name), runs, tqdm)
    even = diversity(model, preset("mini/20"), [*EVEN], BOARDS, SEED, progress=tqdm)
    found = {
        "model": model.fingerprint,
        "schedule": schedule.record(),
        "split": "test",
        "seed": SEED,
        "cells": table(rows),
        "entropy": {task: even[task] | {"asked": EVEN[task]} for task in EVEN},
    }
    write(found, options.json)
    if options.json != "-":
        picture = Path(options.json).with_suffix(".png")
        figure(found["cells"], schedule.sigmas).savefig(picture, dpi=110, bbox_inches="tight")
        shutil.copy(picture, Path(options.model) / "curves.png")
        model_card.add_cells(Path(options.model), found)
    print(json.dumps({c: v.get("reached") for c, v in found["cells"].items()}))


if __name__ == "__main__":
    main()

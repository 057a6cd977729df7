"""The card of the symbol networks: one table of all that are finished, and their losses."""

import json
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

CARD = """\
---
license: apache-2.0
library_name: diffusers
---
# The symbol networks of Chain of Steps

`WanTransformer3DModel`s on one-hot boards of one frame, a token a cell: `latin` fills Latin squares
of order 4 to 6, `relay` follows arrows. All of them have seen equally many boards; they differ in
depth (`L`), width (`w`) and seed (the last number). A `twin` was trained at noise level 1 only, so
that it answers in one pass. Weights are averages over about the last tenth of the steps.

| network | blocks | width | steps | boards | loss at the end |
|---|---|---|---|---|---|
{rows}

![Training loss by boards seen](losses.png)

How often each of them is right, on which boards and after how many steps, is what notebook
7_when_steps_matter measures. Made by `chain-of-steps train --symbols`; each folder's
`training.json` holds its record.
"""


def write(folder: Path) -> None:
    """Writes README.md and losses.png next to the finished networks of a folder, if any."""
    records = {
        file.parent.name: json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(folder.glob("*/training.json"))
        if "@" not in file.parent.name
    }
    if not records:
        return
    rows = "\n".join(_row(name, record) for name, record in records.items())
    (folder / "README.md").write_text(CARD.format(rows=rows), encoding="utf-8")
    figure = losses(records)
    figure.savefig(folder / "losses.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def _row(name: str, record: dict) -> str:
    recipe, steps = record["recipe"], record["steps"]
    boards = f"{steps * record['batch']:,}"
    loss = f"{record['losses'][-1][1]:.4f}" if record["losses"] else "not noted"
    return f"| {name} | {recipe['layers']} | {recipe['width']} | {steps} | {boards} | {loss} |"


def losses(records: dict[str, dict]) -> Figure:
    """The loss of every network by boards seen, a panel for each puzzle."""
    puzzles = sorted({record["recipe"]["puzzle"] for record in records.values()})
    figure, axes = plt.subplots(
        1, max(1, len(puzzles)), figsize=(10, 4), squeeze=False, layout="constrained"
    )
    for axis, puzzle in zip(axes[0], puzzles, strict=False):
        for name, record in records.items():
            if record["recipe"]["puzzle"] == puzzle and record["losses"]:
                steps, values = zip(*record["losses"], strict=True)
                boards = [step * record["batch"] / 1e6 for step in steps]
                axis.plot(boards, values, label=name.removeprefix(f"{puzzle}-"), lw=1.2)
        axis.set(title=puzzle, xlabel="boards seen, millions", yscale="log")
        axis.legend(fontsize="x-small", frameon=False, ncols=2)
    axes[0, 0].set_ylabel("loss, mean of 500 steps")
    return figure

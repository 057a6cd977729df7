"""Redraws one figure with other samples into scratch/: `figure.py NAME [--samples 5] [--seed 8]
[--tasks "mark, latin"]`. Published rows are used where they fit; figures/ and results/ are not
touched."""

import sys
from pathlib import Path
from typing import Any

from run import ROOT, execute, released
from strip import main as strip

from chain_of_steps.bench import samples
from chain_of_steps.cli.arguments import Parser, whole
from chain_of_steps.common.errors import run_command
from chain_of_steps.experiments.parameters import COUNTS, read

SCRATCH = Path("scratch")


def redraw(name: str, number: int | None, seed: int | None, tasks: list[str]) -> int:
    """Runs a notebook with changed parameters and says where the figure is.

    Raises:
        ValueError: for an unknown figure, or tasks of which it has no cell.
    """
    if name not in released():
        raise ValueError(f"there is no figure {name!r}; expected one of {', '.join(released())}")
    section = read(ROOT / "params.yaml", "mini", name)
    known = list(dict.fromkeys(_cells(section)))
    if missing := [task for task in tasks if not any(_is(task, cell) for cell in known)]:
        raise ValueError(f"{name} has no cell of {missing[0]!r}; it has {', '.join(known)}")
    strip(ROOT / "notebooks", ROOT / "build" / "notebooks")
    figures, rows = SCRATCH / "figures", SCRATCH / "results"
    changed = _changed(section, number, seed, tasks)
    print("Computing new runs; those that are done are kept if you interrupt.", flush=True)
    execute(name, out=str(figures), results=str(rows), section=changed)
    print(f"Figures: {figures / name}/, numbers: {figures / name}.json, new rows: {rows}/")
    print("The committed figures are as they were.")
    return 0


def _changed(group: dict, number: int | None, seed: int | None, tasks: list[str]) -> dict:
    """The same parameters, with this number of samples of each cell, this seed, these tasks."""

    def change(name: str, value: Any) -> Any:
        if name == "suite_seed" and seed is not None:
            return seed
        if _names_cells(name, value):
            value = _kept(value, tasks)
        if number is not None and name in COUNTS and isinstance(value, int):
            return number
        if number is not None and name in COUNTS and _is_counts(value):
            return dict.fromkeys(value, number)
        return {k: change(k, v) for k, v in value.items()} if isinstance(value, dict) else value

    return {name: change(name, value) for name, value in group.items()}


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(type(n) is int for n in value.values())


def _names_cells(name: str, value: Any) -> bool:
    """Whether a parameter is a list of cells, or says how many samples of each cell there are."""
    words = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return (words and name.endswith("cells")) or (name in COUNTS and _is_counts(value))


def _kept(cells: Any, tasks: list[str]) -> Any:
    chosen = [cell for cell in cells if not tasks or any(_is(task, cell) for task in tasks)]
    return {cell: cells[cell] for cell in chosen} if isinstance(cells, dict) else chosen


def _is(task: str, cell: str) -> bool:
    return task in (cell, samples.task_of(cell))


def _cells(group: dict) -> list[str]:
    """All cells that a group of parameters names."""
    found = []
    for name, value in group.items():
        if _names_cells(name, value):
            found += list(value)
        elif isinstance(value, dict):
            found += _cells(value)
    return found


def main() -> int:
    parser = Parser(__doc__)
    parser.add_argument("name")
    parser.add_argument("--samples", type=whole, help="of each cell")
    parser.add_argument("--seed", type=lambda text: whole(text, 0), help="of the samples")
    parser.add_argument("--tasks", default="", help="tasks or cells, with commas between them")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    tasks = [task.strip() for task in options.tasks.split(",") if task.strip()]
    return redraw(options.name, options.samples, options.seed, tasks)


if __name__ == "__main__":
    sys.exit(run_command(main, "figure", debug="--debug" in sys.argv))

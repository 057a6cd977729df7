"""Executed copies of the notebooks: which are published, which have to run first."""

from pathlib import Path

import nbformat
from run import execute, released

from chain_of_steps.experiments.parameters import read

from . import solved

ROOT = Path(__file__).parents[2]
INJECTED = "injected-parameters"  # papermill's tag


def published() -> list[str]:
    """The notebooks that have a page: all except those whose figure is not drawn yet."""
    waiting = set(read(ROOT / "params.yaml", "mini")) - set(released())
    return sorted({file.stem for file in (ROOT / "notebooks").glob("*.ipynb")} - waiting)


def is_ready(name: str) -> bool:
    """Whether an executed copy of the notebook as it is now lies in build/."""
    file, current = copy_of(name), source(name)
    return file.exists() and up_to_date(name, nbformat.read(file, as_version=4), current)


def executed(name: str) -> nbformat.NotebookNode:
    """The executed copy, made now if it is missing or out of date. A lesson's has the reference
    solutions filled in."""
    if not is_ready(name):
        if name in solved.LESSONS:
            solved.execute(source(name), copy_of(name))
        else:
            scale = "mini" if name in released() else None
            execute(name, scale, out=str(ROOT / "build" / "site-figures"))
    return nbformat.read(copy_of(name), as_version=4)


def copy_of(name: str) -> Path:
    folder = "solved" if name in solved.LESSONS else "executed"
    return ROOT / "build" / folder / f"{name}.ipynb"


def source(name: str) -> nbformat.NotebookNode:
    """The notebook; a lesson with its exercises solved."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    if name in solved.LESSONS:
        solved.fill_in(notebook, solved.LESSONS[name])
    return notebook


def up_to_date(name: str, notebook: nbformat.NotebookNode, current: nbformat.NotebookNode) -> bool:
    """Whether an executed copy is of the current notebook, at scale `mini`, without an error."""
    cells = _cells(current) == _cells(notebook)
    wanted = read(ROOT / "params.yaml", "mini").get(name, {})
    given = notebook.metadata.get("papermill", {}).get("parameters", {}).get("section", {})
    return cells and given == wanted and not failed(notebook)


def _cells(notebook: nbformat.NotebookNode) -> list[tuple[str, ...]]:
    """The cells of a notebook in their order, with their tags: a page depends on all of it. Not the
    one that papermill adds."""
    cells = [(cell.source, *cell.metadata.get("tags", [])) for cell in notebook.cells]
    return [cell for cell in cells if INJECTED not in cell]


def failed(notebook: nbformat.NotebookNode) -> bool:
    """Whether a run of this copy ended with an error."""
    return any(
        output.output_type == "error"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )

"""Lessons with the reference solutions filled in. The last line of an exercise checks it."""

import ast
import re
from pathlib import Path

import nbformat
import papermill
from surroundings import KERNEL, surroundings

ROOT = Path(__file__).parents[2]
LESSONS = {"0_walkthrough": "walkthrough_solutions", "8_train_it_yourself": "train_solutions"}
CHECK = re.compile(r"^check_(\w+)\(", re.M)
ASKED = "asked"  # in the metadata of a solved cell: the exercise as it was
# Of what the lesson has measured, so no file of solutions can hold it.
MEASURED = {
    "phases": "phases = {cell: phase_of(**found)[0] for cell, found in measured.items()}\n"
    "print(phases)"
}


def exercises(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells with exercises, solved or not."""
    return [
        cell for cell in notebook.cells if cell.cell_type == "code" and CHECK.search(cell.source)
    ]


def fill_in(notebook: nbformat.NotebookNode, solutions: str) -> None:
    """Puts the reference solutions where the three dots are, in place.

    Args:
        solutions: name of the file next to the notebooks.

    Raises:
        ValueError: if the file has no solution of an exercise.
    """
    known = definitions((ROOT / "notebooks" / f"{solutions}.py").read_text(encoding="utf-8"))
    for cell in exercises(notebook):
        name, check = CHECK.findall(cell.source)[-1], cell.source.splitlines()[-1]
        if name not in known | MEASURED:
            raise ValueError(f"{solutions}.py has no solution of {name!r}")
        cell.metadata[ASKED] = cell.source
        cell.source = f"{MEASURED.get(name) or known[name]}\n\n\n{check}"


def definitions(text: str) -> dict[str, str]:
    """The source of each name that a file defines, after the imports and assignments that it
    uses. (Every lesson imports torch.)"""
    before: dict[str, str] = {}
    found: dict[str, str] = {}
    for node in ast.parse(text).body:
        written = ast.get_source_segment(text, node)
        if isinstance(node, ast.ImportFrom):
            before |= {each.name: written for each in node.names}
        elif isinstance(node, ast.FunctionDef | ast.Assign):
            name = node.name if isinstance(node, ast.FunctionDef) else node.targets[0].id
            used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {name}
            first = "\n".join(before[each] for each in sorted(used & before.keys()))
            gap = "\n\n\n" if first and isinstance(node, ast.FunctionDef) else "\n" * bool(first)
            found[name] = f"{first}{gap}{written}"
            if isinstance(node, ast.Assign):
                before[name] = written
    return found


def execute(notebook: nbformat.NotebookNode, target: Path) -> None:
    """Runs a solved notebook, in the project's root."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_suffix(".source.ipynb")
    nbformat.write(notebook, source)
    with surroundings(ROOT):
        papermill.execute_notebook(source, target, cwd=ROOT, progress_bar=False, kernel_name=KERNEL)
    source.unlink()

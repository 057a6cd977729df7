"""Copies notebooks without outputs and run numbers: `strip.py FROM TO`. The pipeline's figures
depend on the copies."""

import sys
from pathlib import Path

import nbformat

from chain_of_steps.common.files import atomic


def strip(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drops outputs, run numbers and the editor's metadata, in place."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        cell.metadata = {name: value for name, value in cell.metadata.items() if name == "tags"}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    return notebook


def main(source: Path, target: Path) -> None:
    for file in sorted(source.glob("*.ipynb")):
        with atomic(target / file.name) as temporary:
            nbformat.write(strip(nbformat.read(file, as_version=4)), temporary)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""The house rules: imports in one direction, no cycle, short files and functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

SRC = Path(__file__).parent.parent / "src" / "chain_of_steps"
# From the top: each may import from those below it, never from those above.
LAYERS = (
    "cli",
    "explorer",
    "figures",
    "bench",
    "training",
    "experiments",
    "measures",
    "sampling",
    "models",
    "puzzles",
    "common",
)
FILES = sorted(SRC.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION, USUAL_FUNCTION = 300, 60, 30  # lines


def module_of(file: Path) -> tuple[str, ...]:
    parts = file.relative_to(SRC).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Our modules that a file imports."""
    package = file.relative_to(SRC).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1]
        path = (*base, *(node.module or "").split(".")) if node.module else base
        for name in node.names:
            whole = SRC.joinpath(*path, name.name)
            is_module = whole.with_suffix(".py").exists() or (whole / "__init__.py").exists()
            yield (*path, name.name) if is_module else path


def test_every_module_has_its_place():
    top = {module_of(file)[0] for file in FILES if module_of(file)}
    assert top - {"__main__"} == set(LAYERS)
    assert len(top) <= 12


def test_packages_import_from_below_only():
    back = [
        f"{'/'.join(module_of(file))} imports {'.'.join(target)}"
        for file in FILES
        if module_of(file) and module_of(file)[0] in LAYERS
        for target in imports(file)
        if target and LAYERS.index(target[0]) < LAYERS.index(module_of(file)[0])
    ]
    assert not back


def test_there_is_no_cycle_of_modules():
    graph = nx.DiGraph()
    for file in FILES:
        graph.add_edges_from((module_of(file), target) for target in imports(file))
    graph.remove_edges_from(nx.selfloop_edges(graph))
    circles = [c for c in nx.strongly_connected_components(graph) if len(c) > 1]
    assert not circles


@pytest.mark.parametrize(
    ("package", "stranger"),
    [("sampling/interventions", "puzzles"), ("experiments", "puzzles"), ("puzzles", "models")],
)
def test_some_packages_do_not_know_each_other(package, stranger):
    files = [file for file in FILES if str(file.relative_to(SRC)).startswith(package)]
    assert files
    assert not [
        (file, target) for file in files for target in imports(file) if target[0] == stranger
    ]


def test_puzzles_need_no_torch():
    files = [file for file in FILES if module_of(file)[:1] == ("puzzles",)]
    assert not [file for file in files if "import torch" in file.read_text()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SRC)))
def test_a_file_is_no_longer_than_it_should_be(file):
    assert len(file.read_text().splitlines()) <= LONGEST_FILE


def test_functions_are_short():
    lengths = {}
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                name = f"{file.relative_to(SRC)}:{node.name}"
                lengths[name] = node.end_lineno - node.lineno + 1
    longest = max(lengths, key=lengths.get)
    assert lengths[longest] <= LONGEST_FUNCTION, longest
    assert np.percentile(list(lengths.values()), 95) <= USUAL_FUNCTION

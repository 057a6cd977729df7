"""dvc.yaml: every figure's stage depends on the modules that its notebook uses, and on no others."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "chain_of_steps"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
FIGURES = sorted(STAGES.keys() - {"sources", "claims"})


def imported(code: str, folder: tuple[str, ...] = ()) -> set[str]:
    """Modules of ours that the code of a file in a folder imports, as paths under src/chain_of_steps without suffix."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        module = (getattr(node, "module", None) or "").split(".")
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*folder[: len(folder) - node.level + 1], *filter(None, module)]
        elif isinstance(node, ast.ImportFrom) and module[0] == "chain_of_steps":
            base = module[1:]
        else:
            continue
        found |= {"/".join([*base, name.name]) for name in node.names} | {"/".join(base)}
    return {name for name in found if (SRC / f"{name}.py").is_file()}


def closure(names: set[str]) -> set[str]:
    """These modules and all that they import; the tasks count as one folder."""
    done: set[str] = set()
    while names - done:
        name = (names - done).pop()
        done.add(name)
        names = names | imported((SRC / f"{name}.py").read_text(), tuple(name.split("/")[:-1]))
    return {"tasks" if name.startswith("tasks/") else f"{name}.py" for name in done}


def used(notebook: str) -> set[str]:
    cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    return closure(imported(re.sub(r"^%.*$", "", code, flags=re.M)))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_depends_on_what_its_notebook_uses(name):
    prefix = "src/chain_of_steps/"
    listed = {dep.removeprefix(prefix) for dep in STAGES[name]["deps"] if dep.startswith(prefix)}
    assert listed == used(name)


@pytest.mark.parametrize("name", FIGURES)
def test_a_stage_is_named_like_its_notebook_section_figures_and_metrics(name):
    stage = STAGES[name]
    assert stage["cmd"] == f"python tools/run.py {name}" and stage["params"] == [f"mini.{name}"]
    assert all(next(iter(out)).startswith(f"figures/{name}-") for out in stage["outs"])
    assert [next(iter(metric)) for metric in stage["metrics"]] == [f"figures/{name}.json"]
    assert f"figures/{name}.json" in STAGES["claims"]["deps"]

"""dvc.yaml: figures depend on the packages that their notebooks use; names agree everywhere."""

import ast
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
import yaml

from chain_of_steps.figures import registry

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "chain_of_steps"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
FIGURE = STAGES["figure"]["do"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
FIGURES = PARAMS["figures"]
PREFIX = "src/chain_of_steps/"


def packages_of(code: str, package: tuple[str, ...] = ()) -> set[str]:
    """Our packages that the code of a module in `package` imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = (node.module or "").split(".")
        if node.level:
            path = [*package[: len(package) - node.level + 1], *filter(None, module)]
            found |= {path[0]} if path else {name.name for name in node.names}
        elif module[0] == "chain_of_steps":
            found |= {module[1]} if module[1:] else {name.name for name in node.names}
    return found


def needed(names: set[str]) -> set[str]:
    """These packages and all that they import."""
    done: set[str] = set()
    while names - done:
        name = (names - done).pop()
        done.add(name)
        for file in (SRC / name).rglob("*.py"):
            names = names | packages_of(file.read_text(), file.relative_to(SRC).parts[:-1])
    return done


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_depends_on_the_packages_that_its_notebook_uses(name):
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    code = "\n".join(c.source for c in cells if c.cell_type == "code")
    used = needed(packages_of(re.sub(r"^%.*$", "", code, flags=re.M)))
    listed = {dep.removeprefix(PREFIX) for dep in FIGURE["deps"] if dep.startswith(PREFIX)}
    assert used <= {dep.split("/")[0] for dep in listed}
    assert not {"explorer", "training"} & listed, "a change there redraws nothing"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_folder_a_notebook_parameters_and_its_outputs(name):
    assert set(registry.classes(FIGURES[name])) - {registry.WHOLE} <= set(PARAMS["mini"][name])
    assert (ROOT / "notebooks" / f"{name}.ipynb").exists()
    assert all(name in PARAMS[scale] for scale in ("mini", "smoke", "real"))
    metrics = f"figures/{name}.json"
    ignored = ["git", "check-ignore", "--no-index", f"figures/{name}/x.png", metrics]
    assert not (ROOT / ".git").exists() or subprocess.run(ignored, cwd=ROOT).returncode == 1


@pytest.mark.parametrize("name", PARAMS["pipeline"])
def test_the_outputs_of_a_figure_are_there(name):
    if not (ROOT / "figures" / "claims.json").exists():
        pytest.skip("the figures are not drawn yet: `make results`, then `dvc repro`")
    assert (ROOT / "figures" / name).is_dir() and (ROOT / f"figures/{name}.json").exists()


def test_the_claims_depend_on_all_figures_and_on_all_that_judges_them():
    claims = STAGES["claims"]
    listed = {dep.removeprefix(PREFIX) for dep in claims["deps"] if dep.startswith(PREFIX)}
    judging = needed(packages_of("from chain_of_steps.experiments import ledger"))
    assert listed == {"cli", "common", "experiments", "measures"} <= judging | {"cli"}
    drawn = {f"figures/{name}.json" for name in PARAMS["pipeline"]}
    assert drawn == {dep for dep in claims["deps"] if dep.startswith("figures/")}
    outputs = [next(iter(output)) for output in claims["outs"]]
    assert outputs == [f"figures/claims{suffix}" for suffix in (".md", ".json", ".svg")]
    assert claims["cmd"].endswith(f"claims --strict --out {outputs[0]}")


def test_the_pipeline_draws_what_the_parameters_list():
    assert STAGES["figure"]["foreach"] == "${pipeline}" and set(PARAMS["pipeline"]) <= set(FIGURES)
    assert FIGURE["cmd"] == "python tools/run.py ${item}" and FIGURE["params"] == ["mini.${item}"]
    assert FIGURE["outs"] == [{"figures/${item}": {"cache": False}}]
    assert FIGURE["metrics"] == [{"figures/${item}.json": {"cache": False}}]

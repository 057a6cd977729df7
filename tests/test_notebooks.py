"""Every notebook runs from top to bottom at smoke scale, and takes exactly the parameters that params.yaml gives it."""

import sys
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import run  # noqa: E402
import strip  # noqa: E402

PARAMETERS = yaml.safe_load((ROOT / "params.yaml").read_text())
NOTEBOOKS = sorted(file.stem for file in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="session", autouse=True)
def sources():
    strip.main(ROOT / "notebooks", ROOT / "build" / "notebooks")


def test_every_figure_has_its_notebook():
    assert set(PARAMETERS["figures"]) <= set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize("scale", ["smoke", "mini", "real"])
def test_parameters_are_those_of_the_notebook(name, scale):
    known = set(papermill.inspect_notebook(ROOT / "notebooks" / f"{name}.ipynb"))
    assert set(PARAMETERS[scale][name]) <= known, "papermill would only warn about an unknown parameter"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_without_outputs(name):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_runs_at_smoke_scale(name, tmp_path):
    if not (ROOT / "data/mini/model_index.json").exists():
        pytest.skip("the mini model is not here; `dvc pull` fetches it")
    executed = run.execute(name, "smoke", str(tmp_path / "figures"), results=str(tmp_path / "results"))
    assert (tmp_path / "figures" / f"{name}.json").exists()
    assert list((tmp_path / "figures").glob("*.png"))
    outputs = [o for cell in nbformat.read(executed, as_version=4).cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o.output_type == "error"]

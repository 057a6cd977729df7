"""Every notebook runs at smoke scale, and its parameters are exactly those of params.yaml."""

import re
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml
from browser import chromium_is_here

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import run  # noqa: E402
import strip  # noqa: E402
from website import solved  # noqa: E402
from website.solved import exercises, fill_in  # noqa: E402

PARAMETERS = yaml.safe_load((ROOT / "params.yaml").read_text())
FIGURES = PARAMETERS["figures"]
NOTEBOOKS = sorted(file.stem for file in (ROOT / "notebooks").glob("*.ipynb"))


needs_model = pytest.mark.skipif(
    not (ROOT / "data/mini/model_index.json").exists(),
    reason="the mini model is not here; `dvc pull` fetches it",
)
without_browser = pytest.mark.skipif(
    chromium_is_here(), reason="run in JupyterLab instead, see test_lab_browser.py"
)


@pytest.fixture(scope="session", autouse=True)
def sources():
    strip.main(ROOT / "notebooks", ROOT / "build" / "notebooks")


def test_every_figure_has_its_notebook():
    assert set(FIGURES) <= set(NOTEBOOKS)


@pytest.mark.parametrize("name", FIGURES)
def test_the_defaults_are_the_published_parameters(name):
    """And new rows go elsewhere: a tracked folder would no longer be what was published."""
    defaults = papermill.inspect_notebook(ROOT / "notebooks" / f"{name}.ipynb")
    assert [defaults[name]["default"] for name in ("quick", "changes", "section")] == [
        *("False", "{}", "{}")
    ]
    assert [defaults[name]["default"] for name in ("results", "out")] == [
        *('"scratch/results"', '"scratch/figures"')
    ]
    for scale in ("smoke", "mini", "real"):
        assert set(PARAMETERS[scale][name]) == set(PARAMETERS["mini"][name])


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_without_outputs(name):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_run_all_may_be_pressed_twice(name, monkeypatch):
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    (setup,) = [cell.source for cell in cells if "os.chdir" in cell.source]
    monkeypatch.chdir(ROOT / "notebooks")
    names: dict = {}
    for _ in range(2):
        exec(re.sub(r"^%.*$", "", setup, flags=re.M), names)
        assert Path.cwd() == ROOT


LESSONS = {  # notebooks with exercises, and parameters that make them short
    "0_walkthrough": {"preset": "mini/12"},
    "8_train_it_yourself": {"training_steps": 20, "measured_boards": 20},
}


def feedback(executed: nbformat.NotebookNode) -> list[str]:
    """What the checks said; fails if a cell ended with an error."""
    outputs = [o for cell in executed.cells for o in cell.get("outputs", [])]
    assert not [o for o in outputs if o.output_type == "error"]
    texts = [str(o.get("data", {}).get("text/plain", "")) for o in outputs]
    return [text for text in texts if text.startswith(("Right.", "Not yet."))]


def printed(executed: nbformat.NotebookNode) -> str:
    outputs = [o for cell in executed.cells for o in cell.get("outputs", [])]
    return "".join(o.get("text", "") for o in outputs)


@needs_model
@pytest.mark.parametrize(
    "name", [pytest.param("0_walkthrough", marks=without_browser), "8_train_it_yourself"]
)
def test_a_lesson_runs_with_no_exercise_done(name):
    executed = nbformat.read(run.execute(name, None, **LESSONS[name]), as_version=4)
    said = feedback(executed)
    assert len(said) == len(exercises(executed)) > 0
    assert all(text.startswith("Not yet.") for text in said)
    assert "stands in for it" in printed(executed)


@needs_model
@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_is_right_with_the_reference_solutions(name, tmp_path):
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    fill_in(notebook, solved.LESSONS[name])
    nbformat.write(notebook, tmp_path / "solved.ipynb")
    with run.surroundings(ROOT):
        executed = papermill.execute_notebook(
            tmp_path / "solved.ipynb",
            tmp_path / "executed.ipynb",
            LESSONS[name],
            cwd=ROOT,
            progress_bar=False,
            kernel_name=run.KERNEL,
        )
    said = feedback(executed)
    assert len(said) == len(exercises(executed)) > 0
    assert all(text.startswith("Right.") for text in said), said
    assert "stands in for it" not in printed(executed)


@needs_model
@without_browser
def test_the_explorer_shows_itself(tmp_path):
    executed = nbformat.read(run.execute("explorer", None), as_version=4)
    shown = [set(o.get("data", {})) for cell in executed.cells for o in cell.get("outputs", [])]
    assert any("application/vnd.jupyter.widget-view+json" in types for types in shown)
    assert any("text/html" in types for types in shown)


@needs_model
@without_browser
@pytest.mark.parametrize("name", FIGURES)
def test_runs_at_smoke_scale(name, tmp_path):
    if "data/student" in str(PARAMETERS["smoke"][name]) and not (ROOT / "data/student").exists():
        pytest.skip("the student is not here; `chain-of-steps distill` makes it")
    executed = run.execute(
        name, "smoke", str(tmp_path / "figures"), results=str(tmp_path / "results")
    )
    assert (tmp_path / "figures" / f"{name}.json").exists()
    assert list((tmp_path / "figures").glob("*/*.png"))
    outputs = [
        o for cell in nbformat.read(executed, as_version=4).cells for o in cell.get("outputs", [])
    ]
    assert not [o for o in outputs if o.output_type == "error"]

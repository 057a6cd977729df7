"""The recipes of docs/extending.md are followed to the letter: their files are made, their code is
run."""

import re
from pathlib import Path

import pytest

from chain_of_steps import figures
from chain_of_steps.bench import scorer_checks, tasklist
from chain_of_steps.models.schedule import preset
from chain_of_steps.puzzles import first
from chain_of_steps.puzzles.first import suites
from chain_of_steps.puzzles.first.suites import Task
from chain_of_steps.sampling import interventions
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.prefix_tree import Branch, grow

ROOT = Path(__file__).parent.parent
RECIPES = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

needs_model = pytest.mark.skipif(
    not (ROOT / "data/mini/model_index.json").exists(),
    reason="the mini model is not here; `dvc pull` fetches it",
)


def blocks(heading: str) -> list[str]:
    """The code blocks of a recipe, in order."""
    recipe = re.search(rf"^## {heading}\n(.*?)(?=^##|\Z)", RECIPES, re.S | re.M).group(1)
    return re.findall(r"```python\n(.*?)```", recipe, re.S)


@pytest.fixture
def follow(tmp_path, monkeypatch):
    """Writes the file that a block names in its first line, where the package finds it; runs any
    other block."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    for package in (first, interventions, figures):
        own = tmp_path / "src" / package.__name__.replace(".", "/")
        own.mkdir(parents=True)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(own)])

    def follow(block: str) -> dict:
        file = re.match(r"# (src/\S+\.py)\n", block)
        names: dict = {}
        if file:
            Path(file.group(1)).write_text(block)
        else:
            exec(block, names)
        return names

    return follow


def test_a_task(follow, monkeypatch):
    module, row, look = blocks("How to add a task")
    follow(module)
    task = eval(row, {"Task": Task})
    monkeypatch.setitem(suites.TASKS, task.name, task)
    follow(look)
    samples = tasklist.draw(task.name, 20, 0)
    assert all(
        sample.score(sample.render(size=size)) == 1.0 for sample in samples for size in (48, 96)
    )
    assert all(
        sample.candidates[0].kind == "valid" and len(sample.valid) == 1 for sample in samples
    )
    monkeypatch.setattr(suites, "TASKS", {task.name: task})
    scores = scorer_checks.scorer_table(per_task=4).loc[task.name]
    assert scores["ground truth"] == 1.0 and 0.2 < scores["half done"] < 0.8
    assert scores.drop(["ground truth", "half done"]).max() <= 0.1


@needs_model
def test_an_intervention(follow, monkeypatch):
    module, use = blocks("How to add an intervention")
    follow(module)
    names = follow(use)
    kind, model, condition = names["ReverseAtStep"], names["model"], names["condition"]
    monkeypatch.setitem(interventions.KINDS, kind.__name__, kind)
    assert interventions.from_record(interventions.record(kind(5))) == kind(5)
    few = preset("student")
    alone = generate(model, condition, few, 0, interventions=[kind(2)])
    branches = [Branch(), Branch((kind(2),)), Branch((kind(1),))]
    shared = dict(grow(model, condition, few, 0, branches))
    assert shared[1].latents[-1].equal(alone.latents[-1])


@needs_model
def test_a_figure(follow):
    rows = "results/1_step_visualization.jsonl"
    Path("results").mkdir()
    Path(rows).write_bytes((ROOT / rows).read_bytes())  # a copy: no test writes into results/
    module, notebook = blocks("How to add a figure")
    follow(module)
    names = follow(notebook)
    assert names["shares"][-1] == 1.0 and len(names["shares"]) == 20
    assert Path(rows).read_bytes() == (ROOT / rows).read_bytes(), "found, not computed"
    made = {str(f.relative_to("scratch/figures")) for f in Path("scratch/figures").rglob("*.*")}
    assert made == {"7_first_answer/share.png", "7_first_answer.json"}

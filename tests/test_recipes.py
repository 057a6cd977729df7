"""The recipes of docs/extending.md are followed literally: their files are written, their code is
run."""

import importlib
import re
from pathlib import Path

import pytest

from chain_of_steps import figures, puzzles
from chain_of_steps.models.schedule import preset
from chain_of_steps.puzzles import reading, scoring, suite
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
    for package in (puzzles, interventions, figures):
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


def test_a_puzzle(follow, monkeypatch):
    module, row, look = blocks("How to add a puzzle")
    follow(module)
    slide = importlib.import_module("chain_of_steps.puzzles.slide")
    task = eval(row, {"Task": suite.Task, "Slide": slide.Slide})
    monkeypatch.setitem(suite.TASKS, task.name, task)
    follow(look)
    for sample in suite.draw(task.name, 20, 0):
        (answer,) = sample.solutions.answers
        for frames, size in ((5, 48), (9, 96)):
            video = sample.render(answer, size, frames)
            assert scoring.score(sample, video) == 1.0 and reading.drawn(sample, video[-1])
            assert scoring.score(sample, video[:1].repeat(frames, axis=0)) == 0.0
        for value in range(len(sample.parts[0].values)):
            video = sample.render((value,))
            assert reading.decided(sample, video[-1]) == (value,)
            assert scoring.score(sample, video) == float((value,) == answer)


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
    rows = "results/1_step_visualization.jsonl.gz"
    Path("results").mkdir()
    Path(rows).write_bytes((ROOT / rows).read_bytes())  # a copy: no test writes into results/
    module, notebook = blocks("How to add a figure")
    follow(module)
    names = follow(notebook)
    assert names["shares"][-1] == 1.0 and len(names["shares"]) == 20
    assert Path(rows).read_bytes() == (ROOT / rows).read_bytes(), "found, not computed"
    made = {str(f.relative_to("scratch/figures")) for f in Path("scratch/figures").rglob("*.*")}
    assert made == {"7_first_answer/share.png", "7_first_answer.json"}

"""The recipes of docs/extending.md are followed literally: their files are written, their code is
run."""

import importlib
import re
from pathlib import Path

import pytest
import tiny
import yaml

from chain_of_steps import figures, puzzles, sampling
from chain_of_steps.figures import registry
from chain_of_steps.figures.ensemble_table import runs as ensemble_runs
from chain_of_steps.figures.ensemble_table.strategies import Strategy
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading, scoring, suite
from chain_of_steps.sampling import arms, interventions
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.prefix_tree import Branch, grow
from chain_of_steps.sampling.rollouts import Member

ROOT = Path(__file__).parent.parent
RECIPES = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")

needs_model = pytest.mark.skipif(
    not (ROOT / "data/mini/model_index.json").exists(),
    reason="the mini model is not here; `dvc pull` fetches it",
)


def blocks(heading: str, language: str = "python") -> list[str]:
    """The code blocks of a recipe, in order."""
    recipe = re.search(rf"^## {heading}\n(.*?)(?=^##|\Z)", RECIPES, re.S | re.M).group(1)
    return re.findall(rf"```{language}\n(.*?)```", recipe, re.S)


@pytest.fixture
def follow(tmp_path, monkeypatch):
    """Writes the file that a block names in its first line, where the package finds it; runs any
    other block."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    for package in (puzzles, sampling, interventions, figures):
        own = tmp_path / "src" / package.__name__.replace(".", "/")
        own.mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(own)])

    def follow(block: str) -> dict:
        file = re.match(r"# (src/\S+\.py)\n", block)
        names: dict = {}
        if file:
            Path(file.group(1)).parent.mkdir(exist_ok=True)
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
def test_a_strategy(follow, monkeypatch):
    module, arm, line, use = blocks("How to add a strategy")
    follow(module)
    names = follow(use)
    kind = names["SecondLook"]
    assert not names["clip"].equal(names["rollouts"].final(Member(0)))
    monkeypatch.setitem(arms.KINDS, kind.__name__, kind)
    ((design, how),) = eval(arm, {"SecondLook": kind, "LEVEL": ensemble_runs.LEVEL}).items()
    known, chosen = ensemble_runs.arms_of, (*ensemble_runs.CHOSEN_FROM, design)
    monkeypatch.setattr(ensemble_runs, "arms_of", lambda *_, **__: known(*_, **__) | {design: how})
    monkeypatch.setattr(ensemble_runs, "CHOSEN_FROM", chosen)

    section = yaml.safe_load((ROOT / "params.yaml").read_text())["smoke"]["5_ensemble_table"]
    settings = section["table"]
    experiment = ensemble_runs.Ensemble(VideoModel(tiny.mini_like()), preset(section["preset"]))
    planned = [run for run in experiment.plan(**settings) if run.arm == how]
    assert [run.split for run in planned] == ["test", "validation"], "in the table, to be chosen"
    assert experiment.run_of(experiment.identity(planned[0])) == planned[0]
    steps, ((name, row),) = experiment.schedule.steps, eval(line, {"Strategy": Strategy}).items()
    assert name == design and row.nfe(how, steps) == experiment.evaluations(planned[:1])
    ((_, result),) = experiment.results(planned[:1])
    assert row.valid(result) == result["valid"] and row.nfe(how, steps) == steps + 1


@pytest.fixture
def registered(follow, tmp_path):
    """The figure of the recipe, written and registered in a copy of params.yaml; its cells."""
    cells = []
    for block in blocks("How to add a figure"):
        if block.startswith("# notebooks/8_first_answer.ipynb"):
            cells.append(block)
        else:
            follow(block)
    parameters = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    (added,) = blocks("How to add a figure", "yaml")
    for scale, own in yaml.safe_load(added).items():
        parameters[scale] |= own
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(parameters, sort_keys=False))
    return parameters, cells


def test_a_figure_is_found_through_the_parameters(registered, tmp_path):
    parameters, cells = registered
    model = VideoModel(tiny.mini_like())
    for scale in ("smoke", "mini", "real"):
        section = parameters[scale]["8_first_answer"]
        (use,) = registry.uses(
            tmp_path / "params.yaml", {"8_first_answer": section}, lambda _: model, ""
        )
        assert use.experiment.name == "8_first_answer"
        assert len(use.runs) == len(section["cells"]) * section["samples_per_cell"]
        values: dict = {}
        exec(cells[0], values)
        assert {"quick", "changes", "model", "load", "results", "out", "section"} == {
            name for name in values if not name.startswith("__")
        }


@needs_model
def test_a_figure_is_drawn(registered):
    parameters, cells = registered
    names: dict = {}
    exec(cells[0], names)
    names["section"] = parameters["smoke"]["8_first_answer"]  # as the pipeline does
    for cell in cells[1:]:
        exec(re.sub(r"^%.*$", "", cell, flags=re.M), names)
    (found,) = names["summary"]["cells"].values()
    assert found["share"][-1] == 1.0 and len(found["share"]) == 5 and found["n"] == 1
    assert [file.name for file in Path("scratch/results").iterdir()] == ["8_first_answer.jsonl"]
    made = {str(f.relative_to("scratch/figures")) for f in Path("scratch/figures").rglob("*.*")}
    pictures = {f"8_first_answer/share.{ending}" for ending in ("png", "svg")}
    assert made == {*pictures, "8_first_answer.json"}

"""The step budget on tiny random models: rows by identity, readouts against examples, figures that
draw."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
import yaml

from chain_of_steps.bench import tasklist
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import planned, sweep
from chain_of_steps.figures.ensemble_table import analysis as ensemble_table_analysis
from chain_of_steps.figures.step_budget import analysis, plots
from chain_of_steps.figures.step_budget.runs import (
    FewSteps,
    StepBudget,
    StudentEnsemble,
    StudentSteps,
)
from chain_of_steps.figures.step_visualization import analysis as step_visualization_analysis
from chain_of_steps.figures.step_visualization.runs import StepVisualization
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate

ROOT = Path(__file__).parent.parent
GROUP = {"tasks": ["maze", "bounce"], "samples_per_task": 1, "suite_seed": 7}
STEPS = GROUP | {"null_per_task": 0, "null_seeds": 0}
USUAL = Schedule("usual", "euler", 8, shift=3.0)


@pytest.fixture(scope="module")
def model():
    pipe = tiny.mini_like()
    pipe.scheduler = preset("mini").scheduler("sample")
    return VideoModel(pipe)


@pytest.fixture(scope="module")
def rows(model, tmp_path_factory):
    experiment = StepBudget(model, USUAL)
    runs = experiment.plan(
        **GROUP, deep={"maze": 2}, steps=[2, 4, 12], samplers=["euler", "unipc"], frames=[5]
    )
    return experiment, runs, sweep(experiment, Store(tmp_path_factory.mktemp("x"), "x"), runs)


def test_every_way_is_run_once(rows):
    experiment, runs, found = rows
    assert len(runs) == len(set(runs)) == len(found) == 2 * (2 * 3 + 2) + 4
    assert {run.sampler for run in runs if run.index == 1} == {"euler"}, (
        "more mazes with the usual sampler alone"
    )
    assert experiment.evaluations(runs) == sum(len(row["result"]["score_at"]) for row in found)


def test_a_row_is_the_loop_on_its_own_grid(rows, model):
    experiment, _, found = rows
    for row in found[::5]:
        assert experiment.measure(row["run"]) == row["result"]
    row = next(
        row for row in found if row["run"]["sampler"] == "unipc" and row["run"]["steps"] == 12
    )
    sample = tasklist.draw_one(row["run"]["task"], row["run"]["index"], 7)
    grid = Schedule("any", "unipc", 12, shift=3.0)
    clip = model.decode(
        generate(model, model.prepare_sample(sample), grid, row["run"]["seed"]).latents[-1]
    )
    assert row["result"]["score_at"][-1] == round(sample.score(clip), 4)
    assert row["result"]["sigmas"] == [round(sigma, 4) for sigma in grid.sigmas]


def test_fewer_steps_are_guided_as_usual(model, monkeypatch):
    usual, grids = replace(preset("paper"), shift=3.0), []
    experiment = StepBudget(model, usual)
    run = experiment.plan(**GROUP, deep={}, steps=[2], samplers=["euler"], frames=[])[0]

    def watched(*arguments, **more):
        grids.append(arguments[2])
        return generate(*arguments, **more)

    monkeypatch.setattr("chain_of_steps.figures.step_budget.runs.generate", watched)
    list(experiment.results([run]))
    assert grids == [replace(usual, name="euler-2", steps=2)] and grids[0].guidance == 5.0


def test_scores_are_paired_by_sample():
    def row(index, score, steps=8, sampler="euler", frames=9):
        run = {"task": "maze", "index": index, "sampler": sampler, "steps": steps, "frames": frames}
        return {
            "run": run,
            "result": {"score_at": [0.0] * (steps - 1) + [score], "sigmas": [1.0] * steps + [0.0]},
        }

    rows = [row(i, 1.0) for i in (0, 1)] + [row(i, 0.25 + 0.25 * i, steps=4) for i in (0, 1)]
    rows += [row(0, 0.5, frames=5), row(1, 1.0, frames=5)]
    summary = analysis.summary(analysis.table(rows), 8, "euler", 9)
    assert summary["contrasts"]["few_steps_cost"]["mean"] == pytest.approx((0.75 + 0.5) / 2)
    assert summary["contrasts"]["fewest_frames_cost"]["mean"] == pytest.approx(0.25)
    assert summary["by_frames"]["frames"] == [5, 9] and summary["by_steps"]["euler"]["steps"] == [
        4,
        8,
    ]
    assert summary["by_sigma"][8]["solved"] == [0.0] * 7 + [1.0]


def test_several_candidates_count_at_shared_noise_levels_only():
    def lines(present, commit, score):
        present = np.array(present)
        solved = np.zeros(len(present), bool)
        line = {
            "task": "maze",
            "index": 0,
            "present": present,
            "commit": commit,
            "score": score,
            "solved_at": solved,
        }
        return pd.DataFrame([line])

    between = lines(
        [1, 2, 1, 1, 1, 1, 1, 1], 3.0, 1.0
    )  # two present at step 1 of 8, which the others do not visit
    compared = analysis.compare(
        between, lines([1, 1, 2, 1], np.nan, 0.5), lines([1, 1, 1, 1], 0.0, 0.25)
    )
    assert [compared[name]["several"]["mean"] for name in ("usual", "few", "student")] == [
        0.0,
        1.0,
        0.0,
    ]
    assert [compared[name]["decided"]["mean"] for name in ("usual", "few", "student")] == [
        0.0,
        0.0,
        1.0,
    ]
    assert compared["contrasts"]["student_cost"]["mean"] == 0.75
    assert compared["contrasts"]["window_closes"]["mean"] == 1.0


def test_a_group_of_parameters_may_name_its_own_model_and_preset(model):
    loaded = []

    def load(folder):
        loaded.append(folder)
        return model

    experiment, runs = planned(
        StudentSteps, STEPS | {"model": "elsewhere", "preset": "student"}, load, "here", "mini"
    )
    assert loaded == ["elsewhere"] and experiment.schedule == preset("student") and len(runs) == 2
    experiment, _ = planned(StudentSteps, STEPS, load, "here", "mini")
    assert loaded == ["elsewhere", "here"] and experiment.schedule == preset("mini")


def test_the_usual_runs_are_those_of_notebook_1():
    for scale, sections in yaml.safe_load((ROOT / "params.yaml").read_text()).items():
        if scale != "figures":
            ours = sections["6_step_budget"]["usual"] | {
                "preset": sections["6_step_budget"]["preset"]
            }
            assert ours == sections["1_step_visualization"], scale


def test_every_figure_draws(rows, model, tmp_path):
    plans = {FewSteps: STEPS, StudentSteps: STEPS, StudentEnsemble: GROUP | {"windows": [1, 2]}}
    found = {}
    for kind, group in plans.items():
        experiment, runs = planned(kind, group, lambda _: model, "", "student")
        found[kind] = experiment, sweep(experiment, Store(tmp_path, experiment.name), runs)
    usual = StepVisualization(model, preset("mini"))
    tables = [
        step_visualization_analysis.table(
            sweep(usual, Store(tmp_path, usual.name), usual.plan(**STEPS))
        ),
        *(step_visualization_analysis.table(found[kind][1]) for kind in (FewSteps, StudentSteps)),
    ]
    compared = analysis.compare(*tables)
    lines = analysis.table(rows[2])
    summary = analysis.summary(lines[lines["index"] < 1], 8, "euler", 9)
    mazes = analysis.summary(analysis.within("maze", lines, "euler", 9), 8, "euler", 9)
    assert (
        mazes["n"] == 2
        and mazes["by_frames"]["frames"] == [9]
        and list(mazes["by_steps"]) == ["euler"]
    )
    both = {"all": compared, "mazes": compared}
    ensemble, ensemble_rows = found[StudentEnsemble]
    gains = analysis.ensemble(
        ensemble_table_analysis.table(ensemble_rows, ensemble.variants([1, 2]), 4)
    )
    assert set(gains) == {
        "vote_k3",
        "recognised_k3",
        "x0_merge_1_steps",
        "x0_merge_2_steps",
        "legal_k3",
        "pass_k3",
    }
    shown = [(usual, found[FewSteps][1]), *(found[kind] for kind in (FewSteps, StudentSteps))]
    cases = [
        case for experiment, its_rows in shown for case in experiment.first(its_rows, tmp_path)
    ]
    assert [case.label for case in cases] == ["20 steps", "4 steps", "student"]
    levels = preset("student").sigmas[:-1]
    for figure in (
        plots.scores({"all": summary, "mazes": mazes}, both),
        plots.by_sigma({"all": summary, "mazes": mazes}, both, levels),
        plots.student(compared, gains),
        plots.mazes(cases, levels),
    ):
        figure.savefig(tmp_path / "x.png")

"""The perturbation experiment on a tiny random model: shared = alone, killed = whole, null =
nothing."""

import multiprocessing
import time
from pathlib import Path

import pytest
import tiny
import torch

from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures.perturbation_curves.designs import NoiseRun, window
from chain_of_steps.figures.perturbation_curves.runs import Perturbation
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.interventions import NoiseAtCells, NoiseAtFrame, NoiseAtStep

SCHEDULE = Schedule("test", "euler", 5, shift=3.0)


@pytest.fixture(scope="module")
def experiment():
    return Perturbation(VideoModel(tiny.mini_like()), SCHEDULE)


def small_plan() -> list[NoiseRun]:
    experiment = Perturbation(VideoModel(tiny.mini_like()), SCHEDULE)
    return experiment.plan(
        ["maze", "bounce"], 1, 1, 1, ["maze"], step_stride=2, frame_stride=4, suite_seed=7
    )


def test_a_row_is_the_same_alone_and_in_company(experiment, tmp_path):
    runs = small_plan()
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    assert len(rows) == len(runs) > 60
    for row in rows[:: len(rows) // 12]:
        assert experiment.measure(row["run"]) == row["result"]


def test_it_makes_as_many_evaluations_as_it_says(experiment, tmp_path):
    runs, made = [run for run in small_plan() if run.task == "maze"], []
    list(experiment.results(runs, count=lambda: made.append(1)))
    assert len(made) == experiment.evaluations(runs)


def test_an_identity_describes_its_run(experiment):
    for run in small_plan():
        assert experiment.run_of(experiment.identity(run)) == run


def test_a_null_intervention_changes_no_map(experiment):
    null = NoiseRun("maze", 0, 7, 0, "cell", (NoiseAtCells(()),), maps=True)
    result = experiment.measure(experiment.identity(null))
    assert max(map(abs, result["x"] + result["x0_hat"] + result["tokens"])) < 1e-9
    assert max(result["evidence"]) == 0.0 and result["cells"] == 0


def test_maps_begin_where_the_noise_enters(experiment):
    result = experiment.measure(
        experiment.identity(NoiseRun("maze", 0, 7, 0, "step", (NoiseAtStep(3),), maps=True))
    )
    assert result["from"] == 3 and len(result["x"]) == 2
    assert result["x"][0] == pytest.approx(1.0, abs=0.1), (
        "replaced latents are unrelated to those before"
    )


def test_doses_are_equal_where_they_should_be(experiment):
    runs = [run for run in small_plan() if run.task == "maze" and run.design in ("step", "scatter")]
    doses = {(run.design, result["cells"]) for run, result in experiment.results(runs)}
    assert doses == {("step", 9), ("scatter", 9)}
    assert [len(window(c, 9, 20)) for c in (0, 3, 10, 19)] == [9] * 4
    assert window(10, 9, 20) == tuple(range(6, 15))


def test_equal_dose_designs_spare_the_given_and_the_scored_frame():
    for run in small_plan():
        (intervention,) = run.interventions or (None,)
        if run.design == "window":
            assert intervention.frame in range(1, 8)
        if run.design == "scatter":
            assert {f for _, f in intervention.cells} <= set(range(1, 8))


def test_runs_of_a_plan_differ(experiment):
    runs = experiment.plan("all", 3, 2, 1, ["maze"], step_stride=2, frame_stride=2, suite_seed=7)
    assert len(set(runs)) == len(runs)
    frames = {run.interventions[0].frame for run in runs if run.design == "frame"}
    assert frames == {0, 2, 4, 6, 8} and isinstance(
        runs[-1].interventions[0], NoiseAtFrame | NoiseAtStep | NoiseAtCells
    )


def test_processes_give_the_same_rows(experiment, tmp_path):
    runs = small_plan()[::7]
    alone = sweep(experiment, Store(tmp_path, "alone"), runs)
    assert sweep(experiment, Store(tmp_path, "shared"), runs, workers=2) == alone


def test_rows_of_a_batch_are_rows_of_their_own_and_say_the_same(experiment, tmp_path):
    runs = small_plan()[::6]
    one, many = (sweep(experiment, Store(tmp_path, "x"), runs, batch=b) for b in (1, 16))
    assert not {row["key"] for row in one} & {row["key"] for row in many}
    assert many == sweep(experiment, Store(tmp_path, "shared"), runs, workers=2, batch=16)
    for a, b in zip(one, many, strict=True):
        assert b["run"] == a["run"] | {"batch": 16} and "batch" not in a["run"]
        for name in ("answer", "valid", "cells"):
            assert a["result"][name] == b["result"][name]
        assert a["result"]["energy"] == pytest.approx(b["result"]["energy"], abs=2e-3)
        for name in {"x", "x0_hat", "tokens"} & a["result"].keys():
            assert a["result"][name] == pytest.approx(b["result"][name], abs=2e-3)


def test_processes_do_not_share_a_gpu(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(experiment.model, "device", torch.device("cuda"))
    with pytest.raises(ValueError, match="2 processes cannot share a GPU's model"):
        sweep(experiment, Store(tmp_path, "x"), small_plan(), workers=2)


def work(folder: Path, workers: int = 1, seal: bool = True) -> None:
    """What is killed: the whole small plan, into a store."""
    store = Store(folder, "x")
    sweep(
        Perturbation(VideoModel(tiny.mini_like()), SCHEDULE), store, small_plan(), workers=workers
    )
    if seal:
        store.seal()


@pytest.mark.filterwarnings("ignore:.*damaged")  # a line that the kill cut short
def test_killed_at_ten_moments_it_ends_with_the_same_bytes(tmp_path):
    work(tmp_path / "whole", seal=False)
    process, file, lines = None, tmp_path / "killed" / "x.jsonl", 0
    for kill in range(10):
        process = multiprocessing.get_context("fork").Process(
            target=work, args=(tmp_path / "killed",)
        )
        process.start()
        while process.is_alive() and _lines(file) <= lines + kill:
            time.sleep(0.001 * (1 + kill % 3))
        assert process.is_alive(), "it should have been killed in the middle"
        process.kill()
        process.join()
        lines = _lines(file)
    assert lines < _lines(tmp_path / "whole" / "x.jsonl")
    Store(tmp_path / "whole", "x").seal()
    work(tmp_path / "killed", workers=2)
    whole, killed = (tmp_path / name / "x.jsonl.gz" for name in ("whole", "killed"))
    assert killed.read_bytes() == whole.read_bytes() and not file.exists()


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0

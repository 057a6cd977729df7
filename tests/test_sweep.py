"""A sweep shares computation between runs; every run equals the naive run, bit by bit."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from noised import Noised

from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import MODES, NoiseAtCells, NoiseAtFrame, NoiseAtStep
from chain_of_steps.sampling.prefix_tree import Branch, evaluations, grow

STEPS, SEED = 6, 3
EULER = Schedule("test", "euler", STEPS, shift=5.0, guidance=2.0)


@pytest.fixture
def condition(model, picture):
    return model.prepare("draw the path from green to red", picture, 9)


def random_branches(seed: int, frames: int, count: int = 12) -> list[Branch]:
    """A clean run, and runs of one to three interventions of all kinds, some ending early."""
    rng = np.random.default_rng(seed)

    def one():
        step, frame, mode = (
            int(rng.integers(STEPS)),
            int(rng.integers(frames)),
            MODES[rng.integers(3)],
        )
        options = {"mode": mode, "seed": int(rng.integers(2))}
        kinds = [
            NoiseAtStep(step, **options),
            NoiseAtFrame(frame, **options),
            NoiseAtCells(((step, frame),), **options),
        ]
        return kinds[rng.integers(3)]

    branches = [Branch(tuple(one() for _ in range(rng.integers(1, 4)))) for _ in range(count)]
    return (
        [Branch(b.interventions, until=int(rng.integers(1, STEPS + 1))) for b in branches[:4]]
        + branches
        + [Branch()]
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_run_is_the_naive_run(model, condition, seed):
    branches = random_branches(seed, condition.shape[2])
    seen = dict(
        grow(
            model, condition, EULER, SEED, branches, watch=lambda s, x, x0_hat: float(x0_hat.sum())
        )
    )
    assert set(seen) == set(range(len(branches)))
    for index, branch in enumerate(branches):
        naive = generate(
            model, condition, EULER, SEED, interventions=branch.interventions, until=branch.until
        )
        shared = seen[index]
        assert len(shared.latents) == len(naive.latents) and len(shared.x0_hats) == len(
            naive.x0_hats
        )
        assert all(map(torch.equal, shared.latents, naive.latents))
        assert all(map(torch.equal, shared.x0_hats, naive.x0_hats))
        assert (shared.cells, shared.energy) == (naive.cells, naive.energy)
        assert shared.watched == [float(x0_hat.sum()) for x0_hat in naive.x0_hats]


def test_each_state_and_step_is_evaluated_once(model, condition, monkeypatch):
    branches = [Branch(), *(Branch((NoiseAtStep(s),)) for s in range(STEPS))]
    calls = []
    predict = model.predict
    monkeypatch.setattr(
        model, "predict", lambda *given, **hooks: calls.append(1) or predict(*given, **hooks)
    )
    counted = []
    list(grow(model, condition, EULER, SEED, branches, count=lambda: counted.append(1)))
    assert len(calls) == len(counted) == evaluations(branches, STEPS, condition.shape[2])
    assert len(calls) == STEPS + sum(STEPS - s for s in range(STEPS))


def test_cells_of_the_same_noise_share_their_future():
    row = NoiseAtCells(tuple((2, f) for f in range(9)))
    assert evaluations([Branch((NoiseAtStep(2),)), Branch((row,))], STEPS, 9) == STEPS
    assert (
        evaluations([Branch((NoiseAtStep(2),)), Branch((NoiseAtStep(2, seed=1),))], STEPS, 9)
        == 2 * STEPS - 2
    )
    assert evaluations([Branch(until=4), Branch(until=2)], STEPS, 9) == 4


def test_the_clean_run_comes_first(model, condition):
    branches = [Branch((NoiseAtStep(0),)), Branch((NoiseAtStep(4),)), Branch()]
    assert next(grow(model, condition, EULER, SEED, branches))[0] == 2


def test_a_path_beyond_its_budget_is_refused(model, condition):
    with pytest.raises(MemoryError, match="more than their budget"):
        list(grow(model, condition, EULER, SEED, [Branch()], budget=1000))


def whole_plan() -> tuple[Noised, list]:
    """About 40 runs of an experiment."""
    model = VideoModel(tiny.mini_like())
    experiment = Noised(model, Schedule("test", "euler", 5, shift=3.0))
    return experiment, experiment.plan(["maze", "bounce walls=1"], 2, 7, 1, 2)


def test_a_row_is_the_same_alone_and_in_company(tmp_path):
    experiment, runs = whole_plan()
    rows = sweep(experiment, Store(tmp_path, "x"), runs)
    assert len(rows) == len(runs) > 30
    for row in rows[:: len(rows) // 8]:
        assert experiment.measure(row["run"]) == row["result"]


def work(folder: Path, workers: int = 1, seal: bool = True) -> None:
    """What is killed: the whole plan, into a store."""
    store, (experiment, runs) = Store(folder, "x"), whole_plan()
    sweep(experiment, store, runs, workers=workers)
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
        while process.is_alive() and _lines(file) <= lines + kill // 3:
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

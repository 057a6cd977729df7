"""The controls of the phase diagram on picture models."""

from pathlib import Path

import numpy as np
import pytest
import torch

from chain_of_steps.bench import samples
from chain_of_steps.figures.when_steps_matter import analysis, in_pictures, networks
from chain_of_steps.measures.batches import PictureBatch
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel

ROOT = Path(__file__).parent.parent
CELLS = ("latin order=4 log2=3", "maze rooms=5 paths=2")


@pytest.fixture(scope="module")
def mini() -> VideoModel:
    return VideoModel.load(ROOT / "data/mini")


@pytest.fixture(scope="module", params=CELLS)
def batch(request, mini) -> PictureBatch:
    drawn = [samples.draw_one(request.param, i, 3) for i in range(3)]
    return PictureBatch(drawn, range(3), model=mini)


def test_the_truth_is_valid_and_a_blend_of_values_is_not(batch):
    assert batch.valid(batch.truth()).all()
    assert not batch.valid(batch.blank()).any()
    flipped = batch.truth().roll(1, 0)
    assert not batch.valid(flipped).all()  # the answers of other boards


def test_a_run_is_the_same_in_any_batch(batch, mini):
    schedule = preset("mini/2")
    together = batch.generate(mini, schedule)
    for i, sample in enumerate(batch.samples):
        alone = PictureBatch([sample], [i], model=mini)
        (own,) = alone.generate(mini, schedule).x0_hats[-1:]
        torch.testing.assert_close(together.x0_hats[-1][i : i + 1], own, rtol=1e-4, atol=1e-4)
        assert alone.decided(own)[0].tolist() == batch.decided(together.x0_hats[-1])[i].tolist()


def test_the_exact_posterior_decides_for_a_valid_answer_where_noise_has_picked_one(batch, mini):
    trajectory = batch.generate(mini, preset("mini/2"))
    trajectory.latents[1] = 0.9 * batch.truth() + 0.1 * trajectory.latents[0]
    trajectory.sigmas[1] = 0.1
    assert batch.exact_along(trajectory)[1].all()


def test_runs_become_entries_of_the_same_kind(mini):
    ours = in_pictures.InPictures(mini, preset("mini"))
    shown = {"pictures-L8-0": {"folder": "", "cells": [CELLS[0]]}}
    fixed = {"samples_per_cell": 3, "steps": 2, "chunk": 2, "validation": 1, "suite_seed": 3}
    runs = ours.plan(models=shown, **fixed)
    assert [run.count for run in runs] == [2, 1]
    assert {run.weights for run in runs} == {mini.fingerprint}
    counted = []
    rows = [
        {"run": vars(run), "result": result}
        for run, result in ours.results(runs, lambda: counted.append(1))
    ]
    assert len(counted) <= ours.evaluations(runs)
    (entry,) = analysis.entries(rows)
    assert entry.network == networks.Network("pictures-L8-0", "pictures", 8, seed=0)
    assert entry.own.shape == entry.exact.shape == (2, 3) and entry.one["T"].all()
    np.testing.assert_array_equal(entry.curve[0], entry.own[0])  # I_1 is step 0
    (record,) = analysis.summary([entry])["cells"]
    assert record["layers"] == 8 and record["n"] == 3 and record["phase"]

"""The benchmark compares like with like: the stock pipeline with a callback gives what our sweep
gives."""

import sys
from pathlib import Path

import pytest
import tiny
import torch

from chain_of_steps.models.schedule import preset
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import NoiseAtStep
from chain_of_steps.training.recipe import save_pipeline

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import sweep
from layers import LayerBench, has_nnsight


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    pipe, folder = tiny.mini_like(), tmp_path_factory.mktemp("model")
    save_pipeline(folder, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    (folder / "training.json").write_text("{}")
    return sweep.Bench(str(folder))


@pytest.mark.parametrize("step", [1, 7, 49])
def test_both_sides_do_the_same_job(bench, step):
    ours = generate(
        bench.model, bench.condition, sweep.SCHEDULE, 0, interventions=[NoiseAtStep(step)]
    )
    assert torch.equal(ours.latents[-1], bench.pipeline(step))


def test_all_ways_to_patch_a_layer_give_the_same(bench):
    patch = LayerBench(bench.model, bench.condition, sweep.SCHEDULE)
    ours = patch.ours()
    assert len(ours) == 2 and not torch.equal(ours[0], bench.model.predict(*plain(patch)))
    for way in (patch.hooks, *([patch.nnsight] if has_nnsight() else [])):
        assert all(torch.equal(a, b) for a, b in zip(ours, way(), strict=True))


def plain(patch: LayerBench) -> tuple:
    return patch.x, patch.t, patch.condition, patch.schedule


def test_the_theory_is_that_of_the_paper_sized_job(bench):
    jobs = sweep.branches()
    bench.sweep(jobs)
    assert bench.executed == sweep.evaluations(jobs, 50, 5) == 1325
    assert sweep.evaluations(sweep.branches(after=5), 50, 5) == 290


def test_the_cost_is_drawn(tmp_path):
    sweep.cost_figure(str(tmp_path / "cost.png"))
    assert (tmp_path / "cost.png").stat().st_size > 10_000

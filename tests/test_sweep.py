"""A sweep shares computation between runs; every run equals the naive run, bit by bit."""

import numpy as np
import pytest
import torch

from chain_of_steps.models.schedule import Schedule
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

"""The posterior denoiser: against brute force, at its limits, and on real samples."""

import numpy as np
import pytest
import torch

from chain_of_steps.measures.answers import given, solution_latents, symbol_encoder, uninformative
from chain_of_steps.measures.batches import SymbolBatch
from chain_of_steps.measures.posterior import LEAST_SEEDS, calibrated, posterior
from chain_of_steps.models.symbols import beliefs
from chain_of_steps.puzzles import suite

SHAPE = (2, 1, 3, 3)


def random(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def several():
    return suite.draw_one("latin_small", 0, 0, order=4, log2=2)


def test_two_atoms_on_a_line_worked_out_by_hand():
    """Atoms 1 and -1, the state at .25 and sigma = .5. Half of each atom is 1/4 and 3/4 away, so
    the exponents are -(1/16) / (1/2) and -(9/16) / (1/2), which differ by 1: the odds are e to 1,
    and the mean is tanh(1/2)."""
    atoms = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1, 1)
    found = posterior(torch.full((1, 1, 1, 1, 1), 0.25), 0.5, atoms)
    assert found.weights[0].tolist() == pytest.approx([0.7310586, 0.2689414], abs=1e-7)
    assert float(found.mean) == pytest.approx(0.4621172, abs=1e-7)


def test_a_longer_atom_is_no_nearer_for_its_length():
    """Atoms 1 and 3, the state at 1 and sigma = .5: the halves are 1/2 away on either side."""
    atoms = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1)
    found = posterior(torch.ones(1, 1, 1, 1, 1), 0.5, atoms)
    assert found.weights[0].tolist() == [0.5, 0.5] and float(found.mean) == 2.0


@pytest.mark.parametrize("sigma", [0.05, 0.3, 0.9, 1.0])
def test_it_is_bayes_rule(sigma):
    atoms, x = random(5), random(7, 1)
    found = posterior(x, sigma, atoms)
    for row, state in enumerate(x.double()):
        density = [  # of N((1 - sigma) z, sigma^2), divided by its largest value
            sum(
                (float(s) - (1 - sigma) * float(z)) ** 2
                for s, z in zip(state.flatten(), a.flatten(), strict=True)
            )
            for a in atoms.double()
        ]
        density = np.exp(-(np.array(density) - min(density)) / (2 * sigma**2))
        weights = torch.tensor(density / density.sum())
        torch.testing.assert_close(found.weights[row], weights)
        mean = sum(w * a for w, a in zip(weights, atoms.double(), strict=True))
        torch.testing.assert_close(found.mean[row], mean.float())
        assert sigma == 1.0 or found.decided[row] == weights.argmax()


def test_each_state_has_its_own_level():
    atoms, x, sigmas = random(4), random(3, 1), torch.tensor([0.2, 0.5, 0.8])
    together = posterior(x, sigmas, atoms)
    for row, sigma in enumerate(sigmas.tolist()):
        alone = posterior(x[row : row + 1], sigma, atoms)
        torch.testing.assert_close(together.mean[row], alone.mean[0])


def test_pure_noise_says_nothing():
    atoms, x = random(6), random(4000, 1)
    found = posterior(x, 1.0, atoms)
    torch.testing.assert_close(found.weights, torch.full((4000, 6), 1 / 6, dtype=torch.float64))
    torch.testing.assert_close(found.mean[0], atoms.mean(0))
    counts = np.bincount(found.decided, minlength=6)
    assert counts.min() > 560  # of 667, all ties
    assert torch.equal(posterior(x, 1.0, atoms).decided, found.decided)
    assert not torch.equal(posterior(x, 1.0, atoms, seed=1).decided, found.decided)


@pytest.mark.parametrize("sigma", [0.0, 1e-12, 1e-3])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_no_noise_says_all(sigma, scale):
    atoms = scale * random(5)
    found = posterior(atoms + 1e-3 * scale * random(5, 1), sigma, atoms)
    assert torch.equal(found.decided, torch.arange(5))
    torch.testing.assert_close(found.weights, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(found.mean, atoms)


def test_equally_near_atoms_stay_a_tie_without_noise():
    atoms = torch.stack([torch.ones(SHAPE), -torch.ones(SHAPE), 9 * torch.ones(SHAPE)])
    found = posterior(torch.zeros(500, *SHAPE), 0.0, atoms)
    torch.testing.assert_close(found.weights[0], torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64))
    assert 200 < int((found.decided == 0).sum()) < 300 and not (found.decided == 2).any()


def test_a_repeated_atom_weighs_twice():
    one, x = random(3), random(4, 1)
    twice = posterior(x, 0.5, torch.cat([one, one[:1]])).weights
    once = posterior(x, 0.5, one).weights
    torch.testing.assert_close(
        (twice[:, 0] + twice[:, 3]) / twice[:, 1], 2 * once[:, 0] / once[:, 1]
    )


def test_calibrated_is_the_posterior_of_enough_other_runs():
    finals, x = random(LEAST_SEEDS), random(2, 1)
    assert torch.equal(calibrated(x, 0.4, finals).weights, posterior(x, 0.4, finals).weights)
    with pytest.raises(ValueError, match="at least 32 other seeds"):
        calibrated(x, 0.4, finals[1:])


@pytest.mark.parametrize(
    ("x", "sigma", "atoms", "message"),
    [
        (random(2), 0.5, random(0), "K of 1 or more"),
        (random(2)[..., :2], 0.5, random(2), "expected"),
        (random(2), 1.5, random(2), "expected 0 to 1"),
        (random(2), torch.tensor([0.5, float("nan")]), random(2), "expected 0 to 1"),
    ],
)
def test_nonsense_is_refused(x, sigma, atoms, message):
    with pytest.raises(ValueError, match=message):
        posterior(x, sigma, atoms)


def test_the_posterior_of_the_solutions_shows_each_by_its_weight(several):
    atoms = solution_latents(several, symbol_encoder(several))
    assert len(atoms) == len(several.solutions)
    x = 0.3 * atoms[:1] + 0.7 * torch.randn(
        atoms[:1].shape, generator=torch.Generator().manual_seed(0)
    )
    found = posterior(x, 0.7, atoms)
    answers = np.array(several.solutions.answers)
    expected = np.einsum("k,kpv->pv", found.weights[0].numpy(), answers[..., None] == np.arange(4))
    np.testing.assert_allclose(beliefs(several, found.mean)[0], expected, atol=1e-6)


def test_the_batched_denoiser_is_one_posterior_for_each_run(several):
    other = suite.draw_one("latin_small", 1, 0, order=4, rounds=2)
    batch = SymbolBatch([several, other], [0, 1])
    x = batch.noise()
    found = batch.exact(x, 0.6)
    for row, sample in enumerate(batch.samples):
        atoms = solution_latents(sample, symbol_encoder(sample))
        assert torch.equal(found[row], posterior(x[row : row + 1], 0.6, atoms).mean[0])


def test_too_many_solutions_are_no_exact_posterior():
    sample = suite.draw_one("latin", 0, 0, order=6, clues=2)
    with pytest.raises(ValueError, match="too many to list"):
        solution_latents(sample, symbol_encoder(sample))


def test_the_uninformative_blend_shows_clues_and_the_mean_of_values(several):
    blend = uninformative(several, symbol_encoder(several))
    shown, clues = beliefs(several, blend)[0].numpy(), given(several)
    assert (shown[clues < 0] == 0.25).all()
    assert (shown[clues >= 0] == np.eye(4)[clues[clues >= 0]]).all()
    assert (blend[:, 4:] == -1.0).all()  # channels of larger orders


@pytest.mark.parametrize(("task", "share"), [("relay", 0.5), ("relay_end", 1 / 3)])
def test_the_blend_of_a_relay(task, share):
    relay = suite.draw_one(task, 0, 0, routes=3, moves=4)
    found = beliefs(relay, uninformative(relay, symbol_encoder(relay)))[0].numpy()
    np.testing.assert_allclose(found, share, atol=1e-6)

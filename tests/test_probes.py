"""Readouts on made-up trajectories whose answers are known."""

import numpy as np
import pytest
import torch

from chain_of_steps.figures.step_visualization import analysis
from chain_of_steps.measures import presence
from chain_of_steps.measures.intervals import interval
from chain_of_steps.measures.linear_probes import cells_of


def test_net_evidence_leaves_out_what_is_no_control():
    raw = np.array([[0.5, 0.8]])
    control = np.array([[[0.1, np.nan], [0.3, np.nan]]])  # (S, U, K)
    assert presence.net_evidence(raw, control)[0] == pytest.approx([0.3, 0.8])


def test_identical_controls_leave_a_threshold_of_zero():
    control = np.full((3, 4, 2), 0.4)
    assert presence.presence_threshold([control]) == pytest.approx(np.zeros(3))


def test_nothing_is_present_where_nothing_is_shown():
    assert not presence.present(np.zeros((5, 3)), np.zeros(5)).any()


def test_what_cannot_be_seen_is_not_present_even_where_the_control_shows_nothing():
    net = np.array([[0.9, 0.04, 0.06]])
    assert presence.present(net, np.zeros(1)).tolist() == [[True, False, True]]
    assert presence.present(net, np.full(1, 0.5)).tolist() == [[True, False, False]]
    assert presence.present(net, np.zeros(1), floor=0.0).all()


@pytest.mark.parametrize(
    ("net", "expected"),
    [([0.9, 0.1], 0), ([0.1, 0.9], 1), ([0.55, 0.5], -1), ([0.0, 0.0], -1)],
)
def test_leader_is_clearly_ahead_or_none(net, expected):
    net = np.array([net])
    assert presence.leader(net, presence.present(net, np.zeros(1)))[0] == expected


@pytest.mark.parametrize(
    ("leaders", "expected"),
    [([1, 1, 1], 0), ([0, 1, 1], 1), ([1, 0, 1], 2), ([1, 1, 0], None), ([-1, -1, 1], 2)],
)
def test_commit_step_is_the_first_for_good(leaders, expected):
    assert presence.commit_step(np.array(leaders), 1) == expected


def test_posterior_mean_is_the_prior_mean_in_pure_noise_and_the_candidate_at_the_end():
    candidates = torch.stack([torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)])
    prior = np.array([0.25, 0.75])
    noise = torch.randn(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert presence.posterior_mean(noise, 1.0, candidates, prior) == pytest.approx(0.75)
    nearly_done = 0.99 * candidates[1:] + 0.01 * noise
    assert presence.posterior_mean(nearly_done, 0.01, candidates, prior) == pytest.approx(1.0)


def test_posterior_mean_agrees_with_bayes_rule_for_two_points():
    sigma, x = 0.8, torch.full((1, 1, 1, 1, 1), 0.1)
    candidates = torch.tensor([-1.0, 2.0]).view(2, 1, 1, 1, 1)
    likelihood = np.exp(-((0.1 - 0.2 * np.array([-1.0, 2.0])) ** 2) / (2 * sigma**2))
    weights = likelihood / likelihood.sum()
    expected = weights @ np.array([-1.0, 2.0])
    assert presence.posterior_mean(
        x, sigma, candidates, np.array([0.5, 0.5])
    ).item() == pytest.approx(expected, abs=1e-6)


def test_priors_are_named_and_sum_to_one():
    priors = presence.priors(["valid", "wrong", "illegal"], [0, 0, 1, None])
    assert set(priors) == {"bayes", "ignorant", "calibrated"}
    assert all(p.sum() == pytest.approx(1.0) for p in priors.values())
    assert priors["bayes"].tolist() == [1.0, 0.0, 0.0]
    assert priors["calibrated"][0] > priors["calibrated"][1] > priors["calibrated"][2] > 0


def test_bootstrap_covers_the_mean_and_leaves_out_nan():
    found = interval(np.array([1.0, 2.0, 3.0, np.nan]))
    assert (
        found["n"] == 3
        and found["mean"] == 2.0
        and 1.0 <= found["low"] < 2.0 < found["high"] <= 3.0
    )
    assert interval([np.nan])["n"] == 0


def test_frames_that_commit_together_have_no_slope_and_a_chain_of_frames_has_one():
    assert analysis.frame_slope(np.array([np.nan, 7, 7, 7, 7])) == pytest.approx(0.0, abs=1e-9)
    assert analysis.frame_slope(np.array([np.nan, 2, 4, 6, 8])) == pytest.approx(2.0)
    assert np.isnan(analysis.frame_slope(np.array([np.nan, np.nan, 6, 8])))
    assert np.isnan(analysis.frame_slope(np.zeros(5))), "all decided at step 0: it cannot tell"


def test_exploring_is_several_at_some_step_and_one_in_the_end():
    counts = np.array([[3, 2, 1], [1, 1, 1], [3, 2, 2], [2, 0, 0]])
    assert analysis.explored(counts).tolist() == [True, False, False, True]


def test_chance_is_an_unrelated_clip_that_shows_anything_beside_its_own_answer():
    control = np.zeros((3, 4, 3))  # (S, U, K)
    control[:, :, 0] = np.nan  # covered by every unrelated sample's own answer
    control[1, 0, 1] = 0.9  # one clip shows one other candidate, once
    assert analysis._chance(control, np.zeros(3)) == 0.25


def test_rooms_fill_by_distance_on_the_path_and_off_it():
    rooms = {
        "distance": [1, 2, 2],
        "on_path": [True, True, False],
        "ink": [[0.0, 0.2, 0.1], [1.0, 0.8, 0.0]],
    }
    ink = analysis._ink([rooms, rooms])
    assert ink["distance"] == [1, 2] and ink["mazes"] == 2
    assert ink["on_path"] == [[0.0, 0.2], [1.0, 0.8]] and ink["off_path"] == [
        [None, 0.1],
        [None, 0.0],
    ]


@pytest.mark.parametrize(("speed", "slope"), [(0, 0.0), (2, 2.0)])
def test_a_frontier_has_an_onset_slope_and_all_at_once_has_none(speed, slope):
    distance = np.arange(6)
    ink = [[float(step >= 3 + speed * d) for d in distance] for step in range(20)]
    rooms = {"distance": distance.tolist(), "on_path": [True] * 6, "ink": ink}
    assert analysis.onset_slope(rooms) == pytest.approx(slope, abs=1e-9)
    assert np.isnan(analysis.onset_slope(rooms | {"ink": np.ones((20, 6)).tolist()})), (
        "there at step 0: it cannot tell"
    )


def gaussian(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.randn((rows, columns), generator=torch.Generator().manual_seed(seed))


def test_cka_of_independent_noise_is_zero_even_with_many_features():
    values = [
        presence.cka(gaussian(100, 10_368, 2 * i), gaussian(100, 10_368, 2 * i + 1))
        for i in range(5)
    ]
    assert abs(np.mean(values)) < 0.02 and np.abs(values).max() < 0.03


def test_cka_does_not_see_rotation_scale_or_shift():
    a = gaussian(200, 12, 0)
    rotation = torch.linalg.qr(gaussian(12, 12, 1))[0]
    assert presence.cka(a, 3.0 * a @ rotation + 5.0) == pytest.approx(1.0, abs=1e-6)


def test_cka_is_that_of_the_kernel_matrices():
    a, b, n = gaussian(50, 7, 0).double(), gaussian(50, 9, 1).double() + gaussian(50, 1, 2), 50
    a = a + gaussian(50, 1, 2)

    def hsic(x, y):  # Song et al. 2012, equation 5, as it stands there
        k, m = (z @ z.T for z in (x, y))
        k, m = k - torch.diag(k.diag()), m - torch.diag(m.diag())
        one = torch.ones(n, dtype=torch.float64)
        terms = torch.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        return (terms - 2.0 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))

    expected = hsic(a, b) / (hsic(a, a) * hsic(b, b)).sqrt()
    assert presence.cka(a, b) == pytest.approx(float(expected), rel=1e-6)
    assert 0.05 < float(expected) < 0.95


def test_tokens_are_positions_with_channels():
    latents = gaussian(1, 3 * 2 * 4 * 5, 0).view(1, 3, 2, 4, 5)
    assert torch.equal(presence.tokens(latents)[1 * 20 + 2 * 5 + 3], latents[0, :, 1, 2, 3])


@pytest.mark.parametrize("patch", [(1, 1, 1), (1, 2, 2)])
def test_cells_are_what_tokens_cover(patch):
    _, p, q = patch
    latents = gaussian(1, 3 * 2 * 4 * 6, 0).view(1, 3, 2, 4, 6)
    cells = cells_of(latents, patch)
    assert cells.shape == (2 * (4 // p) * (6 // q), 3 * p * q)
    frame, row, column = 1, 1, 2
    token = frame * (4 // p) * (6 // q) + row * (6 // q) + column
    piece = latents[0, :, frame, row * p : (row + 1) * p, column * q : (column + 1) * q]
    assert torch.equal(cells[token], piece.flatten())
    if patch == (1, 1, 1):
        assert torch.equal(cells, presence.tokens(latents))

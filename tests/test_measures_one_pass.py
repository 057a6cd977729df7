"""One-pass controls: identities, and batches that equal runs one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import WanTransformer3DModel

from chain_of_steps.measures import known_denoisers as known
from chain_of_steps.measures import one_pass
from chain_of_steps.measures.batches import SymbolBatch, estimate_of
from chain_of_steps.measures.one_pass import Runs, control, iterated, passes, renoised
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.symbols import GIVEN, LATENT, TEXT, SymbolPipeline
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import latin_squares, suite
from chain_of_steps.sampling.denoise import generate

SCHEDULE = Schedule("known", "euler", 20, 3.0)
KINDS = {"latin_small": {"order": 4, "clues": 6}, "relay": {"moves": 4}, "relay_end": {"moves": 4}}
every_kind = pytest.mark.parametrize("task", KINDS)
LATENTS = torch.arange(4.0).view(4, 1, 1, 1, 1)


def batch(task: str = "latin_small", count: int = 3, split: str = "test", **knobs) -> SymbolBatch:
    samples = suite.draw(task, count, 0, split, **(knobs or KINDS[task]))
    return SymbolBatch(samples, range(7, 7 + count))


def untrained(puzzle: str) -> VideoModel:
    torch.manual_seed(5)
    network = WanTransformer3DModel(
        patch_size=(1, 1, 1),
        num_attention_heads=1,
        attention_head_dim=32,
        in_channels=LATENT[puzzle] + GIVEN[puzzle],
        out_channels=LATENT[puzzle],
        text_dim=TEXT,
        freq_dim=16,
        ffn_dim=32,
        num_layers=1,
        rope_max_seq_len=16,
    )
    scheduler = SCHEDULE.scheduler("sample")
    return VideoModel(SymbolPipeline(network, scheduler, puzzle), size=1, frames=1)


def made_up(estimate, valid=lambda z: (z > 0).flatten(1).all(1).numpy(), first=LATENTS) -> Runs:
    names = [f"run {i}" for i in range(len(first))]
    return Runs(names, estimate, valid, torch.zeros_like(first), first, torch.ones_like(first))


# Noise.


def test_noise_belongs_to_run_level_and_number():
    z, names = torch.randn(3, 2, 1, 4, 4), ["a", "b", "c"]
    eps = renoised(torch.zeros_like(z), 1.0, names)
    assert torch.equal(eps, renoised(z, 1.0, names))  # at sigma = 1 nothing of z is left
    assert torch.equal(eps[1:], renoised(z[1:], 1.0, names[1:]))  # in any batch
    assert torch.equal(renoised(z, 0.0, names), z)
    mixed = renoised(z, 0.3, names)
    torch.testing.assert_close(mixed - 0.7 * z, renoised(torch.zeros_like(z), 0.3, names))
    others = [renoised(z, 1.0, names, 1), renoised(z, 1.0, ["d", "e", "f"]), eps[[1, 2, 0]]]
    assert all((other != eps).all() for other in others)
    assert (renoised(0 * z, 0.3, names) / 0.3 != renoised(0 * z, 0.4, names) / 0.4).all()


def test_passes_go_from_each_estimate_to_the_next():
    seen = []
    runs = made_up(lambda x, sigma: seen.append((x, sigma)) or x + 1.0)
    passes(runs, LATENTS, 0.2, 3)
    expected = renoised(LATENTS, 0.2, runs.names, 0)
    for number, (x, sigma) in enumerate(seen):
        assert torch.equal(x, expected) and sigma == 0.2
        expected = renoised(x + 1.0, 0.2, runs.names, number + 1)


@pytest.mark.parametrize("fresh", [True, False])
def test_noise_is_fresh_or_equal(fresh):
    seen = []
    runs = made_up(lambda x, sigma: seen.append(x) or torch.zeros_like(x))
    passes(runs, torch.zeros_like(LATENTS), 0.5, 3, fresh)
    assert torch.equal(seen[0], seen[1]) is torch.equal(seen[1], seen[2]) is not fresh


# Controls.


def test_a_perfect_pass_is_right_from_anywhere():
    runs = made_up(lambda x, sigma: torch.ones_like(x))
    for z in ("blank", "first", "truth"):
        assert control(runs, runs, z).valid.all()


def test_a_pass_that_copies_is_as_right_as_what_it_starts_from():
    runs = made_up(lambda x, sigma: x.round(), first=torch.tensor([0.0, 2.0]).view(2, 1, 1, 1, 1))
    grid = (0.001,)
    assert control(runs, runs, "first", grid).valid.tolist() == [False, True]
    assert control(runs, runs, "truth", grid).valid.all()
    assert not control(runs, runs, "blank", grid).valid.any()


def test_the_level_is_chosen_on_validation_runs_alone():
    best = {"validation": 0.3, "test": 0.6}
    validation, test = (
        made_up(lambda x, sigma, s=s: torch.full_like(x, 1.0 if sigma == s else -1.0))
        for s in best.values()
    )
    found = control(validation, test, "first")
    assert found.sigma == 0.3 and not found.valid.any()
    assert all(i.sigma == 0.3 for i in iterated(validation, test, most=3)[1:])


@pytest.mark.parametrize(
    ("shares", "index"), [([0.1, 0.9, 0.5], 1), ([0, 1, 1, 1, 0], 2), ([1, 1], 1), ([0.0] * 5, 2)]
)
def test_of_equally_good_levels_the_middle_one_is_taken(shares, index):
    assert one_pass.middle_of_best(np.array(shares)) == index


def test_the_first_of_the_iterated_is_step_0_and_the_second_is_f():
    runs = batch(count=12, order=4, rounds=3)
    denoiser = known.RoundAPass(torch.tensor([s.state["clues"] for s in runs.samples]))
    first = denoiser(runs.noise(), 1.0)
    both = runs.runs(denoiser, first)
    found = iterated(both, both, most=4)
    f = control(both, both, "first")
    assert found[0].sigma == 1.0 and (found[0].valid == runs.valid(first)).all()
    assert found[1].sigma == f.sigma and (found[1].valid == f.valid).all()
    assert len(found) == 4


def test_the_control_of_k_passes_is_read_after_k_passes():
    """Each pass adds 1, and 3 or more is valid: one more of the runs 0, 1, 2, 3 with each pass."""
    runs = made_up(lambda x, s: x.round() + 1, lambda z: (z >= 3).flatten(1).all(1).numpy())
    found = one_pass.at_levels(runs, [0.001, 0.002, 0.001])
    assert [control.sigma for control in found] == [1.0, 0.001, 0.002, 0.001]
    assert [int(control.valid.sum()) for control in found] == [1, 2, 3, 4]


def test_levels_are_chosen_for_two_four_and_eight_passes():
    """The best level of k passes is k / 10 here; nothing but these numbers is tried."""
    tried = []

    def estimate(x, sigma):
        tried.append(sigma)
        return torch.full_like(x, sigma)

    def valid(z):
        sigma, count = tried[-1], sum(s == tried[-1] for s in tried)
        return np.array([round(10 * sigma) == count + 1] * 2)

    runs = replace(made_up(estimate), valid=valid)
    grid = (0.8, 0.4, 0.2)
    assert one_pass.best_levels(runs, grid, 10) == [0.2, 0.4, 0.4, *[0.8] * 6]
    assert len(tried) == 3 * 7
    tried.clear()
    assert one_pass.best_levels(runs, grid, 2) == [0.2]
    assert len(tried) == 3


# Batches.


@every_kind
def test_a_batch_makes_the_runs_that_its_samples_make_alone(task):
    runs = batch(task)
    model = untrained(runs.samples[0].puzzle.name)
    together = runs.generate(model, SCHEDULE)
    for row, (sample, seed) in enumerate(zip(runs.samples, runs.seeds, strict=True)):
        alone = generate(model, model.prepare_sample(sample), SCHEDULE, seed)
        for ours, theirs in zip(together.x0_hats, alone.x0_hats, strict=True):
            torch.testing.assert_close(ours[row : row + 1], theirs, atol=1e-4, rtol=1e-4)


def test_a_model_as_a_function_makes_the_estimates_of_the_loop():
    runs, model = batch(), untrained("latin")
    trajectory = runs.generate(model, SCHEDULE)
    estimate = estimate_of(model, runs.condition, SCHEDULE)
    timesteps = SCHEDULE.scheduler("sample").timesteps  # whole: what a network is conditioned on
    for s in (1, 9, 19):
        found = estimate(trajectory.latents[s], float(timesteps[s]) / 1000.0)
        torch.testing.assert_close(found, trajectory.x0_hats[s], atol=1e-4, rtol=1e-4)


@every_kind
def test_the_truth_is_valid_and_the_blend_is_not_decided(task):
    runs = batch(task, count=8)
    assert runs.valid(runs.truth()).all() and runs.truth().shape == runs.noise().shape
    assert runs.blank().shape == runs.noise().shape
    # The blend is a tie in every open part, so what is decided on it is left to the seed.
    seeds = [SymbolBatch(runs.samples, runs.seeds, ties=t) for t in range(2)]
    one, other = (np.concatenate(each.decided(runs.blank())) for each in seeds)
    assert (one != other).any()
    assert (one == np.concatenate(seeds[0].decided(runs.blank()))).all()
    last = SymbolBatch(runs.samples[-1:], runs.seeds[-1:])  # in any batch
    assert (last.decided(last.blank())[0] == seeds[0].decided(runs.blank())[-1]).all()


def test_ties_of_two_runs_are_broken_apart():
    (sample,) = batch(count=1).samples
    runs = SymbolBatch([sample] * 20, range(20))
    assert len({tuple(answer) for answer in runs.decided(runs.blank())}) > 10


def test_the_exact_posterior_is_read_at_the_runs_own_states(monkeypatch):
    runs, seen = batch(count=2), []
    trajectory = runs.generate(known.InTheLoop(lambda x, sigma: runs.truth()), SCHEDULE)
    ask = lambda batch: lambda x, sigma: seen.append((x, sigma)) or runs.truth()  # noqa: E731
    monkeypatch.setattr(SymbolBatch, "exact", property(ask))
    assert runs.exact_along(trajectory).all() and len(seen) == SCHEDULE.steps
    for s, (x, sigma) in enumerate(seen):
        assert x is trajectory.latents[s]
        assert sigma == pytest.approx(SCHEDULE.sigmas[s], abs=1e-5)


def test_names_and_clusters():
    (sample,) = batch(count=1).samples
    runs = SymbolBatch([sample, sample], [1, 2])
    assert len(set(runs.names)) == 2 and len(set(runs.clusters)) == 1
    assert (runs.noise()[0] != runs.noise()[1]).any()


def test_answers_beyond_those_listed_are_checked_one_by_one():
    sample = suite.draw_one("latin", 0, 0, order=6, clues=2)
    runs = SymbolBatch([sample], [0])
    assert sample.solutions.more
    clues = np.array(sample.state["clues"], np.int8)
    unlisted = next(
        square
        for square in (latin_squares.random_square(np.random.default_rng(i), 6) for i in range(999))
        if (square == clues)[clues >= 0].all()
        and tuple(square.ravel().tolist()) not in sample.solutions.answers
    )
    latents = known.latents_of(torch.tensor(unlisted)[None].long(), 6)
    assert runs.valid(latents).all()
    assert not runs.valid(latents.flip(-1)).any()
    assert not runs.valid(runs.blank()).any()


# The known denoisers' parts.


@pytest.mark.parametrize("knobs", [{"order": 4, "rounds": 3}, {"order": 4, "clues": 5}])
def test_singles_are_those_of_propagation(knobs):
    for sample in batch(count=6, **knobs).samples:
        clues = np.array(sample.state["clues"], np.int8)
        found = known.singles(torch.tensor(clues).long()[None])[0].numpy()
        rounds = latin_squares.propagate(clues)
        if rounds is None:
            continue
        answer = np.array(sample.solutions.answers[0]).reshape(clues.shape)
        assert ((found >= 0) == (rounds == 1)).all()
        assert (found == answer)[rounds == 1].all()


def test_boards_are_read_back_at_little_noise_and_not_at_much():
    runs = batch(count=8)
    board = torch.tensor([s.state["clues"] for s in runs.samples])
    z = known.latents_of(board, 6)
    assert torch.equal(z, runs.blank())
    for sigma, share in ((0.05, 1.0), (0.1, 1.0), (0.9, 0.0), (1.0, 0.0)):
        found = known.read(renoised(z, sigma, runs.names), sigma, 4)
        assert (found == board)[board >= 0].float().mean() == share
        assert (found == board)[board < 0].all()


def test_values_that_repeat_are_not_written():
    board = torch.tensor([[[0, -1, -1], [-1, -1, -1], [-1, -1, -1]]])
    values = torch.tensor([[[1, 0, 2], [1, -1, 1], [2, 1, -1]]])
    assert known.with_values(board, values).tolist() == [[[0, -1, 2], [-1, -1, -1], [2, 1, -1]]]


def test_the_loop_takes_a_known_denoiser_for_a_model():
    runs = batch(count=4)
    trajectory = runs.generate(known.InTheLoop(lambda x, sigma: runs.truth()), SCHEDULE)
    for s, (x, sigma) in enumerate(zip(trajectory.latents, trajectory.sigmas, strict=True)):
        expected = (1 - sigma) * runs.truth() + sigma * runs.noise()
        torch.testing.assert_close(x, expected, atol=1e-4, rtol=1e-4, msg=f"step {s}")
    assert runs.along(trajectory).all() and runs.along(trajectory).shape == (20, 4)

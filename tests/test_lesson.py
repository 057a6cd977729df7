"""The walkthrough's helpers: what they give the reader's own functions is the library's run."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from notebook_files import load

from chain_of_steps.figures.lesson import Lesson, strip

ROOT = Path(__file__).parent.parent
SQUARE = "latin order=4 clues=2"
solutions = load("walkthrough_solutions")


@pytest.fixture(scope="module")
def lesson():
    if not (ROOT / "data/mini/model_index.json").exists():
        pytest.skip("the mini model is not here; `dvc pull` fetches it")
    return Lesson(str(ROOT / "data/mini"), str(ROOT / "data/symbols"))


@pytest.fixture(scope="module")
def problem(lesson):
    return lesson.problem(SQUARE, 1, steps=3)


def run(network, x, sigmas):
    """The reader's loop, from the reference solutions."""
    estimates = []
    for sigma, sigma_next in pairwise(sigmas):
        x0_hat = solutions.clean_estimate(x, sigma, network(x, sigma))
        x = solutions.step(x, x0_hat, sigma, sigma_next)
        estimates.append(x0_hat)
    return estimates


def test_the_readers_loop_is_the_librarys_run(problem):
    mine = run(problem.network, problem.noise(), problem.sigmas)
    for own, theirs in zip(mine, problem.library_run().estimates, strict=True):
        torch.testing.assert_close(own, theirs, atol=1e-3, rtol=1e-4)


def test_a_full_patch_gives_the_donors_estimate_and_not_its_video(problem):
    donor, last = problem.with_seed(7), problem.model.layers - 1
    own, theirs = problem.library_run().estimates, donor.library_run().estimates
    states = donor.states(1)
    assert sorted(states) == list(range(-1, last + 1))
    for layer in (0, last):
        patched = problem.patched_run(1, layer, states[layer]).estimates
        assert torch.equal(patched[0], own[0])
        torch.testing.assert_close(patched[1], theirs[1], atol=1e-4, rtol=1e-4)
        assert (patched[2] - theirs[2]).abs().max() > 0.01


def test_the_machine_that_knows_the_answers_ends_on_one(problem):
    answers = problem.answers()
    assert len(answers) == len(problem.sample.solutions)

    def machine(x, sigma):
        w = solutions.weights(x, sigma, answers).view(-1, 1, 1, 1, 1)
        return (x - (w * answers).sum(0, keepdim=True)) / sigma

    many = problem.with_seed(3)
    estimates = run(machine, many.noise(), np.linspace(1, 0, 31).tolist())
    found = problem.shown(estimates).verdict()
    assert found.valid and found.drawn


def test_every_run_has_its_verdict_below(problem):
    shown = problem.shown(problem.answers()[4:7].split(1), "three answers")
    assert shown.verdict(0).text == f"valid: answer 5 of {len(problem.sample.solutions)}; " + (
        "drawn clearly"
    )
    assert str(shown.verdict()) in shown._repr_html_() and str(shown.verdict()) in repr(shown)
    texts = [text.get_text() for axis in strip(shown).axes for text in axis.texts]
    assert texts == [str(shown.verdict())]


def test_a_group_of_boards_goes_through_the_same_loop(lesson):
    if not (ROOT / "data/symbols/latin-L1-0").exists():
        pytest.skip("the symbol networks are not here; `dvc pull` fetches them")
    group = lesson.group("latin-L1-0", "latin order=4 clues=12", count=5, steps=4)
    mine = run(group.network, group.noise(), group.sigmas)
    theirs = group.batch.generate(group.model, group.schedule).x0_hats
    torch.testing.assert_close(mine[-1], theirs[-1], atol=1e-3, rtol=1e-3)
    assert group.share_valid(group.batch.truth()) == 1.0
    assert not torch.equal(group.noise(0), group.noise(1))

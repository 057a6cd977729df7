"""The exercises of the notebook on training: right answers pass, wrong ones get an explanation."""

from itertools import pairwise

import pytest
import torch
from notebook_files import load

checks, solutions = load("train_checks"), load("train_solutions")


@pytest.mark.parametrize("name", checks.CHECKS)
def test_the_reference_solution_is_right(name):
    assert checks.CHECKS[name](getattr(solutions, name)).right


@pytest.mark.parametrize("name", checks.CHECKS)
@pytest.mark.parametrize("unfinished", [..., None, lambda *_: ..., lambda *_: 1 / 0])
def test_what_is_not_begun_is_not_yet_right(name, unfinished):
    assert not checks.CHECKS[name](unfinished).right


def loss(level=None, mix=None, target=None, reduce=None):
    """A loss with one part replaced."""

    def wrong(network, x_0, given):
        x_1 = torch.randn_like(x_0)
        sigma = (level or (lambda n: torch.rand(n, 1, 1)))(len(x_0))
        x = mix(x_0, x_1, sigma) if mix else (1 - sigma) * x_0 + sigma * x_1
        error = network(x, sigma, given) - (target(x_0, x_1) if target else x_1 - x_0)
        return (reduce or torch.mean)(error.pow(2))

    return wrong


def steps(sigmas=None, towards=None, listed=None):
    """A sampler with one part replaced."""

    def wrong(network, x, given, count):
        levels = (sigmas or (lambda n: torch.linspace(1, 0, n + 1)))(count)
        found = []
        for sigma, after in pairwise(levels):
            x0_hat = x - sigma * network(x, sigma, given)
            x = (
                towards(x, x0_hat, sigma, after)
                if towards
                else (x0_hat + after / sigma * (x - x0_hat))
            )
            found.append(listed(x, x0_hat) if listed else x0_hat)
        return found

    return wrong


@pytest.mark.parametrize(
    ("name", "wrong", "why"),
    [
        ("loss", lambda network, x_0, given: x_0.mean(), "never asks the network"),
        ("loss", loss(level=lambda n: torch.rand(1, 1, 1)), "one noise level per board"),
        ("loss", loss(level=lambda n: torch.full((n, 1, 1), 0.5)), "one noise level per board"),
        ("loss", loss(mix=lambda a, b, s: s * a + (1 - s) * b), "not on the line"),
        ("loss", loss(target=lambda a, b: a - b), "points to the noise"),
        ("loss", loss(target=lambda a, b: a), "minus the velocity"),
        ("loss", loss(reduce=torch.sum), "minus the velocity"),
        ("loss", loss(reduce=lambda e: e), "one number"),
        ("read", lambda x: x.argmax(1), "which axis"),
        ("read", lambda x: x.argmin(-1), "weakest"),
        ("read", lambda x: x.max(-1).values, "index of the strongest"),
        ("generate", lambda network, x, given, count: x, "Return a list"),
        ("generate", steps(sigmas=lambda n: torch.linspace(0.9, 0, n + 1)), "noise levels"),
        ("generate", steps(towards=lambda x, c, s, n: c), "left the line"),
        ("generate", steps(listed=lambda x, c: x), "x - sigma v of every step"),
        ("refine", lambda f, c, e, g, s: c, "One pass is meant"),
        ("refine", lambda f, c, e, g, s: c - s * f(c, s, g), "Noise the estimate first"),
        (
            "refine",
            lambda f, c, e, g, s: f((1 - s) * c + s * e, 1.0, g),
            "the noise level that x has",
        ),
        ("refine", lambda f, c, e, g, s: f((1 - s) * c + s * e, s, g), "clean estimate"),
    ],
)
def test_a_wrong_answer_is_told_what_it_does(name, wrong, why):
    feedback = checks.CHECKS[name](wrong)
    assert not feedback.right and why in feedback.why, feedback


def test_a_list_of_estimates_stays_a_list_of_tensors():
    x, given = torch.randn(2, 16, 4), torch.zeros(2, 16, 5)

    def as_arrays(*args):
        return [each.numpy() for each in solutions.generate(*args)]

    for answer in (solutions.generate, as_arrays):
        found = checks.usable(generate=answer)(lambda x, sigma, given: x, x, given, 3)
        wanted = solutions.generate(lambda x, sigma, given: x, x, given, 3)
        assert len(found) == 3 and all(map(torch.equal, found, wanted))

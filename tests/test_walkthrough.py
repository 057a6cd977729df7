"""The walkthrough's checks: reference solutions pass, and each wrong one gets an explanation."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from chain_of_steps.measures.decisions import commit_steps
from chain_of_steps.models import schedule

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, NOTEBOOKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


checks, solutions = load("walkthrough_checks"), load("walkthrough_solutions")
EXERCISES = {
    "check_noisy": "noisy",
    "check_clean_estimate": "clean_estimate",
    "check_step": "step",
    "check_commit_step": "commit_step",
    "check_first_step": "first_step",
    "check_dose": "dose",
    "check_swap": "swap",
    "check_variance": "variance",
    "check_null": "weights",
}


@pytest.mark.parametrize("check", EXERCISES)
def test_the_reference_solution_is_right(check):
    verdict = getattr(checks, check)(getattr(solutions, EXERCISES[check]))
    assert verdict.right and repr(verdict).startswith("Right. ")


def test_the_noise_levels_that_it_names_are_those_of_the_presets():
    paper, mini, student = (schedule.preset(name).sigmas for name in ("paper", "mini", "student"))
    assert paper == mini and len(mini) == 51 and len(student) == 5
    assert (
        f"these 50 steps stand at sigma {mini[2]:.2f}, the four of a distilled student at "
        f"{student[2]:.2f}" in checks.check_first_step(0.0041).why
    )
    assert checks.check_first_step(1 - mini[1]).right


def test_the_solution_of_the_commit_step_is_the_librarys():
    values = np.random.default_rng(0).integers(0, 3, (6, 40))
    for column, step in zip(values.T, commit_steps(values), strict=True):
        assert solutions.commit_step(column.tolist()) == step


def test_every_check_has_an_exercise():
    assert set(EXERCISES) == {name for name in vars(checks) if name.startswith("check_")}


@pytest.mark.parametrize("check", EXERCISES)
def test_what_is_not_begun_is_not_yet_right(check):
    for unfinished in (..., None, lambda *_: ..., lambda *_: 1 / 0):
        verdict = getattr(checks, check)(unfinished)
        assert not verdict.right and repr(verdict).startswith("Not yet. ")


def distance(x, sigma, candidates):
    return (x - (1 - sigma) * candidates).pow(2).flatten(1).sum(1)


def softmax(distance, sigma):
    return torch.softmax(-distance.flatten(1).sum(1) / (2 * sigma**2), 0)


@pytest.mark.parametrize(
    ("check", "wrong", "why"),
    [
        ("check_noisy", lambda a, b, s: s * a + (1 - s) * b, "runs backwards"),
        ("check_noisy", lambda a, b, s: a + s * b, "keep the whole clip"),
        ("check_noisy", lambda a, b, s: a * b, "weights that sum to 1"),
        ("check_clean_estimate", lambda x, s, v: x + s * v, "towards the noise"),
        ("check_clean_estimate", lambda x, s, v: x - v, "too far"),
        ("check_clean_estimate", lambda x, s, v: x, "How many of it"),
        ("check_step", lambda x, c, s, n: c, "jump to the clean estimate"),
        ("check_step", lambda x, c, s, n: x + (s - n) * (x - c), "walk away"),
        ("check_step", lambda x, c, s, n: x + (s - n) * (c - x), "share of what"),
        ("check_step", lambda x, c, s, n: x, "What share"),
        ("check_clean_estimate", lambda x, s, v: s, "a tensor is expected"),
        ("check_commit_step", lambda v: v.index(v[-1]), "leave it again"),
        ("check_commit_step", lambda v: solutions.commit_step(v) + 1, "counted from 0"),
        ("check_commit_step", lambda v: solutions.commit_step(v) - 1, "the next one is meant"),
        ("check_commit_step", lambda v: 0, "Go back from the end"),
        ("check_commit_step", lambda v: "2", "is not a number"),
        ("check_first_step", 0.9959, "How far is it from 1"),
        ("check_first_step", "0.4 %", "is not a number"),
        ("check_first_step", 0.02, "an unshifted grid"),
        ("check_first_step", 0.41, "factor of 100"),
        ("check_first_step", 0.5, "with u = 1 - 1/50"),
        ("check_dose", (50, 5), "other way round"),
        ("check_dose", (1, 1), "Draw the grid"),
        ("check_dose", 29, "two numbers"),
        ("check_swap", "a", "nothing of the receiver"),
        ("check_swap", "b", "other than the state"),
        ("check_swap", "d", 'Answer "a"'),
        ("check_variance", lambda k: k**-0.5, "standard deviation"),
        ("check_variance", lambda k: 1, "cancel in part"),
        ("check_variance", lambda k: k, "divide the sum"),
        ("check_null", lambda x, s, c: softmax((x - c).pow(2), s), "a candidate is faded"),
        ("check_null", lambda x, s, c: softmax(-((x - (1 - s) * c).pow(2)), s), "reward distance"),
        (
            "check_null",
            lambda x, s, c: softmax((x - (1 - s) * c).pow(2), 2.0),
            "variance sigma squared",
        ),
        ("check_null", lambda x, s, c: softmax((x - (1 - s) * c).pow(2) / 48, s), "squares add up"),
        (
            "check_null",
            lambda x, s, c: torch.softmax(-distance(x, s, c).sqrt() / (2 * s**2), 0),
            "falls with its square",
        ),
        (
            "check_null",
            lambda x, s, c: torch.exp(-distance(x, s, c) / (2 * s**2)),
            "divide by their sum",
        ),
        ("check_null", lambda x, s, c: torch.ones(3), "sum to 1"),
        ("check_null", lambda x, s, c: torch.ones(2), "Expected 3 weights"),
    ],
)
def test_a_wrong_answer_is_told_what_it_does(check, wrong, why):
    verdict = getattr(checks, check)(wrong)
    assert not verdict.right and why in verdict.why

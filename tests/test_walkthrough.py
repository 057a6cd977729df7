"""The walkthrough's checks: reference solutions pass, and each wrong one gets an explanation."""

import numpy as np
import pytest
import torch
from notebook_files import load

from chain_of_steps.measures.decisions import commit_steps
from chain_of_steps.models import schedule

checks, solutions = load("walkthrough_checks"), load("walkthrough_solutions")
MEASURED = {
    "easy": {"A_0": 0.95, "A_S": 1.0, "B": 0.9, "F": 1.0},
    "idle": {"A_0": 0.5, "A_S": 0.52, "B": 0.4, "F": 0.5},
    "noise": {"A_0": 0.1, "A_S": 0.6, "B": 0.58, "F": 0.3},
    "look": {"A_0": 0.1, "A_S": 0.6, "B": 0.2, "F": 0.6},
    "work": {"A_0": 0.1, "A_S": 0.6, "B": 0.2, "F": 0.3},
    "lost": {"A_0": 0.1, "A_S": 0.1, "B": 0.1, "F": 0.1},
}
PHASES = {
    "easy": "glance",
    "idle": "flat",
    "noise": "blur",
    "look": "one refinement",
    "work": "chain",
    "lost": "failure",
}
EXERCISES = [name for name in checks.CHECKS if name != "phases"]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_reference_solution_is_right(name):
    feedback = checks.CHECKS[name](getattr(solutions, name))
    assert feedback.right and repr(feedback).startswith("Right. ")


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


def test_every_exercise_has_a_solution():
    assert set(EXERCISES) <= set(vars(solutions)) and len(EXERCISES) == 9


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("unfinished", [..., None, "...", lambda *_: ..., lambda *_: 1 / 0])
def test_what_is_not_begun_is_not_yet_right(name, unfinished):
    feedback = checks.CHECKS[name](unfinished)
    assert not feedback.right and repr(feedback).startswith("Not yet. ")


def as_arrays(function):
    """The function as one of numpy arrays."""
    return lambda *args: np.asarray(function(*args))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("noisy", as_arrays(solutions.noisy)),
        ("clean_estimate", as_arrays(solutions.clean_estimate)),
        ("step", as_arrays(solutions.step)),
        ("commit_step", lambda values: np.int64(solutions.commit_step(values))),
        ("first_step", torch.tensor(solutions.first_step)),
        ("first_step", np.array([solutions.first_step])),
        ("first_step", "0.41 %"),
        ("dose", [5, 50]),
        ("dose", torch.tensor([5, 50])),
        ("dose", np.array([5.0, 50.0])),
        ("swap", "C"),
        ("swap", " c) "),
        ("swap", "(c)"),
        ("variance", lambda k: torch.tensor(1 / k)),
        ("weights", as_arrays(solutions.weights)),
        ("weights", lambda *args: solutions.weights(*args)[:, None]),
        ("weights", lambda *args: solutions.weights(*args).tolist()),
    ],
)
def test_the_form_of_an_answer_does_not_matter(name, answer):
    assert checks.CHECKS[name](answer).right


def test_an_answer_that_is_not_right_is_replaced_and_that_is_said(capsys):
    mine, other = checks.usable(step=as_arrays(solutions.step), noisy=lambda a, b, sigma: a)
    assert capsys.readouterr().out.count("stands in") == 1
    x, y = torch.ones(2), torch.zeros(2)
    assert torch.equal(other(x, y, 0.5), solutions.noisy(x, y, 0.5))
    assert isinstance(mine(x, y, 1.0, 0.5), torch.Tensor)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_function_is_used_itself(name, capsys):
    calls = []
    answer = getattr(solutions, name)
    if callable(answer):
        wrapped = checks.usable(**{name: lambda *args: calls.append(args) or answer(*args)})
        calls.clear()
        with pytest.raises(TypeError):
            wrapped()
        assert calls == [()]
    assert not capsys.readouterr().out


def distance(x, sigma, candidates):
    return (x - (1 - sigma) * candidates).pow(2).flatten(1).sum(1)


def softmax(distance, sigma):
    return torch.softmax(-distance.flatten(1).sum(1) / (2 * sigma**2), 0)


@pytest.mark.parametrize(
    ("name", "wrong", "why"),
    [
        ("noisy", lambda a, b, s: s * a + (1 - s) * b, "runs backwards"),
        ("noisy", lambda a, b, s: a + s * b, "keep the whole clip"),
        ("noisy", lambda a, b, s: a * b, "weights that sum to 1"),
        ("noisy", 3, "not a function"),
        ("clean_estimate", lambda x, s, v: x + s * v, "towards the noise"),
        ("clean_estimate", lambda x, s, v: x - v, "too far"),
        ("clean_estimate", lambda x, s, v: x, "How many of it"),
        ("clean_estimate", lambda x, s, v: "x", "a tensor, an array or a number is expected"),
        ("clean_estimate", lambda x, v: x, "raises TypeError"),
        ("step", lambda x, c, s, n: c, "jump to the clean estimate"),
        ("step", lambda x, c, s, n: x + (s - n) * (x - c), "walk away"),
        ("step", lambda x, c, s, n: x + (s - n) * (c - x), "share of what"),
        ("step", lambda x, c, s, n: x, "What share"),
        ("commit_step", lambda v: v.index(v[-1]), "leave it again"),
        ("commit_step", lambda v: solutions.commit_step(v) + 1, "counted from 0"),
        ("commit_step", lambda v: solutions.commit_step(v) - 1, "the next one is meant"),
        ("commit_step", lambda v: 0, "Go back from the end"),
        ("commit_step", lambda v: "two", "is not a number"),
        ("first_step", 0.9959, "How far is it from 1"),
        ("first_step", "little", "is not a number"),
        ("first_step", 0.02, "an unshifted grid"),
        ("first_step", "1/50", "an unshifted grid"),
        ("first_step", 0.41, "factor of 100"),
        ("first_step", 0.5, "with u = 1 - 1/50"),
        ("first_step", [0.1, 0.2], "not one number"),
        ("dose", (50, 5), "other way round"),
        ("dose", (1, 1), "Draw the grid"),
        ("dose", 29, "Give 2 numbers"),
        ("swap", "a", "nothing of the receiver"),
        ("swap", "B)", "other than the state"),
        ("swap", "d", "what enters the next step"),
        ("swap", "e", "write a, b, c or d"),
        ("variance", lambda k: k**-0.5, "standard deviation"),
        ("variance", lambda k: 1, "cancel in part"),
        ("variance", lambda k: k, "divide the sum"),
        ("weights", lambda x, s, c: softmax((x - c).pow(2), s), "a candidate is faded"),
        ("weights", lambda x, s, c: softmax(-((x - (1 - s) * c).pow(2)), s), "reward distance"),
        ("weights", lambda x, s, c: softmax((x - (1 - s) * c).pow(2), 2.0), "sigma squared"),
        ("weights", lambda x, s, c: softmax((x - (1 - s) * c).pow(2) / 48, s), "squares add up"),
        (
            "weights",
            lambda x, s, c: torch.softmax(-distance(x, s, c).sqrt() / (2 * s**2), 0),
            "falls with its square",
        ),
        (
            "weights",
            lambda x, s, c: torch.exp(-distance(x, s, c) / (2 * s**2)),
            "divide by their sum",
        ),
        ("weights", lambda x, s, c: torch.ones(2), "Expected 3 weights"),
    ],
)
def test_a_wrong_answer_is_told_what_it_does(name, wrong, why):
    feedback = checks.CHECKS[name](wrong)
    assert not feedback.right and why in feedback.why


def test_the_phases_are_those_of_the_rule():
    assert checks.check_phases(PHASES, MEASURED).right
    spelled = {cell: f" {phase.title().replace(' ', '_')}." for cell, phase in PHASES.items()}
    assert checks.check_phases(spelled, MEASURED).right
    for cell, phase in PHASES.items():
        assert checks.phase_of(**MEASURED[cell])[0] == phase


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"lost": "chain"}, "look at A_S first"),
        ({"easy": "chain"}, "A_0 is 0.95"),
        ({"noise": "chain"}, "B is 0.58"),
        ({"look": "chain"}, "F is 0.60"),
        ({"work": "blur"}, "one more pass at its best 0.30"),
        ({"work": "..."}, "replace the three dots"),
        ({"work": "hard"}, "none of the answers"),
        ({"other": "chain"}, "Keep the names"),
    ],
)
def test_a_wrong_phase_is_told_which_number_decides(changed, why):
    feedback = checks.check_phases(PHASES | changed, MEASURED)
    assert not feedback.right and why in feedback.why

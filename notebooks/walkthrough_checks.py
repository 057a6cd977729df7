"""Checks of the walkthrough's exercises: each accepts right answers and explains wrong ones."""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from chain_of_steps.figures.exercises import (
    Feedback,
    NotAnAnswer,
    check,
    number,
    numbers,
    result,
    stand_ins,
    tensor,
    word,
)

SHAPE = (1, 4, 3, 2, 2)  # of made-up latents, (1, C, F, H, W)
PHASES = ("glance", "flat", "blur", "one refinement", "chain", "failure")


@check
def check_noisy(noisy: Callable[[Tensor, Tensor, float], Tensor]) -> Feedback:
    """Exercise 1: `noisy(x_0, x_1, sigma)`, the mixture of paper eq. 1."""
    clean, noise = _made_up(2)
    mixed = tensor(result(noisy, clean, noise, 0.25))
    if _same(mixed, 0.75 * clean + 0.25 * noise):
        return Feedback(
            True, "At sigma = 0 it is the clean clip, at 1 pure noise, in between a straight line."
        )
    if _same(mixed, 0.25 * clean + 0.75 * noise):
        why = "Yours runs backwards: at sigma = 0 it gives the noise. Which of the two fades out?"
    elif _same(mixed, clean + 0.25 * noise):
        why = "You add the noise, but keep the whole clip: at sigma = 1 the clip is still there."
    else:
        why = "Mix the two with weights that sum to 1; sigma is the weight of the noise."
    return Feedback(False, why)


@check
def check_clean_estimate(clean_estimate: Callable[[Tensor, float, Tensor], Tensor]) -> Feedback:
    """Exercise 2: `clean_estimate(x_s, sigma, v)`, paper eq. 2."""
    clean, noise = _made_up(2)
    sigma = 0.8
    x, velocity = (1 - sigma) * clean + sigma * noise, noise - clean
    found = tensor(result(clean_estimate, x, sigma, velocity))
    if _same(found, clean):
        return Feedback(
            True, "With the true velocity it is the clean clip at once, from any noise level."
        )
    if _same(found, x + sigma * velocity):
        why = "You walk along the velocity, towards the noise. The clean clip lies the other way."
    elif _same(found, x - velocity):
        why = (
            "You go too far: from noise level sigma, the clean clip is sigma velocities away, "
            "not one."
        )
    else:
        why = "The velocity is x_1 - x_0. How many of it lie between x_s and x_0?"
    return Feedback(False, why)


@check
def check_step(step: Callable[[Tensor, Tensor, float, float], Tensor]) -> Feedback:
    """Exercise 3: `step(x, x0_hat, sigma, sigma_next)`, one Euler step."""
    clean, noise = _made_up(2)
    x, wanted = 0.4 * clean + 0.6 * noise, 0.7 * clean + 0.3 * noise
    found = tensor(result(step, x, clean, 0.6, 0.3))
    if _same(found, wanted):
        return Feedback(True, "As sigma halves, so does the distance to the clean estimate.")
    if _same(found, clean):
        why = (
            "You jump to the clean estimate itself; a step only goes as far as the next noise "
            "level."
        )
    elif _same(found, x + 0.3 * (x - clean)) or _same(found, x + (x - clean) / 2):
        why = "You walk away from the clean estimate. What is the sign of x - x0_hat?"
    elif _same(found, x + 0.3 * (clean - x)):
        why = (
            "Almost: sigma - sigma_next is a share of what? From sigma, the clean estimate is "
            "sigma away."
        )
    else:
        why = "What share of the difference x - x0_hat is left at sigma_next? It shrinks as sigma."
    return Feedback(False, why)


@check
def check_commit_step(commit_step: Callable[[list[int]], int]) -> Feedback:
    """Exercise 4: `commit_step(values)`, from which a cell's decided value stays to the end."""
    runs = ([0, 2, 1, 1, 1], [1, 1, 1], [0, 1, 0, 1], [2, 2, 0])
    found = [number(result(commit_step, list(run))) for run in runs]
    if found == [2, 0, 3, 2]:
        return Feedback(True, "A value that comes, goes and comes back had not been decided.")
    whys = {
        (2, 0, 1, 2): "Yours is the first step that shows the last value; but it may leave it "
        "again, as in [0, 1, 0, 1].",
        (3, 1, 4, 3): "Almost: steps are counted from 0.",
        (1, -1, 2, 1): "That is the last step with another value; the next one is meant.",
    }
    other = "Go back from the end: which is the first step of the last value's stay?"
    return Feedback(False, whys.get(tuple(found), other))


@check
def check_first_step(share: float) -> Feedback:
    """Exercise 5: how far the first of 50 steps (shift 5) goes on the way from sigma 1 to 0."""
    value = number(share)
    if abs(value - 0.0041) < 3e-4:
        return Feedback(
            True,
            "Hardly anywhere: the latents stay almost pure noise. A step is not a unit: at step 2 "
            "these 50 steps stand at sigma 0.99, the four of a distilled student at 0.83. So say "
            "sigma, too.",
        )
    if abs(value - 0.02) < 2e-3:
        why = "That is 1 / 50, an unshifted grid. With shift 5, sigma = 5 u / (1 + 4 u)."
    elif abs(value - 0.9959) < 1e-3:
        why = "That is sigma after the step. How far is it from 1?"
    elif abs(value - 0.41) < 0.03:
        why = "You are out by a factor of 100: give a share, not per cent."
    else:
        why = "Sigma of step 1 is 5 u / (1 + 4 u) with u = 1 - 1/50; the way is 1 minus that."
    return Feedback(False, why)


@check
def check_dose(cells: tuple[int, int]) -> Feedback:
    """Exercise 6: changed (step, frame) cells of noise at one step and of noise at one frame; 50
    steps, 5 frames."""
    found = numbers(cells, 2)
    if found == [5, 50]:
        return Feedback(
            True,
            "So the frame gets ten times the step's dose. Notebook 2 gives both the same, "
            "on many samples.",
        )
    if found == [50, 5]:
        why = "The other way round: one step has all frames, one frame has all steps."
    else:
        why = "Draw the grid, 50 steps by 5 frames. Which cells does each of the two touch?"
    return Feedback(False, why)


@check
def check_swap(letter: str) -> Feedback:
    """Exercise 7: what patching in the whole state after layer k does, at one step, equal text."""
    answer = word(letter, ("a", "b", "c", "d"))
    if answer == "c":
        return Feedback(
            True,
            "All that the later layers see is the state, the text and the time. So no layer is "
            "special, and the step hands on the receiver's latents, moved a little way.",
        )
    why = {
        "a": "Later layers may matter in a trained network, but a full patch leaves them nothing "
        "of the receiver. Which of its inputs reaches the layers after k?",
        "b": "Which input reaches the layers after k, other than the state that you have just "
        "replaced? If none does, how can k matter?",
        "d": "Right about that step. But what enters the next step: the estimate, or the latents "
        "of the receiver, moved a little towards it?",
    }
    return Feedback(False, why[answer])


@check
def check_variance(variance: Callable[[int], float]) -> Feedback:
    """Exercise 8: the noise variance of the mean of k latents, as a share of one's."""
    values = torch.tensor([number(result(variance, k)) for k in (1, 3, 10)])
    if _same(values, torch.tensor([1, 1 / 3, 0.1])):
        return Feedback(
            True,
            "The next step expects more noise than is left. So merge clean estimates, or rescale.",
        )
    if _same(values, torch.tensor([1.0, 3.0, 10.0]) ** -0.5):
        why = "That is the standard deviation. The variance is its square."
    elif _same(values, torch.ones(3)):
        why = "Independent noises cancel in part: their mean is shorter than each. By how much?"
    else:
        why = "The variance of a sum of k independent noises is k; now divide the sum by k."
    return Feedback(False, why)


@check
def check_weights(weights: Callable[[Tensor, float, Tensor], Tensor]) -> Feedback:
    """Exercise 9: posterior weights of candidates (K, ...) given `x` (1, ...) at `sigma`, under
    equal priors."""
    (clean,), sigma = _made_up(1), 0.7
    candidates = torch.cat([clean, clean + 0.3, clean - 0.6])
    x = (1 - sigma) * candidates[:1] + sigma * _made_up(2)[1]
    distance = (x - (1 - sigma) * candidates).pow(2).flatten(1).sum(1)
    found = tensor(result(weights, x, sigma, candidates)).flatten()
    if len(found) != len(distance):
        why = f"Expected {len(distance)} weights that sum to 1: a softmax over the candidates."
        return Feedback(False, why)
    wanted = torch.softmax(-distance / (2 * sigma**2), 0)
    if _same(found, wanted):
        return Feedback(
            True,
            "No search, no insight, and yet its mean looks like several answers at once. That is "
            "the null.",
        )
    if _same(found / found.sum(), wanted):
        why = "In the right proportion, but they do not sum to 1: divide by their sum."
        return Feedback(False, why)
    bare = (x - candidates).pow(2).flatten(1).sum(1)
    mistakes = {
        "In x_s a candidate is faded: compare with (1 - sigma) times the candidate.": -bare,
        "You reward distance. The nearer candidate should weigh more.": distance,
        "You average over the numbers of a clip. Their noises are independent: squares add "
        "up.": -distance / clean.numel(),
        "You take the distance; a Gaussian falls with its square.": -distance.sqrt(),
    }
    for why, exponent in mistakes.items():
        if _same(found, torch.softmax(exponent / (2 * sigma**2), 0)):
            return Feedback(False, why)
    return Feedback(
        False,
        "The noise is Gaussian of variance sigma squared: a softmax of -distance / (2 sigma^2), "
        "which sums to 1.",
    )


@check
def check_phases(
    phases: Mapping[str, str], measured: Mapping[str, Mapping[str, float]]
) -> Feedback:
    """Exercise 10: the phase of each cell, from its measured A_0, A_S, B and F."""
    if not isinstance(phases, Mapping) or set(phases) != set(measured):
        raise NotAnAnswer(f"Keep the names: {', '.join(measured)}.")
    for cell, answer in phases.items():
        given, (phase, why) = word(answer, PHASES), phase_of(**measured[cell])
        if given != phase:
            return Feedback(False, f"{cell} is not a {given}: {why}.")
    return Feedback(
        True,
        "That is the rule of notebook 7, which asks it of confidence intervals, not of bare "
        "shares.",
    )


def phase_of(A_0: float, A_S: float, B: float, F: float) -> tuple[str, str]:
    """The first phase that holds, and the condition that decides."""
    if A_S < 0.2:
        return "failure", f"look at A_S first, {A_S:.2f}. Is there anything to explain"
    if A_0 >= 0.9:
        return "glance", f"A_0 is {A_0:.2f}. What is left for the steps to do"
    rivals = {"flat": ("A_0", A_0), "blur": ("B", B), "one refinement": ("F", F)}
    for phase, (name, rival) in rivals.items():
        if A_S - rival <= 0.05:
            return phase, f"{name} is {rival:.2f} and A_S {A_S:.2f}. Who does as well as all steps"
    best = max(B, F)
    return "chain", f"A_S is {A_S:.2f}, one more pass at its best {best:.2f}. Who made the rest"


CHECKS = {
    name.removeprefix("check_"): found
    for name, found in list(globals().items())
    if name.startswith("check_")
}
usable = stand_ins(CHECKS, Path(__file__).resolve().with_name("walkthrough_solutions.py"))


def _made_up(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(SHAPE, generator=generator) for _ in range(count)]


def _same(found: Tensor, wanted: Tensor) -> bool:
    return found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-4)

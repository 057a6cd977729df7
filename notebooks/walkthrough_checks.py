"""Checks of the walkthrough's exercises: each accepts right answers and explains wrong ones."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SHAPE = (1, 4, 3, 2, 2)  # of made-up latents, (1, C, F, H, W)


@dataclass(frozen=True)
class Verdict:
    """The result of a check."""

    right: bool
    why: str

    def __repr__(self) -> str:
        return f"{'Right' if self.right else 'Not yet'}. {self.why}"


def check_noisy(noisy: Callable[[Tensor, Tensor, float], Tensor]) -> Verdict:
    """Exercise 1: `noisy(x_0, x_1, s)`, the mixture of paper eq. 1."""
    clean, noise = _made_up(2)
    mixed, verdict = _asked(noisy, clean, noise, 0.25)
    if verdict:
        return verdict
    if torch.allclose(mixed, 0.75 * clean + 0.25 * noise, atol=1e-5):
        return Verdict(
            True,
            "At s = 0 it is the clean clip, at s = 1 pure noise, and in between a straight line.",
        )
    if torch.allclose(mixed, 0.25 * clean + 0.75 * noise, atol=1e-5):
        return Verdict(
            False,
            "Yours runs backwards: at s = 0 it gives the noise. Which of the two fades out as s "
            "grows?",
        )
    if torch.allclose(mixed, clean + 0.25 * noise, atol=1e-5):
        return Verdict(
            False, "You add the noise, but keep the whole clip: at s = 1 the clip is still there."
        )
    return Verdict(False, "Mix the two with weights that sum to 1; s is the weight of the noise.")


def check_clean_estimate(clean_estimate: Callable[[Tensor, float, Tensor], Tensor]) -> Verdict:
    """Exercise 2: `clean_estimate(x_s, sigma, v)`, paper eq. 2."""
    clean, noise = _made_up(2)
    sigma = 0.8
    x, velocity = (1 - sigma) * clean + sigma * noise, noise - clean
    found, verdict = _asked(clean_estimate, x, sigma, velocity)
    if verdict:
        return verdict
    if torch.allclose(found, clean, atol=1e-5):
        return Verdict(
            True, "With the true velocity it is the clean clip at once, from any noise level."
        )
    if torch.allclose(found, x + sigma * velocity, atol=1e-5):
        return Verdict(
            False,
            "You walk along the velocity, towards the noise. The clean clip lies the other way.",
        )
    if torch.allclose(found, x - velocity, atol=1e-5):
        return Verdict(
            False,
            "You go too far: from noise level sigma, the clean clip is sigma velocities away, "
            "not one.",
        )
    return Verdict(False, "The velocity is x_1 - x_0. How many of it lie between x_s and x_0?")


def check_step(step: Callable[[Tensor, Tensor, float, float], Tensor]) -> Verdict:
    """Exercise 3: `step(x, x0_hat, sigma, sigma_next)`, one Euler step."""
    clean, noise = _made_up(2)
    x, wanted = 0.4 * clean + 0.6 * noise, 0.7 * clean + 0.3 * noise
    found, verdict = _asked(step, x, clean, 0.6, 0.3)
    if verdict:
        return verdict
    if torch.allclose(found, wanted, atol=1e-5):
        return Verdict(True, "As sigma halves, so does the distance to the clean estimate.")
    if torch.allclose(found, clean, atol=1e-5):
        return Verdict(
            False,
            "You jump to the clean estimate itself; a step only goes as far as the next noise "
            "level.",
        )
    if torch.allclose(found, x + 0.3 * (x - clean), atol=1e-5) or torch.allclose(
        found, x + (x - clean) / 2, atol=1e-5
    ):
        return Verdict(False, "You walk away from the clean estimate.")
    if torch.allclose(found, x + 0.3 * (clean - x), atol=1e-5):
        return Verdict(
            False,
            "Almost: sigma - sigma_next is a share of what? From sigma, the clean estimate is "
            "sigma away.",
        )
    return Verdict(
        False,
        "What share of the difference x - x0_hat is left at sigma_next? It shrinks as sigma does.",
    )


def check_commit_step(commit_step: Callable[[list[int]], int]) -> Verdict:
    """Exercise 4: `commit_step(values)`, from which a cell's decided value stays to the end."""
    runs = ([0, 2, 1, 1, 1], [1, 1, 1], [0, 1, 0, 1], [2, 2, 0])
    found = []
    for run in runs:
        value, verdict = _number(_quiet(commit_step, list(run)))
        if verdict:
            return verdict
        found.append(value)
    if found == [2, 0, 3, 2]:
        return Verdict(True, "A value that comes, goes and comes back had not been decided.")
    if found == [2, 0, 1, 2]:
        return Verdict(
            False,
            "Yours is the first step that shows the last value; but it may leave it again, as in "
            "[0, 1, 0, 1].",
        )
    if found == [3, 1, 4, 3]:
        return Verdict(False, "Almost: steps are counted from 0.")
    if found == [1, -1, 2, 1]:
        return Verdict(False, "That is the last step with another value; the next one is meant.")
    return Verdict(False, "Go back from the end: which is the first step of the last value's stay?")


def check_first_step(share: float) -> Verdict:
    """Exercise 5: how far the first of 50 steps (shift 5) goes on the way from sigma 1 to 0."""
    value, verdict = _number(share)
    if verdict:
        return verdict
    if abs(value - 0.0041) < 3e-4:
        return Verdict(
            True,
            "Hardly anywhere: the latents stay almost pure noise. A step is not a unit: at step 2 "
            "these 50 steps stand at sigma 0.99, the four of a distilled student at 0.83. So say "
            "sigma, too.",
        )
    if abs(value - 0.02) < 2e-3:
        return Verdict(
            False, "That is 1 / 50, an unshifted grid. With shift 5, sigma = 5 u / (1 + 4 u)."
        )
    if abs(value - 0.9959) < 1e-3:
        return Verdict(False, "That is sigma after the step. How far is it from 1?")
    if abs(value - 0.41) < 0.03:
        return Verdict(False, "You are out by a factor of 100: give a share, not per cent.")
    return Verdict(
        False, "Sigma of step 1 is 5 u / (1 + 4 u) with u = 1 - 1/50; the way is 1 minus that."
    )


def check_dose(cells: tuple[int, int]) -> Verdict:
    """Exercise 6: changed (step, frame) cells of noise at one step and of noise at one frame; 50
    steps, 5 frames."""
    if not isinstance(cells, (tuple, list)) or len(cells) != 2:
        return Verdict(
            False, "Give two numbers: cells of noise at one step, and of noise at one frame."
        )
    if tuple(cells) == (5, 50):
        return Verdict(
            True,
            "So the frame gets ten times the step's dose. Notebook 2 gives both the same, "
            "on many samples.",
        )
    if tuple(cells) == (50, 5):
        return Verdict(
            False, "The other way round: one step has all frames, one frame has all steps."
        )
    return Verdict(
        False, "Draw the grid, 50 steps by 5 frames. Which cells does each of the two touch?"
    )


def check_swap(letter: str) -> Verdict:
    """Exercise 7: what swapping the whole state after layer k does at equal text."""
    answer = str(letter).strip().lower()
    if answer == "c":
        return Verdict(
            True,
            "All that the later layers see is the state, the text and the time. So no layer is "
            "special.",
        )
    why = {
        "a": "Later layers may matter in a trained network, but a full swap leaves them nothing of "
        "the receiver.",
        "b": "Which input reaches the layers after k, other than the state that you have just "
        "replaced?",
    }
    return Verdict(False, why.get(answer, 'Answer "a", "b" or "c".'))


def check_variance(variance: Callable[[int], float]) -> Verdict:
    """Exercise 8: the noise variance of the mean of k latents, as a share of one's."""
    values = []
    for k in (1, 3, 10):
        value, verdict = _number(_quiet(variance, k))
        if verdict:
            return verdict
        values.append(value)
    if all(abs(v - w) < 1e-6 for v, w in zip(values, (1, 1 / 3, 0.1), strict=True)):
        return Verdict(
            True,
            "The next step expects more noise than is left. So merge clean estimates, or rescale.",
        )
    if all(abs(v - k**-0.5) < 1e-6 for v, k in zip(values, (1, 3, 10), strict=True)):
        return Verdict(False, "That is the standard deviation. The variance is its square.")
    if all(abs(v - 1) < 1e-6 for v in values):
        return Verdict(False, "Independent noises cancel in part: their mean is shorter than each.")
    return Verdict(
        False, "The variance of a sum of k independent noises is k; now divide the sum by k."
    )


def check_null(weights: Callable[[Tensor, float, Tensor], Tensor]) -> Verdict:
    """Exercise 9: posterior weights of candidates (K, ...) given `x` (1, ...) at `sigma`, under
    equal priors."""
    (clean,), sigma = _made_up(1), 0.7
    candidates = torch.cat([clean, clean + 0.3, clean - 0.6])
    x = (1 - sigma) * candidates[:1] + sigma * _made_up(2)[1]
    distance = (x - (1 - sigma) * candidates).pow(2).flatten(1).sum(1)
    wanted = torch.softmax(-distance / (2 * sigma**2), 0)
    found, verdict = _asked(weights, x, sigma, candidates)
    if verdict:
        return verdict
    if found.shape == wanted.shape and torch.allclose(found, wanted, atol=1e-4):
        return Verdict(
            True,
            "No search, no insight, and yet its mean looks like several answers at once. That is "
            "the null.",
        )
    if found.shape == wanted.shape and torch.allclose(found.sum(), torch.tensor(1.0), atol=1e-4):
        bare = (x - candidates).pow(2).flatten(1).sum(1)
        if torch.allclose(found, torch.softmax(-bare / (2 * sigma**2), 0), atol=1e-4):
            return Verdict(
                False, "In x_s a candidate is faded: compare with (1 - sigma) times the candidate."
            )
        if torch.allclose(found, torch.softmax(distance / (2 * sigma**2), 0), atol=1e-4):
            return Verdict(False, "You reward distance. The nearer candidate should weigh more.")
        if torch.allclose(
            found, torch.softmax(-distance / _made_up(1)[0].numel() / (2 * sigma**2), 0), atol=1e-4
        ):
            return Verdict(
                False,
                "You average over the numbers of a clip. Their noises are independent: squares "
                "add up.",
            )
        if torch.allclose(found, torch.softmax(-distance.sqrt() / (2 * sigma**2), 0), atol=1e-4):
            return Verdict(False, "You take the distance; a Gaussian falls with its square.")
        return Verdict(
            False,
            "They sum to 1, but the noise is Gaussian of variance sigma squared: -distance / (2 "
            "sigma^2).",
        )
    if found.shape == wanted.shape and torch.allclose(found / found.sum(), wanted, atol=1e-4):
        return Verdict(
            False, "In the right proportion, but they do not sum to 1: divide by their sum."
        )
    return Verdict(
        False, f"Expected {len(wanted)} weights that sum to 1: a softmax over the candidates."
    )


def _made_up(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(SHAPE, generator=generator) for _ in range(count)]


def _quiet(function: Callable, *arguments: object) -> object:
    """The result of a possibly unfinished function, or the error that it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        return error


def _asked(function: Callable, *arguments: object) -> tuple[Tensor, Verdict | None]:
    found = _quiet(function, *arguments)
    if isinstance(found, Tensor):
        return found, None
    if isinstance(found, Exception):
        return torch.zeros(0), Verdict(
            False, f"Your function raises {type(found).__name__}: {found}"
        )
    if found is not ... and found is not None:
        return torch.zeros(0), Verdict(
            False, f"Your function returns a {type(found).__name__}; a tensor is expected."
        )
    return torch.zeros(0), Verdict(
        False, "Your function does not return a tensor yet: replace the three dots."
    )


def _number(value: object) -> tuple[float, Verdict | None]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), None
    if isinstance(value, Exception):
        return 0.0, Verdict(False, f"Your function raises {type(value).__name__}: {value}")
    if value is not ... and value is not None:
        return 0.0, Verdict(False, f"{value!r} is not a number.")
    return 0.0, Verdict(False, "There is no number yet: replace the three dots.")

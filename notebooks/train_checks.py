"""Checks of the exercises of `8_train_it_yourself`: each explains what is wrong with an answer."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from chain_of_steps.figures.exercises import Feedback, check, result, stand_ins, tensor

COUNT = 64  # boards of a check


@check
def check_loss(loss: Callable) -> Feedback:
    """Exercise 1: `loss(network, x_0, given)`, the flow-matching loss."""
    x_0, given = _boards()
    seen = {}

    def network(x: Tensor, sigma: Tensor, given: Tensor) -> Tensor:
        seen.update(x=tensor(x), sigma=tensor(sigma))
        return _lean(x, sigma)

    with torch.random.fork_rng():  # training draws the same boards whether or not it was checked
        torch.manual_seed(0)
        found = tensor(result(loss, network, x_0, given))
    if not seen:
        return Feedback(False, "Your loss never asks the network: call network(x, sigma, given).")
    x, sigma = seen["x"], seen["sigma"]
    if sigma.numel() != COUNT or sigma.std() < 0.1:
        why = "Draw one noise level per board, uniform in [0, 1]: torch.rand(len(x_0), 1, 1)."
        return Feedback(False, why)
    if x.shape != x_0.shape:
        why = f"The network was given x of shape {tuple(x.shape)}; expected {tuple(x_0.shape)}."
        return Feedback(False, why)
    sigma = sigma.view(-1, 1, 1)
    noise = (x - (1 - sigma) * x_0) / sigma
    if abs(noise.std() - 1) > 0.1 or abs(noise.mean()) > 0.1:
        return Feedback(False, "x is not on the line: mix x_0 with torch.randn_like(x_0) by sigma.")
    right, backwards = (
        (_lean(x, sigma) - direction).pow(2).mean() for direction in (noise - x_0, x_0 - noise)
    )
    if found.numel() != 1:
        return Feedback(False, "The loss is one number: take the mean of the squares.")
    if torch.isclose(found, right, rtol=1e-2).all():
        return Feedback(True, "Where the clues leave a choice, the least loss is that of the mean.")
    if torch.isclose(found, backwards, rtol=1e-2).all():
        return Feedback(False, "You ask for x_0 - x_1; the velocity points to the noise.")
    return Feedback(False, "Take the mean square of the prediction minus the velocity x_1 - x_0.")


@check
def check_read(read: Callable[[Tensor], Tensor]) -> Feedback:
    """Exercise 2: `read(x0_hat)`, the decided colour of every cell."""
    estimate = torch.randn(3, 16, 4, generator=torch.Generator().manual_seed(0))
    found = tensor(result(read, estimate))
    if found.shape != (3, 16):
        why = f"Expected one colour per cell, shape (3, 16), not {tuple(found.shape)}."
        return Feedback(False, f"{why} Over which axis does the strongest win?")
    if torch.equal(found, estimate.argmax(-1).float()):
        return Feedback(True, "It says what is decided, not how clearly it is drawn.")
    if torch.equal(found, estimate.argmin(-1).float()):
        return Feedback(False, "That is the weakest colour; the strongest counts.")
    return Feedback(False, "Give the index of the strongest of the four numbers of each cell.")


@check
def check_generate(generate: Callable) -> Feedback:
    """Exercise 3: `generate(network, x, given, steps)`, the clean estimates of all steps."""
    x_0, given = _boards()
    x_1 = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))
    levels, states = [], []

    def network(x: Tensor, sigma: float, given: Tensor) -> Tensor:
        levels.append(float(torch.as_tensor(sigma).flatten()[0]))
        states.append(torch.as_tensor(x))
        return x_1 - x_0

    found = result(generate, network, x_1, given, 5)
    if not isinstance(found, (list, tuple)) or len(found) != 5:
        return Feedback(False, "Return a list with the clean estimate of every step, here five.")
    wanted = [1.0, 0.8, 0.6, 0.4, 0.2]
    if len(levels) != 5 or not torch.allclose(torch.tensor(levels), torch.tensor(wanted)):
        listed = ", ".join(f"{level:.2g}" for level in levels)
        why = f"The network was asked at the noise levels {listed}; for five steps expected"
        return Feedback(False, f"{why} {', '.join(map(str, wanted))}.")
    line = [(1 - sigma) * x_0 + sigma * x_1 for sigma in wanted]
    if not all(torch.allclose(x, y, atol=1e-4) for x, y in zip(states, line, strict=True)):
        return Feedback(False, "x left the line. How far does a step go from sigma to sigma_next?")
    if all(torch.allclose(tensor(each), x_0, atol=1e-4) for each in found):
        return Feedback(
            True, "With the true velocity every estimate is the answer, also the first."
        )
    return Feedback(False, "The states are right; the list should hold x - sigma v of every step.")


@check
def check_refine(refine: Callable) -> Feedback:
    """Exercise 4: `refine(network, x0_hat, noise, given, sigma)`, one more pass."""
    x_0, given = _boards()
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(1))
    seen = []

    def network(x: Tensor, sigma: float, given: Tensor) -> Tensor:
        seen.append((torch.as_tensor(x), float(torch.as_tensor(sigma).flatten()[0])))
        return x - 2.0

    found = tensor(result(refine, network, x_0, noise, given, 0.25))
    if len(seen) != 1:
        return Feedback(False, f"One pass is meant; yours makes {len(seen)}.")
    (x, sigma), wanted = seen[0], 0.75 * x_0 + 0.25 * noise
    if x.shape != x_0.shape or not torch.allclose(x, wanted, atol=1e-4):
        return Feedback(
            False, "Noise the estimate first: (1 - sigma) of it and sigma of the noise."
        )
    if abs(sigma - 0.25) > 1e-6:
        return Feedback(False, "Tell the network the noise level that x has.")
    if found.shape == x.shape and torch.allclose(found, x - 0.25 * (x - 2.0), atol=1e-4):
        return Feedback(True, "A second look, at less noise, with the first estimate in view.")
    return Feedback(False, "Return the clean estimate of this pass: x - sigma v.")


CHECKS = {
    "loss": check_loss,
    "read": check_read,
    "generate": check_generate,
    "refine": check_refine,
}
usable = stand_ins(CHECKS, Path(__file__).resolve().with_name("train_solutions.py"))


def _lean(x: Tensor, sigma: Tensor) -> Tensor:
    """A made-up velocity. It leans the right way, so that a reversed target has another loss."""
    return (tensor(sigma).reshape(-1, 1, 1) - 0.5) * x


def _boards() -> tuple[Tensor, Tensor]:
    """Made-up boards (COUNT, 16, 4) of +-1 and clues (COUNT, 16, 5)."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(4, (COUNT, 16), generator=generator)
    one_hot = torch.nn.functional.one_hot(colours, 4).float()
    return 2 * one_hot - 1, torch.zeros(COUNT, 16, 5)

"""Reference solutions of the walkthrough's exercises. Try first."""

import torch
from torch import Tensor


def noisy(x_0: Tensor, x_1: Tensor, sigma: float) -> Tensor:
    return (1 - sigma) * x_0 + sigma * x_1


def clean_estimate(x_s: Tensor, sigma: float, v: Tensor) -> Tensor:
    return x_s - sigma * v


def step(x: Tensor, x0_hat: Tensor, sigma: float, sigma_next: float) -> Tensor:
    return x0_hat + sigma_next / sigma * (x - x0_hat)


def commit_step(values: list[int]) -> int:
    last = len(values) - 1
    while last > 0 and values[last - 1] == values[-1]:
        last -= 1
    return last


u = 1 - 1 / 50
first_step = 1 - 5 * u / (1 + 4 * u)

dose = (5, 50)

swap = "c"


def variance(k: int) -> float:
    return 1 / k


def weights(x: Tensor, sigma: float, candidates: Tensor) -> Tensor:
    distance = (x - (1 - sigma) * candidates).pow(2).flatten(1).sum(1)
    return torch.softmax(-distance / (2 * sigma**2), 0)

"""Reference solutions of `8_train_it_yourself`. Try first."""

from itertools import pairwise

import torch
from torch import Tensor


def loss(network, x_0: Tensor, given: Tensor) -> Tensor:
    sigma, x_1 = torch.rand(len(x_0), 1, 1), torch.randn_like(x_0)
    x = (1 - sigma) * x_0 + sigma * x_1
    return (network(x, sigma, given) - (x_1 - x_0)).pow(2).mean()


def read(x0_hat: Tensor) -> Tensor:
    return x0_hat.argmax(-1)


def generate(network, x: Tensor, given: Tensor, steps: int) -> list[Tensor]:
    sigmas, estimates = torch.linspace(1, 0, steps + 1), []
    for sigma, sigma_next in pairwise(sigmas):
        x0_hat = x - sigma * network(x, sigma, given)
        x = x0_hat + sigma_next / sigma * (x - x0_hat)
        estimates.append(x0_hat)
    return estimates


def refine(network, x0_hat: Tensor, noise: Tensor, given: Tensor, sigma: float) -> Tensor:
    x = (1 - sigma) * x0_hat + sigma * noise
    return x - sigma * network(x, sigma, given)

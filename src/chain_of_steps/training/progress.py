"""The progress of a fit: steps, weights and their running average, stored as a checkpoint."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..models import cpu
from .checkpoints import check_fit, load_tensors, save_tensors

WARM_UP = 100  # steps


@dataclass
class Progress:
    """The progress of a fit: steps done, the step at which this process started, and the averaged
    weights."""

    step: int
    average: dict[str, Tensor]
    began: int = field(init=False)
    losses: list[list] = field(default_factory=list)  # [step, mean loss of the last hundred]

    def __post_init__(self):
        self.began = self.step

    @classmethod
    def load(cls, file: Path, module: nn.Module) -> "Progress":
        """Continues the fit stored in `file`, or begins one."""
        if not file.exists():
            return cls(0, {name: p.detach().clone() for name, p in module.named_parameters()})
        tensors = load_tensors(file)
        wanted = {f"average/{name}": p for name, p in module.named_parameters()}
        check_fit(file, tensors, wanted | {"step": torch.tensor(0)})
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(tensors.get(f"weights/{name}", tensors[f"average/{name}"]))
        average = {n: tensors[f"average/{n}"].float() for n, _ in module.named_parameters()}
        losses = tensors.get("losses", torch.empty(0, 2)).tolist()
        return cls(int(tensors["step"]), average, [[int(step), loss] for step, loss in losses])

    def save(self, file: Path, module: nn.Module) -> None:
        """Writes weights, averaged weights, step and losses, atomically."""
        tensors = {f"average/{name}": value for name, value in self.average.items()}
        tensors |= {f"weights/{name}": p.detach() for name, p in module.named_parameters()}
        losses = torch.tensor(self.losses, dtype=torch.float64).view(-1, 2)
        save_tensors(file, tensors | {"step": torch.tensor(self.step), "losses": losses})

    @torch.no_grad()
    def advance(self, module: nn.Module) -> None:
        """Counts a step. The average covers about the last tenth of all steps."""
        self.step += 1
        weights = [p.detach() for p in module.parameters()]
        share = min(1.0, 10.0 / (self.step + 10))
        torch._foreach_lerp_(list(self.average.values()), weights, share)

    def warm_up(self) -> float:
        """The share of the learning rate in the warm-up after a fit was resumed, while the
        optimizer's moments are built up again."""
        return min(1.0, (self.step - self.began + 1) / WARM_UP)

    @torch.no_grad()
    def average_into(self, module: nn.Module) -> None:
        """Replaces the weights by their average."""
        for name, parameter in module.named_parameters():
            parameter.copy_(self.average[name])


def compile_blocks(transformer: Any) -> None:
    """Fuses the many small operations of a block, where that is possible."""
    if cpu.can_compile():
        transformer.compile_repeated_blocks()

"""The optimizer of the mini model's training."""

import torch
from torch import Tensor, nn


class Optimizer:
    """Muon for all hidden matrices and convolutions, AdamW for everything else.

    Muon learns more than twice as fast per clip here. A convolution's kernel counts as a matrix
    (out, in x taps).

    Args:
        rates: full learning rates of Muon and AdamW.
    """

    def __init__(self, module: nn.Module, rates: tuple[float, float]):
        self.module, self.rates = module, rates
        self.hidden = [p for name, p in module.named_parameters() if self._is_hidden(name, p)]
        self.matrices = [
            nn.Parameter(p.detach().view(len(p), -1)) for p in self.hidden
        ]  # views: they share memory
        hidden = set(map(id, self.hidden))
        others = [p for p in module.parameters() if id(p) not in hidden]
        self.parts = (
            torch.optim.Muon(
                self.matrices, lr=1.0, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0),
        )

    def descend(self, loss: Tensor, factor: float, clip_norm: float) -> None:
        """One step down the gradient of `loss`, at `factor` times the full learning rates."""
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), clip_norm)
        for parameter, matrix in zip(self.hidden, self.matrices, strict=True):
            matrix.grad = parameter.grad.view_as(matrix)
        for part, rate in zip(self.parts, self.rates, strict=True):
            part.param_groups[0]["lr"] = rate * factor
            part.step()
        self.module.zero_grad(set_to_none=True)

    @staticmethod
    def _is_hidden(name: str, parameter: nn.Parameter) -> bool:
        inside = "blocks." in name or (parameter.ndim >= 4 and "patch_embedding" not in name)
        return inside and parameter.ndim >= 2 and len(parameter) >= 8 and "scale_shift" not in name

"""How fast is a sweep over layers? Part of `python benchmarks/sweep.py`.

The job: at one step the output state of a block is replaced by a donor's, for every block in turn,
and the effect is read on that step's clean estimate. Ours starts each pass after the replaced
block, from the stored state. The rivals run complete passes and replace the block's output: with a
plain torch hook, and with nnsight if it is installed. One clean pass, in which the states are
captured, counts on both sides.
"""

import importlib.util
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from chain_of_steps.models.hooks import FromLayer
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import Condition, VideoModel


class LayerBench:
    """One step of one sample, and the three ways to patch its layers.

    Args:
        condition: of the sample.
        schedule: without guidance; its first step is patched.
    """

    def __init__(self, model: VideoModel, condition: Condition, schedule: Schedule):
        self.model, self.condition, self.schedule = model, condition, schedule
        self.transformer = model.transformers[0]
        self.x, self.t = (
            model.noise(condition, 0),
            schedule.scheduler(model.prediction).timesteps[0],
        )

    @cached_property
    def donor(self) -> list[Tensor]:
        """The output of every block in another run, (N, D) each."""
        return self._captured(self.model.noise(self.condition, 1))

    @property
    def theory(self) -> float:
        """The number of blocks that a rival evaluates, divided by ours."""
        layers = len(self.transformer.blocks)
        return round((1 + layers) / (1 + (layers - 1) / 2), 3)

    def ours(self) -> list[Tensor]:
        """Outputs (1, C, F, H, W) by patched layer; each pass starts after it."""
        self._captured(self.x)
        outputs = []
        for layer, state in enumerate(self.donor):
            outputs.append(self._predict(self.x, start=FromLayer(layer, {True: state})))
        return outputs

    def hooks(self) -> list[Tensor]:
        """The same with a forward hook on the patched block."""
        self._captured(self.x)
        outputs = []
        for block, state in zip(self.transformer.blocks, self.donor, strict=True):
            handle = block.register_forward_hook(lambda *_, state=state: state[None])
            outputs.append(self._predict(self.x))
            handle.remove()
        return outputs

    def nnsight(self) -> list[Tensor]:
        """The same with nnsight."""
        from nnsight import NNsight

        self._captured(self.x)
        traced, outputs = NNsight(self.transformer), []
        inputs = torch.cat([self.x, self.condition.image], dim=1)
        for layer, state in enumerate(self.donor):
            with (
                torch.no_grad(),
                traced.trace(inputs, self.t.expand(1), self.condition.prompt, return_dict=False),
            ):
                hidden = traced.blocks[layer].output
                hidden[:] = state
                output = traced.output.save()
            outputs.append(output[0])
        return outputs

    def _predict(self, x: Tensor, **hooks: Any) -> Tensor:
        with torch.no_grad():
            return self.model.predict(x, self.t, self.condition, self.schedule, **hooks)

    def _captured(self, x: Tensor) -> list[Tensor]:
        states: dict[int, Tensor] = {}

        def keep(expert: int, guided: bool, layer: int, hidden: Tensor) -> None:
            if layer >= 0:
                states[layer] = hidden[0].clone()

        self._predict(x, visit=keep)
        return list(states.values())


def has_nnsight() -> bool:
    return importlib.util.find_spec("nnsight") is not None

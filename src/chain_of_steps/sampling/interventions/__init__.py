"""Changes made to a run: noise, restarts, dropped conditions, patched states, merged generations.

An intervention says what it does at each step, as an `Action`; a merge says how generations share
what they compute. Loop and prefix tree know nothing else of it. To add one: a file here, and its
class in `KINDS`.
"""

from collections.abc import Iterable
from typing import Any

from ...common import tagged
from ...common.tagged import record
from .base import Action, Intervention, Source, generator
from .drop import Drop
from .merge import Merge, MergeEstimates, MergeLatents, MergeLayers
from .noise import MODES, Mode, Noise, NoiseAtCells, NoiseAtFrame, NoiseAtStep
from .patch import Patch
from .restart import Restart

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        NoiseAtStep,
        NoiseAtFrame,
        NoiseAtCells,
        Restart,
        Drop,
        Patch,
        MergeEstimates,
        MergeLatents,
        MergeLayers,
    )
}

__all__ = [
    "KINDS",
    "MODES",
    "Action",
    "Drop",
    "Intervention",
    "Merge",
    "MergeEstimates",
    "MergeLatents",
    "MergeLayers",
    "Mode",
    "Noise",
    "NoiseAtCells",
    "NoiseAtFrame",
    "NoiseAtStep",
    "Patch",
    "Restart",
    "Source",
    "actions_at",
    "check",
    "from_record",
    "generator",
    "record",
]


def from_record(data: dict[str, Any]) -> Intervention:
    """The intervention that `record` wrote down; errors as for `tagged.from_record`."""
    return tagged.from_record(data, KINDS, "intervention")


def check(interventions: Iterable[Intervention], steps: int, frames: int, layers: float) -> None:
    """Refuses steps, frames and layers that a generation does not have.

    Raises:
        ValueError: that names the intervention.
    """
    for intervention in interventions:
        if outside := [s for s in intervention.named_steps if not 0 <= s < steps]:
            raise ValueError(f"{intervention} names step {outside[0]}; expected 0 to {steps - 1}")
        for layer in getattr(intervention, "named_layers", ()):
            if not -1 <= layer < layers:
                raise ValueError(f"{intervention} names layer {layer}; expected -1 to {layers - 1}")
        for step in range(steps):
            intervention.at(step, frames)


def actions_at(interventions: Iterable[Intervention], step: int, frames: int) -> tuple[Action, ...]:
    """What interventions do at a step to latents of `frames` frames, in their order."""
    actions = (intervention.at(step, frames) for intervention in interventions)
    return tuple(action for action in actions if action is not None)

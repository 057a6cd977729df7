"""Dropped conditions: from some step on the network no longer gets the prompt, or no longer gets
the given frame. What it still knows is in the latents: its working memory."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from pydantic.dataclasses import dataclass

from .base import Action


@dataclass(frozen=True)
class Drop:
    """Drops conditions at the steps from `step` to before `until` (by default to the end).

    Attributes:
        given: drop the given frame; in its place the network gets what an image-to-video model gets
            in place of later frames, and its mask is 0.
        prompt: drop the prompt; the network gets the empty one.
    """

    step: int = 0
    until: int | None = None
    given: bool = True
    prompt: bool = False

    @property
    def named_steps(self) -> Iterable[int]:
        return (self.step,)

    def at(self, step: int, frames: int) -> "DropAction | None":
        if step < self.step or (self.until is not None and step >= self.until):
            return None
        return DropAction(self.given, self.prompt)


@dataclasses.dataclass(frozen=True)
class DropAction(Action):
    """Conditions that are missing at one step."""

    given: bool
    prompt: bool

    def condition(self, model: Any, condition: Any) -> Any:
        return model.without(condition, given=self.given, prompt=self.prompt)

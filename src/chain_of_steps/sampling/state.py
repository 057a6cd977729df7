"""Where a generation stands between two steps."""

from dataclasses import dataclass, replace

from torch import Tensor

from ..models.conditions import Condition
from ..models.schedule import Schedule
from ..models.video_model import VideoModel
from .samplers import Sampler, sampler_of


@dataclass
class State:
    """Everything that a generation needs to continue at step `step`.

    Attributes:
        step: index s of the next step; 0 is the noisiest.
        latents: `x_s`, (1, C, F, H, W).
        sampler: with its memory, if it has one.
        x0_hat: the clean estimate of the step before, None before step 0.
        first: the clean estimate of step 0, None before it.
        cells: how many (step, frame) cells interventions have changed so far.
        energy: the sum of their squared changes, each cell's divided by its number of elements.
        audio: latents (1, T, D) and sampler of what is denoised in step with the video (LTX-2:
            sound), else None.
    """

    step: int
    latents: Tensor
    sampler: Sampler
    x0_hat: Tensor | None = None
    first: Tensor | None = None
    cells: int = 0
    energy: float = 0.0
    audio: "State | None" = None

    def copy(self) -> "State":
        """A state from which another generation may go on; tensors are shared, never written to."""
        audio = None if self.audio is None else self.audio.copy()
        return replace(self, sampler=self.sampler.copy(), audio=audio)

    def advance(self, latents: Tensor, x0_hat: Tensor) -> None:
        """Moves on to the next step, with what this one left, in place."""
        if self.step == 0:
            self.first = x0_hat
        self.latents, self.x0_hat, self.step = latents, x0_hat, self.step + 1

    @property
    def sigma(self) -> float:
        """The noise level of the next step."""
        return float(self.sampler.sigmas[self.step])


def begin(model: VideoModel, condition: Condition, schedule: Schedule, seed: int) -> State:
    """The state before step 0: pure noise of a seed, and the given frame if the model holds it."""
    sampler = sampler_of(schedule, model.prediction, seed)
    state = State(0, model.hold(model.noise(condition, seed), condition), sampler)
    audio = model.audio_noise(condition, seed)
    if audio is not None:
        state.audio = State(0, audio, sampler.copy())
    return state

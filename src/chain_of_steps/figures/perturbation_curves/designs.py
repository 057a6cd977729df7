"""What is noised, and where: runs, and designs of equal dose."""

from dataclasses import dataclass, replace

import numpy as np

from ...sampling.interventions import (
    MODES,
    Intervention,
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
)

SCATTER = 2  # steps before and after its centre over which a scattered dose is spread


@dataclass(frozen=True)
class NoiseRun:
    """What determines one row, apart from model and schedule.

    Attributes:
        task, index, suite_seed, partition: name the sample, see `tasklist.draw_one`.
        seed: of the noise that the generation starts from.
        design: which comparison the run belongs to: clean, step, frame, window, scatter, inner,
            inner-window, cell or decision.
        interventions: the changes to its latents.
        centre: the step around which windows and scattered cells are placed, else -1.
        until: read on the clean estimate before this step; None means the final video.
        maps: also compare with the clean run at every step.
    """

    task: str
    index: int
    suite_seed: int
    seed: int
    design: str = "clean"
    interventions: tuple[Intervention, ...] = ()
    centre: int = -1
    until: int | None = None
    maps: bool = False
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """What runs must have in common to be grown together."""
        return self.task, self.index, self.suite_seed, self.partition, self.seed, self.maps


def ablations(
    base: NoiseRun, coarse: range, columns: list[int], frames: int, steps: int
) -> list[NoiseRun]:
    """The other modes, and equal doses along a frame or scattered."""
    i, runs = base.index, []
    for mode in MODES[1:]:
        runs += [with_noise(base, "step", NoiseAtStep(s, mode=mode, seed=i)) for s in coarse]
        runs += [with_noise(base, "frame", NoiseAtFrame(f, mode=mode, seed=i)) for f in columns]
    rng = np.random.default_rng([i, 5])
    for s in coarse:
        frame = int(rng.integers(1, frames - 1))  # neither the given nor the scored one
        column = NoiseAtFrame(frame, steps=window(s, frames, steps), seed=i)
        scattered = NoiseAtCells(_scattered(rng, s, frames, steps), seed=i)
        runs += [
            with_noise(base, "window", column, centre=s),
            with_noise(base, "scatter", scattered, centre=s),
        ]
        inner = tuple(range(1, frames - 1))
        short = NoiseAtFrame(frame, steps=window(s, len(inner), steps), seed=i)
        runs.append(with_noise(base, "inner", NoiseAtStep(s, frames=inner, seed=i)))
        runs.append(with_noise(base, "inner-window", short, centre=s))
    return runs


def window(centre: int, count: int, steps: int) -> tuple[int, ...]:
    """`count` consecutive steps centred at one, moved to lie inside the schedule."""
    first = min(max(0, centre - count // 2), max(0, steps - count))
    return tuple(range(first, min(first + count, steps)))


def _scattered(
    rng: np.random.Generator, step: int, frames: int, steps: int
) -> tuple[tuple[int, int], ...]:
    """As many random cells as there are frames, at a step and its neighbours; neither given nor
    scored frame."""
    near = range(max(0, step - SCATTER), min(steps, step + SCATTER + 1))
    cells = [(s, f) for s in near for f in range(1, frames - 1)]
    return tuple(
        sorted(
            cells[k] for k in rng.choice(len(cells), size=min(frames, len(cells)), replace=False)
        )
    )


def with_noise(base: NoiseRun, design: str, *interventions: Intervention, **more) -> NoiseRun:
    return replace(base, design=design, interventions=interventions, **more)

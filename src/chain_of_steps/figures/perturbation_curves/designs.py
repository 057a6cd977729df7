"""What is done to each sample: runs with noise at steps and in frames, of equal dose, restarted."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...sampling.interventions import Intervention, NoiseAtFrame, NoiseAtStep, Restart
from ..sample_runs import SampleRun

OTHER_SEED = 1000  # from a run's seed to that of another run of its sample
MODES = ("replace", "level-correct")


@dataclass(frozen=True)
class NoiseRun(SampleRun):
    """A run of this figure.

    Attributes:
        offset: added to the seed of the initial noise.
        maps: also compare the run with the clean one at every step.
    """

    offset: int = 0
    maps: bool = False


@dataclass(frozen=True)
class Designs:
    """The runs of one sample; its index is the seed of all noise."""

    cell: str
    index: int
    suite_seed: int

    def run(self, design: str, *interventions: Intervention, **more) -> NoiseRun:
        base = self.cell, self.index, self.suite_seed, self.index
        return NoiseRun(*base, design, interventions, **more)

    def restarts(self, steps: range) -> list[NoiseRun]:
        """The clean run; and at each step what one pass makes of the first and of the newest
        estimate, noised again."""
        i, runs = self.index, [self.run("clean", traced=True)]
        for s in steps:
            runs.append(self.run("restart", Restart(s, seed=i), until=s + 1))
            runs.append(self.run("renoise", level_correct(s, i), until=s + 1))
        return runs

    def at_steps(self, steps: range, maps: bool) -> list[NoiseRun]:
        """Noise in all frames at each step but 0, where it is another seed; and its ceiling."""
        i = self.index
        runs = [self.run("other seed", offset=OTHER_SEED, maps=maps)]
        if maps:
            runs.append(self.run("null", NoiseAtStep(steps[0], frames=()), maps=True))
        for s in steps:
            for mode in MODES:
                noise = NoiseAtStep(s, mode=mode, seed=i)
                runs.append(self.run(f"step {mode}", noise, maps=maps))
        return runs

    def in_frames(self, columns: list[int], frames: int) -> list[NoiseRun]:
        """Noise in chosen frames; level-correct in inner ones only."""
        runs = []
        for frame in columns:
            for mode in MODES if 0 < frame < frames - 1 else MODES[:1]:
                noise = NoiseAtFrame(frame, mode=mode, seed=self.index)
                runs.append(self.run(f"frame {mode}", noise))
        return runs

    def at_some_steps(self, some: Sequence[int], frames: int, steps: int) -> list[NoiseRun]:
        """At each of some steps: a restart, read at the end; noise in all inner frames; and its
        equal dose, noise in the middle one of them at as many steps around it."""
        i, inner = self.index, tuple(range(1, frames - 1))
        runs = []
        for s in some:
            runs.append(self.run("restart end", Restart(s, seed=i)))
            around = centred(s, len(inner), steps)
            if inner:
                runs.append(self.run("inner", NoiseAtStep(s, frames=inner, seed=i)))
            if around:
                window = NoiseAtFrame(frames // 2, steps=around, seed=i)
                runs.append(self.run("inner-window", window))
        return runs


def level_correct(step: int, seed: int) -> NoiseAtStep:
    """Noise of the right level at a step, in all frames."""
    return NoiseAtStep(step, mode="level-correct", seed=seed)


def centred(centre: int, count: int, steps: int) -> tuple[int, ...]:
    """`count` consecutive steps around one, which is number `count // 2` of them; none if they do
    not all lie inside the schedule."""
    first = centre - count // 2
    return tuple(range(first, first + count)) if 0 <= first <= steps - count else ()

"""What is done to each sample: runs with noise at steps and in frames, of equal dose, restarted."""

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

    def at_steps(self, steps: range, maps: bool) -> list[NoiseRun]:
        """Designs that every sample gets. Noise at step 0 is not among them: it is another seed."""
        i = self.index
        runs = [self.run("clean", traced=True)]
        runs.append(self.run("other seed", offset=OTHER_SEED, maps=maps))
        if maps:
            runs.append(self.run("null", NoiseAtStep(steps[0], frames=()), maps=True))
        for s in steps:
            for mode in MODES:
                noise = NoiseAtStep(s, mode=mode, seed=i)
                runs.append(self.run(f"step {mode}", noise, maps=maps))
            runs.append(self.run("restart", Restart(s, seed=i), until=s + 1))
            runs.append(self.run("renoise", level_correct(s, i), until=s + 1))
        return runs

    def in_frames(self, columns: list[int], frames: int) -> list[NoiseRun]:
        """Noise in chosen frames; level-correct in inner ones only."""
        runs = []
        for frame in columns:
            for mode in MODES if 0 < frame < frames - 1 else MODES[:1]:
                noise = NoiseAtFrame(frame, mode=mode, seed=self.index)
                runs.append(self.run(f"frame {mode}", noise))
        return runs

    def at_the_middle(self, step: int, frames: int, steps: int) -> list[NoiseRun]:
        """Equal doses at one step: all inner frames there, and the middle one of them at as many
        steps around it; and a restart there, read at the end."""
        inner = tuple(range(1, frames - 1))
        runs = [self.run("restart end", Restart(step, seed=self.index))]
        if inner:
            window = NoiseAtFrame(
                frames // 2, steps=centred(step, len(inner), steps), seed=self.index
            )
            runs.append(self.run("inner", NoiseAtStep(step, frames=inner, seed=self.index)))
            runs.append(self.run("inner-window", window))
        return runs


def level_correct(step: int, seed: int) -> NoiseAtStep:
    """Noise of the right level at a step, in all frames."""
    return NoiseAtStep(step, mode="level-correct", seed=seed)


def nearest(steps: range, place: float) -> int:
    """The step of a grid that is nearest to a place, the earlier of two."""
    return min(steps, key=lambda step: abs(step - place))


def centred(centre: int, count: int, steps: int) -> tuple[int, ...]:
    """`count` consecutive steps centred at one, moved to lie inside the schedule."""
    first = min(max(0, centre - count // 2), max(0, steps - count))
    return tuple(range(first, min(first + count, steps)))

"""Self-correction: revisions of clean runs, and recovery from mistakes that are put in.

Recovery as in "Think Before You Paint" (PaTh): a complete answer with a mistake is encoded, noised
to a step, `x_s = (1 - sigma_s) z + sigma_s eps`, and denoised from there. The mistake is

- *visible*: in one part of a valid answer a value that a clue in the same row or column has, so the
  given frame contradicts it directly;
- *inferable*: in the same part a value that no clue in its row or column has, but no valid answer
  has it either, so only deduction tells;
- *consistent*: a whole Latin square that contradicts a clue (as few as possible). In the first two
  most other parts tell against the wrong one; here none does, only the given frame.

All are noised with the same noise; the control is the valid answer itself. Frame 0 always shows the
given frame as it is.
"""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...bench import samples
from ...experiments.base import UNREAD
from ...experiments.lines import key_of
from ...experiments.parameters import checked
from ...measures import decisions, traces
from ...measures.answers import symbol_encoder
from ...puzzles import reading
from ...puzzles.base import Answer, Sample, assignment
from ...puzzles.splits import Split
from ...sampling.denoise import Trajectory, denoise
from ...sampling.interventions import generator
from ...sampling.state import State, begin
from ..sample_runs import SampleBranches, SampleRun
from ..showcase import decode_all, kept_clips
from .revisions import revisions_at
from .wrong_parts import KINDS, NAMES, WRONG, Mistake, mistakes_of

Count = Callable[[], None] | None


@dataclass(frozen=True)
class Repair:
    """A run from an answer with a mistake.

    Attributes:
        label: what kind of mistake, and what became of it.
        sample: that the answer belongs to.
        step: that the answer was noised to.
        start: the picture of the answer with the mistake, (H, W, 3) in [0, 1].
        changed: (H, W) bool, the pixels of the wrong parts.
        clips: the clean estimates from that step on, (S - step, frames, H, W, 3).
    """

    label: str
    sample: Sample
    step: int
    start: np.ndarray
    changed: np.ndarray
    clips: np.ndarray


@dataclass(frozen=True)
class MistakeRun(SampleRun):
    """A clean, traced run; or the design says which kind of mistake is put in.

    Attributes:
        step: that the changed answer is noised to.
    """

    step: int = 0


class Mistakes(SampleBranches):
    """The experiment. A clean row also has the revisions by step, see `revisions_at`. The others
    have `parts`, the wrong ones; `recovered`, these end right (of a consistent mistake, and where
    several answers are valid: the answer ends valid); `at_once`, the same of the first clean
    estimate, so that no step was needed; `kept`, they end with the values that were put in; and
    `readable`, these values are what the noised answer shows before the network has seen it. They
    are unread if the sample does not take every kind of mistake.
    """

    name = "3_mistakes"
    run_type = MistakeRun
    showcases = ("showcase",)

    @checked
    def plan(
        self, cells: dict[str, int], steps: list[int], suite_seed: int, split: Split = "test"
    ) -> list[MistakeRun]:
        """All runs.

        Args:
            cells: how many samples of each cell, which must be of the Latin square.
            steps: that the answers are noised to.

        Raises:
            ValueError: for another puzzle, or a step that the schedule does not have.
        """
        _check(samples.cells(list(cells)), steps, self.schedule.steps)
        if self.model.family.audio_noise is not None:
            raise ValueError(f"{self.model.name} denoises sound too, which a noised answer lacks")
        runs = []
        for cell, count in cells.items():
            for index in range(count):
                base = MistakeRun(cell, index, suite_seed, seed=index, traced=True, split=split)
                placed = replace(base, traced=False)
                runs.append(base)
                runs += [replace(placed, design=kind, step=s) for kind in KINDS for s in steps]
        return runs

    def evaluations(self, runs: list[MistakeRun]) -> int:
        """See `Experiment`."""
        clean = [run for run in runs if run.design == "clean"]
        placed = sum(self.schedule.steps - run.step for run in runs if run.design != "clean")
        return placed + (super().evaluations(clean) if clean else 0)

    def results_of(
        self, groups: Sequence[list[MistakeRun]], count: Count = None
    ) -> Iterator[tuple[MistakeRun, dict]]:
        """See `Experiment`; the clean runs of all groups grow together."""
        clean = [[run for run in group if run.design == "clean"] for group in groups]
        if clean := [group for group in clean if group]:
            yield from super().results_of(clean, count)
        for run in (run for group in groups for run in group if run.design != "clean"):
            yield run, self._recovery(run, count)

    def read(self, run: MistakeRun, sample: Sample, trajectory: Trajectory) -> dict:
        """See `SampleBranches`; with the revisions of a traced run."""
        result = super().read(run, sample, trajectory)
        if run.traced:
            right = decisions.reference_answer(sample, traces.decoded(result["decided"]))
            result["revisions"] = revisions_at(traces.decoded(result["held"]), right)
        return result

    def start(self, run: MistakeRun) -> tuple[Mistake, State] | None:
        """The mistake of a run, and the state that it starts from; None if there is none."""
        sample = self.sample(run)
        if (mistakes := self._mistakes(run)) is None:
            return None
        condition = self.model.prepare_sample(sample)
        state = begin(self.model, condition, self.schedule, run.seed)
        sigma = float(state.sampler.sigmas[run.step])
        z = self._encoded(sample, mistakes[run.design].answer)
        eps = torch.randn(z.shape, generator=generator("mistake", run.seed, run.step)).to(z)
        noised = (1.0 - sigma) * z + sigma * eps
        state.step, state.latents = run.step, self.model.hold(noised, condition)
        return mistakes[run.design], state

    def _mistakes(self, run: MistakeRun) -> dict[str, Mistake] | None:
        return mistakes_of(self.sample(run), np.random.default_rng([run.suite_seed, run.index]))

    @torch.inference_mode()
    def follow(self, run: MistakeRun, state: State, count: Count = None) -> Trajectory:
        """Denoises from a state to the end."""
        condition = self.model.prepare_sample(self.sample(run))
        watch = (lambda *_: count()) if count else None
        return denoise(self.model, condition, self.schedule, state, watch=watch)

    def showcase(self, rows: list[dict], results: str | Path) -> list[Repair]:
        """Of each kind of mistake the first that was repaired and the first that was not, in the
        first cell, from the middle one of the steps; those that there are. None of symbols."""
        read = [
            row
            for row in rows
            if row["run"]["design"] in WRONG and row["result"]["valid"] is not None
        ]
        if not read or self.model.family.encode_sample is not None:
            return []
        steps = sorted({row["run"]["step"] for row in read})
        where = read[0]["run"]["cell"], steps[len(steps) // 2]
        found: dict[tuple[str, bool], MistakeRun] = {}
        for row in (r for r in read if (r["run"]["cell"], r["run"]["step"]) == where):
            name = row["run"]["design"], row["result"]["recovered"]
            found.setdefault(name, self.run_of(row["run"]))
        order = [(kind, recovered) for kind in WRONG for recovered in (True, False)]
        return [self._repair(found[n], n[1], results) for n in order if n in found]

    def _repair(self, run: MistakeRun, recovered: bool, results: str | Path) -> Repair:
        sample = self.sample(run)
        mistake, state = self.start(run)
        clips = kept_clips(
            results,
            key_of(self.identity(run)),
            self.schedule.steps - run.step,
            lambda: decode_all(self.model, self.follow(run, state)),
        )
        answer = sample.solutions.answers[0]
        wrong = [v if i in mistake.parts else answer[i] for i, v in enumerate(mistake.answer)]
        start, changed, right = (
            sample.picture(a, 1.0, self.model.size) for a in (mistake.answer, tuple(wrong), answer)
        )
        kind = textwrap.fill(NAMES[run.design], 18)
        label = f"{kind},\n{'' if recovered else 'not '}repaired"
        where = np.abs(changed - right).max(2) > 0.05
        return Repair(label, sample, run.step, start, where, clips)

    def _recovery(self, run: MistakeRun, count: Count) -> dict:
        sample = self.sample(run)
        result = UNREAD | {"sample": traces.facts(sample)}
        if (started := self.start(run)) is None:
            return result
        mistake, state = started
        clean_part = max(1.0 - state.sigma, 1e-3)  # of the state, which is (1 - sigma) z and noise
        noised = self._decided(sample, state.latents / clean_part)
        trajectory = self.follow(run, state, count)
        first, last = (self._decided(sample, trajectory.x0_hats[i]) for i in (0, -1))
        return (
            result
            | traces.outcome(self.model, sample, trajectory.x0_hats[-1])
            | {
                "parts": list(mistake.parts),
                "readable": _agree(noised, mistake.answer, mistake.parts),
                "at_once": _right(sample, run.design, mistake, first),
                "recovered": _right(sample, run.design, mistake, last),
                "kept": _agree(last, mistake.answer, mistake.parts),
            }
        )

    def _decided(self, sample: Sample, latents: Tensor) -> np.ndarray:
        return reading.decide(self.model.beliefs(sample, latents))

    def _encoded(self, sample: Sample, answer: Answer) -> Tensor:
        """The latents (1, C, F, H, W) of an answer; frame 0 shows the given frame, whatever the
        answer says about the clues."""
        if self.model.family.encode_sample is not None:
            return symbol_encoder(sample)(answer)
        clip = sample.render(answer, self.model.size, self.model.frames)
        clip[0] = sample.render(None, self.model.size, 1)[0]
        return self.model.encode(clip)


def _agree(decided: np.ndarray, answer: Answer, parts: Sequence[int]) -> bool:
    return all(int(decided[part]) == answer[part] for part in parts)


def _right(sample: Sample, kind: str, mistake: Mistake, decided: np.ndarray) -> bool:
    """Whether the wrong parts are right; of a consistent mistake, and if several answers are valid,
    whether the answer is."""
    if kind == "consistent" or len(sample.solutions) > 1:
        return sample.is_valid(assignment(decided))
    return _agree(decided, sample.solutions.answers[0], mistake.parts)


def _check(cells: list[str], steps: list[int], count: int) -> None:
    for cell in cells:
        if samples.task_of(cell) != "latin":
            raise ValueError(f"mistakes are put into Latin squares only; {cell!r} is none")
    for step in steps:
        if not 0 <= step < count:
            raise ValueError(f"steps names {step}; expected 0 to {count - 1}")

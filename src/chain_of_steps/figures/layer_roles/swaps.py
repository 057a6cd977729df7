"""Figure 6b of the paper, measured: at which layer, and at which step, is the answer decided?

A receiver and a donor run on the same board, with the same noise, towards different answers. At
one step the output of one block of the receiver is replaced by the donor's, wholly or in part; the
answer is read off that step's clean estimate and off the final video.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...bench import tasklist
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...measures.linear_probes import shaken
from ...models.hooks import FromLayer
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.first import suites
from ...puzzles.first.base import Sample
from ...puzzles.first.counterfactual import MODULES, counterfactual, exchanged
from ...puzzles.first.reading import OWN_PIXEL
from ...sampling.denoise import advance, denoise, generate
from ...sampling.interventions.patch import Patch, patched
from ...sampling.sites import Captured, Site, region
from ...sampling.state import State
from .parties import Party, Patched, SwapRun

WHERE = ("all", "cause", "answer")
UNRELATED = "stranger"  # the donor from an unrelated sample, as stored rows name it


class LayerSwaps(Experiment[SwapRun]):
    """The experiment: swaps at every layer.

    Args:
        model, schedule: what generates; under guidance only the pass with the prompt is swapped.
    """

    name = "4_layer_swaps"
    digits: ClassVar = {"own": 3, "donor": 3}
    run_type = SwapRun

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.layers = model.layers
        self.patch = model.patch

    @checked
    def plan(
        self,
        pairs: dict[str, int],
        map_pairs: dict[str, int],
        steps: list[int],
        map_stride: int,
        suite_seed: int,
    ) -> list[SwapRun]:
        """All runs: every variant at `steps`, and for the map the two regions at every
        `map_stride`-th step.

        Args:
            pairs, map_pairs: how many pairs of each task are drawn; the map's are the first of
                them.

        Raises:
            ValueError: if the schedule has no such step.
        """
        if beyond := [step for step in steps if not 0 <= step < self.schedule.steps]:
            raise ValueError(
                f"there is no step {beyond[0]}; expected 0 to {self.schedule.steps - 1}"
            )
        runs = []
        for task in tasklist.task_names(list(pairs)):
            for i in range(pairs[task]):
                for step in steps:
                    base = (task, i, suite_seed, i, step)
                    runs += [SwapRun(*base, "state", where, final=True) for where in WHERE]
                    runs += [SwapRun(*base, variant, "all") for variant in ("delta", "blend")]
                    runs += [SwapRun(*base, "delta", "answer")]
                    runs += [
                        SwapRun(*base, "state", "answer", UNRELATED, True),
                        SwapRun(*base, "noise", "answer", final=True),
                    ]
                    runs += [SwapRun(*base, "held", where, final=True) for where in WHERE]
                    if suites.TASKS[task].module == "mark_object":
                        runs += [
                            SwapRun(*base, v, where, "exchanged", True)
                            for v in ("state", "held")
                            for where in WHERE
                        ]
                runs += [SwapRun(task, i, suite_seed, i, steps[0], random=True)]
            for i in range(map_pairs.get(task, 0)):
                for step in range(0, self.schedule.steps, map_stride):
                    base = (task, i, suite_seed, i, step)
                    runs += [
                        SwapRun(*base, v, where, final=True)
                        for v in ("state", "held")
                        for where in WHERE[1:]
                    ]
        return list(dict.fromkeys(runs))

    def evaluations(self, runs: list[SwapRun]) -> int:
        """How many model evaluations `results` makes if both clean runs are right; a patched one
        counts as half."""
        left = self.schedule.steps - runs[0].step - 1
        patched = (
            self.layers
            * sum(1 + 2 * left * run.final + (run.variant == "held") for run in runs)
            // 2
        )
        return patched + (1 + len({"twin", *(run.donor for run in runs)})) * self.schedule.steps

    def results(
        self, runs: list[SwapRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[SwapRun, dict]]:
        """Yields the result of every run; all share a base.

        Fields: `answers` of the two clean runs, and the two `right` answers, as the receiver's
        candidates. Where these are equal, lists over layers: `moved`, how far the clean estimate
        went on the way from receiver to donor, `||P - A|| / ||B - A||`; `own` and `donor`, evidence
        for either's answer in the last frame of that clean estimate (these three not where the swap
        is held); and `final`, the candidate that the final video shows on the receiver's board or
        on the donor's (-1 for none), where `final` is set, which is then its `answer`. Nothing can
        flip in other pairs, so nothing is swapped in them.
        """
        with shaken(self.model) if runs[0].random else nullcontext():
            yield from self._results(runs)

    def _results(self, runs: list[SwapRun]) -> Iterator[tuple[SwapRun, dict]]:
        first, held = runs[0], any(run.variant == "held" for run in runs)
        sample = tasklist.draw_one(first.task, first.index, first.suite_seed, first.partition)
        own, state = self._party(sample, sample, first)

        @cache
        def donor(name: str) -> Party:
            return self._party(self.board(sample, name, first), sample, first, held)[0]

        target = self.target(sample)
        for run in runs:
            pair = "twin" if run.donor == UNRELATED else run.donor
            clean = {"right": [0, target], "answers": [own.answer, donor(pair).answer]}
            if not run.random and clean["answers"] != clean["right"]:
                yield run, UNREAD | clean
                continue
            board = self.board(sample, pair, run)
            parts = own, donor(run.donor), self._tokens(sample, board, run), state
            swapped = self._held if run.variant == "held" else self._patched
            patched = [swapped(layer, run, *parts) for layer in range(self.layers)]
            yield run, clean | self._read((sample, board), target, own, donor(run.donor), patched)

    def target(self, sample: Sample) -> int:
        """Which of the receiver's candidates is the donor's answer: the first wrong one."""
        if sample.module not in MODULES:
            raise ValueError(
                f"{sample.task} has no twin; expected a task of {' or '.join(MODULES)}"
            )
        return next(i for i, candidate in enumerate(sample.candidates) if candidate.kind == "wrong")

    def board(self, sample: Sample, donor: str, run: SwapRun) -> Sample:
        """The board that the donor of that name runs on, see `SwapRun.donor`."""
        if donor == UNRELATED:
            return tasklist.draw_one(run.task, run.index + 1000, run.suite_seed, run.partition)
        return {"twin": counterfactual, "exchanged": exchanged}[donor](sample, self.target(sample))

    @torch.inference_mode()
    def _party(
        self, board: Sample, reader: Sample, run: SwapRun, later: bool = False
    ) -> tuple[Party, State]:
        """A clean run on `board`, its answer read as one of `reader`'s candidates; and where it
        stood at the step."""
        condition, last = (
            self.model.prepare_sample(board),
            self.schedule.steps if later else run.step,
        )
        captured = Captured(lambda site: run.step <= site.step <= last)
        clean = generate(
            self.model, condition, self.schedule, run.seed, keep_states=True, visit=captured
        )
        answer = _shown(self.model.decode(clean.latents[-1])[-1], (board,), reader)
        return Party(condition, captured, clean.x0_hats[run.step], answer), clean.states[run.step]

    @torch.inference_mode()
    def _patched(
        self, layer: int, run: SwapRun, own: Party, donor: Party, tokens: Tensor, state: State
    ) -> Patched:
        """The receiver's run, swapped at one layer of one step: the step begins at that layer."""
        here, states = state.copy(), own.states(run.step)
        chosen = tuple(torch.nonzero(tokens).flatten().tolist())
        patch = Patch(run.step, layer, tokens=chosen, variant=run.variant, seed=run.seed)
        changed = patched(patch, states, donor.states(run.step))
        unguided = own.states(run.step, guided=False).get(layer)
        start = FromLayer(layer, {True: changed, False: unguided})
        _, x0_hat = advance(self.model, own.condition, self.schedule, here, start=start)
        rest = denoise(self.model, own.condition, self.schedule, here) if run.final else None
        return Patched(x0_hat, rest and rest.latents[-1])

    @torch.inference_mode()
    def _held(
        self, layer: int, run: SwapRun, own: Party, donor: Party, tokens: Tensor, state: State
    ) -> Patched:
        """The receiver's run with the donor's state after one layer from this step on."""

        def change(site: Site, hidden: Tensor) -> Tensor | None:
            if not site.guided or site.layer != layer:
                return None
            return torch.where(tokens.to(hidden.device)[:, None], donor.captured[site], hidden[0])[
                None
            ]

        final = denoise(self.model, own.condition, self.schedule, state.copy(), visit=change)
        return Patched(None, final.latents[-1])

    def _tokens(self, sample: Sample, other: Sample, run: SwapRun) -> Tensor:
        """Which tokens a run swaps, (N,) bool; `other` is the donor's board, of another answer."""
        later = torch.arange(self.model.latent_frames) > 0
        size = self.model.size
        pictures = [
            sample.picture(sample.candidates[index], 1.0, size)
            for index in (0, self.target(sample))
        ]
        answers = np.abs(pictures[0] - pictures[1]).max(2) > OWN_PIXEL
        given = np.abs(sample.first_frame(size) - other.first_frame(size)).max(2) > 0.05
        if run.where == "answer":
            return region(torch.from_numpy(answers), later, self.patch)
        if run.where == "cause":
            return region(torch.from_numpy(given if given.any() else answers), ~later, self.patch)
        return torch.ones(len(later) * (size // self.patch) ** 2, dtype=torch.bool)

    def _read(
        self, boards: tuple, target: int, own: Party, donor: Party, patched: list[Patched]
    ) -> dict:
        sample, result, way = boards[0], dict(UNREAD), (donor.x0_hat - own.x0_hat).norm()
        if patched[0].x0_hat is not None:
            evidence = [sample.evidence(self.model.decode(p.x0_hat)[-1]) for p in patched]
            result["moved"] = [float((p.x0_hat - own.x0_hat).norm() / way) for p in patched]
            result["own"] = [float(e[0]) for e in evidence]
            result["donor"] = [float(e[target]) for e in evidence]
        if patched[0].final is not None:
            result["final"] = [
                _shown(self.model.decode(p.final)[-1], boards, sample) for p in patched
            ]
            result["answer"] = result["final"]
            result["valid"] = [answer == 0 for answer in result["final"]]
        return result


def _shown(frame: np.ndarray, boards: tuple[Sample, ...], reader: Sample) -> int:
    """Which of the reader's candidates a frame shows, drawn on the first of these boards that it
    is a picture of; -1 for none."""
    answers = [candidate.answer for candidate in reader.candidates]
    for board in boards:
        index = board.answer_index(frame)
        if index is not None:
            given = board.candidates[index].answer
            return answers.index(given) if given in answers else -1
    return -1

"""Figure 6b of the paper, measured: at which layer, and at which step, is the answer decided?

A receiver and a donor run on the same board, with the same noise, towards different answers. At one step the state
that one block of the receiver put out is replaced by the donor's, wholly or in part; the answer is read off that
step's clean estimate and off the final video.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from .. import suites
from ..denoise import State, advance, denoise, generate
from ..linear_probes import shaken
from ..models import Condition, VideoModel
from ..parameters import checked
from ..schedule import Schedule
from ..sites import capture, region, start_at
from ..store import rounded
from ..swaps import SwapLayer
from ..sweep import common
from ..tasks.base import Sample
from ..tasks.counterfactual import MODULES, counterfactual, exchanged
from ..tasks.reading import OWN_PIXEL

WHERE = ("all", "cause", "answer")


@dataclass(frozen=True)
class Run:
    """What determines one row, apart from model and schedule.

    Attributes:
        task, index, suite_seed, partition: name the receiver's sample.
        seed: of the noise of both runs.
        step: at which the swap is made.
        variant: of the swap, see `SwapLayer`.
        where: which tokens are swapped: all; `cause`: the given frame where the two boards or their named things
            differ; `answer`: all later frames where the two answers differ.
        donor: `twin`, the same board with another answer; `exchanged`, the same prompt, the named thing and another in
            each other's place; `stranger`, another sample altogether: the null.
        final: also read the final video.
        random: in a network of random weights. It never answers; only how far its clean estimate moves is read.
    """

    task: str
    index: int
    suite_seed: int
    seed: int
    step: int
    variant: str = "state"
    where: str = "all"
    donor: str = "twin"
    final: bool = False
    random: bool = False
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base share receiver, donors and their states."""
        return self.task, self.index, self.suite_seed, self.partition, self.seed, self.step, self.random


@dataclass(frozen=True)
class Party:
    """A run at the step of the swap.

    Attributes:
        states: hidden states (N, D) by layer, -1 to L - 1, of the pass with the prompt.
        unguided: the same of the pass without it; empty without guidance.
        x0_hat: the clean estimate of that step.
        answer: index of the receiver's candidate that its final video shows, -1 for none.
    """

    condition: Condition
    states: dict[int, Tensor]
    unguided: dict[int, Tensor]
    x0_hat: Tensor
    answer: int


@dataclass(frozen=True)
class Patched:
    """A swapped run: that step's clean estimate and, if asked for, the final latents, (1, C, F, H, W)."""

    x0_hat: Tensor
    final: Tensor | None


class LayerSwaps:
    """The experiment: swaps at every layer.

    Args:
        model, schedule: what generates; under guidance only the pass with the prompt is swapped.
    """

    name = "4_layer_swaps"

    def __init__(self, model: VideoModel, schedule: Schedule):
        self.model, self.schedule = model, schedule
        self.layers = len(model.transformers[0].blocks)
        self.patch = model.patch
        self._common = common(self.name, model, schedule)

    @checked
    def plan(
        self,
        pairs: dict[str, int],
        map_pairs: dict[str, int],
        steps: list[int],
        map_stride: int,
        suite_seed: int,
    ) -> list[Run]:
        """All runs: every variant at `steps`, and for the map the two regions at every `map_stride`-th step.

        Args:
            pairs, map_pairs: how many pairs of each task are drawn; the map's are the first of them.
        """
        runs = []
        for task in suites.task_names(list(pairs)):
            for i in range(pairs[task]):
                for step in steps:
                    base = (task, i, suite_seed, i, step)
                    runs += [Run(*base, "state", where, final=True) for where in WHERE]
                    runs += [Run(*base, variant, "all") for variant in ("delta", "blend")]
                    runs += [Run(*base, "delta", "answer")]
                    runs += [Run(*base, "state", "answer", "stranger", True), Run(*base, "noise", "answer", final=True)]
                    if suites.TASKS[task].module == "mark_object":
                        runs += [Run(*base, "state", where, "exchanged", True) for where in WHERE]
                runs += [Run(task, i, suite_seed, i, steps[0], random=True)]
            for i in range(map_pairs.get(task, 0)):
                for step in range(0, self.schedule.steps, map_stride):
                    runs += [Run(task, i, suite_seed, i, step, "state", where, final=True) for where in WHERE[1:]]
        return list(dict.fromkeys(runs))

    def identity(self, run: Run) -> dict:
        """Everything that determines a row, as plain JSON data."""
        return self._common | asdict(run)

    def evaluations(self, runs: list[Run]) -> int:
        """How many model evaluations `results` makes if both clean runs are right; a patched one counts as half."""
        left = self.schedule.steps - runs[0].step - 1
        patched = self.layers * sum(1 + 2 * left * run.final for run in runs) // 2
        return patched + (1 + len({"twin", *(run.donor for run in runs)})) * self.schedule.steps

    def results(self, runs: list[Run], count: Callable[[], None] | None = None) -> Iterator[tuple[Run, dict]]:
        """Yields the result of every run; all share a base.

        Fields: `answers` of the two clean runs, and the two `right` answers, as the receiver's candidates. Where these
        are equal, lists over layers: `moved`, how far the clean estimate went on the way from receiver to donor,
        `||P - A|| / ||B - A||`; `own` and `donor`, evidence for either's answer in the last frame of that clean
        estimate; and `final`, the candidate that the final video shows (-1 for none), where asked for. Nothing can
        flip in other pairs, so nothing is swapped in them.
        """
        with shaken(self.model) if runs[0].random else nullcontext():
            yield from self._results(runs)

    def _results(self, runs: list[Run]) -> Iterator[tuple[Run, dict]]:
        first = runs[0]
        sample = suites.draw_one(first.task, first.index, first.suite_seed, first.partition)
        own, state = self._party(sample, sample, first)

        @cache
        def donor(name: str) -> Party:
            return self._party(self.board(sample, name, first), sample, first)[0]

        target = self.target(sample)
        for run in runs:
            pair = "twin" if run.donor == "stranger" else run.donor
            clean = {"right": [0, target], "answers": [own.answer, donor(pair).answer]}
            if not run.random and clean["answers"] != clean["right"]:
                yield run, clean
                continue
            tokens = self._tokens(sample, self.board(sample, pair, run), run)
            swaps = [SwapLayer(k, run.variant, seed=run.seed) for k in range(self.layers)]
            patched = [self._patched(swap, own, donor(run.donor), tokens, state, run.final) for swap in swaps]
            yield run, clean | self._read(sample, target, own, donor(run.donor), patched)

    def measure(self, identity: dict) -> dict:
        """Computes one row by itself."""
        run = Run(**{name: identity[name] for name in Run.__dataclass_fields__})
        return next(result for _, result in self.results([run]))

    def target(self, sample: Sample) -> int:
        """Which of the receiver's candidates is the donor's answer: the first wrong one."""
        if sample.module not in MODULES:
            raise ValueError(f"{sample.task} has no twin; expected a task of {' or '.join(MODULES)}")
        return next(i for i, candidate in enumerate(sample.candidates) if candidate.kind == "wrong")

    def board(self, sample: Sample, donor: str, run: Run) -> Sample:
        """What the donor of that name runs on, see `Run.donor`."""
        if donor == "stranger":
            return suites.draw_one(run.task, run.index + 1000, run.suite_seed, run.partition)
        return {"twin": counterfactual, "exchanged": exchanged}[donor](sample, self.target(sample))

    @torch.inference_mode()
    def _party(self, board: Sample, reader: Sample, run: Run) -> tuple[Party, State]:
        """A clean run on `board`, its answer read as one of `reader`'s candidates; and where it stood at the step."""
        condition = self.model.prepare_sample(board)
        with capture(self.model, lambda site: site.step == run.step) as captured:
            clean = generate(self.model, condition, self.schedule, run.seed, keep_states=True)
        states, unguided = (
            {site.layer: state for site, state in captured.items() if site.guided == guided} for guided in (True, False)
        )
        shown = board.answer_index(self.model.decode(clean.latents[-1])[-1])
        answers = [candidate.answer for candidate in reader.candidates]
        given = None if shown is None else board.candidates[shown].answer
        answer = answers.index(given) if given in answers else -1
        return Party(condition, states, unguided, clean.x0_hats[run.step], answer), clean.states[run.step]

    @torch.inference_mode()
    def _patched(self, swap: SwapLayer, own: Party, donor: Party, tokens: Tensor, state: State, final: bool) -> Patched:
        """The receiver's run, swapped at one layer of one step: that step's clean estimate, and the final latents."""
        here, changed = state.copy(), swap.apply(own.states, donor.states, tokens)
        with start_at(self.model, swap.layer, {True: changed, False: own.unguided.get(swap.layer)}):
            _, x0_hat = advance(self.model, own.condition, self.schedule, here)
        rest = denoise(self.model, own.condition, self.schedule, here) if final else None
        return Patched(x0_hat, rest and rest.latents[-1])

    def _tokens(self, sample: Sample, other: Sample, run: Run) -> Tensor:
        """Which tokens a run swaps, (N,) bool; `other` is the donor's board, of another answer."""
        later = torch.arange(self.model.latent_frames) > 0
        size = self.model.size
        pictures = [sample.picture(sample.candidates[index], 1.0, size) for index in (0, self.target(sample))]
        answers = np.abs(pictures[0] - pictures[1]).max(2) > OWN_PIXEL
        given = np.abs(sample.first_frame(size) - other.first_frame(size)).max(2) > 0.05
        if run.where == "answer":
            return region(torch.from_numpy(answers), later, self.patch)
        if run.where == "cause":
            return region(torch.from_numpy(given if given.any() else answers), ~later, self.patch)
        return torch.ones(len(later) * (size // self.patch) ** 2, dtype=torch.bool)

    def _read(self, sample: Sample, target: int, own: Party, donor: Party, patched: list[Patched]) -> dict:
        way = (donor.x0_hat - own.x0_hat).norm()
        evidence = [sample.evidence(self.model.decode(p.x0_hat)[-1]) for p in patched]
        result = {
            "moved": rounded([float((p.x0_hat - own.x0_hat).norm() / way) for p in patched]),
            "own": rounded([float(e[0]) for e in evidence], 3),
            "donor": rounded([float(e[target]) for e in evidence], 3),
        }
        if patched[0].final is not None:
            shown = [sample.answer_index(self.model.decode(p.final)[-1]) for p in patched]
            result["final"] = [-1 if index is None else index for index in shown]
        return result

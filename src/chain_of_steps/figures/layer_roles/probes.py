"""Perception before decision? Linear probes on hidden states, by layer and step, and their floors.

Two labels that differ by construction. `clue` is what can be seen: the value of a given cell (Latin
square), or whether a thing fits the prompt (mark). `decision` is what this generation will answer:
the value of an open cell, which of the things that fit is marked, whether the path takes a door
that some valid path takes and another does not (maze).
"""

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...bench import samples
from ...experiments.base import UNREAD, Experiment
from ...experiments.parameters import checked
from ...experiments.trees import Count
from ...measures import traces
from ...measures.decisions import decide, possible
from ...measures.linear_probes import FLOORS, cells_of, guessed, shaken, share
from ...models.conditions import Condition
from ...puzzles.base import Sample, assignment
from ...puzzles.splits import Split
from ...sampling.denoise import advance, generate
from ...sampling.sites import Captured, Site
from ...sampling.state import State
from . import places

LABELS = {  # of each task, with the number of classes
    "latin": {"clue": 4, "decision": 4},
    "mark": {"clue": 2, "decision": 2},
    "maze": {"decision": 2},
}


@dataclass(frozen=True)
class ProbeRun:
    """What determines one row, apart from model and schedule: one source, probed along the steps.

    Attributes:
        cell, samples, suite_seed, split: the samples whose tokens are probed; noise seeds are their
            numbers.
        label: `clue` or `decision`, see the module.
        step_stride: every which step is probed, from step 0.
        source: a layer's number as text; or a floor: `x`, the noisy latents; `x0_hat`; `input`, of
            the first block; `shuffled` labels on the last layer; or the middle layer of a
            `random network` in the same states.
    """

    cell: str
    samples: int
    suite_seed: int
    label: str
    step_stride: int
    source: str
    split: Split = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base probe the same generations."""
        return self.cell, self.samples, self.suite_seed, self.step_stride, self.split


class Seen(NamedTuple):
    """What is kept of one generation: the decided answer (P,), the tokens (h w, D) of the last
    latent frame by (step, source), and the states before the probed steps."""

    sample: Sample
    condition: Condition
    answer: np.ndarray
    tokens: dict[tuple[int, str], Tensor]
    states: dict[int, State]


class LayerProbes(Experiment[ProbeRun]):
    """The experiment: classes of parts, read off their tokens by logistic regression."""

    name = "4_layer_probes"
    run_type = ProbeRun

    @checked
    def plan(
        self,
        cells: list[str],
        samples_per_cell: int,
        step_stride: int,
        suite_seed: int,
        split: Split = "test",
    ) -> list[ProbeRun]:
        """All runs: every label at every layer and floor, at every `step_stride`-th step.

        Raises:
            ValueError: for a cell of a task without labels.
        """
        sources = [*map(str, range(self.model.layers)), *FLOORS]
        runs = []
        for cell in samples.cells(cells):
            if (task := samples.task_of(cell)) not in LABELS:
                raise ValueError(f"{cell!r} has no labels; expected a task of {', '.join(LABELS)}")
            common = (cell, samples_per_cell, suite_seed)
            runs += [
                ProbeRun(*common, label, step_stride, source, split)
                for label in LABELS[task]
                for source in sources
            ]
        return runs

    def evaluations(self, runs: list[ProbeRun]) -> int:
        """How many model evaluations `results` makes: whole generations, and for one floor the
        probed steps in a random network."""
        random = any(run.source == "random network" for run in runs)
        return runs[0].samples * (self.schedule.steps + random * len(self._steps(runs[0])))

    def results(self, runs: list[ProbeRun], count: Count = None) -> Iterator[tuple[ProbeRun, dict]]:
        """Yields the result of every probe; all share a base.

        Fields: `step` of the probes; by step, class and sample, how many of its parts were read
        right by a probe that never saw the sample (`hits`); by class and sample, how many there are
        (`total`); of every sample whether its generation ends `right`, and its `cluster`.
        """
        run, steps = runs[0], self._steps(runs[0])
        drawn = samples.draw(run.cell, run.samples, run.suite_seed, run.split)
        seen = [self.look(sample, i, steps, count) for i, sample in enumerate(drawn)]
        random = any(each.source == "random network" for each in runs)
        with shaken(self.model) if random else nullcontext():
            blind = [self.blind(one, count) for one in seen] if random else []
        facts = {
            "step": list(steps),
            "right": [one.sample.is_valid(assignment(one.answer)) for one in seen],
            "cluster": [traces.facts(sample)["cluster"] for sample in drawn],
        }
        for each in runs:
            yield each, UNREAD | facts | self._probe(each, seen, blind)

    def _steps(self, run: ProbeRun) -> range:
        return range(0, self.schedule.steps, run.step_stride)

    @torch.inference_mode()
    def look(self, sample: Sample, seed: int, steps: Collection[int], count: Count = None) -> Seen:
        """Generates once and keeps what is probed."""
        condition = self.model.prepare_sample(sample)
        last, patch = self._last_frame(), self.model.transformers[0].config.patch_size
        captured = Captured(lambda site: site.step in steps and site.guided, tokens=last)
        watch = (lambda *_: count()) if count else None
        clean = generate(
            *(self.model, condition, self.schedule, seed),
            watch=watch,
            visit=captured,
            keep_states=True,
        )
        tokens = {(site.step, _source(site)): state for site, state in captured.items()}
        for step in steps:
            tokens[step, "x"] = cells_of(clean.latents[step], patch)[last]
            tokens[step, "x0_hat"] = cells_of(clean.x0_hats[step], patch)[last]
        answer = decide(self.model.beliefs(sample, clean.x0_hats[-1]))
        return Seen(sample, condition, answer, tokens, {s: clean.states[s] for s in steps})

    @torch.inference_mode()
    def blind(self, seen: Seen, count: Count = None) -> dict[int, Tensor]:
        """The tokens (h w, D) of the last frame after the middle layer, by step, as the network at
        hand makes them of the states of a generation."""
        middle, found = self.model.layers // 2, {}
        for step, state in seen.states.items():
            captured = Captured(lambda s: s.guided and s.layer == middle, self._last_frame())
            advance(self.model, seen.condition, self.schedule, state.copy(), visit=captured)
            (found[step],) = captured.values()
            if count:
                count()
        return found

    def _last_frame(self) -> Tensor:
        """(N,) bool, the tokens of the last latent frame."""
        cells = (self.model.size // self.model.patch) ** 2
        return torch.arange(self.model.latent_frames * cells) >= cells * (
            self.model.latent_frames - 1
        )

    def _probe(self, run: ProbeRun, seen: list[Seen], blind: list[dict[int, Tensor]]) -> dict:
        task = samples.task_of(run.cell)
        examples = [labelled(run.label, one.sample, one.answer) for one in seen]
        classes = [np.array([known for _, known in each], int) for each in examples]
        weights = [
            self._weights(one.sample, each) for one, each in zip(seen, examples, strict=True)
        ]
        trained = _shuffled(classes) if run.source == "shuffled" else classes
        layer = str(self.model.layers - 1) if run.source == "shuffled" else run.source
        hits = []
        for step in self._steps(run):
            tokens = (
                [one[step] for one in blind]
                if run.source == "random network"
                else [one.tokens[step, layer] for one in seen]
            )
            parts = [w @ t.float().cpu().numpy() for w, t in zip(weights, tokens, strict=True)]
            found = guessed(parts, trained)
            right = [(one == known) for one, known in zip(found, trained, strict=True)]
            hits.append(_by_class(trained, right, LABELS[task][run.label]))
        total = _by_class(trained, [known >= 0 for known in trained], LABELS[task][run.label])
        return {"hits": hits, "total": total}

    def _weights(self, sample: Sample, examples: list[tuple[tuple[int, int], int]]) -> np.ndarray:
        """How much of each example's place each token covers, (K, h w); rows sum to 1."""
        size, patch = self.model.size, self.model.patch
        rows = [share(places.pixels(sample, [place], size), patch) for place, _ in examples]
        return np.array(rows).reshape(-1, (size // patch) ** 2)


def labelled(label: str, sample: Sample, answer: np.ndarray) -> list[tuple[tuple[int, int], int]]:
    """The examples of a label in a sample: place, as (part, value), and class. What the answer
    leaves undecided is no example.

    Args:
        label: `clue` or `decision`.
        answer: decided (P,).
    """
    task = sample.puzzle.name
    if task == "latin":
        free = places.open_parts(sample)
        clues = np.array(sample.state["clues"]).ravel()
        parts, values = (~free, clues) if label == "clue" else (free, answer)
        return [((int(p), 0), int(values[p])) for p in np.flatnonzero(parts) if values[p] >= 0]
    if task == "mark":
        things = range(len(sample.state["things"]))
        fits = {answer[0] for answer in sample.solutions.answers}
        if label == "clue":
            return [((0, thing), int(thing in fits)) for thing in things]
        rivals = sorted(fits) if len(fits) > 1 else things
        return [((0, thing), int(answer[0] == thing)) for thing in rivals if answer[0] >= 0]
    choice = np.flatnonzero(possible(sample).all(1) & (answer >= 0))
    return [((int(part), 1), int(answer[part])) for part in choice]


def _source(site: Site) -> str:
    return "input" if site.layer < 0 else str(site.layer)


def _shuffled(classes: list[np.ndarray]) -> list[np.ndarray]:
    """All labels in random order."""
    order = np.random.default_rng(0).permutation(sum(map(len, classes)))
    ends = np.cumsum([len(each) for each in classes])[:-1]
    return np.split(np.concatenate(classes)[order], ends)


def _by_class(classes: list[np.ndarray], which: list[np.ndarray], number: int) -> list[list[int]]:
    """How many of each sample's examples, by class: (classes, n)."""
    pairs = list(zip(classes, which, strict=True))
    return [[int(((known == c) & chosen).sum()) for known, chosen in pairs] for c in range(number)]

"""Figure 6b of the paper, measured: at which layer, and until which step, is the answer decided?

Hidden states of a donor's tokens take the place of the receiver's after one layer, at one step (the
paper patches the first) or, *held*, at every step from there on. If that layer carries the answer,
the receiver answers as the donor does. Only token subsets are patched, or states under other
prompts: with equal text, the whole state gives the donor's output after any layer (paper trap 2).
A held patch also pastes the donor's finished tokens; how much that explains is measured by a patch
that is held in the last three steps only.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from ...bench import samples
from ...experiments.base import UNREAD
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...experiments.trees import Count, Read, TreeExperiment
from ...measures import traces
from ...measures.decisions import decide
from ...puzzles.base import Sample
from ...puzzles.splits import Split
from ...sampling.denoise import Trajectory
from ...sampling.interventions import Patch, Source
from ...sampling.layout import Branch
from ...sampling.prefix_tree import Tree, grow_all
from ..showcase import kept_clips
from . import pairs, places
from .pairs import Pair

Kind = Literal["state", "noise", "elsewhere"]
KINDS: tuple[Kind, ...] = ("state", "noise", "elsewhere")  # the patch and its two nulls


@dataclass(frozen=True)
class SwapRun:
    """What determines one row, apart from model and schedule: a patch, after each of some layers.

    Attributes:
        cell, index, suite_seed, split: name the sample, see `samples.draw_one`.
        seed: of the receiver's noise.
        region: what is patched, see `pairs.region`.
        kind: `state`, the donor's states; or a null: `noise`, a random change of each of these
            tokens, as long as the way to the donor's; `elsewhere`, the donor's states on an equally
            large random set of other tokens.
        step: of the patch.
        layers: after which it is made, one run for each.
        held: at every later step too.
        final: the generation goes on to its end; otherwise only the step's clean estimate is read.
    """

    cell: str
    index: int
    suite_seed: int
    seed: int
    region: str
    kind: Kind
    step: int
    layers: tuple[int, ...]
    held: bool = False
    final: bool = False
    split: Split = "test"

    @property
    def base(self) -> tuple:
        """Runs of one pair share their clean generations."""
        return self.cell, self.index, self.suite_seed, self.split, self.seed


class LayerSwaps(TreeExperiment[SwapRun]):
    """The experiment: patches from a donor, by layer and step."""

    name = "4_layer_swaps"
    run_type = SwapRun
    showcases = ("showcase",)

    @checked
    def plan(
        self,
        pairs: dict[str, int],
        layer_pairs: dict[str, int],
        map_pairs: dict[str, int],
        map_stride: int,
        suite_seed: int,
        split: Split = "test",
    ) -> list[SwapRun]:
        """All runs.

        Args:
            pairs: how many pairs of each cell are drawn; those with a donor count (`pairs.find`).
            layer_pairs: on how many of these a held patch is made after every layer, not only the
                middle one.
            map_pairs: how many are patched after every layer at every `map_stride`-th step, too.

        Raises:
            ValueError: for a cell without regions.
        """
        every, steps, runs = self._every, range(0, self.schedule.steps, map_stride), []
        for cell in samples.cells(list(pairs)):
            for i in range(pairs[cell]):
                base = (cell, i, suite_seed, i)
                runs += self._runs(base, split)
                if i < layer_pairs.get(cell, 0):
                    runs += self._held(base, self.early, every, split)
                if i < map_pairs.get(cell, 0):
                    runs += self._map(base, steps, split)
        return list(dict.fromkeys(runs))

    @property
    def early(self) -> int:
        """The step of single patches and the first of held ones, S/5: little is decided yet."""
        return self.schedule.steps // 5

    @property
    def late(self) -> int:
        """From which step the control is held, S - 3: whatever flips there is pasted."""
        return max(self.early, self.schedule.steps - 3)

    @property
    def middle(self) -> int:
        """The layer that claims are about, fixed beforehand: L/2."""
        return self.model.layers // 2

    @property
    def _every(self) -> tuple[int, ...]:
        return tuple(range(self.model.layers))

    def _runs(self, base: tuple, split: Split) -> Iterator[SwapRun]:
        """The runs of one pair: after every layer what ends at the patched step, else after the
        middle one."""
        middle, early = (self.middle,), self.early
        yield SwapRun(*base, pairs.WHOLE, "state", early, self._every, split=split)
        names = pairs.REGIONS[pairs.check(base[0])]
        for kind in KINDS:
            yield SwapRun(*base, names[0], kind, early, self._every, split=split)
            yield SwapRun(*base, names[0], kind, 0, middle, final=True, split=split)
            for name in names:
                yield SwapRun(*base, name, kind, early, middle, final=True, split=split)
                for step in (early, self.late):
                    yield SwapRun(*base, name, kind, step, middle, True, True, split)

    def _held(self, base: tuple, step: int, layers: tuple, split: Split) -> Iterator[SwapRun]:
        region = pairs.REGIONS[pairs.check(base[0])][0]
        for kind in KINDS:
            yield SwapRun(*base, region, kind, step, layers, held=True, final=True, split=split)

    def _map(self, base: tuple, steps: range, split: Split) -> Iterator[SwapRun]:
        region = pairs.REGIONS[pairs.check(base[0])][0]
        for step in steps:
            for kind in KINDS:
                yield SwapRun(*base, region, kind, step, self._every, split=split)
            yield from self._held(base, step, self._every, split)

    def run_of(self, identity: dict) -> SwapRun:
        """The run that an identity describes."""
        return super().run_of(identity | {"layers": tuple(identity["layers"])})

    def sample(self, run: SwapRun) -> Sample:
        """The receiver's sample."""
        return samples.draw_one(run.cell, run.index, run.suite_seed, run.split)

    def pair(self, run: SwapRun, count: Count = None) -> Pair | None:
        """The pair of a run, if there is one."""
        sample = self.sample(run)
        donors = pairs.sources(sample, run.cell, run.index, run.suite_seed, run.split)
        return pairs.find(self.model, self.schedule, sample, run.seed, donors, count)

    def evaluations(self, runs: list[SwapRun]) -> int:
        """How many model evaluations `results` makes, at most."""
        tried = 1 + pairs.TRIES
        return tried * self.schedule.steps + super().evaluations(runs)

    def branches(self, runs: list[SwapRun], pair: Pair | None = None) -> list[Branch]:
        """The clean run, then a branch for every layer of every run. Without a pair, each region
        is given a token of its own: enough to count evaluations."""
        found = [Branch()]
        for run in runs:
            source, tokens = self._place(run, pair)
            variant = "noise" if run.kind == "noise" else "state"
            for layer in run.layers:
                patch = Patch(
                    *(run.step, layer, source, tokens, variant), seed=run.seed, held=run.held
                )
                found.append(Branch((patch,), None if run.final else run.step + 1))
        return found

    def _place(self, run: SwapRun, pair: Pair | None) -> tuple[Source, tuple[int, ...]]:
        """The donor and the patched tokens of a run."""
        if pair is None:
            names = (pairs.WHOLE, *pairs.REGIONS[pairs.check(run.cell)])
            return Source(1000), (2 * names.index(run.region) + (run.kind == "elsewhere"),)
        if run.kind == "elsewhere":
            return pair.source, pairs.elsewhere(self.model, pair, run.region)
        return pair.source, pairs.region(self.model, pair, run.region)[0]

    def tree(self, runs: list[SwapRun], count: Count = None) -> tuple[Tree, Read]:
        """See `TreeExperiment`. The clean generations are made first: the regions depend on them.

        A result says whether there is a pair (`eligible`), and if so: the two clean answers (`own`,
        `donor`), the `parts` that are read and the number of `tokens`; and lists over layers, of
        runs that are not held, the answer of the step's clean `estimate` and its `way` to the
        donor's, `||P - A|| / ||B - A||`; of runs that are final, the outcome.
        """
        sample, pair = self.sample(runs[0]), self.pair(runs[0], count)
        condition, facts = self.model.prepare_sample(sample), {"sample": traces.facts(sample)}
        if pair is None:

            def read_none(index: int, _: Trajectory) -> Iterator[tuple[SwapRun, dict]]:
                yield from ((run, UNREAD | facts | {"eligible": False}) for run in runs)

            return Tree(condition, runs[0].seed, [Branch((), 1)]), read_none
        places_of = [(run, layer) for run in runs for layer in run.layers]
        found: dict[SwapRun, dict[int, dict]] = defaultdict(dict)

        def read(index: int, trajectory: Trajectory) -> Iterator[tuple[SwapRun, dict]]:
            if index == 0:
                return
            run, layer = places_of[index - 1]
            found[run][layer] = self._read(run, pair, trajectory)
            if len(found[run]) == len(run.layers):
                yield run, UNREAD | facts | self._result(run, pair, found.pop(run))

        others = {pairs.OTHER: self.model.prepare_sample(pair.donors)}
        return Tree(condition, runs[0].seed, self.branches(runs, pair), others=others), read

    def _read(self, run: SwapRun, pair: Pair, trajectory: Trajectory) -> dict:
        """What one patched generation shows."""
        read: dict = {}
        if not run.held:
            x0_hat, own, donor = (
                hats[run.step] for hats in (trajectory.x0_hats, pair.own_hats, pair.donor_hats)
            )
            read["estimate"] = traces.encoded(decide(self.model.beliefs(pair.sample, x0_hat)))
            read["way"] = float((x0_hat - own).norm() / (donor - own).norm())
        if run.final:
            outcome = traces.outcome(self.model, pair.sample, trajectory.x0_hats[-1])
            read |= {name: outcome[name] for name in ("answer", "valid", "score")}
        return read

    def _result(self, run: SwapRun, pair: Pair, read: dict[int, dict]) -> dict:
        tokens, parts = pairs.region(self.model, pair, run.region)
        by_layer = [read[layer] for layer in run.layers]
        lists = {name: [one[name] for one in by_layer] for name in by_layer[0]}
        clean = {"own": traces.encoded(pair.own), "donor": traces.encoded(pair.donor)}
        return {"eligible": True, "parts": parts, "tokens": len(tokens)} | clean | lists

    def showcase(self, rows: list[dict], results: str | Path) -> "Shown | None":
        """The first pair of the first cell: the last frames of receiver, donor and generations with
        the first region patched at the middle layer, held from step S/5, and of both nulls; kept
        under `results`. None if there is no pair."""
        chosen = [row for row in rows if row["result"]["eligible"]]
        if not chosen:
            return None
        first = self.run_of(chosen[0]["run"])
        region = pairs.REGIONS[pairs.check(first.cell)][0]
        base = first.cell, first.index, first.suite_seed, first.seed
        how = self.early, (self.middle,), True, True, first.split
        patched = [SwapRun(*base, region, kind, *how) for kind in KINDS]
        key = key_of(self.identity(patched[0]))
        frames = kept_clips(results, key, 2 + len(KINDS), lambda: self._frames(patched))[:, 0]
        row = next(row for row in chosen if row["run"]["region"] == region)
        sample, result = self.sample(first), row["result"]
        values = [(part, int(result["donor"][part], 36)) for part in result["parts"]]
        drawn, patch = places.pixels(sample, values, frames.shape[1]), self.model.patch
        cells = drawn.reshape(len(drawn) // patch, patch, -1, patch).any((1, 3))
        return Shown(sample, frames, cells.repeat(patch, 0).repeat(patch, 1))

    def _frames(self, patched: list[SwapRun]) -> np.ndarray:
        """Last frames of receiver, donor and patched generations, (K, 1, H, W, 3), uint8."""
        pair = self.pair(patched[0])
        condition = self.model.prepare_sample(pair.sample)
        others = {pairs.OTHER: self.model.prepare_sample(pair.donors)}
        branches = self.branches(patched, pair)[1:]
        tree = Tree(condition, patched[0].seed, branches, others=others)
        finals: dict[int, Tensor] = {
            index: trajectory.x0_hats[-1]
            for _, index, trajectory in grow_all(self.model, self.schedule, [tree])
        }
        latents = [pair.own_hats[-1], pair.donor_hats[-1], *(finals[i] for i in range(len(finals)))]
        return self.model.decode_all(latents)[:, -1:]


@dataclass(frozen=True)
class Shown:
    """Last frames (K, H, W, 3) of a pair and its patched generations, and where the patch is,
    (H, W) bool."""

    sample: Sample
    frames: np.ndarray
    where: np.ndarray

"""Which arms are run on which samples, and what a row keeps of each."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...bench import samples
from ...common.tagged import record
from ...experiments.base import Experiment
from ...experiments.parameters import checked
from ...measures import decisions, traces
from ...models.schedule import Schedule
from ...puzzles import reading
from ...puzzles.base import Sample
from ...puzzles.splits import Split
from ...sampling import arms
from ...sampling.arms import Arm, Merged, Runs, denoising_error
from ...sampling.refined import Refined
from ...sampling.rollouts import Member, Rollouts
from .merged_run import MergedRun

OTHER_SEEDS = 500  # a validation sample starts from other noises than the test sample of its index
LEVELS = (0.9, 0.8, 0.6, 0.4)  # noise levels at which finished runs are recognised
LEVEL = 0.8  # the one that strategies use
CHOSEN_FROM = ("x0_merge", "short", "refined", "stochastic", "more_steps_3")  # on validation too
TABLE = ("single", "paper_recipe_3", *CHOSEN_FROM)  # on every test sample of the table
LIGHT = ("single", "paper_recipe", "x0_merge")
SETTINGS = ("window", "recipe_window", "early", "refine_from", "short", "stranger")
PAIR = ("single_1", "paper_recipe")  # the paper's comparison


def arms_of(
    schedule: Schedule,
    layers: int,
    window: int,
    recipe_window: int,
    early: int,
    refine_from: int,
    short: int,
    stranger: str,
) -> dict[str, Arm]:
    """The arms by name; see `Ensemble.plan`. None but those of k = 9 makes more evaluations than
    three runs, apart from recognition, one for each run. Names that differ in a last number only
    are one design: they make the same runs, and more of them."""
    steps, third = schedule.steps, third_quarter(layers)
    several = {"k": 3, "steps": recipe_window, "layers": third}
    rounds = 2 * steps // (steps - refine_from)
    return {
        "single_1": Runs(1),
        "single": Runs(3, levels=LEVELS, early=early),
        "single_9": Runs(9, levels=LEVELS, early=early),
        "x0_merge": Merged("x0_hat", 3, window),
        "x0_merge_9": Merged("x0_hat", 9, window),
        "x0_stranger": Merged("x0_hat", 3, window, company=stranger),
        "paper_recipe": Merged("lock_step", 3, 1, third),
        "paper_recipe_3": Merged("lock_step", 3, 1, third, followed=3),
        "recipe_window": Merged("lock_step", **several),
        "recipe_delta": Merged("delta", **several),
        "recipe_soft": Merged("soft", **several),
        "recipe_stranger": Merged("lock_step", **several, company=stranger),
        "refined": Refined("margin", refine_from, rounds),
        "refined_checked": Refined("violations", refine_from, rounds),
        "stochastic": Runs(1, sampler="stochastic"),
        "more_steps_3": Runs(1, 3 * steps),
        "short": Runs(3 * steps // (short + 1), short, levels=(LEVEL,)),
    }


def third_quarter(layers: int) -> tuple[int, ...]:
    """The layers from half to three quarters of the depth: 20 to 29 of 40, as the paper's."""
    return tuple(range(layers // 2, max(layers // 2 + 1, layers * 3 // 4)))


@dataclass(frozen=True)
class EnsembleRun:
    """What determines one row, apart from model and schedule.

    Attributes:
        cell, index, suite_seed, split: name the sample, see `samples.draw_one`.
        seed: of run 0.
        design: name of the arm.
        arm: what is generated.
    """

    cell: str
    index: int
    suite_seed: int
    seed: int
    design: str
    arm: Arm
    split: Split = "test"

    @property
    def base(self) -> tuple:
        """Arms of equal base share their single runs."""
        return self.cell, self.index, self.suite_seed, self.split, self.seed


class Ensemble(Experiment[EnsembleRun]):
    """The experiment: all arms on the same samples and seeds.

    Args:
        model, schedule: what generates; the sampler must be Euler.
    """

    name = "5_ensemble_table"
    run_type = EnsembleRun
    digits: ClassVar = {"errors": 6, "margins": 6}
    showcases = ("showcase",)

    def arms(self, parameters: dict) -> dict[str, Arm]:
        """The arms by design, of the parameters of `plan`."""
        settings = {name: parameters[name] for name in SETTINGS}
        return arms_of(self.schedule, self.model.layers, **settings)

    @checked
    def plan(
        self,
        cells: str | list[str],
        light: list[str],
        pairs: dict[str, int],
        samples_per_cell: int,
        deep: int,
        light_samples: int,
        validation: int,
        suite_seed: int,
        window: int,
        recipe_window: int,
        early: int,
        refine_from: int,
        short: int,
        stranger: str,
    ) -> list[EnsembleRun]:
        """All runs of the experiment.

        Of each cell: the table's arms on `samples_per_cell` test samples; every arm, and nine seeds
        instead of three, on the first `deep` of them; on validation samples three seeds, which tell
        the headroom, and the arms that are chosen from. Of a light cell: few arms on
        `light_samples` test samples. Of the cells in `pairs`: a single run and the paper's recipe
        on so many test samples. Of all that are no cells of the table: single validation runs.

        Args:
            cells: their names, see `samples`.
            light: cells in which little is expected or can be shown: controls, few states.
            pairs: the number of pairs by cell; those of the table's samples count.
            window: how many of the first steps are merged.
            recipe_window: the same for variants of the paper's recipe, which merges one.
            early: before which step plans are chosen.
            refine_from: to the level of which step a finished run is noised when a part of it is
                made again.
            short: how many steps the short runs have.
            stranger: the cell of the unrelated samples.

        Raises:
            ValueError: for a cell that cannot be drawn, or a step that the schedule does not have.
        """
        settings = (window, recipe_window, early, refine_from, short, stranger)
        if max(settings[:-1]) >= self.schedule.steps:
            raise ValueError(f"{settings[:-1]} name a step that {self.schedule.steps} steps lack")
        known = arms_of(self.schedule, self.model.layers, *settings)
        samples.cells([stranger])
        less = {"single_1", "single", "paper_recipe"}
        every, runs = [name for name in known if name not in less], _Runs(known, suite_seed)
        cells = samples.cells(cells)
        for cell in cells:
            runs.add(cell, range(min(deep, samples_per_cell)), every)
            runs.add(cell, range(deep, samples_per_cell), TABLE)
            runs.add(cell, range(validation), ("single", *CHOSEN_FROM), "validation")
        for cell in samples.cells(light):
            runs.add(cell, range(light_samples), LIGHT)
        done = dict.fromkeys(light, light_samples) | dict.fromkeys(cells, samples_per_cell)
        for cell in samples.cells(list(pairs)):
            runs.add(cell, range(done.get(cell, 0), pairs[cell]), PAIR)
        for cell in dict.fromkeys([*light, *pairs]):
            runs.add(cell, range(0 if cell in cells else validation), ("single_1",), "validation")
        return runs.planned

    def record(self, run: EnsembleRun) -> dict:
        """A run as plain JSON data."""
        return super().record(run) | {"arm": record(run.arm)}

    def run_of(self, identity: dict) -> EnsembleRun:
        """The run that an identity describes."""
        return super().run_of(identity | {"arm": arms.from_record(identity["arm"])})

    def evaluations(self, runs: list[EnsembleRun]) -> int:
        """How many model evaluations `results` makes at most: fewer where a checked refinement ends
        early."""
        return arms.evaluations([run.arm for run in runs], self.schedule.steps)

    def results(
        self, runs: list[EnsembleRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[EnsembleRun, dict]]:
        """Yields the result of every run; all share a base.

        Fields: those of `traces.outcome`, for the first final video; `sample`, see `traces.facts`;
        of every final video, in order, `answers`, `valids` (as text) and `violated`, the number of
        violations. Where runs are recognised, `errors`, by level, of each. Where plans are read,
        `margins`, the mean margin of each, and `planned`, the violations of each.
        """
        company = {run.arm.company for run in runs if isinstance(run.arm, Merged)} - {""}
        rollouts = self.rollouts(runs[0], min(company, default=""), count)
        for run in runs:
            with torch.inference_mode():
                result = self._read(rollouts, run.arm)
            yield run, result

    def rollouts(
        self, run: EnsembleRun, company: str = "", count: Callable[[], None] | None = None
    ) -> Rollouts:
        """The single runs of a sample.

        Args:
            company: cell of the unrelated sample, if there is one.
        """
        place = run.index, run.suite_seed, run.split
        sample = samples.draw_one(run.cell, *place)
        stranger = samples.draw_one(company, *place) if company else sample
        return Rollouts(self.model, self.schedule, sample, stranger, run.seed, count)

    def showcase(self, rows: list[dict], results: str) -> MergedRun:
        """The first test sample that the merge of clean estimates gets right and its run 0 alone
        does not; else the first. See `merged_run`."""
        found = {
            (self.run_of(row["run"]).base, row["run"]["design"]): row
            for row in rows
            if row["run"]["split"] == "test"
        }
        merged = [base for base, design in found if design == "x0_merge"]

        def won(base: tuple) -> bool:
            single, both = (found[base, name]["result"] for name in ("single", "x0_merge"))
            return both["valid"] and not single["valid"]

        base = next(filter(won, merged), merged[0])
        run = self.run_of(found[base, "x0_merge"]["run"])
        return MergedRun.of(self.rollouts(run), run.arm, self.identity(run), results)

    def _read(self, rollouts: Rollouts, arm: Arm) -> dict:
        model, sample, finals = self.model, rollouts.sample, arm.finals(rollouts)
        decided = [reading.decide(model.beliefs(sample, latents)) for latents in finals]
        result = traces.outcome(model, sample, finals[0]) | {"sample": traces.facts(sample)}
        result |= {
            "answers": [traces.encoded(answer) for answer in decided],
            "valids": traces.flags(decisions.valid(sample, np.array(decided))),
            "violated": decisions.violations(sample, np.array(decided)).tolist(),
        }
        if isinstance(arm, Runs) and arm.levels:
            result["errors"] = [
                [denoising_error(rollouts, latents, level) for latents in finals]
                for level in arm.levels
            ]
        if isinstance(arm, Runs) and arm.early:
            result |= self._plans(rollouts, sample, arm)
        return result

    def _plans(self, rollouts: Rollouts, sample: Sample, arm: Runs) -> dict:
        """The mean margin and the violations of every run's clean estimate before a step."""
        early: list[Tensor] = [rollouts.at(Member(j), arm.early).x0_hat for j in range(arm.k)]
        beliefs = np.array([self.model.beliefs(sample, x0_hat) for x0_hat in early])  # (k, P, V)
        return {
            "margins": decisions.margins(beliefs).mean(1).tolist(),
            "planned": decisions.violations(sample, reading.decide(beliefs)).tolist(),
        }


class _Runs:
    """Collects the runs of a plan.

    Args:
        known: arms by name, see `arms_of`.
    """

    def __init__(self, known: dict[str, Arm], suite_seed: int):
        self.known, self.suite_seed = known, suite_seed
        self.planned: list[EnsembleRun] = []

    def add(self, cell: str, indices: range, designs: Sequence[str], split: Split = "test") -> None:
        """Adds all designs on these samples."""
        away = OTHER_SEEDS if split == "validation" else 0
        for i, design in itertools.product(indices, designs):
            family = design.rstrip("0123456789").removesuffix("_")
            name = family if family in ("single", "paper_recipe") else design
            arm, seed = self.known[design], i + away
            self.planned.append(EnsembleRun(cell, i, self.suite_seed, seed, name, arm, split))


EXPERIMENTS = {"table": Ensemble}

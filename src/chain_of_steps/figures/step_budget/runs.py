"""How many steps does the chain need? Scores by steps, sampler and frames; and a student distilled
to four steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...bench import tasklist
from ...experiments.base import Experiment
from ...experiments.parameters import checked
from ...sampling.denoise import generate
from ...sampling.strategies import Strategy
from ...sampling.strategies.variants import LEVEL
from ..ensemble_table.runs import Ensemble, EnsembleRun
from ..showcase import ShownCase, decode_all
from ..step_visualization.runs import StepVisualization


@dataclass(frozen=True)
class BudgetRun:
    """What determines one row, apart from the model and the shift of the grid.

    Attributes:
        task, index, suite_seed: name the sample, see `tasklist.draw_one`.
        seed: of the noise.
        sampler, steps: of the schedule.
        frames: pixel frames of the clip.
    """

    task: str
    index: int
    suite_seed: int
    seed: int
    sampler: str
    steps: int
    frames: int

    @property
    def base(self) -> "BudgetRun":
        """Nothing is shared: every run has its own grid or its own shape."""
        return self


class StepBudget(Experiment[BudgetRun]):
    """The experiment: the same samples and seeds with fewer or more steps, with two samplers, in
    fewer or more frames.

    Args:
        model, schedule: what generates; each run changes the schedule's sampler and number of
            steps.
    """

    name = "6_step_budget"
    run_type = BudgetRun

    @checked
    def plan(
        self,
        tasks: str | list[str],
        samples_per_task: int,
        deep: dict[str, int],
        steps: list[int],
        samplers: list[str],
        frames: list[int],
        suite_seed: int,
    ) -> list[BudgetRun]:
        """All runs: every sampler with every number of steps; and the schedule's own with every
        number of frames.

        Args:
            tasks: their names, or a split of the mini suite.
            deep: samples of these tasks; those beyond `samples_per_task` with the schedule's own
                sampler only.
            frames: numbers of pixel frames, 4 k + 1.
        """
        own = self.model.frames
        usual = [(self.schedule.sampler, self.schedule.steps, each) for each in (own, *frames)]
        ways = dict.fromkeys(
            [*((sampler, count, own) for sampler in samplers for count in steps), *usual]
        )
        names = tasklist.task_names(tasks)
        runs = [
            BudgetRun(t, i, suite_seed, i, *way)
            for t in names
            for i in range(samples_per_task)
            for way in ways
        ]
        for task in (task for task in deep if task in names):
            more, counts = (
                range(samples_per_task, deep[task]),
                dict.fromkeys([*steps, self.schedule.steps]),
            )
            runs += [
                BudgetRun(task, i, suite_seed, i, self.schedule.sampler, c, own)
                for i in more
                for c in counts
            ]
        return runs

    def evaluations(self, runs: list[BudgetRun]) -> int:
        """How many model evaluations `results` makes."""
        return sum(run.steps for run in runs)

    def results(
        self, runs: list[BudgetRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[BudgetRun, dict]]:
        """Yields the result of every run: `sigmas`, and read off the clean estimate of each step
        `score_at` and `answer_at` (candidate index, -1 for none)."""
        watch = (lambda *_: count()) if count else None
        for run in runs:
            name = f"{run.sampler}-{run.steps}"
            grid = replace(
                self.schedule, name=name, sampler=run.sampler, steps=run.steps
            )  # guided as usual
            sample = tasklist.draw_one(run.task, run.index, run.suite_seed)
            condition = self.model.prepare_sample(sample, frames=run.frames)
            clips = decode_all(
                self.model, generate(self.model, condition, grid, run.seed, watch=watch)
            )
            answers = [sample.answer_index(clip[-1]) for clip in clips]
            curves = {
                "sigmas": grid.sigmas,
                "score_at": [sample.score(clip) for clip in clips],
                "answer_at": [-1 if answer is None else answer for answer in answers],
            }
            yield run, sample.outcome(clips[-1]) | curves


class FewSteps(StepVisualization):
    """The readings of figures 1 and 2 for a model that takes as few steps as the student."""

    name = "6_few_steps"

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """The first mazes, nothing else."""
        return self.first(rows, results)

    def several(self, rows: list[dict], results: str | Path, count: int = 0) -> list[ShownCase]:
        """None."""
        return []


class StudentSteps(FewSteps):
    """The same for the student."""

    name = "6_student_steps"

    def first(self, rows: list[dict], results: str | Path, count: int = 2) -> list[ShownCase]:
        """The first mazes, solved or not."""
        return [replace(case, label="student") for case in super().first(rows, results, count)]


class StudentEnsemble(Ensemble):
    """Does merging still help when there are four steps? The student's single runs, vote and
    merged estimates."""

    name = "6_student_ensemble"

    def variants(self, windows: list[int]) -> dict[str, dict[str, Strategy]]:
        """Single runs, a vote, recognition, and merges over the first steps by `windows`."""
        merges = {
            f"x0_merge_{n}_steps": Strategy("merge", steps=n, merge="x0_hat") for n in windows
        }
        chosen = {
            "vote_k3": Strategy("vote"),
            "recognised_k3": Strategy("recognised", amount=LEVEL),
        }
        return {"table": {"single": Strategy("single"), **chosen, **merges}}

    @checked
    def plan(
        self, tasks: str | list[str], samples_per_task: int, windows: list[int], suite_seed: int
    ) -> list:
        """All runs."""
        strategies = self.variants(windows)["table"].values()
        return [
            EnsembleRun(task, i, suite_seed, i, strategy)
            for task in tasklist.task_names(tasks)
            for i in range(samples_per_task)
            for strategy in strategies
        ]

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """None of its own."""
        return []


EXPERIMENTS = {
    "grid": StepBudget,
    "few": FewSteps,
    "student": StudentSteps,
    "ensemble": StudentEnsemble,
}

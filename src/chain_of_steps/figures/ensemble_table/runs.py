"""The paper's ensemble table, measured: seeds merged, voted on, chosen from, at named places and
counted costs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from ...bench import tasklist
from ...experiments.base import Experiment
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.first.base import Sample
from ...sampling.agreement import contrast
from ...sampling.rollouts import Member, Rollouts
from ...sampling.strategies import Outcome, Strategy, evaluations, run
from ...sampling.strategies.merged import merge_of
from ...sampling.strategies.variants import RIVALS, variants
from ..showcase import ShownCase, kept_clips
from .decision_set import hard, is_hard

OTHER_SEEDS = 500  # how far from its own seed a sample is run again


@dataclass(frozen=True)
class EnsembleRun:
    """What determines one row, apart from model and schedule.

    Attributes:
        task, index, suite_seed, partition: name the sample, see `tasklist.draw_one`.
        seed: of generation 0.
        strategy: how the generations are merged or chosen from.
    """

    task: str
    index: int
    suite_seed: int
    seed: int
    strategy: Strategy
    partition: str = "test"

    @property
    def base(self) -> tuple:
        """Runs of equal base share their clean generations."""
        return self.task, self.index, self.suite_seed, self.partition, self.seed


class Ensemble(Experiment[EnsembleRun]):
    """The experiment: strategies on the same samples and seeds.

    Args:
        model, schedule: what generates; the sampler must be Euler.
    """

    name = "5_ensemble_table"
    digits: ClassVar = {"moved": 6}
    run_type = EnsembleRun
    showcases = ("showcase",)

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self.layers = model.layers

    def variants(self, window: int, early: int) -> dict[str, dict[str, Strategy]]:
        """All strategies by group and name, see `variants.variants`."""
        return variants(self.layers, self.schedule.steps, window, early)

    @checked
    def plan(
        self,
        tasks: str | list[str],
        samples_per_task: int,
        deep: dict[str, int],
        again: dict[str, int],
        contest: dict[str, int],
        choosing: dict[str, int],
        window: int,
        early: int,
        best: str,
        suite_seed: int,
    ) -> list[EnsembleRun]:
        """All runs of the experiment.

        Every test sample: the table, and the strategy of our own that was chosen. As many as
        `deep` says of a task: controls, ablations and the three accounts. As many as `again` says:
        the table once more, from other seeds. Of the test samples after these, as many of the
        decision set as `contest` says: our own and its rivals. As many as `choosing` says, of the
        choosing partition: all strategies of our own.

        Args:
            tasks: their names, or a split of the mini suite.
            window: how many of the first steps are merged.
            early: after how many steps an early plan is chosen.
            best: name of the strategy that won on the choosing partition.

        Raises:
            ValueError: if `best` is none of our own.
        """
        groups = self.variants(window, early)
        if best not in groups["own"]:
            raise ValueError(
                f"unknown strategy {best!r}; expected one of {', '.join(groups['own'])}"
            )
        names = tasklist.task_names(tasks)
        table = [*groups["table"].values(), groups["own"][best]]
        closer = [s for name in ("control", "ablation", "account") for s in groups[name].values()]
        ours = [groups["table"]["single"], *groups["own"].values()]
        rivals = [*(groups["table"][name] for name in RIVALS), groups["own"][best]]

        def runs(task: str, indices: Iterable[int], chosen: list[Strategy], **more: Any) -> list:
            return [
                EnsembleRun(task, i, suite_seed, i + more.get("away", 0), s, more.get("of", "test"))
                for i in indices
                for s in chosen
            ]

        found = [run for task in names for run in runs(task, range(samples_per_task), table)]
        for task in (task for task in deep if task in names):  # compared with the table's rows
            found += runs(task, range(min(deep[task], samples_per_task)), closer)
        for task in (task for task in again if task in names):
            found += runs(task, range(min(again[task], samples_per_task)), table, away=OTHER_SEEDS)
        for task, count in contest.items():
            found += runs(task, hard(task, samples_per_task, count, suite_seed), rivals)
        for task, count in choosing.items():
            found += runs(task, range(count), ours, of="choosing")
        return list(dict.fromkeys(found))

    def run_of(self, identity: dict) -> EnsembleRun:
        """The run that an identity describes."""
        return super().run_of(identity | {"strategy": strategy_of(identity["strategy"])})

    def evaluations(self, runs: list[EnsembleRun]) -> int:
        """At most so many model evaluations `results` makes; fewer if a strategy stops early."""
        reference = Strategy("single", 1)  # moves are measured by it
        return evaluations([reference, *(run.strategy for run in runs)], self.schedule.steps)

    def results(
        self, runs: list[EnsembleRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[EnsembleRun, dict]]:
        """Yields the result of every run; all share a base.

        Fields: `scores`, `answers` (candidate index, -1 for none) and `shown` (its kind) of every
        final video that counts; `score`, their mean; `answer`, the first; `cost` in model
        evaluations; `hard`, whether the sample belongs to the decision set. Where a strategy acts
        on the first steps, `moved`: how far it took generation 0 from its clean run, in the clean
        estimate of the last of them and in the final latents, as a share of their norm;
        `contrast`: that of this clean estimate as a share of the final clip's.
        """
        first = runs[0]
        sample, unrelated = (self._sample(first, away) for away in (0, 1000))
        rollouts = Rollouts(self.model, self.schedule, sample, unrelated, first.seed, count)
        for each in runs:
            outcome = run(each.strategy, rollouts)
            yield each, self._read(sample, outcome) | self._moves(rollouts, outcome)

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """The first maze that merged clean estimates solve and at most one of three single runs;
        else the first row."""
        tested = (
            row
            for row in rows
            if row["run"]["partition"] == "test" and row["run"]["seed"] == row["run"]["index"]
        )
        runs = {self.run_of(row["run"]): row["result"] for row in tested}
        single = {
            run.base: result["score"]
            for run, result in runs.items()
            if run.strategy.name == "single"
        }
        shown = next(
            s
            for s in (run.strategy for run in runs)
            if (s.name, s.merge, s.k) == ("merge", "x0_hat", 3)
        )
        merged = [run for run in runs if run.strategy == shown]  # the table's: it comes first
        wins = [
            run
            for run in merged
            if run.task == "maze" and runs[run]["score"] == 1.0 and single[run.base] < 0.5
        ]
        return self._cases((wins or merged)[0], results)

    def _cases(self, run: EnsembleRun, results: str | Path) -> list[ShownCase]:
        sample, steps = self._sample(run), self.schedule.steps
        labels = [f"seed {j}" for j in range(run.strategy.k)] + ["merged"]

        def clips(number: int) -> np.ndarray:
            key = key_of(self.identity(run) | {"showcase": number})
            return kept_clips(results, key, steps, lambda: self._clips(run, number))

        return [ShownCase(label, sample, clips(number)) for number, label in enumerate(labels)]

    @torch.inference_mode()
    def _clips(self, run: EnsembleRun, number: int) -> np.ndarray:
        """Decoded clean estimates (S, P, H, W, 3) of a generation; number k is the merged one."""
        rollouts = Rollouts(
            self.model, self.schedule, self._sample(run), self._sample(run), run.seed
        )
        if number < run.strategy.k:
            states = [rollouts.at(Member(number), s + 1) for s in range(self.schedule.steps)]
            return np.stack([self.model.decode(state.x0_hat) for state in states])
        (merged,) = rollouts.merged(run.strategy.members, merge_of(run.strategy))
        return np.stack([self.model.decode(x0_hat) for x0_hat in merged.x0_hats])

    def _sample(self, run: EnsembleRun, away: int = 0) -> Sample:
        return tasklist.draw_one(run.task, run.index + away, run.suite_seed, run.partition)

    def _read(self, sample: Sample, outcome: Outcome) -> dict:
        videos = [self.model.decode(latents) for latents in outcome.finals]
        each = [sample.outcome(video) for video in videos]
        answers, scores = ([one[name] for one in each] for name in ("answer", "score"))
        return each[0] | {
            "score": sum(scores) / len(scores),
            "scores": scores,
            "answers": answers,
            "shown": ["none" if a < 0 else sample.candidates[a].kind for a in answers],
            "cost": outcome.cost,
            "hard": is_hard(sample),
        }

    @torch.inference_mode()
    def _moves(self, rollouts: Rollouts, outcome: Outcome) -> dict:
        if outcome.early is None:
            return {}
        early, final = (rollouts.at(Member(0), s) for s in (outcome.shared, self.schedule.steps))
        pairs = [(outcome.early, early.x0_hat), (outcome.finals[0], final.latents)]
        moved = [float((ours - clean).norm() / clean.norm()) for ours, clean in pairs]
        part = contrast(outcome.early) / max(contrast(outcome.finals[0]), 1e-6)
        return {"moved": moved, "contrast": part}


def strategy_of(record: dict) -> Strategy:
    """The strategy that a row's JSON data describe."""
    return Strategy(**record | {"layers": tuple(record["layers"])})


EXPERIMENTS = Ensemble

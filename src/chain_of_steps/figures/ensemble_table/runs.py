"""The paper's ensemble table, measured: seeds merged, voted on, chosen from, at named places and
counted costs."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...bench import tasklist
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...experiments.sweep import common
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles.first.base import Sample
from ...sampling.agreement import contrast
from ...sampling.rollouts import Member, Outcome, Pool, Strategy
from ...sampling.strategies import at_most, merge_of, run
from ...sampling.variants import RIVALS, catalogue
from ..showcase import ShownCase, kept_clips

OTHER_SEEDS = 500  # how far from its own seed a sample is run again
LONG = 12  # a maze whose solution has so many steps counts as hard; threshold of arXiv 2603.30043
CLEAN = (
    "single",
    "vote",
    "best_agreed",
    "early_plan",
    "early_steady",
    "vote_midway",
    "branch_late",
)
SHORT = ("nearest", "recognised")  # clean generations too, of `steps` steps


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
    def usual(self) -> bool:
        """Whether it is a test sample, run from its own seed."""
        return self.partition == "test" and self.seed == self.index

    @property
    def base(self) -> tuple:
        """Runs of equal base share their clean generations."""
        return self.task, self.index, self.suite_seed, self.partition, self.seed


class Ensemble:
    """The experiment: strategies on the same samples and seeds.

    Args:
        model, schedule: what generates; the sampler must be Euler.
    """

    name = "5_ensemble_table"

    def __init__(self, model: VideoModel, schedule: Schedule):
        self.model, self.schedule = model, schedule
        self.layers = model.layers
        self._common = common(self.name, model, schedule)

    def catalogue(self, window: int, early: int) -> dict[str, dict[str, Strategy]]:
        """All strategies by group and name, see `variants.catalogue`."""
        return catalogue(self.layers, self.schedule.steps, window, early)

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
        groups = self.catalogue(window, early)
        if best not in groups["own"]:
            raise ValueError(
                f"unknown strategy {best!r}; expected one of {', '.join(groups['own'])}"
            )
        table = [*groups["table"].values(), groups["own"][best]]
        closer = [s for name in ("control", "ablation", "account") for s in groups[name].values()]
        ours = [groups["table"]["single"], *groups["own"].values()]
        names, runs = tasklist.task_names(tasks), []
        for task in names:
            runs += [
                EnsembleRun(task, i, suite_seed, i, s)
                for i in range(samples_per_task)
                for s in table
            ]
        for task in (task for task in deep if task in names):  # compared with the table's rows
            runs += [
                EnsembleRun(task, i, suite_seed, i, s)
                for i in range(min(deep[task], samples_per_task))
                for s in closer
            ]
        for task in (task for task in again if task in names):
            count = min(again[task], samples_per_task)
            runs += [
                EnsembleRun(task, i, suite_seed, i + OTHER_SEEDS, s)
                for i in range(count)
                for s in table
            ]
        rivals = [*(groups["table"][name] for name in RIVALS), groups["own"][best]]
        for task, count in contest.items():
            runs += [
                EnsembleRun(task, i, suite_seed, i, s)
                for i in _hard(task, samples_per_task, count, suite_seed)
                for s in rivals
            ]
        for task, count in choosing.items():
            runs += [
                EnsembleRun(task, i, suite_seed, i, s, "choosing")
                for i in range(count)
                for s in ours
            ]
        return list(dict.fromkeys(runs))

    def identity(self, run: EnsembleRun) -> dict:
        """Everything that determines a row, as plain JSON data."""
        return self._common | asdict(run)

    def run_of(self, identity: dict) -> EnsembleRun:
        """The run that an identity describes."""
        fields = {name: identity[name] for name in EnsembleRun.__dataclass_fields__}
        return EnsembleRun(**fields | {"strategy": strategy_of(fields["strategy"])})

    def evaluations(self, runs: list[EnsembleRun]) -> int:
        """At most so many model evaluations `results` makes; fewer if a strategy stops early."""
        strategies, steps = [run.strategy for run in runs], self.schedule.steps
        clean = {steps: 1}  # generations by their number of steps; one to measure moves by
        for s in strategies:
            of = s.steps if s.name in SHORT and s.steps else steps
            clean[of] = max(clean.get(of, 0), s.k if s.name in (*CLEAN, *SHORT) else 0)
        return sum(of * k for of, k in clean.items()) + sum(at_most(s, steps) for s in strategies)

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
        pool = Pool(self.model, self.schedule, sample, unrelated, first.seed, count)
        for each in runs:
            outcome = run(each.strategy, pool)
            yield each, self._read(sample, outcome) | self._moves(pool, outcome)

    def measure(self, identity: dict) -> dict:
        """Computes a single row."""
        return next(result for _, result in self.results([self.run_of(identity)]))

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
        pool = Pool(self.model, self.schedule, self._sample(run), self._sample(run), run.seed)
        if number < run.strategy.k:
            states = [pool.at(Member(number), s + 1) for s in range(self.schedule.steps)]
            return np.stack([self.model.decode(state.x0_hat) for state in states])
        return np.stack(
            [self.model.decode(x0_hat) for x0_hat in _merged_estimates(pool, run.strategy)]
        )

    def _sample(self, run: EnsembleRun, away: int = 0) -> Sample:
        return tasklist.draw_one(run.task, run.index + away, run.suite_seed, run.partition)

    def _read(self, sample: Sample, outcome: Outcome) -> dict:
        videos = [self.model.decode(latents) for latents in outcome.finals]
        scores = [round(sample.score(video), 4) for video in videos]
        answers = [sample.answer_index(video[-1]) for video in videos]
        return {
            "score": round(sum(scores) / len(scores), 4),
            "scores": scores,
            "answer": -1 if answers[0] is None else answers[0],
            "answers": [-1 if a is None else a for a in answers],
            "shown": ["none" if a is None else sample.candidates[a].kind for a in answers],
            "cost": round(outcome.cost, 4),
            "hard": is_hard(sample),
        }

    @torch.inference_mode()
    def _moves(self, pool: Pool, outcome: Outcome) -> dict:
        if outcome.early is None:
            return {}
        early, final = (pool.at(Member(0), s) for s in (outcome.shared, self.schedule.steps))
        pairs = [(outcome.early, early.x0_hat), (outcome.finals[0], final.latents)]
        moved = [float((ours - clean).norm() / clean.norm()) for ours, clean in pairs]
        part = contrast(outcome.early) / max(contrast(outcome.finals[0]), 1e-6)
        return {"moved": [round(value, 6) for value in moved], "contrast": round(part, 4)}


def strategy_of(record: dict) -> Strategy:
    """The strategy that a row's JSON data describe."""
    return Strategy(**record | {"layers": tuple(record["layers"])})


def is_hard(sample: Sample) -> bool:
    """Whether a sample belongs to the decision set: out of domain, or a maze whose solution has 12
    steps or more."""
    if tasklist.find(sample.task).split == "out-of-domain":
        return True
    return sample.module == "maze" and len(sample.valid[0].answer) - 1 >= LONG


def _hard(task: str, start: int, count: int, suite_seed: int) -> list[int]:
    """The first `count` samples of the decision set from index `start` on."""
    hard = (i for i in itertools.count(start) if is_hard(tasklist.draw_one(task, i, suite_seed)))
    return list(itertools.islice(hard, count))


def _merged_estimates(pool: Pool, strategy: Strategy) -> list[Tensor]:
    """Generation 0's clean estimate at every step of a merge."""
    states, members, x0_hats = [pool.at(m, 0) for m in strategy.members], strategy.members, []
    for s in range(pool.schedule.steps):
        alone = s >= strategy.steps
        pool.merge(
            members[:1] if alone else members,
            states[:1] if alone else states,
            merge_of(strategy),
            s + 1,
        )
        x0_hats.append(states[0].x0_hat)
    return x0_hats

"""Figures 1, 2, 4 and 5 of the paper, measured: what the clean estimate shows at every step of a
clean generation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from ...bench import tasklist
from ...experiments.base import Experiment
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...measures.evidence import Control, read
from ...measures.presence import posterior_mean, priors
from ...models.schedule import Schedule
from ...models.video_model import Condition, VideoModel
from ...puzzles.first.base import Sample
from ...sampling.denoise import Trajectory, Watch, generate
from ..showcase import ShownCase, decode_all, kept_clips

CONTROLS = 6  # unrelated samples per task, from the choosing partition


@dataclass(frozen=True)
class VisualizationRun:
    """What determines one row, apart from model and schedule.

    Attributes:
        task: name of the task.
        index: of the sample in `tasklist.draw(task, ..., suite_seed)`.
        suite_seed: seed of the list of samples.
        seed: of the noise.
        partition: of the samples.
        null_seeds: how many other seeds calibrate the posterior-mean null; 0 leaves the null out.
    """

    task: str
    index: int
    suite_seed: int
    seed: int
    partition: str = "test"
    null_seeds: int = 0

    @property
    def base(self) -> "VisualizationRun":
        """Nothing is shared: every run is another sample."""
        return self


class StepVisualization(Experiment[VisualizationRun]):
    """The experiment: clean generations, read at every step.

    Args:
        model, schedule: what generates.
    """

    name = "1_step_visualization"
    digits: ClassVar = dict.fromkeys(("evidence", "control", "control_mean", "ink"), 3)
    run_type = VisualizationRun
    showcases = ("showcase", "several", "first", "null_comparison")

    def __init__(self, model: VideoModel, schedule: Schedule):
        super().__init__(model, schedule)
        self._kept: dict[
            str, list[Control]
        ] = {}  # a plain dict, so that an experiment can be sent to a Ray worker

    @checked
    def plan(
        self,
        tasks: str | list[str],
        samples_per_task: int,
        null_per_task: int,
        null_seeds: int,
        suite_seed: int,
    ) -> list[VisualizationRun]:
        """All runs; the first `null_per_task` samples of each task get the posterior-mean null.

        Args:
            tasks: their names, or a split of the mini suite.
        """
        return [
            VisualizationRun(
                task, i, suite_seed, seed=i, null_seeds=null_seeds if i < null_per_task else 0
            )
            for task in tasklist.task_names(tasks)
            for i in range(samples_per_task)
        ]

    def evaluations(self, runs: list[VisualizationRun]) -> int:
        """How many model evaluations `results` makes, controls aside."""
        return sum(self.schedule.steps * (1 + run.null_seeds) for run in runs)

    def control_evaluations(self, runs: list[VisualizationRun]) -> int:
        """How many model evaluations the unrelated samples of these tasks take, once for all."""
        return CONTROLS * self.schedule.steps * len({run.task for run in runs})

    def results(
        self, runs: list[VisualizationRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[VisualizationRun, dict]]:
        """Yields the result of every run; see `read` for its fields."""
        watch = (lambda *_: count()) if count else None
        for run in runs:
            sample, condition = self._begin(run)
            trajectory = generate(self.model, condition, self.schedule, run.seed, watch=watch)
            clips = decode_all(self.model, trajectory)
            result = read(sample, clips, self.controls(run.task), self.model.stride)
            if run.null_seeds:
                result["null"] = self._null(sample, condition, trajectory, run, watch)
            yield run, result

    def clips(self, run: VisualizationRun) -> tuple[Sample, np.ndarray]:
        """The sample and its decoded clean estimates (S, P, H, W, 3)."""
        sample, condition = self._begin(run)
        return sample, decode_all(
            self.model, generate(self.model, condition, self.schedule, run.seed)
        )

    def showcase(self, rows: list[dict], results: str | Path) -> dict[str, ShownCase]:
        """One case per task, chosen by rule: its first sample that is solved in the end and not
        yet at step 0, else its first solved one, else its first; under `failed` the first maze
        that is not solved. Pictures found under `results` are used."""
        chosen: dict[str, tuple[int, VisualizationRun]] = {}
        for row in rows:
            run, scores = self.run_of(row["run"]), row["result"]["score_at"]
            rank = 0 if scores[-1] < 1.0 else 1 if scores[0] == 1.0 else 2
            if run.task not in chosen or rank > chosen[run.task][0]:
                chosen[run.task] = (rank, run)
            if run.task == "maze" and rank == 0:
                chosen.setdefault("failed", (rank, run))
        return {
            tasklist.short(name): self._case(name, run, Path(results))
            for name, (_, run) in chosen.items()
        }

    def several(self, rows: list[dict], results: str | Path, count: int = 5) -> list[ShownCase]:
        """The clearest cases of several answers at once, chosen by rule: of each task the solved
        sample whose second candidate has most evidence at step 0, in the last frame; the `count`
        tasks where that is most."""
        best: dict[str, tuple[float, VisualizationRun]] = {}
        for row in rows:
            run, result = self.run_of(row["run"]), row["result"]
            net = np.array(result["evidence"][0][-1]) - np.array(result["control_mean"][0][-1])
            second = float(np.sort(net)[-2]) if len(net) > 1 else 0.0
            if result["score_at"][-1] == 1.0 and second > best.get(run.task, (0.0, run))[0]:
                best[run.task] = (second, run)
        ranked = sorted(best.values(), key=lambda pair: -pair[0])[:count]
        return [self._case(run.task, run, Path(results)) for _, run in ranked]

    def first(self, rows: list[dict], results: str | Path, count: int = 2) -> list[ShownCase]:
        """The first mazes of these rows, solved or not; without mazes the first samples."""
        runs = [self.run_of(row["run"]) for row in rows]
        mazes = [run for run in runs if tasklist.short(run.task) == "maze"] or runs
        return [
            self._case(f"{self.schedule.steps} steps", run, Path(results)) for run in mazes[:count]
        ]

    def null_comparison(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """The model's clean estimates, and next to them the posterior mean of its own answers on
        the same trajectory: of the runs with a null whose answers are readable, the one in which
        this null's second candidate has most evidence at step 0. Empty if there is none."""

        def ghosts(row: dict) -> float:
            return float(np.sort(row["result"]["null"]["evidence"]["calibrated"][0])[-2:][0])

        readable = [
            row
            for row in rows
            if "null" in row["result"] and None not in row["result"]["null"]["answers"]
        ]
        if not readable:
            return []
        row = max(readable, key=ghosts)
        run, answers = self.run_of(row["run"]), row["result"]["null"]["answers"]
        model = self._case(run.task, run, Path(results))
        key = key_of(self.identity(run) | {"showcase": "calibrated null"})
        null = kept_clips(results, key, self.schedule.steps, lambda: self._null_clips(run, answers))
        return [
            replace(model, label="model"),
            ShownCase("posterior mean\n(calibrated)", model.sample, null),
        ]

    @torch.inference_mode()
    def _null_clips(self, run: VisualizationRun, answers: list[int | None]) -> np.ndarray:
        sample, condition = self._begin(run)
        trajectory = generate(self.model, condition, self.schedule, run.seed)
        prior = priors([c.kind for c in sample.candidates], answers)["calibrated"]
        return np.stack(
            [self.model.decode(mean) for mean in self._null_means(sample, trajectory, prior)]
        )

    def _null_means(
        self, sample: Sample, trajectory: Trajectory, prior: np.ndarray
    ) -> list[torch.Tensor]:
        """The null's clean estimate at every step of a trajectory."""
        clips = [sample.render(c, self.model.size, self.model.frames) for c in sample.candidates]
        latents = torch.cat([self.model.encode(clip) for clip in clips])
        states = zip(trajectory.latents[:-1], trajectory.sigmas[:-1], strict=True)
        return [posterior_mean(x, sigma, latents, prior) for x, sigma in states]

    def _case(self, name: str, run: VisualizationRun, results: Path) -> ShownCase:
        sample = tasklist.draw_one(run.task, run.index, run.suite_seed, run.partition)
        key, steps = key_of(self.identity(run)), self.schedule.steps
        clips = kept_clips(results, key, steps, lambda: self.clips(run)[1])
        return ShownCase(
            "maze\n(failed)" if name == "failed" else tasklist.short(name).replace("_", "\n", 1),
            sample,
            clips,
        )

    def _begin(self, run: VisualizationRun) -> tuple[Sample, Condition]:
        sample = tasklist.draw_one(run.task, run.index, run.suite_seed, run.partition)
        return sample, self.model.prepare_sample(sample)

    def controls(self, task: str) -> list[Control]:
        """Unrelated samples of a task, generated once."""
        if task not in self._kept:
            self._kept[task] = self._controls(task)
        return self._kept[task]

    def _controls(self, task: str) -> list[Control]:
        runs = [
            VisualizationRun(task, i, suite_seed=99, seed=1000 + i, partition="choosing")
            for i in range(CONTROLS)
        ]
        stories = [self.clips(run) for run in runs]
        size = self.model.size
        return [
            Control(
                s.first_frame(size),
                s.picture(s.candidates[0], 1.0, size),
                c[:, :: self.model.stride],
            )
            for s, c in stories
        ]

    def _null(
        self,
        sample: Sample,
        condition: Condition,
        trajectory: Trajectory,
        run: VisualizationRun,
        watch: Watch | None,
    ) -> dict:
        """Evidence in the posterior mean of a candidate mixture on the same trajectory, under the
        three priors."""
        seeds = range(10_000, 10_000 + run.null_seeds)
        others = [
            generate(self.model, condition, self.schedule, seed, watch=watch).latents[-1]
            for seed in seeds
        ]
        answers = [sample.answer_index(self.model.decode(latents)[-1]) for latents in others]
        evidence = {}
        for name, prior in priors([c.kind for c in sample.candidates], answers).items():
            means = self._null_means(sample, trajectory, prior)
            evidence[name] = [sample.evidence(self.model.decode(mean)[-1]) for mean in means]
        return {"answers": answers, "evidence": evidence}


EXPERIMENTS = StepVisualization

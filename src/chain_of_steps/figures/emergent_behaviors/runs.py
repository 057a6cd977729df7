"""Figure 4 of the paper, measured: does noise in the frames that hide a thing destroy the memory
of it? And the pictures of figures 4 and 5."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...bench import tasklist
from ...experiments.parameters import checked
from ...sampling.interventions import NoiseAtFrame
from ..perturbation_curves.designs import NoiseRun
from ..perturbation_curves.runs import Perturbation
from ..showcase import ShownCase
from ..step_visualization.runs import StepVisualization
from .analysis import corrected_runs
from .memory import hidden_frames, with_hidden
from .memory_probes import MemoryProbes
from .onsets import Onsets

NOISES = ("replace", "level-correct")
CORRECTION = "bounce"  # the task whose first self-correction is shown


class Behaviors(StepVisualization):
    """The generations of figures 1 and 2: the same runs and rows, and one more picture."""

    def showcase(self, rows: list[dict], results: str | Path) -> dict[str, ShownCase]:
        """Those of `StepVisualization`, and under `corrected` the first bounce in which a wrong
        leader held and the right one won; the first solved one where there is none."""
        shown = super().showcase(rows, results)
        indices = corrected_runs([row for row in rows if row["run"]["task"] == CORRECTION])
        row = next(
            (r for r in rows if r["run"]["task"] == CORRECTION and r["run"]["index"] in indices),
            None,
        )
        if CORRECTION in shown:
            run = row and self.run_of(row["run"])
            shown["corrected"] = (
                self._case(CORRECTION, run, Path(results)) if run else shown[CORRECTION]
            )
        return shown


class WorkingMemory(Perturbation):
    """The experiment: noise at all steps in the latent frames in which the start state is out of
    sight.

    Controls: as many visible frames, drawn by chance; and all inner frames, so that only the given
    frame is left to answer from. The given and the last frame are never changed.
    """

    name = "3_working_memory"

    @checked
    def plan(self, tasks: list[str], samples_per_task: int, suite_seed: int) -> list[NoiseRun]:
        """All runs of the first `samples_per_task` samples that hide their start state for a
        latent frame or more."""
        runs = []
        for task in tasklist.task_names(tasks):
            for index, *_ in with_hidden(
                task, samples_per_task, suite_seed, "test", self.model.frames, self.model.stride
            ):
                runs += self._runs(NoiseRun(task, index, suite_seed, seed=index))
        return runs

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """Of each task the first sample that the clean run solves (else the first): its clean run
        and those with noise put in by replacement."""
        clean = [row for row in rows if row["run"]["design"] == "clean"]
        cases = []
        for task in dict.fromkeys(row["run"]["task"] for row in clean):
            own = [row for row in clean if row["run"]["task"] == task]
            row = next((row for row in own if row["result"]["score"] == 1.0), own[0])
            shown = [
                run
                for run in self._runs(self.run_of(row["run"]))
                if run.design == "clean" or _replaces(run)
            ]
            cases += [self._case(_label(run), run, results) for run in shown]
        return cases

    def _runs(self, base: NoiseRun) -> list[NoiseRun]:
        """Clean, and noise of both kinds in the hidden, as many visible, and all inner frames."""
        sample, inner = self._sample(base), range(1, self.model.latent_frames - 1)
        hidden = hidden_frames(sample, self.model.frames, self.model.stride)
        seen = [f for f in inner if f not in hidden]
        rng = np.random.default_rng([base.index, 3])
        visible = rng.choice(seen, min(len(hidden), len(seen)), replace=False)
        runs = [base]
        for design, frames in (
            ("hidden", hidden),
            ("visible", sorted(visible.tolist())),
            ("inner", tuple(inner)),
        ):
            for mode in NOISES:
                noise = tuple(NoiseAtFrame(f, mode=mode, seed=base.seed) for f in frames)
                runs.append(replace(base, design=design, interventions=noise))
        return runs


def _replaces(run: NoiseRun) -> bool:
    return run.interventions[0].mode == "replace"


def _label(run: NoiseRun) -> str:
    frames = ", ".join(str(noise.frame) for noise in run.interventions)
    label = {"clean": f"{run.task}\nclean", "inner": "noise in\nall inner"}
    return label.get(run.design, f"noise in\n{run.design} {frames}")


EXPERIMENTS = {
    "steps": Behaviors,
    "memory": WorkingMemory,
    "probes": MemoryProbes,
    "onsets": Onsets,
}

"""Working memory: from which step on can the given frame be taken away?

At every step the network gets the given frame as a condition, so whatever it needs it can look up
again. Here the frame is dropped from the condition from a step on; what is still right afterwards
was in the latents.
"""

from dataclasses import replace
from pathlib import Path

from ...bench import samples
from ...experiments.parameters import checked
from ...puzzles.splits import Split
from ...sampling.interventions import Drop, NoiseAtFrame
from ..names import broken
from ..sample_runs import SampleBranches, SampleRun
from ..showcase import ShownCase
from ..summaries import base_of, by_cell, of_design
from .pictures import case

SHOWN = ("out_and_back", "occlusion")  # the paper's own examples


class WorkingMemory(SampleBranches):
    """The experiment. Designs: `clean`; `dropped`, without the given frame from a step to the end;
    `restored`, with it from a step on only. The latents of frame 0 show the given frame too, so two
    more from half of the steps on: `noised`, frame 0 is replaced by noise at every step; `erased`,
    and the given frame is dropped as well.
    """

    name = "3_working_memory"
    showcases = ("showcase",)

    @checked
    def plan(
        self, cells: dict[str, int], step_stride: int, suite_seed: int, split: Split = "test"
    ) -> list[SampleRun]:
        """All runs.

        Args:
            cells: how many samples of each cell.
            step_stride: the given frame is dropped from every which step on.
        """
        samples.cells(list(cells))
        return [
            run
            for cell, count in cells.items()
            for index in range(count)
            for run in self._runs(
                SampleRun(cell, index, suite_seed, seed=index, split=split), step_stride
            )
        ]

    def showcase(self, rows: list[dict], results: str | Path) -> list[ShownCase]:
        """Pictures of the paper's tasks: clean, dropped from a fifth of the steps on, and never
        given. Of each task the first sample that is right when clean, and wrong when never given;
        else the first."""
        early, cases = max(1, self.schedule.steps // 5), []
        for cell, own in by_cell(rows).items():
            if samples.task_of(cell) in SHOWN:
                run = self.run_of(_telling(own)["run"])
                what = (self.sample(run), run.seed, results)
                cases += [
                    case(self, f"{broken(cell)}\nclean", *what),
                    case(self, f"dropped\nfrom step {early}", *what, (Drop(early),)),
                    case(self, "never\ngiven", *what, (Drop(),)),
                ]
        return cases

    def _runs(self, base: SampleRun, step_stride: int) -> list[SampleRun]:
        steps = self.schedule.steps
        fifth, half = max(1, steps // 5), steps // 2
        noise = NoiseAtFrame(0, steps=tuple(range(half, steps)), seed=base.index)
        changes = [
            ("dropped", Drop(s)) for s in sorted({*range(0, steps, step_stride), fifth, half})
        ]
        changes += [("restored", Drop(until=s)) for s in sorted({fifth, half})]
        runs = [base, *(replace(base, design=d, interventions=(change,)) for d, change in changes)]
        if self.model.latent_frames > 1:  # else frame 0 is the answer itself
            runs.append(replace(base, design="noised", interventions=(noise,)))
            runs.append(replace(base, design="erased", interventions=(noise, Drop(half))))
        return runs


def _telling(rows: list[dict]) -> dict:
    """The clean row of the first sample that is right, and wrong when the frame is never given;
    else the first clean row."""
    never = {
        base_of(row): row["result"]["valid"]
        for row in of_design(rows, "dropped")
        if row["run"]["interventions"][0]["step"] == 0
    }
    clean = of_design(rows, "clean")
    found = (row for row in clean if row["result"]["valid"] and not never[base_of(row)])
    return next(found, clean[0])

"""The runs that are shown, chosen by one rule, and their clean estimates as pictures.

The rule: of each cell, the first sample whose final answer is valid; if there is none, the first.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ...bench.samples import knobs_of, task_of
from ...experiments.store import key_of
from ...measures import decisions
from ...puzzles import reading
from ...puzzles.base import Sample
from ...sampling.denoise import Trajectory, generate
from ..player import Curve
from ..sample_runs import SampleBranches, SampleRun
from ..showcase import ShownCase, decode_all, kept_clips
from ..summaries import by_cell, of_design
from . import nulls

FEW = 64  # valid answers of a sample that is shown next to its exact posterior mean


@dataclass(frozen=True)
class Case(ShownCase):
    """A sample with the decoded clean estimates (S, frames, H, W, 3) of one generation, or the
    posterior means at its states.

    Attributes:
        violations: (S,), of the answer that each of them decides.
    """

    violations: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """Cases by what they show.

    Attributes:
        squares: one of each picture cell, in the order of the parameters.
        mazes: one of each cell of mazes with several paths.
        by_frame: one of each task that is read by frame, of its cell of most rounds.
        nulls: pairs of a case above and the exact posterior mean at its states: the square and the
            maze with most valid answers, at most `FEW`.
    """

    squares: list[Case]
    mazes: list[Case]
    by_frame: dict[str, Case]
    nulls: list[tuple[Case, Case]]


def chosen(experiment: SampleBranches, rows: list[dict], results: str | Path) -> Pictures:
    """The cases to show; their pictures are read from `results`, or made and kept there."""
    counted = by_cell(of_design(rows, "clean"))
    looped = [cell for cell in counted if cell.startswith("maze") and _several(counted[cell])]
    read = [cell for cell in counted if counted[cell][0]["run"]["by_frame"]]
    framed = {task_of(cell): cell for cell in sorted(read, key=_rounds)}
    gallery = _Gallery(experiment, Path(results))
    groups = by_cell(of_design(rows, "picture"))
    squares = {cell: example(groups[cell]) for cell in groups}
    mazes = {cell: example(counted[cell]) for cell in looped}
    return Pictures(
        [gallery.case(row) for row in squares.values()],
        [gallery.case(row) for row in mazes.values()],
        {cell: gallery.case(example(counted[cell])) for cell in framed.values()},
        [gallery.pair(row) for rows in (squares, mazes) if (row := _most_answers(rows.values()))],
    )


def example(rows: list[dict]) -> dict:
    """The row of a cell that is shown, see the module."""
    return next((row for row in rows if row["result"]["valid"]), rows[0])


def _rounds(cell: str) -> int:
    return int(knobs_of(cell).get("rounds", 0))


def _several(rows: list[dict]) -> bool:
    return all(row["result"]["sample"]["answers"] > 1 for row in rows)


def _most_answers(rows: Iterable[dict]) -> dict | None:
    """The row whose sample has most valid answers, of those with 2 to `FEW`."""
    known = [row for row in rows if 2 <= row["result"]["sample"]["answers"] <= FEW]
    return max(known, key=lambda row: row["result"]["sample"]["answers"], default=None)


@dataclass(frozen=True)
class _Gallery:
    """Makes and keeps the pictures of runs."""

    experiment: SampleBranches
    results: Path

    def case(self, row: dict) -> Case:
        """A run's clean estimates."""
        run = self.experiment.run_of(row["run"])
        key = key_of(self.experiment.identity(run))
        clips = self._kept(key, lambda: decode_all(self.experiment.model, self._generated(run)))
        return case_of(_label(row), self.experiment.sample(run), clips)

    def pair(self, row: dict) -> tuple[Case, Case]:
        """A run's clean estimates, and the exact posterior mean at its states."""
        run = self.experiment.run_of(row["run"])
        key = key_of(self.experiment.identity(run) | {"showcase": "exact"})
        case = self.case(row)
        exact = self._kept(key, lambda: self._exact(run))
        model = replace(case, label=f"model\n{case.label}")
        ties = nulls.lots(case.sample)
        return model, case_of("exact\nposterior\nmean", case.sample, exact, ties)

    def _kept(self, key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        return kept_clips(self.results, key, self.experiment.schedule.steps, make)

    def _generated(self, run: SampleRun) -> Trajectory:
        model = self.experiment.model
        condition = model.prepare_sample(self.experiment.sample(run))
        return generate(model, condition, self.experiment.schedule, run.seed)

    @torch.inference_mode()
    def _exact(self, run: SampleRun) -> np.ndarray:
        model = self.experiment.model
        atoms = nulls.atoms(model, self.experiment.sample(run))
        means, which = nulls.means(self._generated(run), atoms)
        return model.decode_all(means)[which]


def case_of(
    label: str, sample: Sample, clips: np.ndarray, ties: np.random.Generator | None = None
) -> Case:
    """A case from its clips.

    Args:
        ties: breaks ties between values (`decisions.decide`), for a null.
    """
    decided = decisions.decide(reading.belief(sample, clips[:, -1]), ties)
    return Case(label, sample, clips, decisions.violations(sample, decided))


def _label(row: dict) -> str:
    about = row["result"]["sample"]
    knob = {"latin": "clues", "maze": "rooms"}.get(row["run"]["cell"].split("_")[0].split(" ")[0])
    name = f"{about['knobs'][knob]} {knob}\n" if knob else ""
    if about["answers"] == 1:
        plural = "" if about["rounds"] == 1 else "s"
        return f"{name}1 answer\n{about['rounds']} round{plural}"
    return f"{name}{about['answers']} answers"


def open_part(sample: Sample) -> int:
    """The part of most possible values, the first of equals: the one whose beliefs are drawn."""
    answers = np.array(sample.solutions.answers)
    return int(np.argmax([len(set(values)) for values in answers.T]))


def player_arguments(case: Case, sigmas: list[float]) -> dict:
    """What `Player` needs for a case: pictures, labels, the beliefs in every value of one open
    part, and the violations of the decided answer as a share of the most."""
    beliefs = reading.belief(case.sample, case.clips[:, -1])  # (S, P, V)
    part = open_part(case.sample)
    right = {answer[part] for answer in case.sample.solutions.answers}
    curves = [
        Curve(f"{case.sample.parts[part].name}: {name}", beliefs[:, part, v], v not in right)
        for v, name in enumerate(case.sample.parts[part].values)
    ]
    most = max(int(case.violations.max()), 1)
    curves.append(Curve(f"violations (1 = {most})", case.violations / most, dashed=True))
    return {
        "pictures": case.clips,
        "title": case.sample.prompt,
        "step_labels": [f"step {s} · sigma {sigmas[s]:.2f}" for s in range(len(case.clips))],
        "frame_labels": [f"frame {f}" for f in range(case.clips.shape[1])],
        "series": curves,
        "series_title": "belief",
    }

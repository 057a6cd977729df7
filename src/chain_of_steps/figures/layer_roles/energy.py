"""Figure 6a of the paper, measured: how large the hidden states are, by layer, frame and step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...bench import tasklist
from ...experiments.base import Experiment
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...measures.token_maps import maps_of
from ...puzzles.first.base import Sample
from ...sampling.denoise import generate
from ...sampling.sites import Captured


@dataclass(frozen=True)
class EnergyRun:
    """What determines one row, apart from model and schedule: a sample and its noise's seed."""

    task: str
    index: int
    suite_seed: int
    seed: int
    partition: str = "test"

    @property
    def base(self) -> "EnergyRun":
        """Nothing is shared."""
        return self


class LayerEnergy(Experiment[EnergyRun]):
    """The experiment: hidden states of clean generations, with the prompt (the cond pass), at all
    layers and steps.

    Args:
        model, schedule: what generates.
    """

    name = "4_layer_energy"
    digits: ClassVar = {"norm": 3, "temporal": 3, "frames": 3}
    run_type = EnergyRun
    showcases = ("showcase",)

    @checked
    def plan(self, tasks: list[str], samples_per_task: int, suite_seed: int) -> list[EnergyRun]:
        """All runs."""
        return [
            EnergyRun(task, i, suite_seed, i)
            for task in tasklist.task_names(tasks)
            for i in range(samples_per_task)
        ]

    def evaluations(self, runs: list[EnergyRun]) -> int:
        """How many model evaluations `results` makes."""
        return self.schedule.steps * len(runs)

    def results(
        self, runs: list[EnergyRun], count: Callable[[], None] | None = None
    ) -> Iterator[tuple[EnergyRun, dict]]:
        """Yields the curves of every run, each (S, 1 + L), the input of the first block first.

        Fields: `norm`, mean L2 norm over channels of all tokens (paper, figure 6a);
        `channel_variance`, variance over tokens, mean over channels; `temporal`, mean L2 norm of a
        token's change from one latent frame to the next; `frames`, mean norm by latent frame, (S,
        1 + L, F).
        """
        for run in runs:
            sample, states, final = self._generated(run, count)
            norm = states.norm(dim=-1)
            curves = {
                "norm": norm.mean((2, 3)),
                "channel_variance": states.flatten(2, 3).var(2).mean(-1),
                "temporal": states.diff(dim=2).norm(dim=-1).mean((2, 3)),
                "frames": norm.mean(3),
            }
            yield run, sample.outcome(self.model.decode(final)) | curves

    def states(self, run: EnergyRun) -> Tensor:
        """All hidden states of a clean generation, (S, 1 + L, F, h w, D), float32."""
        return self._generated(run)[1]

    def _generated(
        self, run: EnergyRun, count: Callable[[], None] | None = None
    ) -> tuple[Sample, Tensor, Tensor]:
        """A sample, the hidden states of its clean generation, and its final latents."""
        sample = tasklist.draw_one(run.task, run.index, run.suite_seed, run.partition)
        condition = self.model.prepare_sample(sample)
        watch = (lambda *_: count()) if count else None
        captured = Captured(lambda site: site.guided)
        clean = generate(
            self.model, condition, self.schedule, run.seed, watch=watch, visit=captured
        )
        return sample, self._stacked(captured, condition.shape[2]), clean.latents[-1]

    def showcase(self, rows: list[dict], results: str | Path) -> dict[str, Tensor]:
        """Maps of the first maze, or without one of the first sample: `norm` (S, 1 + L, F, h, w),
        and `colours` (S, 1 + L, F, h, w, 3), the first three principal components of all tokens
        together, so that colours compare across panels; kept under `results`."""
        first = next((row["run"] for row in rows if row["run"]["task"] == "maze"), rows[0]["run"])
        run = EnergyRun(**{name: first[name] for name in EnergyRun.__dataclass_fields__})
        file = Path(results) / "showcase" / f"{key_of(self.identity(run))}.safetensors"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file(maps_of(self.states(run), self.model.size // self.model.patch), file)
        return load_file(file)

    def _stacked(self, captured: Captured, frames: int) -> Tensor:
        layers = range(-1, self.model.layers)
        by_place = {(site.step, site.layer): state for site, state in captured.items()}
        rows = [torch.stack([by_place[s, k] for k in layers]) for s in range(self.schedule.steps)]
        return torch.stack(rows).unflatten(2, (frames, -1)).float()

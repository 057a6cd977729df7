"""Figure 6a of the paper, measured: how large hidden states are, by layer and step."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...bench import samples
from ...experiments.parameters import checked
from ...experiments.store import key_of
from ...experiments.trees import Count, Read
from ...puzzles.splits import Split
from ...sampling.denoise import Trajectory, generate
from ...sampling.prefix_tree import Tree
from ...sampling.sites import Captured, Site
from ..sample_runs import SampleBranches, SampleRun

CURVES = ("norm", "channel_variance", "temporal")


class Energies:
    """A visitor that measures hidden states as they pass, each into a table (S, 1 + L), the input
    of the first block in column 0. Under guidance only the pass with the prompt counts.

    `norm` is the L2 norm over channels, `channel_variance` the variance over channels, `temporal`
    the L2 norm of a token's change from one latent frame to the next; means over tokens.
    """

    def __init__(self, steps: int, layers: int, frames: int):
        self.frames = frames
        self.curves = {name: np.zeros((steps, 1 + layers)) for name in CURVES}

    def __call__(self, site: Site, hidden: Tensor) -> None:
        if not site.guided:
            return
        states = hidden[0].float().unflatten(0, (self.frames, -1))  # (F, h w, D)
        place = site.step, 1 + site.layer
        self.curves["norm"][place] = states.norm(dim=-1).mean()
        self.curves["channel_variance"][place] = states.var(dim=-1).mean()
        if self.frames > 1:
            self.curves["temporal"][place] = states.diff(dim=0).norm(dim=-1).mean()


class LayerEnergy(SampleBranches):
    """The experiment: clean generations, whose hidden states are measured at every layer and step.

    A result also has the tables of `Energies`.
    """

    name = "4_layer_energy"
    digits: ClassVar = {name: 3 for name in CURVES}
    showcases = ("showcase",)

    @checked
    def plan(
        self, cells: list[str], samples_per_cell: int, suite_seed: int, split: Split = "test"
    ) -> list[SampleRun]:
        """All runs; a sample's number is the seed of its noise."""
        return [
            SampleRun(cell, i, suite_seed, i, split=split)
            for cell in samples.cells(cells)
            for i in range(samples_per_cell)
        ]

    def tree(self, runs: list[SampleRun], count: Count = None) -> tuple[Tree, Read]:
        """See `TreeExperiment`: the clean generation, which `Energies` visits."""
        tree, read = super().tree(runs, count)
        frames = tree.condition.shape[2]
        energies = Energies(self.schedule.steps, self.model.layers, frames)

        def read_both(index: int, trajectory: Trajectory) -> Iterator[tuple[SampleRun, dict]]:
            for run, result in read(index, trajectory):
                yield run, result | energies.curves

        return replace(tree, visit=energies), read_both

    def showcase(self, rows: list[dict], results: str | Path) -> Tensor:
        """Token norms (S, 1 + L, F, h, w) of the first row's generation, kept under `results`."""
        run = self.run_of(rows[0]["run"])
        file = Path(results) / "showcase" / f"{key_of(self.identity(run))}.safetensors"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            save_file({"norm": self.norms(run)}, file)
        return load_file(file)["norm"]

    def norms(self, run: SampleRun) -> Tensor:
        """The norm of every token of a clean generation, (S, 1 + L, F, h, w), float32."""
        condition = self.model.prepare_sample(self.sample(run))
        captured = Captured(lambda site: site.guided)
        generate(self.model, condition, self.schedule, run.seed, visit=captured)
        side = self.model.size // self.model.patch
        norms = torch.stack([state.float().norm(dim=-1) for state in captured.values()])
        shape = (self.schedule.steps, 1 + self.model.layers, condition.shape[2], side, side)
        return norms.reshape(shape).cpu()  # sites come in the order of steps and layers

"""An experiment for tests of sweeps, stores and clusters. A separate module: workers import it."""

from chain_of_steps.bench import samples
from chain_of_steps.experiments.parameters import checked
from chain_of_steps.figures.sample_runs import SampleBranches, SampleRun
from chain_of_steps.sampling.interventions import NoiseAtFrame, NoiseAtStep


class Noised(SampleBranches):
    """Clean generations, and the same with noise at single steps or frames."""

    name = "noised"

    @checked
    def plan(
        self,
        cells: list[str],
        samples_per_cell: int,
        suite_seed: int,
        step_stride: int,
        frame_stride: int,
    ) -> list[SampleRun]:
        """Of each sample a clean run, and one for each `step_stride`-th step and each
        `frame_stride`-th frame with noise in it."""
        steps = range(0, self.schedule.steps, step_stride)
        frames = range(0, self.model.latent_frames, frame_stride)
        designs = [
            ("clean", ()),
            *(("step", (NoiseAtStep(step),)) for step in steps),
            *(("frame", (NoiseAtFrame(frame),)) for frame in frames),
        ]
        return [
            SampleRun(cell, index, suite_seed, index, design, noise)
            for cell in samples.cells(cells)
            for index in range(samples_per_cell)
            for design, noise in designs
        ]

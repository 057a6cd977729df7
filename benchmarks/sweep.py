"""How fast is a sweep? Ends within two minutes: the slower the machine, the fewer repeats.

    python benchmarks/sweep.py [--model data/mini] [--json FILE] [--figure FILE]

The job: all frames noised at each of 50 steps, one run per step. Ours shares what the runs share;
the rival calls the stock pipeline once per run and edits the latents in its step callback. Both end
with latents, nothing is decoded. The two take turns in one process: our sweep runs between ten
calls of the pipeline, each of which costs the same whatever its step, so that fifty cost five times
as much. Clips of 5 frames keep it short. nnsight edits outputs of modules; the latents between two
steps are not the output of a module, so it takes part in layers.py only. Batches, and what share of
the machine's matrix products an evaluation reaches, are in batches.py.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # before torch, as every command of ours does

import torch
from batches import by_batch, in_processes, peak, symbol_conditions, symbol_model, where_time_goes
from layers import LayerBench, has_nnsight
from output import options_of, write
from PIL import Image

from chain_of_steps.figures.style import PALETTE, WIDTH, style
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import NoiseAtStep
from chain_of_steps.sampling.prefix_tree import Branch, evaluations, grow

STEPS, FRAMES, READ_AFTER = 50, 5, 5
BUDGET = 55.0  # seconds
SCHEDULE = Schedule("paper's steps", "euler", STEPS, shift=5.0)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def branches(steps: int = STEPS, after: int | None = None) -> list[Branch]:
    """The clean run, and one run per noised step, read at the end or `after` that many steps."""
    ends = [None if after is None else min(steps, s + after) for s in range(steps)]
    return [Branch(), *(Branch((NoiseAtStep(s),), until=end) for s, end in enumerate(ends))]


class Bench:
    """One sample, and the three ways to run it."""

    def __init__(self, folder: str):
        self.model = VideoModel.load(folder)
        self.sample = suite.draw_one("maze", 0, 0)
        self.condition = self.model.prepare_sample(self.sample, frames=FRAMES)
        self.executed = 0

    def sweep(self, jobs: list[Branch]) -> None:
        """Ours: every shared (state, step) once."""
        self.executed = 0
        for _ in grow(self.model, self.condition, SCHEDULE, 0, jobs, count=self._count):
            pass

    def pipeline(self, step: int, videos: int = 1) -> torch.Tensor:
        """The rival: the stock pipeline, whose callback replaces the latents before a step."""
        edit = NoiseAtStep(step).at(step, self.condition.shape[2])

        def callback(pipe, s: int, t: torch.Tensor, kept: dict) -> dict:
            if s + 1 == step:
                kept["latents"] = edit.latents(step, kept["latents"], None, 0.0)
            return kept

        pipe, size = self.model.pipe, self.model.size
        pipe.scheduler = SCHEDULE.scheduler(self.model.prediction)
        grid = pipe.scheduler.sigmas.clone()
        pipe.scheduler.set_timesteps = lambda *_, **__: _restart(pipe.scheduler, grid)
        return pipe(
            image=Image.fromarray((self.sample.first_frame(size) * 255 + 0.5).astype("uint8")),
            prompt=self.sample.prompt,
            height=size,
            width=size,
            num_frames=FRAMES - 1 if self.model.stride == 1 else FRAMES,
            num_inference_steps=STEPS,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(0),
            num_videos_per_prompt=videos,
            max_sequence_length=self.model.pipe.tokenizer.model_max_length,
            output_type="latent",
            callback_on_step_end=callback,
        ).frames

    @torch.inference_mode()
    def bare(self) -> None:
        """Only the transformer's forward passes of one run."""
        x = self.model.noise(self.condition, 0)
        inputs = torch.cat([x, self.condition.image], dim=1)
        for t in SCHEDULE.scheduler(self.model.prediction).timesteps:
            self.model.pipe.transformer(
                inputs, t.expand(1), self.condition.prompt, return_dict=False
            )

    def _count(self) -> None:
        self.executed += 1


def _restart(scheduler, grid: torch.Tensor) -> None:
    """A stock pipeline sets its own grid; ours is already set and only has to be reset."""
    scheduler.sigmas = grid
    scheduler._step_index = None


class Clock:
    """Shares out the time: work is repeated as often as its share allows, twice at least."""

    def __init__(self, budget: float):
        self.budget, self.began = budget, time.perf_counter()

    def say(self, what: str) -> None:
        """Progress, on standard error."""
        print(f"{time.perf_counter() - self.began:6.1f} s  {what}", file=sys.stderr, flush=True)

    def rounds(self, share: float, most: int) -> Iterator[int]:
        """Numbers of rounds: `most` of them, or until a share of the budget is used."""
        end = time.perf_counter() + share * self.budget
        for turn in range(most):
            if turn > 1 and time.perf_counter() > end:
                return
            yield turn

    def timed(self, work: Callable[[], object], share: float = 0.02) -> float:
        """Median seconds of some work, after a first time that does not count."""
        work()
        return statistics.median(seconds(work) for _ in self.rounds(share, 7))


def measure(folder: str, budget: float = BUDGET) -> dict:
    """Runs everything in turn and reports the ratios."""
    clock, bench = Clock(budget), Bench(folder)
    clock.say("loop against bare forward passes")
    clean = lambda: generate(bench.model, bench.condition, SCHEDULE, 0)  # noqa: E731
    for _ in range(3):
        bench.bare(), clean()
    plain, loops = [], []
    for turn in clock.rounds(0.22, 14):  # alternate which one runs first
        for work, taken in ((bench.bare, plain), (clean, loops))[:: 1 if turn % 2 else -1]:
            taken.append(seconds(work))
    last = clean().latents[-1]
    overhead = statistics.median(loop / bare for loop, bare in zip(loops, plain, strict=True)) - 1.0
    rates = {
        "loop_overhead": round(overhead, 4),
        "evaluations_per_second": round(STEPS / statistics.median(loops), 1),
        "forward_ms": round(1000 * statistics.median(plain) / STEPS, 2),
        "decode_ms": round(1000 * clock.timed(lambda: bench.model.decode(last)), 2),
    }
    return {
        **_sweeps(bench, clock, statistics.median(loops)),
        **_layers(bench, clock),
        **rates,
        **_batches(bench, clock),
        "frames": FRAMES,
        "threads": torch.get_num_threads(),
        "rounds": len(loops),
    }


def _sweeps(bench: Bench, clock: Clock, run: float) -> dict:
    """The rival's calls, half of them before and half after our long sweep, and our short one.

    Args:
        run: seconds of one generation; where it is long, every second, fifth, ... step is noised.
    """
    whole = run * evaluations(branches(), STEPS, 1) / STEPS
    every = next(n for n in (1, 2, 5, 10, 25) if n == 25 or whole / n < 0.35 * clock.budget)
    jobs, early = branches()[::every], branches(after=READ_AFTER)[::every]
    rival, short = [], []
    for turn in range(2):
        clock.say(f"stock pipeline, every {10 * every}th step" if turn else "sweep and pipeline")
        rival += [seconds(lambda s=s: bench.pipeline(s)) for s in range(turn, STEPS, 10 * every)]
        short.append(seconds(lambda: bench.sweep(early)))
        if turn == 0:
            ours, executed = seconds(lambda: bench.sweep(jobs)), bench.executed
    calls = (len(jobs) - 1) * statistics.median(rival)  # one pipeline call for each noised step
    frames = bench.condition.shape[2]
    return {
        "shared_prefix_speedup": round(calls / ours, 3),
        "readout_speedup": round(calls / statistics.median(short), 3),
        "unique_evaluations": evaluations(jobs, STEPS, frames),
        "executed_evaluations": executed,
        "steps": STEPS,
        "noised_steps": len(jobs) - 1,
        "theory": {
            "shared_prefix_speedup": _theory(jobs, frames),
            "readout_speedup": _theory(early, frames),
            "layer_sweep_speedup": LayerBench(bench.model, bench.condition, SCHEDULE).theory,
        },
    }


def _theory(jobs: list[Branch], frames: int) -> float:
    return round(STEPS * (len(jobs) - 1) / evaluations(jobs, STEPS, frames), 3)


def _layers(bench: Bench, clock: Clock) -> dict:
    clock.say("patches of all layers" + (", nnsight too" if has_nnsight() else ""))
    patch = LayerBench(bench.model, bench.condition, SCHEDULE)
    ways = [patch.ours, patch.hooks, *([patch.nnsight] if has_nnsight() else [])]
    turns = [[seconds(way) for way in ways] for _ in clock.rounds(0.1, 9)]
    by_way = [statistics.median(turn[way] / turn[0] for turn in turns) for way in range(len(ways))]
    return {
        "layer_sweep_speedup": round(by_way[1], 3),
        "layer_sweep_speedup_over_nnsight": round(by_way[2], 3) if has_nnsight() else None,
    }


def _batches(bench: Bench, clock: Clock) -> dict:
    """Evaluations in batches: of the picture model, and of symbol networks of 1 and 4 blocks."""
    models = {"generalist": (bench.model, [bench.condition] * 4, [1, 2, 4])}
    for layers in (1, 4):
        model = symbol_model(layers)
        models[f"symbols L{layers}"] = (model, symbol_conditions(model, 256), [1, 16, 64, 256])
    rates, shares = {}, {}
    for name, (model, conditions, sizes) in models.items():
        clock.say(f"batches of {name}")
        rates[name] = by_batch(model, conditions, sizes, clock.timed)
        best = int(max(rates[name], key=rates[name].get))
        flop, peak_rate = peak(model, conditions[0], best, clock.timed)
        shares[name] = {
            "share": round(flop * rates[name][str(best)] / peak_rate, 3),
            "batch": best,
            "matrix_gflop_per_second": round(peak_rate / 1e9, 1),
            "mflop_per_evaluation": round(flop / 1e6, 2),
            "time_by_operation": where_time_goes(model, conditions[0], best),
        }
    clock.say("stock pipeline, several videos for a prompt")
    several = {n: clock.timed(partial(bench.pipeline, 0, n)) for n in (1, 4)}
    return {
        "evaluations_per_second_by_batch": rates,
        "batched_speedup": {n: round(max(r.values()) / r["1"], 2) for n, r in rates.items()},
        "share_of_peak": shares,
        "symbols_L1_in_two_processes": in_processes(1, 2, 64),
        "diffusers_evaluations_per_second": {
            str(n): round(n * STEPS / taken, 1) for n, taken in several.items()
        },
    }


def cost_figure(file: str) -> None:
    """How the number of evaluations grows with steps, with interventions and with samples: naive
    and shared."""
    import matplotlib.pyplot as plt

    steps, noised, samples = range(10, 101, 5), range(1, STEPS + 1), range(1, 401, 10)
    ways = {"one pipeline call per run": (lambda n, k: n * k, PALETTE[0])}
    for colour, (label, after) in zip(
        PALETTE[1:], (("shared pasts", None), ("read 5 steps later", 5)), strict=False
    ):
        ways[label] = (lambda n, k, after=after: evaluations(_spread(n, k, after), n, 1), colour)
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 3.4))
        for label, (cost, colour) in ways.items():
            axes[0].plot(steps, [cost(n, n) for n in steps], color=colour, label=label)
            axes[1].plot(noised, [cost(STEPS, k) for k in noised], color=colour)
            axes[2].plot(samples, [n * cost(STEPS, STEPS) for n in samples], color=colour)
        axes[0].set(
            xlabel="steps (one run per step)", ylabel="model evaluations", title="one sample"
        )
        axes[1].set(xlabel="noised steps, of 50", title="one sample")
        axes[2].set(xlabel="samples", title="50 steps, each noised once")
        axes[0].legend(frameon=False)
        figure.tight_layout()
        figure.savefig(file, metadata={"Software": None})


def _spread(steps: int, count: int, after: int | None) -> list[Branch]:
    """The clean run, and `count` noised ones spread over the steps."""
    every = branches(steps, after)
    return [every[0], *(every[1 + i * steps // count] for i in range(count))]


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--figure", help="draw how the cost grows, into this PNG")
    options = parser.parse_args()
    if options.figure:
        cost_figure(options.figure)
    write(measure(options.model), options.json)

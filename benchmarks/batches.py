"""How fast are many trees at once, and how near to what the machine can do? Part of
`python benchmarks/sweep.py`.

The job: clean generations of several samples, their evaluations in batches. The rival is the stock
pipeline with `num_videos_per_prompt`. The machine's rate is that of a model's own matrix products,
each by itself, in the same shapes and with the same threads.
"""

import multiprocessing
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.symbols import SymbolPipeline
from chain_of_steps.models.video_model import Condition, VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.sampling.prefix_tree import Branch, Tree, grow_all
from chain_of_steps.training.symbols import SymbolRecipe, build

STEPS = 10
Timer = Callable[[Callable[[], object]], float]  # median seconds of some work


def symbol_model(layers: int) -> VideoModel:
    """A symbol network of random weights; its speed does not depend on them."""
    scheduler = Schedule("symbols", "euler", STEPS, 3.0).scheduler("sample")
    pipe = SymbolPipeline(build(SymbolRecipe("latin", layers)).eval(), scheduler, "latin")
    return VideoModel(pipe, f"L{layers}")


def symbol_conditions(model: VideoModel, count: int) -> list[Condition]:
    """Squares of order 4."""
    samples = suite.draw("latin", min(count, 16), seed=0, order=4, clues=4)
    conditions = [model.prepare_sample(sample) for sample in samples]
    return [conditions[i % len(conditions)] for i in range(count)]


def clean_runs(model: VideoModel, conditions: list[Condition], batch: int) -> None:
    """A clean generation for each condition, in batches."""
    schedule = Schedule("batches", "euler", STEPS, 3.0)
    trees = [Tree(condition, i, [Branch()]) for i, condition in enumerate(conditions)]
    for _ in grow_all(model, schedule, trees, batch):
        pass


def by_batch(
    model: VideoModel, conditions: list[Condition], sizes: list[int], timed: Timer
) -> dict[str, float]:
    """Evaluations per second by size of the batch."""
    found = {}
    for size in sizes:
        chosen = (conditions * size)[: max(size, min(len(conditions), 4))]
        seconds = timed(partial(clean_runs, model, chosen, size))
        found[str(size)] = round(len(chosen) * STEPS / seconds, 1)
    return found


def in_processes(layers: int, processes: int, batch: int) -> float:
    """Evaluations per second of a symbol network in several processes of one thread each, as a
    sweep with workers makes them."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return round(sum(pool.starmap(_one_process, [(layers, batch)] * processes)), 1)


def _one_process(layers: int, batch: int) -> float:
    torch.set_num_threads(1)
    model = symbol_model(layers)
    conditions = symbol_conditions(model, 4 * batch)
    clean_runs(model, conditions[:batch], batch)
    began = time.perf_counter()
    clean_runs(model, conditions, batch)
    return len(conditions) * STEPS / (time.perf_counter() - began)


def peak(model: VideoModel, condition: Condition, batch: int, timed: Timer) -> tuple[float, float]:
    """Operations of one evaluation, and operations per second of its matrix products alone."""
    shapes = _linears(model, condition, batch)
    with FlopCounterMode(display=False) as counter:
        _forward(model, condition, batch)
    work = [(torch.randn(rows, inside), module) for rows, inside, module in shapes]

    @torch.inference_mode()
    def products() -> None:
        for x, module in work:
            linear(x, module.weight, module.bias)

    flop = sum(2 * rows * inside * module.out_features for rows, inside, module in shapes)
    return counter.get_total_flops() / batch, flop / timed(products)


def where_time_goes(model: VideoModel, condition: Condition, batch: int) -> dict[str, float]:
    """Shares of the time of a forward pass by kind of operation."""
    kinds = {"matrix products": ("addmm", "mm"), "GELU": ("gelu",), "attention": ("attention",)}
    _forward(model, condition, batch)
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for _ in range(10):
            _forward(model, condition, batch)
    times = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
    total, found = sum(times.values()), {}
    for kind, names in kinds.items():
        own = sum(t for key, t in times.items() if any(name in key for name in names))
        found[kind] = round(own / total, 3)
    return found | {"everything else": round(1.0 - sum(found.values()), 3)}


def _linears(model: VideoModel, condition: Condition, batch: int) -> list[tuple]:
    """(rows, columns, module) of every linear layer in a forward pass, in order."""
    shapes: list[tuple] = []

    def note(module: nn.Linear, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        x = inputs[0]
        shapes.append((x.numel() // x.shape[-1], x.shape[-1], module))

    modules = [m for m in model.transformers[0].modules() if isinstance(m, nn.Linear)]
    handles = [module.register_forward_hook(note) for module in modules]
    _forward(model, condition, batch)
    for handle in handles:
        handle.remove()
    return shapes


@torch.inference_mode()
def _forward(model: VideoModel, condition: Condition, batch: int) -> Tensor:
    x = torch.cat([model.noise(condition, seed) for seed in range(batch)])
    x = torch.cat([x, condition.image.expand(batch, -1, -1, -1, -1)], 1)
    text = condition.prompt.expand(batch, -1, -1)
    return model.transformers[0](x, torch.full((batch,), 500.0), text, return_dict=False)[0]

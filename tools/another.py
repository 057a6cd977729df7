"""`make reproduce MODEL=folder`: the same notebooks on another model, with figures and rows of their own.

First the plan: if it takes more hours than were granted, nothing is run, and the plan says how many samples would fit.
Figures go to figures/<model>/, rows to runs/<model>/; a call that was killed goes on with the rows that are missing.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from run import execute
from strip import main as strip
from tqdm import tqdm

from chain_of_steps import cluster, registry, schedule
from chain_of_steps.faults import told
from chain_of_steps.models import VideoModel
from chain_of_steps.plan import GPUS, Blueprint, Cost, blueprint, cost, report
from chain_of_steps.store import Store
from chain_of_steps.suites import SPLITS
from chain_of_steps.sweep import sweep

ROOT = Path(__file__).parent.parent


def sections(params: Path, scale: str, preset: str, suite: str) -> dict[str, dict]:
    """The parameters of every notebook at a scale, with another preset and, in the place of splits, another suite; no
    group names a model of its own."""

    def changed(value: dict) -> dict:
        kept = {name: part for name, part in value.items() if name != "model"}
        found = {name: changed(part) if isinstance(part, dict) else part for name, part in kept.items()}
        if suite != "mini" and found.get("tasks") in (*SPLITS, "all"):
            found["tasks"] = str(Path(suite).resolve())
        return found

    return {name: changed(section) | {"preset": preset} for name, section in registry.sections(params, scale).items()}


def planned(model: Blueprint, wanted: dict[str, dict]) -> list[Cost]:
    """What all experiments will cost."""
    found = registry.of_sections(wanted, lambda _: model, model.name)
    return [cost(experiment, runs, experiment.schedule) for experiment, runs in found.values()]


def hours(model: Blueprint, costs: list[Cost], gpu: str) -> float:
    """Of all experiments together, as the sweep runs them."""
    flop = model.flop(model.size, model.size, model.frames)
    return sum(each.hours(flop, gpu) for each in costs)


def gpu_of(device: str) -> str:
    """The name in `GPUS` of a device; H100 where it is none of them."""
    name = torch.cuda.get_device_name() if device.startswith("cuda") and torch.cuda.is_available() else ""
    return next((gpu for gpu in GPUS if gpu in name), "H100")


def ahead(wanted: dict[str, dict], folder: str, load: dict, rows: Path, executor: cluster.Ray) -> None:
    """Computes the rows of all experiments on a Ray cluster; the notebooks then find them."""
    here = VideoModel.load(folder, **load | {"device": "cpu"})  # only its weights' hash is needed; workers compute
    found = registry.of_sections(wanted, lambda name: here if name == folder else VideoModel.load(name), folder)
    for experiment, runs in found.values():
        sweep(experiment, Store(rows, experiment.name), runs, tqdm, executor=executor)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder in the layout of diffusers")
    parser.add_argument("--suite", default="mini", help="mini, or a VBVR-Bench folder")
    parser.add_argument("--preset", default="paper", choices=schedule.PRESETS)
    parser.add_argument("--scale", default="real", help="section of params.yaml")
    parser.add_argument("--size", type=int, default=480, help="side at which samples are drawn, pixels")
    parser.add_argument("--frames", type=int, default=49, help="pixel frames of a clip")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--hours", type=float, default=24.0, help="that may be spent on a GPU")
    parser.add_argument("--debug", action="store_true", help="show the trace-back of an error")
    cluster.add_options(parser)
    return parser


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    options = _parser().parse_args(arguments)
    executor = cluster.executor_of(options, options.device)
    wanted = sections(ROOT / "params.yaml", options.scale, options.preset, options.suite)
    model = blueprint(options.model)
    model.size, model.frames = options.size, options.frames
    costs, gpu = planned(model, wanted), gpu_of(options.device)
    say(report(model, costs, options.size, options.size, options.frames))
    needed = hours(model, costs, gpu)
    if needed > options.hours:
        say(
            f"\nThis needs {needed:.0f} hours on {gpu}, and HOURS={options.hours:g} were granted. Grant more, or lower "
            f"the numbers of samples in the section {options.scale!r} of params.yaml to {options.hours / needed:.0%}."
        )
        return 1
    name = Path(options.model).resolve().name
    figures, rows = ROOT / "figures" / name, ROOT / "runs" / name
    load = {"device": options.device, "dtype": options.dtype, "size": options.size, "frames": options.frames}
    if executor != "local":
        ahead(wanted, options.model, load, rows, executor)
    strip(ROOT / "notebooks", ROOT / "build" / "notebooks")
    for notebook, parameters in wanted.items():
        say(f"\n{notebook}")
        own = {"model": str(Path(options.model).resolve()), "load": load, "results": str(rows)}
        execute(notebook, options.scale, str(figures), **parameters | own)
    say(f"\nFigures and metrics: {figures}\nRows: {rows}")
    return 0


if __name__ == "__main__":
    sys.exit(told(main, "another", "--debug" in sys.argv))

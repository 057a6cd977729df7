"""`make reproduce MODEL=folder`: the same notebooks on another model, with separate figures and
rows.

The plan comes first: if it exceeds the granted hours, nothing is run, and a message says how many
samples would fit. Figures go to figures/<model>/, rows to runs/<model>/; a call that was killed
resumes with the missing rows.
"""

import builtins
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from papermill.exceptions import PapermillExecutionError
from run import execute
from strip import main as strip
from tqdm import tqdm

from chain_of_steps.bench import recorded
from chain_of_steps.cli.arguments import Parser, positive, whole
from chain_of_steps.common.errors import run_command
from chain_of_steps.common.files import check_place
from chain_of_steps.experiments import ray_cluster
from chain_of_steps.experiments.cost_plan import (
    GPUS,
    NAMED,
    Blueprint,
    Cost,
    blueprint,
    cost,
    refuse_too_large,
    report,
)
from chain_of_steps.experiments.preflight import check_length
from chain_of_steps.experiments.store import Store
from chain_of_steps.experiments.sweep import sweep
from chain_of_steps.figures import registry
from chain_of_steps.models import schedule
from chain_of_steps.models.loading import EXPERTS, Loading, parse
from chain_of_steps.models.pipeline import own_clip
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.models.weights import refuse_missing, refuse_strays, refuse_wrong_boundary

ROOT = Path(__file__).parent.parent
# These need exact states (which part is wrong, which thing is named): only the mini suite has them.
EXACT = ("3_emergent_behaviors", "4_layer_roles")
# These add noise to latents or merge them, which a multistep sampler undoes.
EDITS = ("2_perturbation_curves", "3_emergent_behaviors", "5_ensemble_table", "6_step_budget")
# Parameters that say how many samples of which cells, controls apart.
COUNTS = ("cells", "deep", "restarted")
# The preset of the distilled student, which other models do not have.
STUDENT = "student"
# These study symbol networks only.
SYMBOLS = ("7_when_steps_matter",)


def sections(
    params: Path, scale: str, preset: str, suite: str
) -> tuple[dict[str, dict], list[str]]:
    """The parameters of every notebook at a scale, with another preset and suite; and messages
    about what these rule out."""
    grid = schedule.preset(preset)
    found = {
        name: _changed(section, preset) | {"preset": preset}
        for name, section in registry.sections(params, scale).items()
        if name not in SYMBOLS
    }
    said = [f"{' and '.join(SYMBOLS)} studies symbol networks, whatever the model: left out."]
    if suite != "mini":
        tasks = recorded.names_of(_whole(suite))  # raises if it is not a folder of samples
        found = {
            name: part if name in EXACT else _given(part, tasks) for name, part in found.items()
        }
        said.append(
            f"{suite} has videos of the right answers but no exact states, which "
            f"{' and '.join(EXACT)} need: these two stay with the mini suite. So do the controls "
            "of the others."
        )
    if grid.sampler != "euler":
        found = {name: part for name, part in found.items() if name not in EDITS}
        said.append(
            f"Preset {preset} uses {grid.sampler}, which rebuilds latents from its history: "
            f"{', '.join(EDITS)}, which change latents, are left out; preset paper runs them all."
        )
    if "6_step_budget" in found:
        said.append(
            "This model has no distilled student: notebook 6 uses the model itself instead, "
            "with few steps; its symbol networks are left out."
        )
    return found, said


def _whole(suite: str) -> str:
    """The folder of a suite, as its tasks name it."""
    return str(Path(suite).resolve())


def _changed(group: dict, preset: str) -> dict:
    """A group with another preset and without its own model; `paper/5` becomes the other preset
    with 5 steps, and so does the student's preset. On symbol networks nothing is run."""
    found = {
        name: _changed(part, preset) if isinstance(part, dict) else part
        for name, part in group.items()
    }
    if registry.on_symbols(found):
        found["cells"] = []
    found.pop("model", None)
    own = found.get("preset", "")
    if own == STUDENT or "/" in own:
        steps = schedule.preset(own).steps
        found["preset"] = f"{preset.split('/')[0]}/{steps}"
    return found


def _given(section: dict, tasks: list[str]) -> dict:
    """A section whose `cells`, in all of its groups, are these tasks; as many samples of each as of
    the cell that has most. Other cells stay: controls, cells that are shown."""
    return {
        name: _given(part, tasks) if "cells" in _names(part) else _instead(name, part, tasks)
        for name, part in section.items()
    }


def _names(part: object) -> list:
    return list(part) if isinstance(part, dict) else []


def _instead(name: str, part: object, tasks: list[str]) -> object:
    """The tasks in place of the cells that a parameter lists, or counts samples of."""
    if name == "cells" and isinstance(part, list):
        return tasks if part else []
    if name in COUNTS and isinstance(part, dict) and part:
        return dict.fromkeys(tasks, max(part.values()))
    return part


def planned(model: Blueprint, wanted: dict[str, dict]) -> list[Cost]:
    """The cost plan of all experiments."""
    uses = registry.uses(ROOT / "params.yaml", wanted, lambda _: model, model.name)
    found = registry.together(uses)
    return [cost(experiment, runs, experiment.schedule) for experiment, runs in found.values()]


def hours(model: Blueprint, costs: list[Cost], gpu: str, width: int | None = None) -> float:
    """GPU hours of all experiments together, as the sweep runs them, on frames of that width in
    pixels, by default square ones."""
    flop = model.flop(model.size, width or model.size, model.frames)
    return sum(each.hours(flop, gpu) for each in costs)


def _weighed(folder: Path, how: dict, size: int, frames: int) -> Blueprint:
    """The blueprint of a complete model folder that fits into the GPU's memory when loaded as
    given. A model of this project has its own size and number of frames.

    Raises:
        ValueError: if it is incomplete or does not fit, or does not take this size or these
            frames.
    """
    if str(folder) in NAMED:
        raise ValueError(
            f"{folder} is a name to plan with; to run it, fetch its weights and pass their folder"
        )
    model, loading = blueprint(str(folder)), Loading(**how)
    refuse_strays(folder)
    refuse_missing(folder, EXPERTS[: len(loading.gguf)])
    refuse_wrong_boundary(folder)
    clip = {"size": size, "frames": frames} | own_clip(folder)
    model.size, model.frames = clip["size"], clip["frames"]
    model.check_clip(model.size, model.size, model.frames)
    check_length(model)
    if loading.device.startswith("cuda"):
        refuse_too_large(
            model, loading, torch.cuda.get_device_properties(loading.device).total_memory
        )
    return model


def _places(folder: Path) -> tuple[Path, Path]:
    """Folders of the figures and rows of a model, by its folder's name.

    Raises:
        ValueError, OSError: if the name is that of a figure of this project, or something there
            cannot be written.
    """
    name = folder.resolve().name
    if name in registry.folders(ROOT / "params.yaml"):
        raise ValueError(
            f"the model's folder is called {name}, and figures/{name}/ holds a figure of this "
            "project; rename the model's folder"
        )
    places = ROOT / "figures" / name, ROOT / "runs" / name
    for place in places:
        check_place(place)
    return places


def _in(notebook: str, error: PapermillExecutionError) -> Exception:
    """The error of a notebook, of the same type if possible, with the notebook's name."""
    kind = getattr(builtins, error.ename, RuntimeError)
    if error.ename == "OutOfMemoryError":
        return ValueError(
            f"{notebook}: the GPU's memory is full; use fewer FRAMES, a smaller SIZE or "
            "LOAD='offload=group'"
        )
    return (kind if issubclass(kind, (ValueError, OSError, MemoryError)) else RuntimeError)(
        f"{notebook}: {error.evalue}"
    )


def gpu_of(device: str) -> str:
    """The name of a device in `GPUS`; H100 for any other."""
    name = (
        torch.cuda.get_device_name()
        if device.startswith("cuda") and torch.cuda.is_available()
        else ""
    )
    return next((gpu for gpu in GPUS if gpu in name), "H100")


def ahead(
    wanted: dict[str, dict], folder: str, load: dict, rows: Path, executor: ray_cluster.Ray
) -> None:
    """Computes the rows of all experiments on a Ray cluster; the notebooks then find them."""
    here = VideoModel.load(
        folder, **load | {"device": "cpu"}
    )  # only the hash of its weights is needed; workers compute
    uses = registry.uses(
        ROOT / "params.yaml",
        wanted,
        lambda name: here if name == folder else VideoModel.load(name),
        folder,
    )
    for experiment, runs in registry.together(uses).values():
        sweep(experiment, Store(rows, experiment.name), runs, tqdm, executor=executor)


def _parser() -> Parser:
    parser = Parser(__doc__)
    parser.add_argument("--model", required=True, help="folder in the layout of diffusers")
    parser.add_argument("--suite", default="mini", help="mini, or a VBVR-Bench folder")
    parser.add_argument(
        "--preset", default="paper", help=f"{', '.join(schedule.PRESETS)}, or paper/5 for 5 steps"
    )
    parser.add_argument("--scale", default="real", help="section of params.yaml")
    parser.number("--size", whole, default=480, help="height at which samples are drawn, pixels")
    parser.number("--frames", whole, default=49, help="pixel frames of a clip")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument(
        "--load",
        default="",
        help="loading options, e.g. 'offload=group storage=fp8'; see chain_of_steps.models.loading",
    )
    parser.number("--hours", positive, default=24.0, help="GPU hours that may be spent")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    ray_cluster.add_options(parser)
    return parser


def main(arguments: list[str] | None = None, say: Callable[[str], None] = print) -> int:
    options = _parser().parse_args(arguments)
    executor = ray_cluster.executor_of(options, options.device)
    wanted, cannot = sections(ROOT / "params.yaml", options.scale, options.preset, options.suite)
    how = {"device": options.device, "dtype": options.dtype} | parse(options.load)
    model = _weighed(Path(options.model), how, options.size, options.frames)
    figures, rows = _places(Path(options.model))
    costs, gpu = planned(model, wanted), gpu_of(options.device)
    width = model.size
    if options.suite != "mini":
        width = max(width, recorded.widest(_whole(options.suite), model.size))
    say(report(model, costs, model.size, width, model.frames))
    for sentence in cannot:
        say(f"\n{sentence}")
    needed = hours(model, costs, gpu, width)
    if needed > options.hours:
        say(
            f"\nThis needs {needed:.0f} hours on {gpu}, but HOURS is {options.hours:g}. "
            f"Raise HOURS, or lower the numbers of samples in the section {options.scale!r} of "
            f"params.yaml to {options.hours / needed:.0%}."
        )
        return 1
    load = how | {"size": options.size, "frames": options.frames}
    if executor != "local":
        ahead(wanted, options.model, load, rows, executor)
    strip(ROOT / "notebooks", ROOT / "build" / "notebooks")
    for notebook, parameters in wanted.items():
        say(f"\n{notebook}")
        own = {"model": str(Path(options.model).resolve()), "load": load, "results": str(rows)}
        try:
            execute(notebook, options.scale, str(figures), section=parameters, **own)
        except PapermillExecutionError as error:
            raise _in(notebook, error) from error
    say(f"\nFigures and metrics: {figures}\nRows: {rows}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, "reproduce_model", "--debug" in sys.argv))

"""What the commands of the command line do; `__main__` says how they are called."""

import argparse
import json
import sys
from pathlib import Path


def train(options: argparse.Namespace) -> None:
    from .bench.validation import scores
    from .training import mini
    from .training.recipe import Recipe

    out, work = Path(options.out), Path(options.work)
    budget = seconds(options.budget)
    mini.train(out, work, budget, options.resume, Recipe(), _say, scores)


def distill(options: argparse.Namespace) -> None:
    from .training.distillation import distill

    model, out, work = Path(options.model), Path(options.out), Path(options.work)
    distill(model, out, work, options.trajectories, seconds(options.budget), _say)


def _say(line: str) -> None:
    print(line, flush=True)


def bench(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from .bench.knobs import read_knobs
    from .bench.scores import bench
    from .models.loading import parse
    from .models.schedule import preset
    from .models.video_model import VideoModel
    from .puzzles import suite

    _only_mini(options.suite)
    if options.json and not Path(options.json).parent.is_dir():
        folder = Path(options.json).parent
        raise ValueError(f"there is no folder {folder} to write {options.json} to")
    if options.knobs and not options.task:
        raise ValueError("--knobs fixes the knobs of one task; name it with --task")
    tasks = [suite.find(options.task).name] if options.task else suite.task_names(options.split)
    seed, split = options.seed, options.partition
    knobs = read_knobs(options.knobs, options.task, seed, split) if options.knobs else {}
    schedule = preset(options.preset)
    model = VideoModel.load(options.model, options.device, **parse(options.load))
    progress = lambda jobs: tqdm(jobs, desc="bench", unit="sample", file=sys.stderr)  # noqa: E731
    count = options.samples_per_task
    _show(bench(model, schedule, tasks, count, seed, split, knobs, progress), options.json)


def _show(report: dict, file: str | None) -> None:
    """Saves a bench report and prints its table; prints the report itself where `file` is `-`."""
    from .bench.scores import table

    text = json.dumps(report, indent=1)
    if file == "-":
        print(text)
        return
    if file:
        try:
            Path(file).write_text(text + "\n")
        except OSError:
            print(text)  # rather than lose it
            raise
    print(table(report), end="")


def export_suite(options: argparse.Namespace) -> None:
    from .bench import tasklist
    from .bench.vbvr import export_suite

    count = options.samples_per_task
    samples = {
        name: tasklist.draw(name, count, options.seed)
        for name in tasklist.task_names(options.split)
    }
    export_suite(samples, Path(options.out), options.size, options.frames)


def generate(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from .bench.generate import cases_of, generate_videos
    from .models.loading import parse
    from .models.schedule import preset
    from .models.video_model import VideoModel

    cases = cases_of(options.suite, options.samples_per_task, options.seed, options.task)
    model = VideoModel.load(options.model, options.device, **parse(options.load))
    generate_videos(
        model,
        preset(options.preset),
        cases,
        Path(options.out),
        seed=options.seed,
        every_step=options.every_step,
        until=options.until,
        progress=lambda jobs: tqdm(jobs, desc="generate", unit="video", file=sys.stderr),
    )


def evalkit(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from .bench.evalkit import evaluate, write_frozen
    from .bench.vbvr import read_suite

    cases, videos = read_suite(options.suite), Path(options.videos)
    if options.frozen:
        write_frozen(videos, cases)
    progress = lambda jobs: tqdm(jobs, desc="EvalKit", unit="clip", file=sys.stderr)  # noqa: E731
    print(
        evaluate(videos, options.suite, cases, Path(options.out), options.limit, progress=progress)
    )


def scores(options: argparse.Namespace) -> None:
    from .bench.evalkit import read_results, table

    models = {
        Path(file).name.removesuffix("_vbvr_results.json"): read_results(file)
        for file in options.results
    }
    floor = read_results(options.floor) if options.floor else None
    print(table(models, floor, options.commit), end="")


def claims(options: argparse.Namespace) -> None:
    from .experiments.claims import brief, judge, markdown, open_questions

    file = Path(options.claims)
    judged = judge(file, Path(options.figures))
    text = brief(judged) if options.brief else markdown(judged) + open_questions(file)
    if options.out == "-":
        print(text, end="")
    else:
        Path(options.out).write_text(text)


def plan(options: argparse.Namespace) -> None:
    from .experiments.cost_plan import blueprint, cost, report
    from .figures.registry import experiments

    model = blueprint(options.model)
    found = experiments(Path(options.params), options.scale, lambda _: model)
    names = [options.experiment] if options.experiment else list(found)
    if unknown := set(names) - found.keys():
        raise ValueError(
            f"unknown experiment {unknown.pop()!r}; expected one of {', '.join(found)}"
        )
    costs = [
        cost(experiment, runs, experiment.schedule)
        for experiment, runs in (found[name] for name in names)
    ]
    print(report(model, costs, options.height, options.width, options.frames))


def store(options: argparse.Namespace) -> None:
    import warnings

    from .experiments.store import Store
    from .models.video_model import VideoModel
    from .sampling.denoise import EXPERIMENT_VERSION

    files = sorted(Path(options.results).glob("*.jsonl"))
    if not files:
        raise ValueError(
            f"there are no rows in {options.results}; expected files named <experiment>.jsonl"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said below
        stores = [Store(options.results, file.stem) for file in files]
    wanted = (
        (VideoModel.load(options.model).fingerprint, EXPERIMENT_VERSION)
        if options.what == "prune"
        else ()
    )
    for each in stores:
        if options.what == "prune":
            each.seal({key for key, row in each.rows.items() if _made_by(row) == wanted})
        line = f"{each.file.stem}: {len(each.rows)} rows, {each.file.stat().st_size / 1e6:.1f} MB"
        if options.what == "ls":
            line += "".join(
                f"; model {m}, version {v}"
                for m, v in sorted(set(map(_made_by, each.rows.values())))
            )
        print(line + "".join(f"\n  line {number} is damaged" for number in each.damaged))
    if options.what == "verify" and any(each.damaged for each in stores):
        raise ValueError(
            "damaged rows are not used, and computed again; `chain-of-steps store prune` sets them aside"
        )


def _made_by(row: dict) -> tuple:
    return row["run"].get("model"), row["run"].get("version")


def _only_mini(suite: str) -> None:
    if suite != "mini":
        raise ValueError(f"unknown suite {suite!r}; the suite with exact scores is called mini")


def seconds(budget: str) -> float:
    """Seconds of a duration such as 90s, 120m or 2h."""
    units = {"s": 1, "m": 60, "h": 3600}
    try:
        return float(budget[:-1]) * units[budget[-1]]
    except (ValueError, KeyError, IndexError):
        raise ValueError(f"{budget!r} is no duration; write for example 90s, 120m or 2h") from None

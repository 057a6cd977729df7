"""The scores in a trained model's record: those on the validation split."""

from collections.abc import Sequence
from pathlib import Path

from ..models.schedule import preset
from ..models.video_model import VideoModel
from ..puzzles import suite
from .scores import SHARES, bench

SCORED, SEED = 24, 5  # samples per in-domain task of the validation split, and their seed
WATCHED = {  # knobs by which a record lists a task's scores
    "latin": ("order", "clues"),
    "latin_small": ("clues",),
    "relay": ("moves",),
    "maze": ("rooms", "paths"),
}


def scores(folder: Path, tasks: Sequence[str] | None = None) -> dict:
    """Scores of the model in a folder on the validation split of tasks, by default in-domain ones.

    Returns:
        `split`, `seed`, `n` (samples per task), `mean_score`; `decided`, `drawn`, `at_step_0`: the
        share of samples by task; `by_knob`: these with intervals, by the knobs in `WATCHED`.
    """
    tasks = tasks or suite.task_names("in-domain")
    model = VideoModel.load(folder)
    report = bench(model, preset("mini/20"), tasks, SCORED, SEED, "validation")
    cells, by_knob = report["by_task"], report["by_knob"]
    about = {"split": "validation", "seed": SEED, "n": SCORED, "mean_score": report["in_domain"]}
    shares = {key: {name: cells[name][key]["mean"] for name in tasks} for key in SHARES}
    watched = {
        name: {knob: by_knob[name][knob] for knob in knobs}
        for name, knobs in WATCHED.items()
        if name in tasks
    }
    return about | shares | {"by_knob": watched}

"""Commands that train networks."""

import math
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..common.files import check_place
from .arguments import MINI, Budget, Count, Flag, Model


def train(
    *,
    budget: Budget,
    symbols: Flag = False,
    only: Annotated[str, Parameter(metavar="NAME", show_default=False)] = "",
    small: Flag = False,
    layers: Count = 8,
    clips: Count | None = None,
    resume: Flag = False,
    out: Annotated[
        Path | None,
        Parameter(show_default="data/mini; data/symbols, or data/depth/L1 with --small"),
    ] = None,
    work: Annotated[
        Path | None, Parameter(show_default="build/train, and a folder in it for the others")
    ] = None,
) -> None:
    """Train the mini model or the symbol networks, or continue their training.

    Args:
        budget: How long to train: 90s, 120m or 2h.
        symbols: Train the symbol networks instead, always continuing where they stopped.
        only: Train only those symbol networks whose names contain this.
        small: Train on squares of order 4 alone, of 32 pixels and 5 frames.
        layers: Number of blocks of the model.
        clips: End after so many clips in all, for models that see equally many.
        resume: Continue from --work, or else from the model in --out; ignored with --symbols.
        out: Folder of the finished model or networks.
        work: Folder of the checkpoints.
    """
    check_place(out or Path("data"))
    check_place(work or Path("build/train"))
    if symbols and clips:
        raise ValueError("--clips does not go with --symbols: these all see equally many")
    if symbols:
        _train_symbols(
            out or Path("data/symbols"), work or Path("build/train/symbols"), budget, only
        )
        return
    if only:
        raise ValueError("--only selects symbol networks; add --symbols")
    from ..bench.validation import scores
    from ..training import mini
    from ..training.data import GENERALIST, SMALL_SQUARES
    from ..training.recipe import Recipe

    world, name = (SMALL_SQUARES, f"depth/L{layers}") if small else (GENERALIST, "")
    out = out or (Path("data") / name if small else Path(MINI))
    work, recipe = work or Path("build/train") / name, Recipe(layers=layers)
    score = partial(scores, tasks=world.tasks)
    mini.train(out, work, budget, resume, recipe, _say, score, world, clips or math.inf)


def _train_symbols(out: Path, work: Path, budget: float, only: str) -> None:
    from ..training import symbols

    names = [recipe.name for recipe in symbols.recipes()]
    if not any(only in name for name in names):
        such = f"{names[0]} and {names[-1]}"
        raise ValueError(f"no symbol network has {only!r} in its name; names are such as {such}")
    symbols.train(out, work, budget, _say, only)


def distill(
    *,
    model: Annotated[Model, Parameter(help="Folder of the teacher.")] = MINI,
    trajectories: Count = 10_000,
    budget: Budget,
    out: Path = Path("data/student"),
    work: Path = Path("build/distill"),
) -> None:
    """Train a student to follow a model's trajectories in four steps.

    Args:
        trajectories: Number of the teacher's trajectories to learn from.
        budget: How long to train once the trajectories are made: 90s, 120m or 2h.
        out: Folder of the finished student.
        work: Folder of trajectories and checkpoints, from which the same command continues.
    """
    from ..training.distillation import distill

    check_place(out)
    check_place(work)
    distill(Path(model), out, work, trajectories, budget, _say)


def _say(line: str) -> None:
    print(line, flush=True)

"""Pairs of generations, a receiver and a donor that answer differently, and the regions that are
patched from one into the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...bench import samples
from ...measures import decisions
from ...models.schedule import Schedule
from ...models.video_model import VideoModel
from ...puzzles import mark
from ...puzzles.base import Sample, assignment
from ...puzzles.splits import Split
from ...sampling.denoise import generate
from ...sampling.interventions import Source, generator
from . import places

REGIONS = {  # of each task, the one that claims are about first
    "latin": ("cell", "row"),
    "mark": ("donor's thing", "own thing", "other things"),
}
WHOLE = "all"  # the degenerate region: every token
TRIES = 2  # donors that are tried if they are other seeds of the same sample
OTHER = "other"  # name of the condition of a donor that has one of its own


@dataclass(frozen=True)
class Pair:
    """A receiver and a donor; both answers are valid, and some open part differs.

    Attributes:
        sample, donors: what either is a generation of; mostly the same sample.
        source: of the donor.
        own, donor: decided answers (P,).
        own_hats, donor_hats: clean estimates (1, C, F, H, W) of every step.
    """

    sample: Sample
    donors: Sample
    source: Source
    own: np.ndarray
    donor: np.ndarray
    own_hats: Sequence[Tensor]
    donor_hats: Sequence[Tensor]

    @property
    def differing(self) -> np.ndarray:
        """The parts, open on both boards, in which the answers differ; indices."""
        return _differing(self.sample, self.donors, self.own, self.donor)


def sources(
    sample: Sample, cell: str, index: int, suite_seed: int, split: Split
) -> list[tuple[Sample, Source]]:
    """Which donors are tried, in this order.

    Several answers are valid: the same sample from other noise. One is: the same noise, and on a
    board of things another thing is named, else another board of the cell is given.
    """
    if len(sample.solutions) > 1:
        return [(sample, Source(1000 * k)) for k in range(1, TRIES + 1)]
    if sample.puzzle.name == "mark":
        count, (named,) = len(sample.state["things"]), sample.solutions.answers[0]
        others = [thing for thing in range(count) if thing != named]
        chosen = others[_draw("donor", sample, len(others))]
        return [(mark.naming(sample, chosen), Source(0, OTHER))]
    return [(samples.draw_one(cell, index + 1000, suite_seed, split), Source(0, OTHER))]


def find(
    model: VideoModel,
    schedule: Schedule,
    sample: Sample,
    seed: int,
    donors: Sequence[tuple[Sample, Source]],
    count: Callable[[], None] | None = None,
) -> Pair | None:
    """The receiver with the first donor that makes a pair; None if its own answer is not valid or
    no donor does.

    Args:
        seed: of the receiver's noise.
        donors: see `sources`.
        count: called after every evaluation.
    """
    watch = (lambda *_: count()) if count else None

    def run(board: Sample, noise: int) -> tuple[list[Tensor], np.ndarray]:
        condition = model.prepare_sample(board)
        x0_hats = generate(model, condition, schedule, noise, watch=watch).x0_hats
        return x0_hats, decisions.decide(model.beliefs(board, x0_hats[-1]))

    own_hats, own = run(sample, seed)
    if not sample.is_valid(assignment(own)):
        return None
    for board, source in donors:
        donor_hats, donor = run(board, seed + source.seed)
        if board.is_valid(assignment(donor)) and len(_differing(sample, board, own, donor)):
            return Pair(sample, board, source, own, donor, own_hats, donor_hats)
    return None


def region(model: VideoModel, pair: Pair, name: str) -> tuple[tuple[int, ...], list[int]]:
    """The tokens of a region in all latent frames but the given one, and the parts that are read.

    `cell` is one open cell in which the answers differ, drawn at random; `row` the open cells of
    its row. `donor's thing` and `own thing` are where the two rings are, `other things` all others.

    Raises:
        ValueError: for a task whose regions are not defined.
    """
    if name == WHOLE:
        size = (model.size // model.patch) ** 2 * model.latent_frames
        return tuple(range(size)), pair.differing.tolist()
    if pair.sample.puzzle.name == "mark":
        own, donor = int(pair.own[0]), int(pair.donor[0])
        rest = [v for v in range(len(pair.sample.state["things"])) if v not in (own, donor)]
        chosen = dict(zip(REGIONS["mark"], ([donor], [own], rest), strict=True))[name]
        return places.tokens(model, pair.sample, [(0, value) for value in chosen]), [0]
    parts = [int(pair.differing[_draw("cell", pair.sample, len(pair.differing))])]
    covered = parts
    if name == "row":
        order, free = pair.sample.state["order"], places.open_parts(pair.sample)
        row = range(parts[0] // order * order, (parts[0] // order + 1) * order)
        covered = [part for part in row if free[part]]
        parts = [part for part in row if part in pair.differing]
    return places.tokens(model, pair.sample, [(part, 0) for part in covered]), parts


def elsewhere(model: VideoModel, pair: Pair, name: str) -> tuple[int, ...]:
    """As many other tokens as a region has, at random; fewer if there are not as many. None of the
    given frame, and none under either answer in the parts that are read."""
    chosen, parts = region(model, pair, name)
    answers = [(p, int(answer[p])) for p in parts for answer in (pair.own, pair.donor)]
    taken = {*chosen, *places.tokens(model, pair.sample, answers)}
    cells = (model.size // model.patch) ** 2
    others = sorted(set(range(cells, cells * model.latent_frames)) - taken)
    order = torch.randperm(len(others), generator=generator("elsewhere", pair.sample.key, name))
    return tuple(sorted(others[i] for i in order[: len(chosen)].tolist()))


def check(cell: str) -> str:
    """The task of a cell, if it has regions.

    Raises:
        ValueError: if not.
    """
    task = samples.task_of(cell)
    if task not in REGIONS:
        raise ValueError(f"cell {cell!r} has no regions; expected a task of {', '.join(REGIONS)}")
    return task


def _differing(sample: Sample, board: Sample, own: np.ndarray, donor: np.ndarray) -> np.ndarray:
    free = places.open_parts(sample) & places.open_parts(board)
    return np.flatnonzero(free & (own != donor))


def _draw(purpose: str, sample: Sample, count: int) -> int:
    """A number below `count` that depends on purpose and sample only."""
    return int(torch.randint(count, (1,), generator=generator(purpose, sample.key)))

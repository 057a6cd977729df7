"""A VBVR-Bench folder as tasks next to the mini suite's; their names are `FOLDER::TASK@HASH`."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from ..common.hashing import digest
from ..common.pictures import read_picture, same_proportions, shape_at
from ..common.video import shape_of
from ..puzzles.first.base import Partition, Sample
from ..puzzles.first.recorded import sample_of
from .vbvr import Case, read_suite

BETWEEN = "::"


@dataclass(frozen=True)
class Recorded:
    """A task of a folder.

    Attributes:
        name: `FOLDER::TASK@HASH`, where the hash covers its samples.
        split: as in VBVR-Bench.
        category: empty, since the folders do not contain it; EvalKit's results do.
        own, others: its samples, and those of the folder's other tasks, which serve as unrelated
            samples.
    """

    name: str
    split: str
    category: str
    own: tuple[Sample, ...]
    others: tuple[Sample, ...]

    def numbered(self, index: int, partition: Partition) -> Sample:
        """Sample number `index`. Numbers beyond its own, and all but the test partition, are
        unrelated samples."""
        if partition == "test" and index < len(self.own):
            return self.own[index]
        pool = self.others or self.own
        return pool[index % len(pool)]


def names_of(folder: str | Path) -> list[str]:
    """Names of the tasks of a folder.

    Raises:
        ValueError: if it is not such a folder, or a sample has no ground truth, or one that
            cannot be read or has other proportions than its first frame.
    """
    return list(_read(str(folder)))


def widest(folder: str | Path, size: int) -> int:
    """The largest width of a folder's frames, in pixels, when they are `size` pixels high."""
    tasks = _read(str(folder)).values()
    return max(shape_at(size, task.own[0].state["shape"])[1] for task in tasks)


def find(name: str) -> Recorded:
    """The task of that name.

    Raises:
        ValueError: if its folder lacks it, or its samples have changed since it was named.
    """
    folder = name.rpartition(BETWEEN)[0]
    tasks = _read(folder)
    if name not in tasks:
        raise ValueError(
            f"{folder} does not hold {name!r}, or its samples have changed; it holds "
            f"{', '.join(tasks)}"
        )
    return tasks[name]


@functools.cache
def _read(folder: str) -> dict[str, Recorded]:
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in read_suite(folder):
        if case.ground_truth is None:
            raise ValueError(
                f"{case.folder} has no ground_truth.mp4; without one there is nothing to compare "
                "with"
            )
        groups.setdefault((case.split, case.task), []).append(case)
    named = {}
    for (split, task), cases in groups.items():
        contents = [_content(case) for case in cases]
        name = f"{folder}{BETWEEN}{task}@{digest(contents)[:8]}"
        shape, *_ = [_shape(case) for case in cases]  # the first one's; all are looked at
        samples = [
            sample_of(name, c.folder, c.prompt, content, shape)
            for c, content in zip(cases, contents, strict=True)
        ]
        named[name] = (split, samples)
    return {
        name: Recorded(
            name,
            split,
            "",
            tuple(own),
            tuple(_like(own[0], s) for o, (_, all_) in named.items() if o != name for s in all_),
        )
        for name, (split, own) in named.items()
    }


def _shape(case: Case) -> tuple[int, int]:
    """(H, W) of the first frame of a case.

    Raises:
        ValueError: if it or the ground truth cannot be read, or their proportions differ.
    """
    given, truth = read_picture(case.folder / "first_frame.png").shape[:2], case.ground_truth
    shown = shape_of(truth)
    if not same_proportions(given, shown):
        raise ValueError(
            f"{case.folder} holds a ground truth of {shown[1]} x {shown[0]} pixels and a first "
            f"frame of {given[1]} x {given[0]}; expected the same proportions"
        )
    return given


def _like(one: Sample, other: Sample) -> Sample:
    """Another sample in the proportions of this one, to be compared with it."""
    shape = one.state["shape"]
    if other.state["shape"] == shape:
        return other
    return replace(other, state=other.state | {"shape": shape})


def _content(case: Case) -> str:
    files = [
        (case.folder / name).read_bytes().hex() for name in ("first_frame.png", "ground_truth.mp4")
    ]
    return digest([case.prompt, *files])[:16]

"""Puzzles without pictures: one frame of one-hot latents, a token for each cell of the board.

`latin`: the latents (6, 1, n, n) say which colour a cell has. `relay`: the latents (2, 1, 6, 6) say
whether a cell is off or on; the cells of the route are on or, if only its end is requested, that
cell. A 1 means yes, a -1 no. The given board has channels of its own, which are concatenated to the
latents. So encoding is a table look-up, and decoding an argmax.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, WanTransformer3DModel
from torch import Tensor

from ..puzzles.base import Answer, Sample
from ..puzzles.canvas import CELLS
from ..puzzles.relay import ARROWS, marks
from .conditions import Condition

COLOURS = 6  # channels of a square, whatever its order
STATES = 2  # channels of a relay: off, on
SIGNS = (None, *ARROWS, "stop")  # of a relay's board, by number: blank, four arrows, stop
WIDTH = 96  # of a block, but for wide networks
STEPS = 8_000  # of training: 2 million samples
TEXT = 16  # width of the text states, which are zeros: there is no prompt
GIVEN = {"latin": COLOURS + 1, "relay": len(SIGNS) + 2}  # channels of the board
LATENT = {"latin": COLOURS, "relay": STATES}


@dataclass(frozen=True)
class Boards:
    """Many boards of one size as small integers.

    Attributes:
        puzzle: `latin` or `relay`.
        given: (N, h, w) int8. latin: the colour of a clue, -1 elsewhere. relay: the sign's number.
        answer: (N, h, w) int8. latin: the colour. relay: 1 on the route (or its end), else 0.
        start: (N,) int, the index of a relay's marked cell.
        drawn: (N,) bool, whether the whole route is requested.
    """

    puzzle: str
    given: np.ndarray
    answer: np.ndarray
    start: np.ndarray | None = None
    drawn: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.given)

    def latents(self) -> Tensor:
        """(N, C, 1, h, w) float32, 1 for the answer's value and -1 for the others."""
        values = torch.arange(LATENT[self.puzzle]).view(1, -1, 1, 1, 1)
        answer = torch.from_numpy(self.answer.astype(np.int64))[:, None, None]
        return torch.where(answer == values, 1.0, -1.0)

    def board(self) -> Tensor:
        """(N, GIVEN, 1, h, w) float32, the board that the network is conditioned on."""
        given = torch.from_numpy(self.given.astype(np.int64))[:, None]
        if self.puzzle == "latin":
            colours = (given == torch.arange(COLOURS).view(1, -1, 1, 1)).float()
            return torch.cat([colours, (given >= 0).float()], 1)[:, :, None]
        signs = (given == torch.arange(len(SIGNS)).view(1, -1, 1, 1)).float()
        cells = torch.arange(self.given[0].size).view(1, 1, *self.given[0].shape)
        start = (cells == torch.from_numpy(self.start).view(-1, 1, 1, 1)).float()
        drawn = torch.from_numpy(self.drawn).view(-1, 1, 1, 1).float().expand_as(start)
        return torch.cat([signs, start, drawn], 1)[:, :, None]


def boards(samples: list[Sample], answers: list[Answer] | None = None) -> Boards:
    """Samples of one puzzle and one size as boards, each with an answer (by default the first valid
    one)."""
    name = samples[0].puzzle.name
    answers = answers or [sample.solutions.answers[0] for sample in samples]
    if name == "latin":
        given = np.array([sample.state["clues"] for sample in samples], np.int8)
        return Boards(name, given, np.array(answers, np.int8).reshape(given.shape))
    given, answer = np.zeros((2, len(samples), CELLS, CELLS), np.int8)
    for i, (sample, chosen) in enumerate(zip(samples, answers, strict=True)):
        for (row, column), sign in marks(sample.state).items():
            given[i, row, column] = SIGNS.index(sign)
        cells = part_cells(sample)
        if sample.state["drawn"]:
            answer[i].flat[cells] = chosen
        else:
            answer[i].flat[cells[chosen[0]]] = 1
    start = [row * CELLS + column for row, column in (s.state["routes"][0][0] for s in samples)]
    drawn = np.array([s.state["drawn"] for s in samples])
    return Boards(name, given, answer, np.array(start), drawn)


def part_cells(sample: Sample) -> list[int]:
    """The cells (row by row) that an answer covers: one per part or, if only a relay's end is
    requested, one per value."""
    if sample.puzzle.name == "latin":
        return list(range(sample.state["order"] ** 2))
    wanted = ("stop",) if not sample.state["drawn"] else SIGNS[1:]
    found = (cell for cell, sign in marks(sample.state).items() if sign in wanted)
    return sorted(row * CELLS + column for row, column in found)


def beliefs(sample: Sample, latents: Tensor) -> Tensor:
    """Latents (..., C, 1, h, w) to the belief in each value of each part: (..., P, V) in
    [0, 1]."""
    opacity = ((latents.flatten(-3).movedim(-2, -1) + 1.0) / 2.0).clamp(0.0, 1.0)  # (..., N, C)
    opacity = opacity[..., part_cells(sample), :]
    if sample.puzzle.name == "latin":
        return opacity[..., : sample.state["order"]]
    return opacity if sample.state["drawn"] else opacity[..., 1][..., None, :]


# The row of the family table.


class SymbolPipeline(DiffusionPipeline):
    """A symbol network and its scheduler in the folder layout of diffusers.

    Args:
        puzzle: `latin` or `relay`.
    """

    def __init__(self, transformer: WanTransformer3DModel, scheduler: Any, puzzle: str = "latin"):
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)
        self.register_to_config(puzzle=puzzle)


def scales(pipe: Any) -> tuple[int, int]:
    """A pixel frame is a latent frame, a cell is a token."""
    return 1, 1


def statistics(pipe: Any) -> tuple[Tensor, Tensor]:
    """Latents are not normalised."""
    return torch.zeros(1), torch.ones(1)


def encode_sample(sample: Sample, device: torch.device) -> Condition:
    """The given board of a sample as a condition; there is no prompt.

    Raises:
        ValueError: for a puzzle without a form in symbols.
    """
    if sample.puzzle.name not in LATENT:
        known = ", ".join(LATENT)
        raise ValueError(f"{sample.puzzle.name} has no form in symbols; expected one of {known}")
    board = boards([sample]).board().to(device)
    no_prompt = board.new_zeros(1, 1, TEXT)
    shape = (1, LATENT[sample.puzzle.name], *board.shape[2:])
    return Condition(no_prompt, no_prompt, board, None, shape)


def blank_image(pipe: Any, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """A board on which nothing is given."""
    return torch.zeros(1, GIVEN[pipe.config.puzzle], *shape[2:], device=device)


def decode(pipe: Any, statistics: Any, latents: Tensor, device: torch.device) -> np.ndarray:
    """The strongest symbol of each cell, (B, 1, h, w, 1), uint8."""
    return latents.argmax(1).to(torch.uint8).cpu().numpy()[..., None]


def read_beliefs(sample: Sample, latents: Tensor) -> np.ndarray:
    """See `beliefs`; (P, V)."""
    return beliefs(sample, latents[0].float().cpu()).numpy()


def refuse_pictures(*arguments: Any) -> Any:
    """Raises ValueError, since a symbol network takes no pictures and no prompts."""
    raise ValueError("a symbol network takes no pictures and no prompts; pass a sample")

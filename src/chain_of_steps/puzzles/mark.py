"""Mark (Perception): put a ring around the thing that the prompt names.

The prompt names a colour and a shape, which one thing on the board has, or only a colour, which
several things may have: a ring around any of these is valid. Training shows some colours and shapes
separately but never together; the twist `new_pair` names such a pair.
"""

from dataclasses import replace

import numpy as np

from .base import Answer, Part, Puzzle, Sample, Solutions
from .canvas import COLOURS, INK, Canvas
from .objects import HELD_OUT, SEEN, Thing, different_pairs
from .splits import Split, draw_until

RADIUS = 0.58
RING_RADIUS = 0.86
RING_WIDTH = 0.2
FEWEST, MOST = 4, 7  # things on a board
MOST_MARKED = MOST - 1  # one thing is always of another colour
PLACES = (
    "top left",
    "top",
    "top right",
    "left",
    "middle",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)


class Mark(Puzzle):
    """See the module."""

    name = "mark"

    def sample(
        self,
        rng: np.random.Generator,
        split: Split,
        named: bool | None = None,
        answers: int | None = None,
        new_pair: bool = False,
    ) -> Sample:
        """Draws four to seven things on nine places.

        Args:
            named: the prompt names a colour and a shape, and one thing has both; otherwise it names
                a colour only.
            answers: how many things fit the prompt, 1 to 6; always 1 where `named`.
            new_pair: one thing is a pair that training never shows, and it is named.

        Raises:
            ValueError: for knobs that contradict each other or are out of range.
        """
        named, answers = _settle(rng, named, answers, new_pair)
        state = draw_until(rng, split, lambda r: _propose(r, named, answers, new_pair), _canonical)
        knobs = {"named": named, "answers": answers, "new_pair": bool(new_pair)}
        return Sample(self.name, self, state, _prompt(state), _canonical(state), knobs)

    def parts(self, state: dict) -> tuple[Part, ...]:
        things = tuple(f"{t.name}, {_place_name(t)}" for t in _things(state))
        return (Part("marked", (*things, "empty place")),)

    def solve(self, state: dict) -> Solutions:
        colour, shape = state["colour"], state["shape"]
        fits = [t.colour == colour and shape in (None, t.shape) for t in _things(state)]
        return Solutions(tuple((i,) for i, fit in enumerate(fits) if fit))

    def scene(self, canvas: Canvas, state: dict) -> None:
        for thing in _things(state):
            thing.draw(canvas, RADIUS)

    def act(self, canvas: Canvas, state: dict, answer: Answer, progress: float) -> None:
        """The ring appears."""
        if answer[0] is None:
            return
        places = [thing[2:] for thing in state["things"]] + [state["empty"]]
        canvas.ring(tuple(places[answer[0]]), RING_RADIUS, RING_WIDTH, INK, progress)


def naming(sample: Sample, thing: int) -> Sample:
    """The same board under a prompt that names another thing, by its index among the things.

    Raises:
        ValueError: if the sample's prompt names no single thing.
    """
    if not sample.knobs["named"]:
        raise ValueError(f"{sample.prompt!r} names a colour; expected a prompt that names a thing")
    colour, shape = sample.state["things"][thing][:2]
    state = sample.state | {"colour": colour, "shape": shape}
    return replace(sample, state=state, prompt=_prompt(state))


def _settle(
    rng: np.random.Generator, named: bool | None, answers: int | None, new_pair: bool
) -> tuple[bool, int]:
    """Checks `named` and `answers`, and draws what is not given."""
    if answers is not None and answers not in range(1, MOST_MARKED + 1):
        raise ValueError(f"answers is {answers!r}; expected 1 to {MOST_MARKED}")
    if named is None:
        named = new_pair or (answers in (None, 1) and bool(rng.random() < 0.5))
    if new_pair and not named:
        raise ValueError("new_pair=True with named=False; a new pair is always named")
    if named and answers not in (None, 1):
        raise ValueError(f"answers is {answers}; expected 1, since one thing is the named pair")
    if answers is None:
        answers = 1 if named else int(rng.integers(1, MOST_MARKED + 1))
    return bool(named), int(answers)


def _propose(rng: np.random.Generator, named: bool, answers: int, new_pair: bool) -> dict:
    count = int(rng.integers(max(FEWEST, answers + 1), MOST + 1))
    pairs = different_pairs(rng, count) if named else _pairs_of_a_colour(rng, answers, count)
    if new_pair:
        pairs[0] = HELD_OUT[rng.integers(len(HELD_OUT))]
    places = [[2 * int(p % 3) + 1, 2 * int(p // 3) + 1] for p in rng.permutation(9)]
    things = [[*pair, *place] for pair, place in zip(pairs, places, strict=False)]
    return {
        "things": sorted(things, key=lambda t: (t[3], t[2])),  # the order carries no information
        "colour": pairs[0][0],
        "shape": pairs[0][1] if named else None,
        "empty": places[count],
    }


def _pairs_of_a_colour(rng: np.random.Generator, answers: int, count: int) -> list[tuple[str, str]]:
    """`count` pairs that training shows; the first `answers` share a colour that no other has."""
    colour = list(COLOURS)[rng.integers(len(COLOURS))]
    own = [pair for pair in SEEN if pair[0] == colour]
    others = [pair for pair in SEEN if pair[0] != colour]
    first = [own[i] for i in rng.integers(len(own), size=answers)]
    return first + [others[i] for i in rng.integers(len(others), size=count - answers)]


def _canonical(state: dict) -> list:
    """The board, whatever the prompt names."""
    return ["mark", state["things"]]


def _prompt(state: dict) -> str:
    if state["shape"] is None:
        return f"mark a {state['colour']} one"
    return f"mark the {state['colour']} {state['shape']}"


def _things(state: dict) -> list[Thing]:
    return [Thing(*thing) for thing in state["things"]]


def _place_name(thing: Thing) -> str:
    return PLACES[3 * (int(thing.y) // 2) + int(thing.x) // 2]

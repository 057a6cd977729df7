"""Relay, bounce and rotate: answers, drawings, readings and scores against ground truth."""

import itertools

import numpy as np
import pytest

from chain_of_steps.puzzles import reading, scoring
from chain_of_steps.puzzles.bounce import Bounce, canonical, path
from chain_of_steps.puzzles.relay import Relay
from chain_of_steps.puzzles.rotate import Rotate, shapes
from chain_of_steps.puzzles.splits import SPLITS, split_of

SEEDS = 30
RELAY, BOUNCE, ROTATE = Relay(), Bounce(), Rotate()
SETTINGS = [
    *(
        (RELAY, {"routes": routes, "moves": moves, "drawn": drawn})
        for routes, moves in ((2, 1), (2, 7), (2, 14), (3, 1), (3, 9), (4, 1), (4, 6))
        for drawn in (True, False)
    ),
    *((BOUNCE, {"walls": walls}) for walls in range(5)),
    *((ROTATE, {"direction": d, "new": new}) for d in (True, False) for new in (True, False)),
]
every_setting = pytest.mark.parametrize(
    ("puzzle", "knobs"),
    SETTINGS,
    ids=[f"{p.name}-{'-'.join(map(str, k.values()))}" for p, k in SETTINGS],
)
MOVES = {">": (0, 1), "v": (1, 0), "<": (0, -1), "^": (-1, 0)}


def draw(puzzle, knobs, seed, split=None):
    return puzzle.sample(np.random.default_rng(seed), split or SPLITS[seed % 3], **knobs)


@every_setting
def test_every_valid_answer_scores_one_and_is_read_back(puzzle, knobs):
    for seed in range(SEEDS):
        sample = draw(puzzle, knobs, seed)
        answers = sample.solutions.answers
        assert len(set(answers)) == len(answers)
        for answer in answers:
            for frames in (5, 9, 13):
                clip = sample.render(answer, frames=frames)
                assert scoring.score(sample, clip) == 1.0
            assert reading.decided(sample, clip[-1]) == answer
            assert reading.drawn(sample, clip[-1])


@every_setting
def test_clips_without_an_answer_score_nothing(puzzle, knobs):
    scores = {"frozen": [], "noise": [], "black": [], "another": []}
    for seed in range(SEEDS):
        sample, rng = draw(puzzle, knobs, seed), np.random.default_rng(seed)
        clip = sample.render()
        another = draw(puzzle, knobs, seed + 3 * SEEDS)
        clips = {
            "frozen": np.repeat(clip[:1], len(clip), 0),
            "noise": rng.integers(256, size=clip.shape, dtype=np.uint8),
            "black": np.zeros_like(clip),
        }
        if another.canonical != sample.canonical:  # a bounce without walls comes again
            clips["another"] = another.render()
        for name, wrong in clips.items():
            scores[name].append(scoring.score(sample, wrong))
    assert {name: np.mean(found) <= 0.1 for name, found in scores.items()} == dict.fromkeys(
        scores, True
    )


@every_setting
def test_the_given_frame_is_the_same_for_all_answers(puzzle, knobs):
    for seed in range(5):
        sample = draw(puzzle, knobs, seed)
        values = range(len(sample.parts[0].values))
        answers = [(v,) * len(sample.parts) for v in values] + list(sample.solutions.answers)
        for size in (48, 480):
            pictures = [sample.picture(answer, 0.0, size) for answer in answers]
            assert all(np.array_equal(pictures[0], picture) for picture in pictures)


@every_setting
@pytest.mark.parametrize("size", (48, 480))
def test_every_value_reads_back_alone_and_nothing_reads_as_nothing(puzzle, knobs, size):
    for seed in range(SEEDS if size == 48 else 1):
        sample = draw(puzzle, knobs, seed)
        nothing = [None] * len(sample.parts)
        for p, part in enumerate(sample.parts):
            for v in range(len(part.values)):
                one = (*nothing[:p], v, *nothing[p + 1 :])
                belief = reading.belief(sample, sample.picture(one, 1.0, size))
                assert not np.isnan(belief).any()
                assert np.allclose(belief[p], np.eye(len(part.values))[v], atol=1e-3)
        empty = reading.belief(sample, sample.picture(tuple(nothing), 1.0, size))
        assert np.allclose(empty[:, 1:], 0.0, atol=1e-3)


@every_setting
def test_an_average_of_two_answers_reads_half_and_half(puzzle, knobs):
    for seed in range(SEEDS):
        sample = draw(puzzle, knobs, seed)
        parts, values = len(sample.parts), len(sample.parts[0].values)
        right = sample.solutions.answers[0]
        for other in [(v,) * parts for v in range(values)]:
            mean = (sample.picture(right) + sample.picture(other)) / 2
            hot = np.eye(values)
            expected = (hot[list(right)] + hot[list(other)]) / 2
            assert np.allclose(reading.belief(sample, mean), expected, atol=1e-3)


@every_setting
def test_splits_share_no_content(puzzle, knobs):
    found = {
        split: [draw(puzzle, knobs, seed, split).canonical for seed in range(SEEDS)]
        for split in SPLITS
    }
    for split, canonicals in found.items():
        assert {split_of(canonical) for canonical in canonicals} == {split}
    texts = [{str(canonical) for canonical in canonicals} for canonicals in found.values()]
    assert not any(one & other for one, other in itertools.combinations(texts, 2))


@every_setting
def test_samples_are_reproducible_and_report_their_knobs(puzzle, knobs):
    one, two = (draw(puzzle, knobs, 7) for _ in range(2))
    assert one.key == two.key and one.prompt == two.prompt
    assert {name: one.knobs[name] for name in knobs} == knobs
    assert draw(puzzle, {}, 7).key == draw(puzzle, {}, 7).key


@pytest.mark.parametrize(
    ("puzzle", "knobs", "message"),
    [
        (RELAY, {"routes": 5}, "routes: expected 2, 3 or 4, got 5"),
        (RELAY, {"routes": 3, "moves": 12}, "moves: expected 1 to 11 with 3 routes, got 12"),
        (RELAY, {"moves": 0}, "moves: expected 1 to 17 with any number of routes, got 0"),
        (RELAY, {"drawn": "no"}, "drawn: expected True or False, got 'no'"),
        (BOUNCE, {"walls": 5}, "walls: expected 0 to 4, got 5"),
        (ROTATE, {"direction": "left"}, "direction: expected True or False, got 'left'"),
        (ROTATE, {"new": None}, "new: expected True or False, got None"),
    ],
)
def test_bad_knobs_are_refused(puzzle, knobs, message):
    with pytest.raises(ValueError, match=message):
        draw(puzzle, knobs, 0)


def test_relay_answer_is_where_the_arrows_lead():
    for seed in range(4 * SEEDS):
        sample = draw(RELAY, {"drawn": bool(seed % 2)}, seed)
        _, board, start = sample.canonical
        way = [tuple(start)]
        while (sign := board[way[-1][0]][way[-1][1]]) != "o":
            way.append((way[-1][0] + MOVES[sign][0], way[-1][1] + MOVES[sign][1]))
        assert len(way) - 1 == sample.rounds == sample.knobs["moves"]
        names = [f"row {row} column {column}" for row, column in way]
        (answer,) = sample.solutions.answers
        if sample.state["drawn"]:
            on = [name for name, value in sample.named(answer).items() if value == "on"]
            assert sorted(on) == sorted(names)
        else:
            assert sample.named(answer) == {"end": names[-1]}


def test_relay_routes_are_disjoint_of_equal_length_and_side_by_side():
    for seed in range(4 * SEEDS):
        sample = draw(RELAY, {}, seed)
        routes = [[tuple(cell) for cell in route] for route in sample.state["routes"]]
        assert len(routes) == sample.knobs["routes"]
        assert {len(route) for route in routes} == {sample.knobs["moves"] + 1}
        cells = [cell for route in routes for cell in route]
        assert len(set(cells)) == len(cells)
        for route in routes:
            gaps = [abs(a - c) + abs(b - d) for (a, b), (c, d) in itertools.pairwise(route)]
            assert set(gaps) == {1}
            others = set(cells) - set(route)
            assert min(abs(a - c) + abs(b - d) for a, b in route for c, d in others) == 1


def test_relay_end_is_at_no_telling_place_of_its_list():
    knobs = {"routes": 4, "moves": 4, "drawn": False}
    samples = [draw(RELAY, knobs, seed, "training") for seed in range(200)]
    counts = np.bincount([s.solutions.answers[0][0] for s in samples], minlength=4)
    assert counts.min() > 25
    for s in samples:
        ends = [part.split() for part in s.parts[0].values]
        assert ends == sorted(ends)


def test_relay_way_is_drawn_cell_by_cell_and_no_way_at_once():
    sample = draw(RELAY, {"routes": 2, "moves": 7}, 1)
    answer = sample.solutions.answers[0]
    way, cells = sample.state["routes"][0], [part.name for part in sample.parts]
    halfway = reading.belief(sample, sample.picture(answer, 0.5), 1.0)[:, 1]
    place = {f"row {r} column {c}": i for i, (r, c) in enumerate(way)}
    expected = [1.0 if place.get(name, 8) < 4 else 0.0 for name in cells]
    assert np.allclose(halfway, expected, atol=1e-3)
    everywhere = sample.picture((1,) * len(cells), 0.5)
    assert np.allclose(reading.belief(sample, everywhere, 1.0)[:, 1], 0.5, atol=1e-3)


@pytest.mark.parametrize("walls", range(5))
def test_bounce_lands_where_a_fine_simulation_does(walls):
    for seed in range(SEEDS):
        sample = draw(BOUNCE, {"walls": walls}, seed)
        state = sample.state
        xs, bounces = simulate(state)
        assert abs(path(state) - xs[:: len(xs) // 100]).max() < 0.01
        assert abs(xs[-1] - 0.5 - sample.solutions.answers[0][0]) < 0.05
        assert bounces == sample.knobs["bounces"]
        assert len(state["walls"]) == walls
        heights = np.linspace(0.5, 5.5, len(xs))
        for x, top, bottom in state["walls"]:  # nowhere nearer to a wall than the ball's reach
            beyond = heights - np.clip(heights, top, bottom)
            assert np.hypot(xs - x, beyond).min() > 0.49


def simulate(state, steps=20_000):
    """A ball of radius 0.5 that is thrown back by as much as it would enter a vertical line."""
    x, speed = state["x"] + 0.5, state["drift"] / steps
    lines = [(0, -9, 9), (6, -9, 9), *map(tuple, state["walls"])]
    xs, bounces = [x], 0
    for step in range(steps):
        y = 0.5 + 5.0 * (step + 0.5) / steps
        ahead = [line for line, top, bottom in lines if top <= y <= bottom]
        ahead = [line for line in ahead if (line - x) * speed > 0]
        x += speed
        entered = max((0.5 - abs(line - x) for line in ahead), default=0.0)
        if entered > 1e-7:
            x -= 2 * entered * np.sign(speed)
            speed, bounces = -speed, bounces + 1
        xs.append(x)
    return np.array(xs), bounces


def test_bounce_walls_do_not_meet_and_mirrored_throws_are_one():
    for seed in range(SEEDS):
        sample = draw(BOUNCE, {"walls": 4}, seed)
        walls = sample.state["walls"]
        for (x, top, bottom), (other, high, low) in itertools.combinations(walls, 2):
            assert x != other or bottom < high or low < top
        mirrored = {
            "x": 5 - sample.state["x"],
            "drift": -sample.state["drift"],
            "walls": sorted([6 - x, top, bottom] for x, top, bottom in walls),
        }
        assert canonical(mirrored) == sample.canonical
        assert path(mirrored) == pytest.approx(6 - path(sample.state))


@pytest.mark.parametrize("direction", (True, False))
def test_rotate_pictures_cover_the_squares_of_their_turn(direction):
    for seed in range(SEEDS):
        sample = draw(ROTATE, {"direction": direction}, seed)
        state = sample.state
        squares = {(-x if state["mirrored"] else x, y) for x, y in state["shape"]}
        squares = clockwise(squares, state["angle"] // 90)
        assert sample.prompt == " ".join(filter(None, ("turn the shape", state["turn"])))
        quarters = {"right": 1, "around": 2, "left": 3, "still": 0}
        expected = {name: clockwise(squares, n) for name, n in quarters.items()}
        sideways = state["angle"] % 180 == 90  # it flips about its own axis, which is turned too
        expected["mirror"] = {(x, -y) if sideways else (-x, y) for x, y in squares}
        for value, name in enumerate(sample.parts[0].values):
            assert covered(sample.picture((value,), 1.0, 480), state["place"]) == expected[name]
        valid = [sample.named(answer)["turn"] for answer in sample.solutions.answers]
        assert valid == ([state["turn"]] if direction else ["right", "left", "around"])
        shown = [frozenset(squares) for squares in expected.values()]
        assert len(set(shown)) == 5


def clockwise(squares, quarters):
    for _ in range(quarters):
        squares = {(-y, x) for x, y in squares}  # y points down
    return squares


def covered(picture, place):
    """The squares around the dot whose middle, but for the dot, is painted."""
    found = set()
    for x, y in itertools.product(range(-3, 4), repeat=2):
        column = int(80 * (place[0] + 0.84 * x + 0.25))
        row = int(80 * (place[1] + 0.84 * y + 0.25))
        inside = 0 <= column < 480 and 0 <= row < 480
        if inside and picture[row, column].min() < 0.9:
            found.add((x, y))
    return found


def test_rotate_new_shapes_are_new_in_every_pose():
    def poses(new):
        images = set()
        for shape in shapes(new):
            for turn in range(4):
                turned = clockwise(set(shape), turn)
                images |= {frozenset(turned), frozenset((-x, y) for x, y in turned)}
        return images

    assert shapes(True) and not poses(True) & poses(False)
    for seed in range(SEEDS):
        for new in (True, False):
            shape = draw(ROTATE, {"new": new}, seed).state["shape"]
            assert frozenset(map(tuple, shape)) in poses(new)

"""Mark, tic-tac-toe, size pattern, out and back, occlusion: against ground truth."""

import itertools
import json

import numpy as np
import pytest

from chain_of_steps.puzzles import reading, scoring, tic_tac_toe
from chain_of_steps.puzzles.base import Sample
from chain_of_steps.puzzles.mark import Mark
from chain_of_steps.puzzles.objects import HELD_OUT
from chain_of_steps.puzzles.occlusion import Occlusion
from chain_of_steps.puzzles.out_and_back import OutAndBack
from chain_of_steps.puzzles.size_pattern import SizePattern
from chain_of_steps.puzzles.splits import SPLITS
from chain_of_steps.puzzles.tic_tac_toe import TicTacToe

SEEDS = 30
SETTINGS = [
    (Mark(), {"named": True}),
    *((Mark(), {"named": False, "answers": n}) for n in range(1, 7)),
    (Mark(), {"new_pair": True}),
    *((TicTacToe(), {"winning": n}) for n in (1, 2, 3)),
    *((TicTacToe(), {"winning": n, "player": "O"}) for n in (1, 2)),
    *((SizePattern(), {"blanks": n}) for n in (1, 2, 3, 4)),
    (SizePattern(), {"rule": "rows"}),
    (OutAndBack(), {}),
    (Occlusion(), {}),
]
PUZZLES = [Mark(), TicTacToe(), SizePattern(), OutAndBack(), Occlusion()]


def _id(value) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={knob}" for name, knob in value.items()) or "any"
    return value.name


every_setting = pytest.mark.parametrize(("puzzle", "knobs"), SETTINGS, ids=_id)
every_puzzle = pytest.mark.parametrize("puzzle", PUZZLES, ids=_id)


def draw(puzzle, seed: int, split: str = "test", **knobs) -> Sample:
    return puzzle.sample(np.random.default_rng(seed), split, **knobs)


def frozen(canonical) -> str:
    return json.dumps(canonical, sort_keys=True)


# Drawing, reading and scoring.


@every_setting
def test_every_valid_answer_is_read_back_and_scores_one(puzzle, knobs):
    for seed in range(SEEDS):
        sample = draw(puzzle, seed, **knobs)
        for answer in sample.solutions.answers:
            for frames in (5, 9, 13):
                clip = sample.render(answer, frames=frames)
                assert scoring.score(sample, clip) == 1.0
            assert reading.decided(sample, clip[-1]) == answer
            assert reading.drawn(sample, clip[-1])


@every_setting
def test_a_large_frame_is_read_alike(puzzle, knobs):
    sample = draw(puzzle, 0, **knobs)
    for answer in sample.solutions.answers:
        clip = sample.render(answer, size=480, frames=5)
        assert reading.decided(sample, clip[-1]) == answer
    assert scoring.score(sample, clip) == 1.0


@every_setting
def test_a_video_that_solves_nothing_scores_nothing(puzzle, knobs):
    scores = {"frozen": [], "noise": [], "black": [], "other": []}
    for seed in range(SEEDS):
        frames = (5, 9, 13)[seed % 3]
        sample, other = draw(puzzle, seed, **knobs), draw(puzzle, seed + 1000, **knobs)
        clip = sample.render(frames=frames)
        videos = {
            "frozen": np.repeat(clip[:1], frames, axis=0),
            "noise": np.random.default_rng(seed).integers(0, 256, clip.shape, dtype=np.uint8),
            "black": np.zeros_like(clip),
        }
        if other.canonical != sample.canonical:  # tic-tac-toe has few boards
            videos["other"] = other.render(frames=frames)
        for kind, video in videos.items():
            scores[kind].append(scoring.score(sample, video))
    for kind, values in scores.items():
        assert not values or np.mean(values) <= 0.1, kind


@every_setting
def test_a_wrong_answer_scores_nothing(puzzle, knobs):
    for seed in range(SEEDS):
        sample = draw(puzzle, seed, **knobs)
        for answer in all_answers(sample):
            if answer not in sample.solutions.answers:
                clip = sample.render(answer, frames=5)
                assert reading.decided(sample, clip[-1]) == answer
                assert scoring.score(sample, clip) == 0.0


@every_setting
def test_the_given_frame_does_not_reveal_the_answer(puzzle, knobs):
    for seed in range(5):
        sample = draw(puzzle, seed, **knobs)
        pictures = [sample.picture(answer, 0.0) for answer in all_answers(sample)]
        assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


@every_setting
def test_nothing_drawn_reads_as_nothing(puzzle, knobs):
    sample = draw(puzzle, 0, **knobs)
    nothing = (None,) * len(sample.parts)
    read = sample.named(reading.decided(sample, sample.picture(nothing)))
    blank = "nothing" if sample.task == "occlusion" else None
    assert set(read.values()) == {blank}


@every_setting
def test_the_mean_of_two_answers_reads_half_of_each(puzzle, knobs):
    for seed in range(SEEDS):
        sample = draw(puzzle, seed, **knobs)
        for first, second in itertools.combinations(list(all_answers(sample))[:8], 2):
            mean = (sample.picture(first) + sample.picture(second)) / 2
            expected = np.zeros((len(sample.parts), len(sample.parts[0].values)))
            for part, pair in enumerate(zip(first, second, strict=True)):
                for value in pair:
                    expected[part, value] += 0.5
            np.testing.assert_allclose(reading.belief(sample, mean), expected, atol=1e-3)


# Solutions, against brute force by independent implementations of the rules.


def all_answers(sample: Sample):
    return itertools.product(*(range(len(part.values)) for part in sample.parts))


def fits(sample: Sample, named: dict[str, str]) -> bool:
    return {
        "mark": mark_fits,
        "tic_tac_toe": move_wins,
        "size_pattern": sizes_fit,
        "out_and_back": lambda sample, named: named["row"] == f"row {home_row(sample)}",
        "occlusion": lambda sample, named: named["thing"] == "the same",
    }[sample.task](sample, named)


def mark_fits(sample: Sample, named: dict[str, str]) -> bool:
    words = sample.prompt.removeprefix("mark ").split()[1:]
    return all(word in named["marked"].split(",")[0].split() for word in words if word != "one")


def move_wins(sample: Sample, named: dict[str, str]) -> bool:
    board, cell = sample.state["board"], int(named["move"].split()[1])
    player = sample.prompt[0].upper()
    grid = np.array(list(board)).reshape(3, 3) == player
    grid.flat[cell] = True
    lines = [*grid, *grid.T, grid.diagonal(), grid[::-1].diagonal()]
    return board[cell] == "." and any(line.all() for line in lines)


def sizes_fit(sample: Sample, named: dict[str, str]) -> bool:
    rows = [list(row) for row in sample.state["sizes"]]
    for place, size in named.items():
        _, row, _, column = place.split()
        assert rows[int(row)][int(column)] is None
        rows[int(row)][int(column)] = size
    kinds = 1 if sample.knobs["rule"] == "rows" else 3
    return all(len(set(row)) == kinds for row in rows)


def home_row(sample: Sample) -> int:
    name = sample.prompt.removeprefix("the ").removesuffix(" leaves and comes back")
    things = [sample.state["thing"], *sample.state["others"]]
    (home,) = [y for colour, shape, _, y in things if f"{colour} {shape}" == name]
    return int(home)


@every_setting
def test_solutions_agree_with_brute_force(puzzle, knobs):
    for seed in range(SEEDS):
        sample = draw(puzzle, seed, **knobs)
        expected = {a for a in all_answers(sample) if fits(sample, sample.named(a))}
        assert set(sample.solutions.answers) == expected
        assert len(sample.solutions) == len(expected)
        assert not sample.solutions.more
        assert all(sample.is_valid(answer) for answer in expected)


@pytest.mark.parametrize(("blanks", "count"), [(1, 1), (2, 2), (3, 6), (4, 4)])
def test_blanks_set_the_number_of_fillings(blanks, count):
    for seed in range(SEEDS):
        assert len(draw(SizePattern(), seed, blanks=blanks).solutions) == count


@pytest.mark.parametrize("answers", range(1, 7))
def test_so_many_things_fit_a_colour(answers):
    for seed in range(SEEDS):
        sample = draw(Mark(), seed, named=False, answers=answers)
        assert len(sample.solutions) == answers
        assert 4 <= len(sample.state["things"]) <= 7
        assert len({thing[0] for thing in sample.state["things"]}) > 1


@pytest.mark.parametrize(("player", "winning"), [("X", 1), ("X", 2), ("X", 3), ("O", 1), ("O", 2)])
def test_so_many_cells_win_in_every_split(player, winning):
    for split, seed in itertools.product(SPLITS, range(SEEDS)):
        sample = draw(TicTacToe(), seed, split, player=player, winning=winning)
        assert len(sample.solutions) == winning


def test_all_boards_of_tic_tac_toe_are_listed():
    """Every placing of marks that is legal, unfinished and won by the next move."""
    expected = {"X": set(), "O": set()}
    for marks in itertools.product("XO.", repeat=9):
        board, ahead = "".join(marks), marks.count("X") - marks.count("O")
        won = [len({*line, "."}) == 2 and "." not in line for line in lines_of(board)]
        if ahead in (0, 1) and not any(won):
            player = "XO"[ahead]
            if any(sorted(line) == sorted([player, player, "."]) for line in lines_of(board)):
                expected[player].add(board)
    for player, most in tic_tac_toe.MOST_WINNING.items():
        pairs = itertools.product(range(1, most + 1), SPLITS)
        listed = [b for winning, split in pairs for b in tic_tac_toe.boards(player, winning, split)]
        assert len(listed) == len(set(listed))
        assert set(listed) == expected[player]


def lines_of(board: str) -> list[list[str]]:
    grid = np.array(list(board)).reshape(3, 3)
    return [line.tolist() for line in (*grid, *grid.T, grid.diagonal(), grid[::-1].diagonal())]


# Samples.


@every_puzzle
def test_no_board_is_in_two_splits(puzzle):
    found = {split: set() for split in SPLITS}
    for split in SPLITS:
        rng = np.random.default_rng(0)
        for _ in range(300):
            sample = puzzle.sample(rng, split)
            found[split].add(frozen(sample.canonical))
    for first, second in itertools.combinations(SPLITS, 2):
        assert found[first].isdisjoint(found[second])


@every_puzzle
def test_samples_that_look_alike_share_a_canonical_form(puzzle):
    """What the given frame shows decides the split, not what the prompt asks about it."""
    rng, seen = np.random.default_rng(0), {}
    for _ in range(300):
        sample = puzzle.sample(rng, "test")
        look = sample.first_frame().tobytes()
        assert seen.setdefault(look, frozen(sample.canonical)) == frozen(sample.canonical)


@every_setting
def test_samples_are_plain_data_and_follow_the_seed(puzzle, knobs):
    sample, again = draw(puzzle, 3, "training", **knobs), draw(puzzle, 3, "training", **knobs)
    assert sample.key == again.key
    assert json.loads(json.dumps([sample.state, sample.knobs])) == [sample.state, sample.knobs]
    assert knobs.items() <= sample.knobs.items()
    assert all(len(set(part.values)) == len(part.values) for part in sample.parts)
    assert draw(puzzle, 4, "training", **sample.knobs).knobs == sample.knobs


@every_puzzle
def test_knobs_that_are_not_given_vary(puzzle):
    drawn = {frozen(draw(puzzle, seed, "training").knobs) for seed in range(60)}
    assert len(drawn) == {"mark": 7, "tic_tac_toe": 3, "size_pattern": 4}.get(puzzle.name, 1)


def test_only_the_twist_shows_new_pairs():
    for seed in range(300):
        shown = {tuple(t[:2]) for t in draw(Mark(), seed, "training").state["things"]}
        assert shown.isdisjoint(HELD_OUT)
    for seed in range(SEEDS):
        sample = draw(Mark(), seed, new_pair=True)
        shown = [tuple(t[:2]) for t in sample.state["things"] if tuple(t[:2]) in HELD_OUT]
        assert [f"mark the {colour} {shape}" for colour, shape in shown] == [sample.prompt]


def test_things_that_a_wall_uncovers_can_be_told_apart():
    """Also at 48 px: some colours are too alike on a small thing."""
    for seed in range(500):
        sample = draw(Occlusion(), seed, "training")
        assert not np.isnan(reading.belief(sample, sample.picture((0,)))).any()


def test_a_wall_hides_all_of_the_thing_half_way():
    for seed in range(SEEDS):
        sample = draw(Occlusion(), seed)
        hidden = [sample.picture(answer, 0.5) for answer in [*all_answers(sample), (None,)]]
        assert all(np.array_equal(picture, hidden[0]) for picture in hidden)


def test_the_right_row_is_not_always_the_first():
    right = {draw(OutAndBack(), seed).solutions.answers[0] for seed in range(SEEDS)}
    assert len(right) > 2


@pytest.mark.parametrize(
    ("puzzle", "knobs", "message"),
    [
        (Mark(), {"answers": 7}, "answers is 7; expected 1 to 6"),
        (Mark(), {"answers": 0}, "answers is 0; expected 1 to 6"),
        (Mark(), {"named": True, "answers": 2}, "answers is 2; expected 1"),
        (Mark(), {"new_pair": True, "answers": 2}, "answers is 2; expected 1"),
        (Mark(), {"new_pair": True, "named": False}, "a new pair is always named"),
        (TicTacToe(), {"winning": 4}, "winning is 4; expected 1 to 3"),
        (TicTacToe(), {"winning": 3, "player": "O"}, "winning is 3; expected 1 to 2"),
        (TicTacToe(), {"player": "Z"}, "player is 'Z'; expected 'X' or 'O'"),
        (SizePattern(), {"blanks": 5}, "blanks is 5; expected 1 to 4"),
        (SizePattern(), {"blanks": 2, "rule": "rows"}, "blanks is 2; expected 1 to 1"),
        (SizePattern(), {"rule": "columns"}, "rule is 'columns'; expected one of"),
    ],
    ids=str,
)
def test_bad_knobs_are_explained(puzzle, knobs, message):
    with pytest.raises(ValueError, match=message):
        draw(puzzle, 0, **knobs)


@every_puzzle
def test_an_unknown_split_is_explained(puzzle):
    with pytest.raises(ValueError, match="unknown split 'tset'"):
        draw(puzzle, 0, "tset")

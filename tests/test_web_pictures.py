"""The video model of the page gives the numbers of the library: drawings, readings, codec, runs."""

import base64
import json

import numpy as np
import picture_parity
import pytest
from picture_parity import in_browser, in_torch, web_page

from chain_of_steps.explorer.config import Config, MergedSeeds
from chain_of_steps.explorer.shown import Shown, board
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.models.web_codec import matrices
from chain_of_steps.puzzles import reading, suite
from chain_of_steps.puzzles.base import Sample, assignment
from chain_of_steps.sampling.interventions import Drop

MINI = picture_parity.ROOT / "data" / "mini"
CLOSE = 0.02  # of clean estimates, whose range is 20: after 20 steps of float32
MAZES = [{"rooms": rooms, "paths": paths} for rooms in (5, 8) for paths in (1, 2)]
SQUARES = [{"order": 4, "clues": 2}, {"order": 4, "rounds": 2}, {"order": 5, "rounds": 3}]


def own(sample: Sample, **changes) -> Config:
    """A setting whose board is that of a sample; a maze is drawn in the middle of the picture."""
    return Config.from_data({**Config(**changes).data(), "board": board(sample)})


DRAWN = [
    *(own(suite.draw_one("maze", 0, 7, **knobs)) for knobs in MAZES),
    *(own(suite.draw_one("latin", 0, 7, **knobs)) for knobs in SQUARES),
]


@pytest.fixture(scope="module")
def mini() -> VideoModel:
    if not (MINI / "model_index.json").exists():
        pytest.skip("the mini model is not here; `dvc pull` fetches it")
    return VideoModel.load(str(MINI))


@pytest.fixture(scope="module")
def drawings(browser, tmp_path_factory):
    """The modules without a network."""
    folder = tmp_path_factory.mktemp("drawings")
    return picture_parity.open_page(browser, folder, folder.as_uri() + "/", with_model=False)


@pytest.fixture(scope="module")
def page(browser, mini, tmp_path_factory):
    """The modules with the mini model."""
    folder = tmp_path_factory.mktemp("model")
    picture_parity.write_site(folder, mini)
    with picture_parity.served(folder / web_page.NAME) as address:
        yield picture_parity.open_page(browser, folder / web_page.NAME, address)


# Drawings.


@pytest.mark.parametrize("config", DRAWN, ids=lambda config: config.board.kind)
def test_frames_are_those_of_the_puzzle(drawings, config):
    sample = config.sample()
    found = drawings.evaluate(
        """(board) => {
            const puzzle = puzzleOf(board), reader = new Reader(puzzle, 48);
            const drawn = puzzle.answers.slice(0, 3).map((a) => [...reader.picture(a)]);
            const { answers, rounds, prompt } = puzzle;
            return { answers, rounds, prompt, drawn, given: [...reader.given()] };
        }""",
        config.data()["board"],
    )
    assert set(map(tuple, found["answers"])) == set(sample.solutions.answers)
    assert found["rounds"] == sample.rounds and found["prompt"] == sample.prompt
    given = (sample.first_frame(48) * 255.0 + 0.5).astype(np.uint8)
    assert np.array_equal(found["given"], given.ravel())
    for answer, pixels in zip(found["answers"], found["drawn"], strict=False):
        assert np.abs(sample.picture(tuple(answer), 1.0, 48).ravel() - pixels).max() < 1e-5


@pytest.mark.parametrize("config", DRAWN, ids=lambda config: config.board.kind)
def test_frames_are_read_as_the_library_reads_them(drawings, config):
    """Mixtures of answers, with noise: some parts show several values, some show nothing."""
    sample, rng = config.sample(), np.random.default_rng(0)
    answers = sample.solutions.answers
    for alpha in (1.0, 0.6, 0.03):
        shares = rng.dirichlet(np.ones(min(3, len(answers))))
        drawn = [sample.picture(answer, 1.0, 48) for answer in answers[: len(shares)]]
        mixed = sum(share * picture for share, picture in zip(shares, drawn, strict=True))
        frame = alpha * mixed + (1.0 - alpha) * sample.first_frame(48)
        frame = np.clip(frame + rng.normal(0.0, 0.08, frame.shape), 0.0, 1.0)
        pixels = (frame * 255.0).astype(np.uint8)
        found, expected = verdict_of(drawings, config, pixels), expected_of(sample, pixels)
        for name in ("error", "open", "beliefs"):
            a, b = (np.array(each.pop(name), float) for each in (found, expected))
            assert np.allclose(a, b, atol=2e-3 if a.ndim == 0 else 1e-4, equal_nan=True), name
        clean = [np.array(each.pop("clean")) for each in (found, expected)]
        assert np.abs(clean[0] - clean[1]).max() <= 1 and found == expected


def verdict_of(page, config: Config, pixels: np.ndarray) -> dict:
    return page.evaluate(
        """([board, frame]) => {
            const puzzle = puzzleOf(board), reader = new Reader(puzzle, 48);
            const bytes = Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0));
            const { reading, which, ...rest } = reader.verdict(bytes);
            const named = which === null ? null : puzzle.answers[which];
            const clean = [...reading];
            const beliefs = reader.beliefs(Float32Array.from(bytes, (v) => v / 255));
            return { ...rest, named, clean, beliefs: beliefs.map((row) => [...row]) };
        }""",
        [config.data()["board"], base64.b64encode(pixels.tobytes()).decode()],
    )


def expected_of(sample: Sample, pixels: np.ndarray) -> dict:
    """The same by the explorer of the notebook."""
    shown = object.__new__(Shown)  # of no model and no setting
    shown.sample = sample
    beliefs = reading.belief(sample, pixels)
    found = shown._verdict(beliefs, pixels)
    answers = sample.solutions.answers
    clean = (sample.picture(assignment(found["decided"]), 1.0, 48) * 255.0 + 0.5).astype(np.uint8)
    names = ("decided", "violations", "fault", "drawn", "open", "error")
    return {
        **{name: found[name] for name in names},
        "named": None if found["which"] is None else list(answers[found["which"]]),
        "clean": clean.ravel().tolist(),
        "beliefs": beliefs.tolist(),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"doors": []},
        {"goal": [0, 0], "start": [0, 0]},
        {"rooms": 9},
        {"start": [7, 0]},
        {"doors": [[[0, 0], [2, 0]]]},
        {"doors": [[[0, 0], [1, 0]], [[1, 0], [0, 0]]]},
        {"doors": [[[x, y], [x + 1, y]] for x in range(4) for y in range(5)]
         + [[[x, y], [x, y + 1]] for x in range(5) for y in range(4)]},
    ],
)  # fmt: skip
def test_boards_that_are_no_mazes_are_refused_in_the_same_words(drawings, change):
    setting = DRAWN[0].data()
    setting["board"] |= change
    with pytest.raises(ValueError) as refused:
        Config.from_data(setting).sample()
    said = drawings.evaluate(
        "(board) => { try { puzzleOf(board); } catch (error) { return error.message; } }",
        setting["board"],
    )
    assert said == str(refused.value)


# The network.


def test_the_codec_is_that_of_the_pipeline(drawings, mini):
    clip = suite.draw_one("latin", 0, 0, order=4).render(size=48, frames=5)
    latents = mini.encode(clip)
    tables = {name: table.flatten().tolist() for name, table in matrices(mini.pipe.vae).items()}
    shape = [1, *latents.shape[1:]]
    encoded, decoded = drawings.evaluate(
        """([tables, shape, frame, latents]) => {
            const codec = new Codec(tables, { size: 48, shapes: { latents: shape } });
            const encoded = [...codec.encode(frame)];
            return [encoded, codec.decode(latents).map((frame) => [...frame])];
        }""",
        [tables, shape, clip[-1].ravel().tolist(), latents.flatten().tolist()],
    )
    assert np.abs(latents[0, :, -1].flatten().numpy() - encoded).max() < 1e-3
    shown = np.array(decoded).reshape(clip.shape)
    assert np.abs(shown - mini.decode(latents).astype(int)).max() <= 1


CHANGES = {
    "clean": {"steps": 20},
    "noise": {"noise": ((3, 0), (3, 1), (3, 4)), "seed": 5},
    "level-correct": {"noise": ((0, 1), (3, 2), (7, 4)), "mode": "level-correct"},
    "additive": {"noise": ((0, 2), (5, 4)), "mode": "additive"},
    "merge": {"merge": MergedSeeds(3), "seed": 2},
    "drop": {"drop": Drop(3, 5, given=True, prompt=True)},
    "drop to the end": {"drop": Drop(2, None, given=False, prompt=True), "noise": ((4, 4),)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_runs_agree_at_every_step(page, mini, name):
    sample = suite.draw_one("maze", 3, 7, rooms=5, paths=2)
    config = own(sample, **{"steps": 8, **CHANGES[name]})
    ours, theirs = in_torch(mini, config), in_browser(page, config)
    assert np.abs(ours.shown - theirs.shown).max() < CLOSE < np.ptp(ours.shown) / 100
    assert np.array_equal(ours.decided, theirs.decided)


def test_changes_change_the_run(page):
    """Otherwise the test above compares runs without them."""
    sample = suite.draw_one("maze", 3, 7, rooms=5, paths=2)
    ends = {
        name: in_browser(page, own(sample, **{"steps": 8, **change})).shown[-1].tobytes()
        for name, change in {"none": {}, **CHANGES}.items()
        if change.get("steps") != 20
    }
    assert len(set(ends.values())) == len(ends)


def test_a_square_is_filled_as_in_torch(page, mini):
    config = own(suite.draw_one("latin", 2, 7, order=4, clues=6))
    found = picture_parity.compared(page, mini, [config])
    assert found["answers_equal"] == 1 and found["steps_equal"] == found["steps"] == 20
    assert found["max_latent_difference"] < CLOSE


def test_samples_lie_where_they_were_drawn(page, mini):
    """A sample of the suite may lie anywhere on the picture; the page shows the same frame."""
    config = Config("maze rooms=5 paths=1", index=2)
    frame = page.evaluate(
        "(board) => [...new Reader(puzzleOf(board), 48).given()]",
        web_page.served.board(config.cell, config.index),
    )
    given = (config.sample().first_frame(48) * 255.0 + 0.5).astype(np.uint8)
    assert np.array_equal(frame, given.ravel())


def test_a_setting_that_makes_no_sense_is_refused(page):
    board = json.loads(json.dumps(DRAWN[0].data()["board"]))
    wrong = [
        {"steps": 0}, {"steps": "many"}, {"seed": -1}, {"merge": {"seeds": 9, "layers": None}},
        {"merge": {"seeds": 3, "layers": [0, 1]}}, {"patch": [1, 1]}, {"cell": "maze rooms=9"},
    ]  # fmt: skip
    for change in wrong:
        own_board = None if "cell" in change else board
        setting = {**Config(steps=4).data(), "board": own_board, **change}
        said = page.evaluate(
            """async (setting) => {
                const engine = createEngine({ manifest, files, boards: {} });
                try { await engine.run(setting).next(); } catch (error) { return error.message; }
            }""",
            setting,
        )
        assert said and "undefined" not in said, change

"""Puzzles without pictures: boards match their samples, and fits can be interrupted."""

import itertools
import json

import numpy as np
import pytest
import torch

from chain_of_steps.models import symbols
from chain_of_steps.models.symbols import GIVEN, LATENT, SIGNS, Boards, beliefs, boards
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading, suite
from chain_of_steps.puzzles.base import Sample, assignment
from chain_of_steps.training import progress, symbol_card
from chain_of_steps.training import symbols as training

KINDS = [
    ("latin", {"order": 4, "clues": 5}),
    ("latin", {"order": 5, "clues": 9}),
    ("latin", {"order": 6, "clues": 16}),
    ("relay", {}),
    ("relay_end", {}),
]
every_kind = pytest.mark.parametrize(("task", "knobs"), KINDS)
every_puzzle = pytest.mark.parametrize("puzzle", ["latin", "relay"])


def draw(task: str, knobs: dict, count: int = 6) -> list[Sample]:
    return suite.draw(task, count, 0, **knobs)


# Boards.


@every_kind
def test_latents_are_read_back_as_the_answer(task, knobs):
    samples = draw(task, knobs)
    for sample, latents in zip(samples, boards(samples).latents(), strict=True):
        found = beliefs(sample, latents).numpy()
        assert found.shape == (len(sample.parts), len(sample.parts[0].values))
        assert set(np.unique(found)) == {0.0, 1.0} and (found.sum(1) == 1.0).all()
        answer = assignment(reading.decide(found))
        assert answer == sample.solutions.answers[0] and sample.is_valid(answer)


@every_kind
def test_the_board_does_not_depend_on_the_answer(task, knobs):
    samples = draw(task, knobs)
    last = [sample.solutions.answers[-1] for sample in samples]
    shown = boards(samples, last)
    assert torch.equal(shown.board(), boards(samples).board())
    for sample, answer, latents in zip(samples, last, shown.latents(), strict=True):
        assert assignment(reading.decide(beliefs(sample, latents).numpy())) == answer


@every_kind
def test_the_mean_of_two_answers_is_believed_half(task, knobs):
    (sample,) = draw(task, knobs, 1)
    one = boards([sample]).latents()[0]
    other = -one if sample.puzzle.name == "relay" else one.roll(1, 0)  # every cell another value
    found = beliefs(sample, torch.stack([(one + other) / 2, 5.0 * one]))
    both = (beliefs(sample, one) + beliefs(sample, other)) / 2
    torch.testing.assert_close(found[0], both)
    torch.testing.assert_close(found[1], beliefs(sample, one))  # clipped to [0, 1]


@pytest.mark.parametrize(("task", "knobs"), KINDS[:3])
def test_a_squares_board_tells_its_clues(task, knobs):
    samples = draw(task, knobs)
    board = boards(samples).board()
    assert board.shape == (6, GIVEN["latin"], 1, knobs["order"], knobs["order"])
    for sample, told in zip(samples, board[:, :, 0], strict=True):
        clues = torch.tensor(sample.state["clues"])
        assert torch.equal(told[-1], (clues >= 0).float())
        assert torch.equal(torch.where(told[-1] > 0, told[:-1].argmax(0), -1), clues)
        assert torch.equal(told[:-1].sum(0), told[-1])


@pytest.mark.parametrize("task", ["relay", "relay_end"])
def test_a_relays_board_tells_signs_start_and_what_is_asked_for(task):
    samples = draw(task, {})
    board = boards(samples).board()
    assert board.shape == (6, GIVEN["relay"], 1, 6, 6)
    for sample, told in zip(samples, board[:, :, 0], strict=True):
        signs = {(r, c): SIGNS[told[: len(SIGNS), r, c].argmax()] for r, c in np.ndindex(6, 6)}
        for route in sample.state["routes"]:
            for here, there in itertools.pairwise(route):
                assert signs[tuple(here)] == (there[0] - here[0], there[1] - here[1])
            assert signs[tuple(route[-1])] == "stop"
        cells = {tuple(cell) for route in sample.state["routes"] for cell in route}
        assert {cell for cell, sign in signs.items() if sign} == cells
        assert told[-2].nonzero().tolist() == [sample.state["routes"][0][0]]
        assert (told[-1] == float(task == "relay")).all()


# Training.


@pytest.fixture
def few(monkeypatch):
    """Sixteen boards of each kind, fits of forty steps; nothing is compiled."""
    for name, value in {"STORED": 16, "CHUNK": 8, "BATCH": 16, "STEPS": 40}.items():
        monkeypatch.setattr(training, name, value)
    monkeypatch.setattr(training, "EARLIER", (10, 20))
    monkeypatch.setattr(training, "SAVE_EVERY", 5)
    monkeypatch.setattr(training, "compile_blocks", lambda network: None)
    monkeypatch.setattr(progress, "WARM_UP", 1)


@pytest.fixture(scope="module")
def stock() -> dict[str, list[Boards]]:
    """Boards of both puzzles; those of a square in three orders."""
    squares = [boards(draw(*kind)) for kind in KINDS[:3]]
    return {"latin": squares, "relay": [boards(draw("relay", {}) + draw("relay_end", {}))]}


def test_names_are_unique_and_twins_see_what_their_models_see(stock):
    recipes = training.recipes()
    assert len({recipe.name for recipe in recipes}) == len(recipes)
    twins = [recipe for recipe in recipes if recipe.one_pass]
    assert {recipe.puzzle for recipe in twins} == {"latin", "relay"}
    for twin in twins:
        like = training.SymbolRecipe(twin.puzzle, twin.layers, twin.width, twin.seed)
        assert like in recipes
        ours, theirs = (training.batch(stock[twin.puzzle], r, 3) for r in (twin, like))
        for i in (0, 1, 3):  # all but sigma
            assert torch.equal(ours[i], theirs[i])


@every_puzzle
def test_the_batch_of_a_step_depends_on_recipe_and_step_alone(stock, puzzle):
    recipe = training.SymbolRecipe(puzzle, 1)
    batches = [training.batch(stock[puzzle], recipe, step) for step in range(8)]
    for step in (5, 0):
        again = training.batch(stock[puzzle], recipe, step)
        assert all(torch.equal(a, b) for a, b in zip(again, batches[step], strict=True))
    others = (
        training.batch(stock[puzzle], recipe, 6),
        training.batch(stock[puzzle], training.SymbolRecipe(puzzle, 1, seed=1), 5),
    )
    for other in others:
        assert not torch.equal(other[2], batches[5][2])
    orders = {latents.shape[-1] for latents, *_ in batches}
    assert orders == ({4, 5, 6} if puzzle == "latin" else {6})


@every_puzzle
def test_one_pass_has_sigma_one_only_and_other_fits_have_all(stock, puzzle):
    for step in range(3):
        twin = training.SymbolRecipe(puzzle, 1, one_pass=True)
        sigma = training.batch(stock[puzzle], twin, step)[2]
        assert (sigma == 1.0).all()
        sigma = training.batch(stock[puzzle], training.SymbolRecipe(puzzle, 1), step)[2]
        assert (sigma >= 0.01).all() and (sigma < 1.0).all() and len(sigma.unique()) > 100


@every_puzzle
def test_a_pass_at_sigma_one_shows_nothing_of_the_answer(stock, puzzle):
    recipe = training.SymbolRecipe(puzzle, 1, one_pass=True)
    latents, board, sigma, noise = training.batch(stock[puzzle], recipe, 0)
    seen: list[torch.Tensor] = []
    network = training.build(recipe)
    network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    training.loss_at(network, latents, board, sigma, noise)
    assert torch.equal(seen[0], torch.cat([noise, board], 1))


@every_puzzle
def test_an_untrained_network_estimates_zero_at_every_order(stock, puzzle):
    network = training.build(training.SymbolRecipe(puzzle, 2))
    for made in stock[puzzle]:
        noisy, sigma = torch.randn(made.latents().shape), torch.full((len(made),), 0.5)
        assert made.latents().shape[1] == LATENT[puzzle]
        assert (training.estimate(network, noisy, made.board(), sigma) == 0.0).all()


def test_the_rate_is_constant_then_falls():
    rates = [training.rate_at(step) for step in range(training.STEPS)]
    half = training.STEPS // 2
    assert rates[: half + 1] == [1.0] * (half + 1)
    assert rates[half:] == sorted(rates[half:], reverse=True) and rates[-1] == 0.02


class Stop(Exception):
    """What interrupts a fit."""


def stops_at(word: str):
    def say(line: str) -> None:
        if word in line:
            raise Stop

    return say


def test_stored_boards_survive_an_interruption(tmp_path, few):
    with pytest.raises(Stop):
        training.stored("latin", tmp_path / "a", stops_at("latin-5: 8 of 16"))
    begun = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "a").glob("*.safetensors")}
    assert set(begun) == {"latin-4-0.safetensors", "latin-4-1.safetensors", "latin-5-0.safetensors"}
    resumed = training.stored("latin", tmp_path / "a", print)
    assert all((tmp_path / "a" / name).stat().st_mtime_ns == at for name, at in begun.items())
    for ours, whole in zip(resumed, training.stored("latin", tmp_path / "b", print), strict=True):
        assert len(ours) == 16 and np.array_equal(ours.given, whole.given)
        assert np.array_equal(ours.answer, whole.answer)
    assert [made.given.shape[1] for made in resumed] == list(training.ORDERS)


def test_half_of_the_stored_relays_ask_for_the_whole_way(tmp_path, few):
    (made,) = training.stored("relay", tmp_path, print)
    assert made.drawn.sum() == 8 and len(made) == 16
    assert (made.answer[~made.drawn].sum((1, 2)) == 1).all(), "one end"
    assert (made.answer[made.drawn].sum((1, 2)) >= 2).all(), "a way of a move or more"


def test_earlier_weights_are_kept_of_a_shallow_and_a_deep_network_of_each_puzzle():
    watched = {recipe.name for recipe in training.recipes() if recipe.watched}
    assert watched == {"latin-L1-0", "latin-L4-0", "relay-L1-0", "relay-L4-0"}


@every_puzzle
def test_a_fit_goes_on_where_it_was_interrupted_and_gets_better(tmp_path, few, puzzle, monkeypatch):
    monkeypatch.setattr(training.SymbolRecipe, "watched", True)
    recipe = training.SymbolRecipe(puzzle, 1, width=32)
    folder, work, never = tmp_path / "out", tmp_path / "work", float("inf")
    with pytest.raises(Stop):
        training.fit(recipe, folder, work, never, stops_at("step 15,"))
    checkpoint = work / f"{recipe.name}.safetensors"
    assert progress.Progress.load(checkpoint, training.build(recipe)).step == 10
    said: list[str] = []
    training.fit(recipe, folder, work, 0.0, said.append)  # no time is left: it only saves
    assert not said and not (folder / recipe.name).exists()
    training.fit(recipe, folder, work, never, said.append)
    assert [line.split(",")[0] for line in said] == [
        f"{recipe.name}: step {step}" for step in range(15, 41, 5)
    ]
    record = json.loads((folder / recipe.name / "training.json").read_text())
    assert record["steps"] == 40 and record["recipe"]["puzzle"] == puzzle
    assert record["recipe"]["width"] == 32
    assert [step for step, _ in record["losses"]] == list(range(5, 41, 5))
    kept = {file.name for file in folder.iterdir()}
    assert kept == {f"{recipe.name}{at}" for at in ("@10", "@20", "")}
    assert not checkpoint.exists()

    network = training.build(recipe)
    examples = training.batch(training.stored(puzzle, work / "boards", print), recipe, 1000)
    before = training.loss_at(network, *examples).item()
    trained = VideoModel.load(folder / recipe.name)
    assert training.loss_at(trained.pipe.transformer, *examples).item() < 0.8 * before


def test_training_goes_through_the_list_and_skips_what_is_finished(tmp_path, few, monkeypatch):
    monkeypatch.setattr(training, "STEPS", 2)
    two = [training.SymbolRecipe("relay", layers) for layers in (1, 2)]
    monkeypatch.setattr(training, "recipes", lambda: two)
    said: list[str] = []
    training.train(tmp_path / "out", tmp_path / "work", 0.0, said.append)
    assert said == ["2 networks are left; run the same command again to continue"]
    assert not (tmp_path / "out").exists()
    for _ in range(2):
        training.train(tmp_path / "out", tmp_path / "work", 600.0, said.append, only="L2")
        training.train(tmp_path / "out", tmp_path / "work", 600.0, said.append)
    made = [line for line in said if line.startswith("boards")]
    assert len(made) == 2, "boards of the relay were made once, in two pieces"
    assert said[-1].startswith("all networks are finished")
    finished = {file.parent.name for file in (tmp_path / "out").glob("*/training.json")}
    assert finished == {"relay-L1-0", "relay-L2-0"}


def test_the_card_lists_finished_networks_with_their_last_loss(tmp_path):
    record = {"recipe": {"puzzle": "relay", "layers": 2, "width": 96}, "steps": 1000, "batch": 256}
    record["losses"] = [[500, 0.25], [1000, 0.125]]
    for name in ("relay-L2-0", "relay-L2-0@500"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training.json").write_text(json.dumps(record))
    symbol_card.write(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "| relay-L2-0 | 2 | 96 | 1000 | 256,000 | 0.1250 |" in card and "@500" not in card
    (line,) = symbol_card.losses({"relay-L2-0": record}).axes[0].lines
    assert line.get_xydata().tolist() == [[0.128, 0.25], [0.256, 0.125]]


def test_an_answers_cells_are_those_that_its_parts_name():
    for task, knobs in KINDS:
        for sample in draw(task, knobs, 2):
            cells = symbols.part_cells(sample)
            names = [f"row {cell // 6} column {cell % 6}" for cell in cells]
            if task == "relay":
                assert names == [part.name for part in sample.parts]
            elif task == "relay_end":
                assert tuple(names) == sample.parts[0].values
            else:
                assert len(cells) == len(sample.parts)

"""The modules of explorer/engine/ in Chromium give the numbers of the library: noise, schedule,
networks, answers, controls."""

import numpy as np
import pytest
import torch
import web_parity
from web_parity import in_browser, in_torch

from chain_of_steps.common.counter_noise import normals
from chain_of_steps.explorer import in_page
from chain_of_steps.figures.verdict import reason
from chain_of_steps.measures import decisions
from chain_of_steps.measures.answers import symbol_encoder, uninformative
from chain_of_steps.measures.batches import SymbolBatch, estimate_of
from chain_of_steps.models import web_weights
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.symbols import beliefs, boards
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.puzzles.base import Answer, Sample, assignment
from chain_of_steps.sampling.denoise import denoise
from chain_of_steps.sampling.interventions.noise import Edit
from chain_of_steps.sampling.samplers import sampler_of
from chain_of_steps.sampling.state import State
from chain_of_steps.training import symbols as training

CASES = {
    "order 4": ("latin", {"order": 4}),
    "order 5": ("latin", {"order": 5, "clues": 9}),
    "relay": ("relay", {"moves": 4}),
    "relay_end": ("relay_end", {"moves": 4}),
}
STORED = ("latin-L1-0", "latin-L4-0", "relay-L1-0", "relay-L4-0")
CLOSE = 2e-4  # of latents after some steps of float32
ROUGH = 5e-3  # of a network whose weights are rounded
SCHEDULE = preset("mini/5")


@pytest.fixture(scope="module")
def models() -> dict[str, VideoModel]:
    return {puzzle: web_parity.untrained(puzzle) for puzzle in ("latin", "relay")}


@pytest.fixture(scope="module")
def page(browser, models, tmp_path_factory):
    return web_parity.open_page(browser, tmp_path_factory.mktemp("web"), models)


def test_philox_gives_its_published_words(page):
    words = page.evaluate("philox(0n, [0n, 0n]).map((word) => word.toString(16))")
    assert words == ["16554d9eca36314c", "db20fe9d672d0fdc", "d7e772cee186176b", "7e68b68aec7ba23b"]


@pytest.mark.parametrize(("seed", "stream", "count"), [(0, 0, 96), (3, 2, 5), (2**40 + 1, 77, 216)])
def test_noise_is_that_of_numpy(page, seed, stream, count):
    drawn = page.evaluate("(given) => Array.from(normals(...given))", [seed, stream, count])
    assert np.abs(np.array(drawn) - normals(seed, stream, count)).max() < 1e-6


def test_schedules_are_those_of_diffusers(page):
    for steps in (1, 2, 3, 4, 8, 16, 20, 40, 50, 100):
        scheduler = Schedule("web", "euler", steps=steps, shift=5.0).scheduler("sample")
        found = page.evaluate(
            "(n) => { const s = schedule(n); return [[...s.sigmas], s.timesteps]; }", steps
        )
        assert found == [scheduler.sigmas.tolist(), scheduler.timesteps.tolist()]


@pytest.mark.parametrize("case", CASES)
def test_runs_agree_at_every_step(page, models, case):
    task, knobs = CASES[case]
    samples = suite.draw(task, 3, 0, **knobs)
    model = models[samples[0].puzzle.name]
    ours = list(in_torch(model, samples, 5))
    theirs = list(in_browser(page, samples[0].puzzle.name, samples, 5))
    for a, b in zip(ours, theirs, strict=True):
        assert np.ptp(a.shown[-1, 1]) > 0.5, "the network says something"
        assert np.abs(a.shown - b.shown).max() < CLOSE and np.array_equal(a.decided, b.decided)


@pytest.mark.parametrize("name", STORED)
def test_stored_networks_decide_the_same(browser, tmp_path, name):
    folder = web_parity.ROOT / "data" / "symbols" / name
    if not (folder / "model_index.json").exists():
        pytest.skip(f"{name} is not here; `dvc pull` fetches it")
    model = VideoModel.load(str(folder))
    page = web_parity.open_page(browser, tmp_path, {name: model})
    found = web_parity.compared(page, name, model, web_parity.drawn(name, 8), 20)
    assert found["answers_equal"] == found["boards"] == 8
    assert found["max_latent_difference"] < (ROUGH if name in in_page.ROUNDED else CLOSE)


def test_a_network_of_the_page_has_the_stored_weights(models):
    network = models["latin"].pipe.transformer
    state, numbers = network.state_dict(), web_parity.unpacked(web_weights.packed(network))
    crossed = web_weights.crossed(network)
    assert len(crossed) == 2
    for name, table in numbers.items():
        stored = crossed[name] if name in crossed else state[name].numpy()
        assert np.array_equal(stored.ravel(), table.ravel()), name
    left_out = {name for name in state if name not in numbers}
    assert all("attn2." in n or "norm2." in n or "text_embedder." in n for n in left_out)


def test_rounded_weights_are_off_by_half_a_level_of_their_row_at_most(models):
    network = models["relay"].pipe.transformer
    state = network.state_dict()
    numbers = web_parity.unpacked(web_weights.packed(network, "int8"))
    for name in ("blocks.1.attn1.to_q.weight", "proj_out.weight"):
        exact = state[name].numpy().reshape(numbers[name].shape)
        off, level = np.abs(numbers[name] - exact), np.abs(exact).max(1, keepdims=True) / 127
        assert off.max() > 0 and (off <= 0.501 * level).all()
    assert np.array_equal(numbers["proj_out.bias"].ravel(), state["proj_out.bias"].numpy())


def test_cross_attention_adds_what_is_stored_for_it(models):
    """The vector that is stored is that of the real layer, whatever the hidden state."""
    network = models["latin"].pipe.transformer
    with torch.inference_mode():
        text = network.condition_embedder.text_embedder(torch.zeros(1, 1, 16))
        added = network.blocks[1].attn2(torch.randn(1, 9, 64), text)
    expected = torch.from_numpy(web_weights.crossed(network)["blocks.1.attn2"])
    assert torch.allclose(added, expected.expand_as(added), atol=1e-6)


def test_only_symbol_networks_fit_a_page():
    network = training.build(training.SymbolRecipe("latin", 1, width=32))
    network.register_to_config(patch_size=(1, 2, 2))
    with pytest.raises(ValueError, match="symbol networks only"):
        web_weights.packed(network)


# Controls and interventions.


@pytest.mark.parametrize("case", CASES)
def test_a_pass_on_uninformative_latents_is_that_of_the_library(page, models, case):
    task, knobs = CASES[case]
    (sample,) = suite.draw(task, 1, 3, **knobs)
    puzzle = sample.puzzle.name
    z = uninformative(sample, symbol_encoder(sample))
    noise = torch.from_numpy(normals(5, 1, z.numel())).view(z.shape)
    estimate = estimate_of(models[puzzle], SymbolBatch([sample], [0]).condition, SCHEDULE)
    ours = estimate(0.7 * z + 0.3 * noise, 0.3).flatten().numpy()
    theirs = page.evaluate(
        """([name, board]) => {
            const sample = sampleOf(board), z = uninformative(sample);
            const noise = normals(5, 1, z.length);
            return passes(estimateOf(name, sample), z, 0.3, 1, () => noise).next().value.join(" ");
        }""",
        [puzzle, web_parity.given(sample)],
    )
    assert np.abs(ours - np.array(theirs.split(), float)).max() < CLOSE


@pytest.mark.parametrize("mode", ["replace", "additive", "level-correct"])
def test_noise_put_in_at_a_step_is_what_the_loop_goes_on_from(page, models, mode):
    (sample,) = suite.draw("latin", 1, 4, order=4, clues=6)
    batch, model, step = SymbolBatch([sample], [0]), models["latin"], 2
    clean, noise = _clean(model, batch), torch.from_numpy(normals(0, 9, 96)).view(1, 6, 1, 4, 4)
    change = Edit(frames=(0,), mode=mode, amplitude=1.0, seed=0)
    with pytest.MonkeyPatch.context() as patch:  # our noise in place of torch's
        patch.setattr(torch, "randn", lambda *_, **__: noise)
        start = change.latents(
            step, clean.latents[step], clean.x0_hats[step - 1], clean.sigmas[step]
        )
    state = State(step, start, sampler_of(SCHEDULE, "sample"))
    with torch.inference_mode():
        ours = denoise(model, batch.condition, SCHEDULE, state).x0_hats[-1].flatten().numpy()
    theirs = page.evaluate(
        """([board, mode]) => {
            const sample = sampleOf(board), grid = schedule(5), eps = normals(0, 9, 96);
            const change = (step, x, x0_hat) =>
                step === 2 ? noised(mode, x, x0_hat, grid.sigmas[2], eps) : x;
            const run = denoise(estimateOf("latin", sample), grid, normals(0, 0, 96), change);
            return [...run].at(-1).x0_hat.join(" ");
        }""",
        [web_parity.given(sample), mode],
    )
    assert np.abs(ours - np.array(theirs.split(), float)).max() < CLOSE


def _clean(model: VideoModel, batch: SymbolBatch):
    noise = torch.from_numpy(normals(0, 0, 96)).view(1, 6, 1, 4, 4)
    with torch.inference_mode():
        state = State(0, noise, sampler_of(SCHEDULE, "sample"))
        return denoise(model, batch.condition, SCHEDULE, state)


# Boards.

KINDS = [
    *[("latin", {"order": 4, "clues": clues}) for clues in (1, 4, 6, 8, 10)],
    *[("latin", {"order": 4, "rounds": rounds}) for rounds in (1, 2, 3)],
    ("latin", {"order": 5, "rounds": 4}),
    *[("relay", {"routes": routes, "moves": moves}) for routes, moves in ((2, 1), (2, 14), (4, 6))],
    *[("relay_end", {"routes": routes, "moves": 6}) for routes in (2, 3, 4)],
]


def kind_of(sample: Sample, task: str, knobs: dict) -> str:
    """The cell of the phase diagram to which a sample belongs."""
    if task != "latin":
        return f"{task} routes={knobs['routes']} moves={knobs['moves']}"
    rounds, log2 = sample.stratum.rounds, sample.stratum.log2
    order = sample.state["order"]
    return f"latin order={order} " + (f"log2={log2}" if rounds is None else f"rounds={rounds}")


def fault(sample: Sample, answer: Answer) -> str | None:
    """The first reason why an answer is not valid."""
    return None if sample.is_valid(answer) else reason(sample, answer)


@pytest.mark.parametrize(("task", "knobs"), KINDS)
def test_boards_are_those_of_the_puzzles(page, task, knobs):
    rng, sample = np.random.default_rng(0), suite.draw_one(task, 0, 1, **knobs)
    answers = sample.solutions.answers
    guesses = [*rng.integers(-1, len(sample.parts[0].values), (3, len(sample.parts)))]
    guesses = [answers[0], answers[-1], *(guess.tolist() for guess in guesses)]
    found = page.evaluate(
        """([board, guesses]) => {
            const sample = sampleOf(board);
            return {...sample, given: [...sample.given],
                wrong: guesses.map(sample.violations), faults: guesses.map(sample.fault),
                truth: [...latentsOf(sample, shown(sample, sample.answers[0]))],
                blank: [...uninformative(sample)]};
        }""",
        [web_parity.given(sample), guesses],
    )
    assert [tuple(a) for a in found["answers"]] == sorted(answers)
    assert found["rounds"] == sample.rounds and found["kind"] == kind_of(sample, task, knobs)
    assert found["wrong"] == [sample.violations(assignment(guess)) for guess in guesses]
    if task != "latin" or len(answers) == 1:
        assert found["faults"] == [fault(sample, assignment(guess)) for guess in guesses]
    first = tuple(found["answers"][0])
    assert found["truth"] == boards([sample], [first]).latents().flatten().tolist()
    assert found["given"] == boards([sample]).board().flatten().tolist()
    blank = uninformative(sample, symbol_encoder(sample)).flatten().numpy()
    assert np.abs(blank - np.array(found["blank"])).max() < 1e-6


@pytest.mark.parametrize(("task", "knobs"), KINDS)
def test_beliefs_and_the_share_of_several_values_are_those_of_the_library(page, task, knobs):
    sample = suite.draw_one(task, 0, 1, **knobs)
    latents = torch.from_numpy(normals(3, 1, boards([sample]).latents().numel())).view(
        boards([sample]).latents().shape
    )
    expected = beliefs(sample, latents)[0].numpy()
    share, shown = page.evaluate(
        """([board, latents]) => {
            const sample = sampleOf(board), beliefs = beliefsOf(sample, latents);
            return [openShare(sample, beliefs), beliefs];
        }""",
        [web_parity.given(sample), latents.flatten().tolist()],
    )
    assert np.abs(np.array(shown) - expected).max() < 1e-6
    possible = decisions.possible(sample)
    open_parts = possible.sum(-1) > 1
    several = decisions.present(expected[None], possible)[0].sum(-1) > 1
    assert share == (several[open_parts].mean() if open_parts.any() else None)


SQUARES = [
    ([[0, 0, -1, -1]] + [[-1] * 4] * 3, "twice in a row"),
    ([[0, 1, 2, -1], [-1] * 3 + [3]] + [[-1] * 4] * 2, "no answer"),
    ([[-1] * 6] * 6, "4 or 5 rows"),
    ([[-1] * 5] * 5, "give 3 to 24 clues"),
    ([[9] * 4] * 4, "no board of 4 rows"),
]
RELAYS = [
    ([[1] * 6] * 6, "off the board"),
    ([[0] * 6] * 6, "without a stop"),
    ([[1, 3, 0, 0, 0, 0]] * 6, "circle"),
    ([[5] * 6] * 6, "a stop already"),
    ([[1] * 4] * 4, "no board of 6 rows"),
]


@pytest.mark.parametrize(
    ("board", "complaint"),
    [({"kind": "latin", "clues": clues}, complaint) for clues, complaint in SQUARES]
    + [
        ({"kind": "relay", "signs": signs, "start": [0, 0], "drawn": True}, complaint)
        for signs, complaint in RELAYS
    ],
)
def test_a_board_that_is_no_puzzle_is_refused_with_a_reason(page, board, complaint):
    told = page.evaluate(
        "(board) => { try { sampleOf(board); } catch (error) { return error.message; } }", board
    )
    assert complaint in told

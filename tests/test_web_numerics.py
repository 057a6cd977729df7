"""The modules of web/ in Chromium give the numbers of the library: noise, schedule, networks,
answers, controls."""

import numpy as np
import pytest
import torch
import web_parity
from web_parity import in_browser, in_torch

from chain_of_steps.common.counter_noise import normals
from chain_of_steps.measures.answers import symbol_encoder, uninformative
from chain_of_steps.measures.batches import SymbolBatch, estimate_of
from chain_of_steps.models.schedule import Schedule, preset
from chain_of_steps.models.symbols import boards
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import latin_squares, suite
from chain_of_steps.puzzles.latin import Latin
from chain_of_steps.sampling.denoise import denoise
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
    assert found["max_latent_difference"] < CLOSE


def test_a_network_of_the_page_has_the_stored_weights(models):
    network = models["latin"].pipe.transformer
    packed, state = web_parity.packed(network), network.state_dict()
    numbers = web_parity.unpacked(packed)
    assert {name: tuple(state[name].shape) for name in numbers} == {
        name: array.shape for name, array in numbers.items()
    }
    assert all(np.array_equal(state[name].numpy(), array) for name, array in numbers.items())
    assert {name.split(".")[3] for name in set(state) - set(numbers) if "attn2" in name} == {
        "to_q",
        "to_k",
        "norm_q",
        "norm_k",
    }


def test_only_symbol_networks_fit_a_page():
    network = training.build(training.SymbolRecipe("latin", 1, width=32))
    network.register_to_config(patch_size=(1, 2, 2))
    with pytest.raises(ValueError, match="symbol networks only"):
        web_parity.packed(network)


# Controls and interventions.


def test_a_pass_on_uninformative_latents_is_that_of_the_library(page, models):
    (sample,) = suite.draw("latin", 1, 3, order=4, clues=6)
    z = uninformative(sample, symbol_encoder(sample))
    noise = torch.from_numpy(normals(5, 1, z.numel())).view(z.shape)
    estimate = estimate_of(models["latin"], SymbolBatch([sample], [0]).condition, SCHEDULE)
    ours = estimate(0.7 * z + 0.3 * noise, 0.3).flatten().numpy()
    theirs = page.evaluate(
        """({clues}) => {
            const z = uninformative(clues), noise = normals(5, 1, z.length);
            return passes(networks.latin, latinBoard(clues), 4, z, 0.3, 1, () => noise)
                .next().value.join(" ");
        }""",
        web_parity.given(sample),
    )
    assert np.abs(ours - np.array(theirs.split(), float)).max() < CLOSE


@pytest.mark.parametrize("mode", ["replace", "level-correct"])
def test_noise_put_in_at_a_step_is_what_the_loop_goes_on_from(page, models, mode):
    (sample,) = suite.draw("latin", 1, 4, order=4, clues=6)
    batch, model, step = SymbolBatch([sample], [0]), models["latin"], 2
    clean, noise = _clean(model, batch), torch.from_numpy(normals(0, 9, 96)).view(1, 6, 1, 4, 4)
    sigma = clean.sigmas[step]
    known = (1.0 - sigma) * clean.x0_hats[step - 1] + sigma * noise
    state = State(step, noise if mode == "replace" else known, sampler_of(SCHEDULE, "sample"))
    with torch.inference_mode():
        ours = denoise(model, batch.condition, SCHEDULE, state).x0_hats[-1].flatten().numpy()
    theirs = page.evaluate(
        """([{clues}, mode]) => {
            const edit = {step: 2, mode, noise: normals(0, 9, 96)};
            const run = denoise(networks.latin, latinBoard(clues), 4, schedule(5),
                normals(0, 0, 96), edit);
            return [...run].at(-1).estimate.join(" ");
        }""",
        [web_parity.given(sample), mode],
    )
    assert np.abs(ours - np.array(theirs.split(), float)).max() < CLOSE


def _clean(model: VideoModel, batch: SymbolBatch):
    noise = torch.from_numpy(normals(0, 0, 96)).view(1, 6, 1, 4, 4)
    with torch.inference_mode():
        state = State(0, noise, sampler_of(SCHEDULE, "sample"))
        return denoise(model, batch.condition, SCHEDULE, state)


# Latin squares.


def test_answers_rounds_and_violations_are_those_of_the_puzzle(page):
    rng, puzzle = np.random.default_rng(0), Latin()
    kinds = [{"clues": c} for c in (1, 4, 6, 8, 10)] + [{"rounds": r} for r in (1, 2, 3)]
    for knobs in kinds:
        sample = suite.draw_one("latin", 0, 1, order=4, **knobs)
        clues = np.array(sample.state["clues"])
        guess = rng.integers(-1, 4, 16).tolist()
        answers, found, wrong, truth = page.evaluate(
            """([{clues}, guess]) => [completions(clues), rounds(clues),
                violations(clues, guess), [...squareLatents(completions(clues)[0])]]""",
            [web_parity.given(sample), guess],
        )
        assert [tuple(a) for a in answers] == sorted(sample.solutions.answers)
        expected = latin_squares.propagate(clues)
        assert found == (None if expected is None else expected.max())
        answer = tuple(None if value < 0 else value for value in guess)
        assert wrong == puzzle.violations(sample, answer)
        assert truth == boards([sample], [tuple(answers[0])]).latents().flatten().tolist()


def test_clues_that_contradict_each_other_have_no_answer(page):
    assert page.evaluate("completions([0, 0, ...Array(14).fill(-1)])") == []
    row = [0, 1, 2, -1, -1, -1, -1, 3]  # 3 is wanted in the last cell of the first row
    assert page.evaluate("(row) => completions([...row, ...Array(8).fill(-1)])", row) == []

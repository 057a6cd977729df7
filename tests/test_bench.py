"""The bench by ground truth: a made-up model draws right, wrong and blurred answers."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from PIL import Image

from chain_of_steps.bench import scores, validation
from chain_of_steps.bench.knobs import read_knobs, word
from chain_of_steps.models.schedule import preset
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import suite
from chain_of_steps.training import model_card

SCHEDULE = preset("mini")
ORDER_4 = {"order": 4, "clues": 6}

CLIP = {"layers": 2, "size": 48, "frames": 9}  # of a record


def right(sample, seed) -> np.ndarray:
    """A clip, (9, 48, 48, 3) uint8, that carries the first valid answer out."""
    return sample.render(size=48)


def frozen(sample, seed) -> np.ndarray:
    first = (sample.first_frame(48) * 255.0 + 0.5).astype(np.uint8)
    return np.repeat(first[None], 9, axis=0)


def blurred(sample, seed) -> np.ndarray:
    """The right answer, each pixel a mean over 3 x 3."""
    clip = right(sample, seed).astype(np.float32)
    for axis in (1, 2):
        clip = np.mean([np.roll(clip, shift, axis) for shift in (-1, 0, 1)], axis=0)
    return clip.astype(np.uint8)


def faint(sample, seed) -> np.ndarray:
    """The right answer at half its opacity."""
    return (0.5 * right(sample, seed) + 0.5 * frozen(sample, seed)).astype(np.uint8)


def wrong(sample, seed) -> np.ndarray:
    """The valid answer with one part changed."""
    first, *others = sample.solutions.answers[0]
    changed = ((first + 1) % len(sample.parts[0].values), *others)
    assert not sample.is_valid(changed)
    return sample.render(changed, size=48)


def by_turns(sample, seed) -> np.ndarray:
    return wrong(sample, seed) if seed % 2 else right(sample, seed)


class MadeUp:
    """A model whose condition is the sample and whose latents are the clip."""

    size, frames, fingerprint = 48, 9, "made up"
    unknown = ""

    def __init__(self, monkeypatch, early, late):
        self.evaluated: list = []
        self.early, self.late = early, late
        monkeypatch.setattr(scores, "generate", self.generate)

    def prepare_sample(self, sample):
        return sample

    def unknown_words(self, prompt):
        return [word for word in prompt.split() if word == self.unknown]

    def generate(self, model, sample, schedule, seed):
        self.evaluated.append((sample, seed))
        middle = np.zeros((9, 48, 48, 3), np.uint8)
        return SimpleNamespace(x0_hats=[self.early(sample, seed), middle, self.late(sample, seed)])

    def decode(self, latents):
        return latents


@pytest.fixture
def judge(monkeypatch):
    """Benches a model that draws `late` in the end and `early` at step 0; returns the report."""

    def run(late, early=frozen, tasks=("latin", "relay"), count=2, **options):
        return scores.bench(MadeUp(monkeypatch, early, late), SCHEDULE, tasks, count, 3, **options)

    return run


def shares(cell: dict) -> tuple:
    return tuple(cell[key]["mean"] for key in scores.SHARES)


@pytest.mark.parametrize("task", suite.TASKS)
def test_a_model_that_is_right_from_the_start_gets_everything(judge, task):
    report = judge(right, right, [task], 1)
    cell = report["by_task"][task]
    assert shares(cell) == (1.0, 1.0, 1.0) and cell["mean"] == cell["solved"] == 1.0
    assert report["overall"] == 1.0 and max(report["floors"].values()) == 0.0


@pytest.mark.parametrize(
    ("task", "drawn"),
    # where drawing nothing is an answer, if a wrong one, a frozen frame shows it legibly
    [
        ("latin", 0.0),
        ("mark", 0.0),
        ("bounce", 0.0),
        ("size_pattern", 0.0),
        ("relay", 1.0),
        ("maze", 1.0),
    ],
)
def test_a_frozen_first_frame_decides_nothing(judge, task, drawn):
    cell = judge(frozen, frozen, [task])["by_task"][task]
    assert shares(cell) == (0.0, drawn, 0.0) and cell["mean"] == cell["solved"] == 0.0


@pytest.mark.parametrize(
    ("draw", "tasks"),
    [(blurred, ("relay", "mark", "bounce")), (faint, ("latin", "mark", "bounce"))],
)
def test_an_illegible_answer_is_decided_but_not_drawn(judge, draw, tasks):
    for cell in judge(draw, draw, tasks)["by_task"].values():
        assert shares(cell) == (1.0, 0.0, 1.0) and cell["solved"] == 0.0


def test_words_that_the_tokenizer_does_not_know_are_named_once(judge, monkeypatch):
    monkeypatch.setattr(MadeUp, "unknown", "rounds")
    with pytest.warns(
        UserWarning, match=r"does not know 'rounds' in the prompts of latin_"
    ) as told:
        judge(right, tasks=["mark", "latin_staged"], count=3)
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judge(right, tasks=["latin"])


def test_unknown_words_are_those_of_the_tokenizer():
    model = VideoModel(tiny.mini_like())
    assert model.unknown_words("mark the red zebra, quickly") == ["zebra,", "quickly"]
    assert model.unknown_words("fill the square in rounds") == []
    model.pipe.tokenizer = None
    assert model.unknown_words("zebra") == []


def test_a_wrong_answer_may_be_drawn(judge):
    for cell in judge(wrong, right)["by_task"].values():
        assert shares(cell) == (0.0, 1.0, 1.0) and cell["mean"] == 0.0


def test_an_answer_that_comes_late_is_not_there_at_step_0(judge):
    for cell in judge(right, wrong)["by_task"].values():
        assert shares(cell) == (1.0, 1.0, 0.0) and cell["solved"] == 1.0


def test_intervals_are_wilsons():
    # 8 of 10, z = 1.96: centre (.8 + z^2 / 20) / (1 + z^2 / 10) = .7167,
    # half width z / (1 + z^2 / 10) * sqrt(.16 / 10 + z^2 / 400) = .2266
    assert scores.share(8, 10) == {"mean": 0.8, "low": 0.4902, "high": 0.9433, "n": 10}
    # none of 5: from 0 to z^2 / (5 + z^2)
    assert scores.share(0, 5) == {"mean": 0.0, "low": 0.0, "high": 0.4345, "n": 5}
    assert scores.share(0, 0) == {"mean": None, "low": None, "high": None, "n": 0}


def test_the_values_of_a_knob_share_out_the_samples(judge):
    report = judge(by_turns, right, ["latin", "maze"], 6)
    for task, knobs in report["by_knob"].items():
        whole = report["by_task"][task]
        assert whole["decided"]["mean"] == 0.5 and "stratum" in knobs
        for values in knobs.values():
            assert sum(cell["decided"]["n"] for cell in values.values()) == whole["n"] == 6
            hits = [cell["decided"]["mean"] * cell["decided"]["n"] for cell in values.values()]
            assert sum(hits) == pytest.approx(3, abs=1e-3)
            assert all(cell["at_step_0"]["mean"] == 1.0 for cell in values.values())


def test_values_of_knobs_are_words_in_the_order_of_numbers():
    words = ["unique/search", "10", "several/more", "9", "unique/2", "several/3", "unique/10"]
    ordered = ["9", "10", "several/3", "several/more", "unique/2", "unique/10", "unique/search"]
    results = [dict.fromkeys(("score", *scores.SHARES), 1) | {"knobs": {"x": w}} for w in words]
    assert list(scores._by_knob(results)["x"]) == ordered
    assert [word(v) for v in (True, np.False_, 4, "rows")] == ["true", "false", "4", "rows"]


def test_samples_and_noise_are_those_of_seed_split_and_knobs(monkeypatch):
    model = MadeUp(monkeypatch, frozen, right)
    report = scores.bench(model, SCHEDULE, ["latin"], 2, 3, "validation", ORDER_4)
    expected = suite.draw("latin", 2, 3, "validation", **ORDER_4)
    assert [sample.key for sample, _ in model.evaluated] == [sample.key for sample in expected]
    assert [seed for _, seed in model.evaluated] == [3_000_000, 3_000_001]
    assert report["split"] == "validation" and report["knobs"] == ORDER_4
    assert list(report["by_knob"]["latin"]["clues"]) == ["6"]
    assert json.loads(json.dumps(report)) == report


def test_means_are_by_domain_and_category(judge):
    report = judge(right, tasks=["latin", "latin_6", "maze"], count=1)
    assert report["in_domain"] == report["out_of_domain"] == 1.0
    inside, outside = (report["by_category"][name] for name in ("in_domain", "out_of_domain"))
    assert set(inside) == set(outside) == set(suite.CATEGORIES)
    assert inside["Abstraction"] == inside["Spatiality"] == outside["Abstraction"] == 1.0
    assert inside["Knowledge"] is None and outside["Spatiality"] is None
    assert judge(right, tasks=["maze"], count=1)["out_of_domain"] is None


def test_the_table_has_a_line_for_each_task_and_value(judge):
    report = judge(by_turns, right, ["latin", "relay"], 4)
    lines = scores.table(report).splitlines()
    wide = lines[: lines.index("")]
    assert " ".join(wide[0].split()) == "task n decided drawn at step 0 score"
    assert len({len(line) for line in wide}) == 1 and len(wide[0]) <= 80
    expected = "latin 4 0.50 [0.15, 0.85] 1.00 1.00 [0.51, 1.00] 0.50"
    assert expected in [" ".join(line.split()) for line in wide]
    for knob, values in report["by_knob"]["latin"].items():
        shown = [line for line in wide if line.strip().startswith(f"{knob}=")]
        assert len(shown) >= len(values) if len(values) > 1 else not shown, knob
    assert lines[-1] == "score overall 0.50; floors: frozen first frame 0.00, noise 0.00"


@pytest.mark.parametrize(
    ("task", "text", "knobs"),
    [
        ("latin", "order=4,clues=6", {"order": 4, "clues": 6}),
        ("latin", "order=4, rounds=any", {"order": 4, "rounds": "any"}),
        ("rotate", "direction=true", {"direction": True}),
        ("size_pattern", "rule=rows", {"rule": "rows"}),
    ],
)
def test_knobs_are_numbers_words_true_or_false(task, text, knobs):
    read = read_knobs(text, task, seed=0)
    assert read == knobs and list(map(type, read.values())) == list(map(type, knobs.values()))


@pytest.mark.parametrize(
    ("task", "text", "sentence"),
    [
        ("chess", "order=4", "unknown task 'chess'; expected one of latin, "),
        ("latin", "order", "'order' fixes no knob; write for example order=4,clues=6"),
        (
            "latin",
            "a=1",
            "'a' of task 'latin'; expected one of order, clues, rounds, log2, staged$",
        ),
        ("relay", "drawn=false", "'drawn' of task 'relay'; expected one of routes, moves$"),
        ("occlusion", "a=1", "unknown knob 'a' of task 'occlusion'; it has none"),
        ("latin", "order=true", "'order' of task 'latin' is 'true'; expected a whole number$"),
        ("latin", "rounds=true", "expected a whole number or a word$"),
        ("latin", "staged=1", "expected true or false$"),
        ("latin", "order=9", "order is 9; expected one of 4, 5, 6"),
        ("latin", "order=4,clues=99", "clues is 99; expected 0 to 15"),
        ("bounce", "walls=9", "walls: expected 0 to 4, got 9"),
    ],
)
def test_a_wrong_knob_is_refused(task, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_knobs(text, task, seed=0)


def test_a_model_card_lists_the_scores_after_the_last_session(tmp_path, monkeypatch):
    monkeypatch.setattr(validation, "SCORED", 4)
    monkeypatch.setattr(
        validation.VideoModel, "load", lambda folder: MadeUp(monkeypatch, wrong, by_turns)
    )
    monkeypatch.setattr(validation.suite, "task_names", lambda domain: ["latin", "relay", "maze"])
    model_card.record(tmp_path, CLIP, {"to_step": 100, "clips": 3200}, validation.scores)
    scores = json.loads((tmp_path / "training.json").read_text())["sessions"][-1]["scores"]
    assert (scores["split"], scores["n"], scores["seed"]) == ("validation", 4, validation.SEED)
    assert scores["decided"] == dict.fromkeys(("latin", "relay", "maze"), 0.5)
    assert scores["drawn"]["maze"] == 1.0 and scores["at_step_0"]["maze"] == 0.0
    assert {name: tuple(knobs) for name, knobs in scores["by_knob"].items()} == {
        n: k for n, k in validation.WATCHED.items() if n != "latin_small"
    }
    model_card.write_card(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert (
        "| maze | 0.50 | 0.15 to 0.85 | 1.00 | 0.00 |" in card and "100 steps, 3200 clips" in card
    )


def test_the_example_is_the_given_frame_of_a_square(tmp_path):
    model_card.write_example(tmp_path)
    sample = suite.draw_one("latin", 0, 0, order=4, clues=8)
    pixels = np.asarray(Image.open(tmp_path / "example.png"))
    assert pixels.shape == (48, 48, 3)
    assert np.abs(pixels / 255.0 - sample.first_frame()).max() < 0.003

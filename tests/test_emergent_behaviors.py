"""Working memory, mistakes and onsets: runs against known networks, statistics against cases worked
out by hand."""

import json
from dataclasses import replace
from pathlib import Path

import listed
import nbformat
import numpy as np
import papermill
import pytest
import tiny
import torch
from scales import scales_of

from chain_of_steps.bench import samples
from chain_of_steps.experiments.store import as_stored
from chain_of_steps.figures.emergent_behaviors import analysis, onset_analysis, onsets, plots
from chain_of_steps.figures.emergent_behaviors.curves import of_means
from chain_of_steps.figures.emergent_behaviors.memory import WorkingMemory
from chain_of_steps.figures.emergent_behaviors.mistakes import MistakeRun, Mistakes
from chain_of_steps.figures.emergent_behaviors.onsets import (
    SOURCES,
    OnsetRun,
    Onsets,
    concordance,
    labels_of,
    thing_places,
)
from chain_of_steps.figures.emergent_behaviors.revisions import revisions_at
from chain_of_steps.figures.emergent_behaviors.runs import EXPERIMENTS
from chain_of_steps.figures.emergent_behaviors.wrong_parts import (
    KINDS,
    NAMES,
    WRONG,
    Mistake,
    another_square,
    mistakes_of,
)
from chain_of_steps.measures import decisions, traces
from chain_of_steps.measures.answers import symbol_encoder
from chain_of_steps.measures.intervals import difference, proportion
from chain_of_steps.measures.linear_probes import held_out_scores
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.symbols import SymbolPipeline
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import reading
from chain_of_steps.puzzles.latin_squares import repeats
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import Drop, NoiseAtFrame
from chain_of_steps.sampling.sites import Captured
from chain_of_steps.training import symbols as training

ROOT = Path(__file__).parent.parent
NAME = "3_emergent_behaviors"
SCHEDULE = Schedule("test", "euler", 4, shift=3.0)
LATIN, SEVERAL = "latin order=4 rounds=3", "latin order=4 log2=3"
MARK, NAMED = "mark named=false answers=3", "mark named=true answers=1"


@pytest.fixture(scope="module")
def pictures():
    return VideoModel(tiny.mini_like(), frames=5)


@pytest.fixture
def symbols():
    network = training.build(training.SymbolRecipe("latin", 2, width=32))
    torch.manual_seed(5)
    torch.nn.init.normal_(network.proj_out.weight, std=0.3)  # untrained, it predicts 0
    return VideoModel(SymbolPipeline(network, SCHEDULE.scheduler("sample")), size=1, frames=1)


# Working memory: the runs.


def test_the_given_frame_is_dropped_where_the_design_says(pictures):
    runs = WorkingMemory(pictures, SCHEDULE).plan({"occlusion": 2, LATIN: 1}, 3, suite_seed=7)
    assert [(r.cell, r.index, r.seed) for r in runs[:: len(runs) // 3]] == [
        ("occlusion", 0, 0),
        ("occlusion", 1, 1),
        (LATIN, 0, 0),
    ]
    noise = NoiseAtFrame(0, steps=(2, 3), seed=1)  # of sample 1, from half of four steps on
    assert [(r.design, r.interventions) for r in runs if r.index == 1] == [
        ("clean", ()),
        *(("dropped", (Drop(s),)) for s in (0, 1, 2, 3)),  # every third, a fifth and a half
        *(("restored", (Drop(until=s),)) for s in (1, 2)),
        ("noised", (noise,)),
        ("erased", (noise, Drop(2))),
    ]


def test_one_frame_of_symbols_is_never_erased(symbols):
    runs = WorkingMemory(symbols, SCHEDULE).plan({LATIN: 1}, 2, suite_seed=7)
    assert {run.design for run in runs} == {"clean", "dropped", "restored"}


def test_a_network_that_ignores_the_given_frame_loses_nothing(pictures, monkeypatch):
    """And what is dropped is the given frame, not the prompt."""
    asked = []

    def without(condition, given, prompt):
        asked.append((given, prompt))
        return condition

    monkeypatch.setattr(pictures, "without", without)
    experiment = WorkingMemory(pictures, SCHEDULE)
    runs = experiment.plan({"mark named=false answers=2": 1}, 1, suite_seed=7)
    rows = dict(experiment.results(runs))
    scores = {run.design: result for run, result in rows.items()}
    clean = rows[runs[0]]
    assert all(rows[run] == clean for run in runs if run.design in ("dropped", "restored"))
    assert scores["erased"] == scores["noised"]
    assert set(asked) == {(True, False)}


def test_what_is_dropped_changes_the_latents_from_that_step_on(pictures):
    sample = samples.draw_one("occlusion", 0, 7)
    condition = pictures.prepare_sample(sample)
    clean, dropped = (
        generate(pictures, condition, SCHEDULE, 0, interventions=change)
        for change in ((), (Drop(2),))
    )
    same = [torch.equal(a, b) for a, b in zip(clean.x0_hats, dropped.x0_hats, strict=True)]
    assert same == [True, True, False, False]


@pytest.mark.parametrize("kind", [WorkingMemory, Mistakes])
def test_rows_are_the_same_alone_and_cost_what_was_said(pictures, kind):
    experiment, made = kind(pictures, SCHEDULE), []
    more = {"step_stride": 2} if kind is WorkingMemory else {"steps": [1, 3]}
    runs = experiment.plan({LATIN: 1}, suite_seed=7, **more)
    results = dict(experiment.results(runs, count=lambda: made.append(1)))
    assert list(results) and set(results) == set(runs)
    assert len(made) == experiment.evaluations(runs)
    for run in (runs[0], runs[-1]):
        alone = experiment.measure(experiment.identity(run))
        assert alone == as_stored(results[run])


def test_memory_costs_what_its_runs_do_not_share(pictures):
    runs = WorkingMemory(pictures, SCHEDULE).plan({"occlusion": 1}, 2, suite_seed=7)
    # clean 4; dropped from 0, 1, 2: 4 + 3 + 2; restored at 1, 2: 3 + 2; noised and erased: 2 + 2
    assert WorkingMemory(pictures, SCHEDULE).evaluations(runs) == 4 + 9 + 5 + 4


def test_the_paper_s_tasks_are_shown(pictures, tmp_path):
    experiment = WorkingMemory(pictures, SCHEDULE)
    runs = experiment.plan({"occlusion": 2, LATIN: 1}, 2, suite_seed=7)
    telling = {"clean": (True, True), "never": (True, False)}  # valid, of samples 0 and 1
    rows = []
    for run in runs:
        never = run.design == "dropped" and run.interventions[0].step == 0
        valid = telling["never" if never else "clean"][run.index]
        rows.append({"run": experiment.identity(run), "result": {"valid": valid}})
    cases = experiment.showcase(rows, tmp_path)
    assert [case.label for case in cases] == [
        "occlusion\nclean",
        "dropped\nfrom step 1",
        "never\ngiven",
    ]
    assert all(case.sample.key == samples.draw_one("occlusion", 1, 7).key for case in cases)
    assert cases[0].clips.shape == (4, 5, 48, 48, 3)
    first = [np.array_equal(cases[0].clips[0], case.clips[0]) for case in cases]
    assert first == [True, True, False], "until step 1 the second is the clean run"
    again = experiment.showcase(rows, tmp_path)
    assert all(np.array_equal(a.clips, b.clips) for a, b in zip(cases, again, strict=True))


# Working memory: the numbers.


def memory_rows(table: dict[tuple[str, int], list[int]], cell: str = "occlusion") -> list[dict]:
    """Rows with the given validity by design and step, samples in reverse order."""
    rows = []
    for (design, step), values in table.items():
        change = {
            "clean": [],
            "dropped": [{"kind": "Drop", "step": step, "until": None}],
            "restored": [{"kind": "Drop", "step": 0, "until": step}],
            "noised": [{"kind": "NoiseAtFrame", "steps": [step, step + 1]}],
            "erased": [{"kind": "NoiseAtFrame", "steps": [step, step + 1]}, {"kind": "Drop"}],
        }[design]
        for i, valid in reversed(list(enumerate(values))):
            run = {"cell": cell, "index": i, "suite_seed": 7, "split": "test", "seed": i}
            run |= {"design": design, "interventions": change}
            result = {"valid": bool(valid), "sample": {"cluster": f"state {i}"}}
            rows.append({"run": run, "result": result})
    return rows


def test_losses_are_paired_by_sample():
    ten = np.arange(10)
    table = {
        ("clean", 0): ten < 8,
        ("dropped", 0): ten >= 8,  # right just where the clean run is wrong
        ("dropped", 2): ten < 2,
        ("dropped", 5): ten < 6,
        ("restored", 2): ten < 7,
        ("noised", 5): ten < 5,
        ("erased", 5): ten < 1,
    }
    sigmas = np.linspace(1, 0, 11).tolist()  # ten steps: a fifth is 2, half is 5
    found = analysis.memory_of(memory_rows(table), sigmas)["occlusion"]
    assert found["clean"]["mean"] == 0.8 and found["dropped_at_0"]["mean"] == 0.2
    assert {s: v["mean"] for s, v in found["dropped_at"].items()} == {"0": 0.2, "2": 0.2, "5": 0.6}
    assert {s: v["mean"] for s, v in found["restored_at"].items()} == {"2": 0.7}
    assert found["kept_from_half"]["mean"] == pytest.approx(0.2)
    assert found["kept_from_fifth"]["mean"] == pytest.approx(0.6)
    assert (found["noised"]["mean"], found["erased"]["mean"]) == (0.5, 0.1)
    assert found["lost_elsewhere"]["mean"] == pytest.approx(0.4)
    assert all(found[name]["n"] == 10 for name in ("clean", "kept_from_half", "lost_elsewhere"))
    assert found["kept_from_fifth"] == difference(ten < 8, ten < 2)
    assert found["memory_sigma"]["n"] == 0, "that the frame is missed is not certain here"


def curve(*losses: float, n: int = 40) -> dict[int, np.ndarray]:
    """Validity by step of n runs of which the clean ones are all right."""
    return {s: np.arange(n) >= round(loss * n) for s, loss in enumerate(losses)}


@pytest.mark.parametrize(
    ("losses", "sigma"),
    [
        ((0.8, 0.7, 0.3, 0.1), 0.6),  # step 2 is the first below .4
        ((0.8, 0.3, 0.7, 0.1), 0.4),  # step 1 does not last
        ((0.8, 0.4, 0.1, 0.0), 0.6),  # half is not below half
        ((0.8, 0.8, 0.8, 0.7), 0.0),  # needed up to the last step that was tried
    ],
)
def test_the_level_from_which_on_the_frame_can_be_dropped(losses, sigma):
    sigmas = [1.0, 0.8, 0.6, 0.4, 0.2]
    clean = np.ones(40, bool)
    found = analysis.memory_sigma(clean, curve(*losses), sigmas, None)
    assert found["mean"] == sigma and found["low"] <= sigma <= found["high"] and found["n"] == 40


def test_a_frame_that_is_not_missed_has_no_such_level():
    clean = np.ones(40, bool)
    found = analysis.memory_sigma(clean, curve(0.02, 0.0), [1.0, 0.5, 0.0], None)
    assert found["n"] == 0 and found["mean"] is None


def test_statistics_of_curves_draw_whole_clusters():
    values = np.array([[0.0] * 20 + [1.0] * 20])  # (1 step, 40 samples)

    def width(groups):
        found = of_means(lambda c: c[:, 0], [values], groups)
        assert found["mean"] == 0.5 and found["n"] == 40
        return found["high"] - found["low"]

    assert width([i // 10 for i in range(40)]) > 1.5 * width(None)
    with_gap = of_means(lambda c: c[:, 0], [np.where(values > 0, values, np.nan)], None)
    assert (with_gap["mean"], with_gap["n"]) == (1.0, 20)


# Mistakes.


@pytest.mark.parametrize("cell", [LATIN, SEVERAL, "latin order=4 rounds=1"])
def test_mistakes_are_what_they_are_called(cell):
    seen = 0
    for index in range(8):
        sample = samples.draw_one(cell, index, 1007, "validation")
        found = mistakes_of(sample, np.random.default_rng(index))
        assert found == mistakes_of(sample, np.random.default_rng(index))
        if found is None:
            continue
        seen += 1
        assert tuple(found) == KINDS
        right, (part,) = np.array(sample.solutions.answers[0]), found["control"].parts
        assert found["control"].answer == tuple(right)
        clues, (row, column) = np.array(sample.state["clues"]), divmod(part, 4)
        line = {*clues[row].tolist(), *clues[:, column].tolist()}
        assert clues[row, column] < 0, "clues are left alone"
        for kind in ("visible", "inferable"):
            assert found[kind].parts == (part,)
            assert np.flatnonzero(np.array(found[kind].answer) != right).tolist() == [part]
        visible, inferable = (found[kind].answer[part] for kind in ("visible", "inferable"))
        assert visible in line and inferable not in line
        values = {answer[part] for answer in sample.solutions.answers}
        assert not values & {visible, inferable}, "no valid answer has them"
        answer, given = np.array(found["consistent"].answer), clues.ravel() >= 0
        against = np.flatnonzero(given & (answer != clues.ravel()))
        assert found["consistent"].parts == tuple(against) and len(against) > 0
        assert not sample.is_valid(tuple(answer)) and repeats(answer.reshape(4, 4)) == 0
    assert seen >= 3


def test_a_consistent_mistake_contradicts_as_few_clues_as_possible():
    """A lone clue can be contradicted alone; in a row of four clues two values must trade."""
    empty = np.full((4, 4), -1)
    one, row = empty.copy(), empty.copy()
    one[1, 2], row[0] = 3, [0, 1, 2, 3]
    drawn = [another_square(one, np.random.default_rng(i)) for i in range(20)]
    assert {found.parts for found in drawn} == {(6,)}
    assert {found.answer[6] for found in drawn} == {0, 1, 2}, "any other value, at random"
    drawn = [another_square(row, np.random.default_rng(i)) for i in range(40)]
    assert {len(found.parts) for found in drawn} == {2}
    assert len({found.parts for found in drawn}) == 6, "any two of the four"
    for answer, parts in drawn:
        square = np.array(answer).reshape(4, 4)
        assert repeats(square) == 0
        assert np.flatnonzero(square[0] != row[0]).tolist() == list(parts)


def test_a_board_on_which_nothing_is_to_be_deduced_takes_no_mistake():
    sample = samples.draw_one("latin order=4 log2=9", 0, 7)  # no clue: nothing is visible
    assert mistakes_of(sample, np.random.default_rng(0)) is None


def test_an_order_whose_squares_are_not_listed_takes_no_mistake():
    sample = samples.draw_one("latin order=6 rounds=2", 0, 7)
    assert mistakes_of(sample, np.random.default_rng(0)) is None


def of_kind(experiment: Mistakes, kind: str, step: int, cell: str = LATIN) -> MistakeRun:
    runs = experiment.plan({cell: 1}, [step], suite_seed=7)
    return next(run for run in runs if run.design == kind)


def test_all_kinds_start_from_the_same_noise_at_the_right_level(symbols):
    experiment, step = Mistakes(symbols, SCHEDULE), 2
    sample, sigma = samples.draw_one(LATIN, 0, 7), SCHEDULE.sigmas[2]
    noises = []
    for kind in KINDS:
        mistake, state = experiment.start(of_kind(experiment, kind, step))
        z = symbol_encoder(sample)(mistake.answer)
        assert state.step == step
        noises.append((state.latents - (1 - sigma) * z) / sigma)
    assert all(torch.allclose(noise, noises[0], atol=1e-5) for noise in noises)
    assert abs(float(noises[0].std()) - 1) < 0.3
    _, other = experiment.start(replace(of_kind(experiment, "control", step), index=1, seed=1))
    assert not torch.allclose(other.latents, state.latents)


def test_pictures_start_from_the_encoded_clip(pictures):
    """Of a consistent mistake too, with the given frame as it is in frame 0."""
    experiment = Mistakes(pictures, SCHEDULE)
    sample, sigma = samples.draw_one(LATIN, 0, 7), SCHEDULE.sigmas[3]
    control, state = experiment.start(of_kind(experiment, "control", 3))
    right = sample.render(control.answer, 48, 5)
    for kind in ("visible", "consistent"):
        mistake, other = experiment.start(of_kind(experiment, kind, 3))
        clip = sample.render(mistake.answer, 48, 5)
        assert np.array_equal(clip[0], right[0]) == (kind == "visible")
        clip[0] = right[0]
        change = (1 - sigma) * (pictures.encode(clip) - pictures.encode(right))
        assert torch.allclose(other.latents - state.latents, change, atol=1e-4)
        assert not change[:, :, 0].any() and change[:, :, -1].any()


def predicting(model: VideoModel, monkeypatch, answers: list):
    """Makes a network predict these answers, one after the other, the last one from then on."""
    sample, left = samples.draw_one(LATIN, 0, 7), list(answers)

    def predict(x, *arguments, **options):
        answer = left.pop(0) if len(left) > 1 else left[0]
        return symbol_encoder(sample)(answer)

    monkeypatch.setattr(model, "predict", predict)


@pytest.mark.parametrize(
    ("then", "kind", "expected"),
    [
        (["control"], "visible", (True, True, False, True)),
        (["inferable"], "inferable", (False, False, True, False)),
        (["visible", "control"], "visible", (False, True, False, True)),  # the steps repair it
        (["control", "visible"], "visible", (True, False, True, False)),
        (["inferable"], "visible", (False, False, False, False)),  # another wrong value
        (["control"], "control", (True, True, True, True)),
        (["consistent"], "consistent", (False, False, True, False)),
        (["consistent", "control"], "consistent", (False, True, False, True)),
        (["visible"], "consistent", (False, False, False, False)),  # the clues, but no square
    ],
)
def test_recovery_is_read_off_what_the_network_does(symbols, monkeypatch, then, kind, expected):
    experiment, sample = Mistakes(symbols, SCHEDULE), samples.draw_one(LATIN, 0, 7)
    run = of_kind(experiment, kind, 1)
    found = mistakes_of(sample, np.random.default_rng([7, 0]))
    predicting(symbols, monkeypatch, [found[name].answer for name in then])
    ((_, result),) = experiment.results([run])
    assert result["parts"] == list(found[kind].parts)
    found = (result["at_once"], result["recovered"], result["kept"], result["valid"])
    assert found == expected


def test_a_mistake_is_readable_where_the_noise_leaves_it(symbols):
    experiment = Mistakes(symbols, Schedule("test", "euler", 50, shift=5.0))
    runs = experiment.plan({LATIN: 12}, [1, 49], suite_seed=7)
    read: dict = {(kind, step): [] for kind in WRONG for step in (1, 49)}
    for run, result in experiment.results([r for r in runs if r.design in WRONG]):
        read[run.design, run.step].append(result["readable"])
    for kind in WRONG:
        assert np.mean(read[kind, 49]) == 1.0 and np.mean(read[kind, 1]) < 0.8


def test_all_wrong_parts_must_be_readable_and_be_put_right(symbols, monkeypatch):
    """A square that contradicts two clues is put in, and the run puts one of them right."""
    experiment, sample = Mistakes(symbols, SCHEDULE), samples.draw_one(LATIN, 0, 7)
    right = sample.solutions.answers[0]
    clues = np.flatnonzero(np.ravel(sample.state["clues"]) >= 0)[:2]
    both = list(right)
    for part in clues:
        both[part] = (right[part] + 1) % 4
    one = [right[i] if i == clues[0] else value for i, value in enumerate(both)]
    mistake = Mistake(tuple(both), tuple(map(int, clues)))
    monkeypatch.setattr(experiment, "_mistakes", lambda run: dict.fromkeys(KINDS, mistake))
    for kind in ("visible", "consistent"):
        predicting(symbols, monkeypatch, [tuple(one)])
        ((_, result),) = experiment.results([of_kind(experiment, kind, 3)])
        assert not result["recovered"] and not result["kept"]


def test_with_several_answers_any_valid_one_is_a_recovery(symbols, monkeypatch):
    indices = range(8)
    cases = [samples.draw_one(SEVERAL, i, 7) for i in indices]
    index = next(
        i
        for i, s in zip(indices, cases, strict=True)
        if mistakes_of(s, np.random.default_rng([7, i]))
    )
    sample, experiment = cases[index], Mistakes(symbols, SCHEDULE)
    runs = experiment.plan({SEVERAL: index + 1}, [2], suite_seed=7)
    run = next(r for r in runs if r.index == index and r.design == "visible")
    mistake, _ = experiment.start(run)
    another = next(a for a in sample.solutions.answers if a != sample.solutions.answers[0])
    wrong_elsewhere = list(sample.solutions.answers[0])
    elsewhere = (mistake.parts[0] + 1) % 16
    wrong_elsewhere[elsewhere] = (wrong_elsewhere[elsewhere] + 1) % 4
    for answer, recovered in ((another, True), (tuple(wrong_elsewhere), False)):
        monkeypatch.setattr(
            symbols, "predict", lambda *a, answer=answer, **o: symbol_encoder(sample)(answer)
        )
        ((_, result),) = experiment.results([run])
        assert (result["at_once"], result["recovered"]) == (recovered, recovered)


def test_mistakes_are_put_where_they_can_be(pictures, symbols):
    with pytest.raises(ValueError, match="Latin squares only"):
        Mistakes(pictures, SCHEDULE).plan({"occlusion": 1}, [1], suite_seed=7)
    with pytest.raises(ValueError, match="expected 0 to 3"):
        Mistakes(pictures, SCHEDULE).plan({LATIN: 1}, [4], suite_seed=7)
    experiment = Mistakes(symbols, SCHEDULE)
    runs = experiment.plan({"latin order=4 log2=9": 1}, [1], suite_seed=7)
    unread = [result for run, result in experiment.results(runs) if run.design != "clean"]
    assert len(unread) == 4 and all(result["valid"] is None for result in unread)
    assert all("recovered" not in result for result in unread)


def test_repairs_are_shown_one_that_was_and_one_that_was_not(pictures, tmp_path):
    experiment = Mistakes(pictures, SCHEDULE)
    runs = experiment.plan({LATIN: 3, SEVERAL: 1}, [1, 2, 3], suite_seed=7)
    rows = [
        {
            "run": experiment.identity(run),
            "result": {"valid": True, "recovered": run.design == "visible" and run.index != 1},
        }
        for run in runs
        if (run.cell, run.index) != (LATIN, 0)  # sample 0 comes last
    ]
    shown = experiment.showcase(rows, tmp_path)
    expected = [("visible", "repaired"), *((kind, "not repaired") for kind in WRONG)]
    labels = [case.label.replace("\n", " ") for case in shown]
    assert labels == [f"{NAMES[kind]}, {became}" for kind, became in expected]
    for case, index, (kind, _) in zip(shown, (2, 1, 1, 1), expected, strict=True):
        sample = samples.draw_one(LATIN, index, 7)
        assert case.sample.key == sample.key
        mistake = mistakes_of(sample, np.random.default_rng([7, index]))[kind]
        assert case.step == 2 and case.clips.shape == (2, 5, 48, 48, 3)
        rows, columns = np.divmod(mistake.parts, 4)
        changed = case.changed.reshape(6, 8, 6, 8).any((1, 3))[1:5, 1:5]  # a margin of one cell
        assert np.argwhere(changed).tolist() == np.stack([rows, columns], 1).tolist()
        assert reading.decided(sample, case.start) == mistake.answer
    assert experiment.showcase([], tmp_path) == []


# Revisions.


def test_revisions_are_dated_by_the_step_that_holds_the_new_value_first():
    right = np.array([1, 1, 0])
    held = np.array([[0, 1, -1], [-1, 1, 2], [1, 2, 1], [1, 1, 1], [1, 1, 0]])
    assert revisions_at(held, right) == {
        "wrong_to_right": [0, 0, 1, 1, 1],
        "right_to_wrong": [0, 0, 1, 0, 0],
        "wrong_to_wrong": [0, 0, 1, 0, 0],
    }


def test_revisions_by_step_are_those_of_the_definition():
    rng, total = np.random.default_rng(3), 0
    for _ in range(20):
        beliefs, right = rng.uniform(0.1, 1.0, (12, 5, 3)), rng.integers(0, 3, 5)
        held = decisions.held(beliefs, 0.2)
        found, expected = revisions_at(held, right), decisions.changes(held, right)
        assert {kind: sum(values) for kind, values in found.items()} == expected._asdict()
        total += sum(expected)
    assert total > 100


def test_a_clean_row_has_the_revisions_of_its_run(symbols):
    experiment = Mistakes(symbols, SCHEDULE)
    (run, *_) = experiment.plan({SEVERAL: 1}, [1], suite_seed=7)
    ((_, result),) = experiment.results([run])
    held, decided = (traces.decoded(result[name]) for name in ("held", "decided"))
    right = decisions.reference_answer(samples.draw_one(SEVERAL, 0, 7), decided)
    assert result["revisions"] == revisions_at(held, right)
    assert len(result["revisions"]["wrong_to_right"]) == 4


# Mistakes: the numbers.


def mistake_rows(table: dict[tuple[str, int], list[str]]) -> list[dict]:
    """Rows of samples by design and step. Letters: r readable, a right at once, e right in the end,
    v the whole answer is valid."""
    rows = []
    for (design, step), values in table.items():
        for i, letters in enumerate(values):
            run = {"cell": LATIN, "index": i, "suite_seed": 7, "split": "test", "seed": i}
            result = {"valid": "v" in letters, "sample": {"cluster": f"state {i // 2}"}}
            if design == "clean":
                revised = {"wrong_to_right": [i, 1], "right_to_wrong": [0, 1]}
                result |= {"revisions": revised | {"wrong_to_wrong": [0, 0]}}
            else:
                result |= {"readable": "r" in letters, "at_once": "a" in letters}
                result |= {"recovered": "e" in letters, "kept": "e" not in letters}
            rows.append({"run": run | {"design": design, "step": step}, "result": result})
    return rows


def test_recovery_is_counted_by_kind_and_step():
    rows = mistake_rows(
        {
            ("clean", 0): ["v", "v", "", ""],
            ("control", 4): ["rev", "rev", "rev", "re"],
            ("visible", 4): ["rev", "ae", "rae", "r"],
            ("visible", 8): ["r", "ra", "re", "e"],  # the second was right at first only
            ("inferable", 4): ["ae", "rae", "ae", "e"],  # never both readable and left
            ("inferable", 8): ["re", "re", "re", "r"],
            ("consistent", 8): ["rev", "r", "", "r"],
        }
    )
    unread = {"valid": None, "answer": None, "score": None, "sample": {"cluster": "state 9"}}
    rows.append({"run": rows[-1]["run"] | {"index": 9}, "result": unread})
    found = analysis.mistakes_of(rows)[LATIN]

    def values(name: str, kind: str) -> dict:
        return {step: (value["mean"], value["n"]) for step, value in found[name][kind].items()}

    assert values("recovered", "visible") == {"4": (0.75, 4), "8": (0.5, 4)}
    assert values("at_once", "visible") == {"4": (0.5, 4), "8": (0.25, 4)}
    assert values("readable", "visible") == {"4": (0.75, 4), "8": (0.75, 4)}
    assert values("kept", "visible") == {"4": (0.25, 4), "8": (0.5, 4)}
    assert values("repaired", "visible") == {"4": (0.5, 2), "8": (0.5, 2)}
    assert values("repaired", "inferable") == {"4": (None, 0), "8": (0.75, 4)}
    assert values("repaired", "consistent") == {"8": (0.3333, 3)}
    assert values("recovered", "consistent") == {"8": (0.25, 4)}, "the unread one is left out"
    assert values("recovered", "control") == {"4": (1.0, 4)}
    assert values("valid", "control") == {"4": (0.75, 4)}
    assert set(found["repaired"]) == set(WRONG)
    assert found["unaided"]["mean"] == 0.5
    assert found["wrong_to_right"]["mean"] == 2.5  # (1 + 2 + 3 + 4) / 4
    assert found["right_to_wrong"]["mean"] == 1.0
    assert found["revisions"]["wrong_to_right"] == [1.5, 1.0]


def test_repair_is_counted_over_samples_in_clusters():
    """Ten samples are two times five states: the interval is wider than of ten states."""
    table = {("clean", 0): ["v"] * 10} | {(k, 8): ["re", "re", "r", "r", "re"] * 2 for k in KINDS}
    rows = mistake_rows(table)
    found = analysis.mistakes_of(rows)[LATIN]["repaired"]["visible"]["8"]
    hits = np.array([1, 1, 0, 0, 1] * 2)
    assert found == proportion(hits, [i // 2 for i in range(10)])
    assert found["n"] == 10 and found["low"] < proportion(hits)["low"]


# Onsets: places, labels, scores.


def test_a_thing_s_place_is_the_four_tokens_around_it():
    sample = samples.draw_one(MARK, 0, 7)
    places = thing_places(sample, 48, 8)
    assert places.shape == (len(sample.state["things"]), 36)
    for weights, (*_, x, y) in zip(places, sample.state["things"], strict=True):
        tokens = [(y - 1) * 6 + x - 1, (y - 1) * 6 + x, y * 6 + x - 1, y * 6 + x]
        assert np.flatnonzero(weights).tolist() == tokens and np.allclose(weights[tokens], 0.25)


def test_perception_and_action_are_different_labels():
    sample = samples.draw_one(MARK, 0, 7)
    fits = [a[0] for a in sample.solutions.answers]
    marked, others = fits[1], [i for i in range(len(sample.state["things"])) if i not in fits]
    perception, action = (labels_of(sample, marked, q) for q in ("perception", "action"))
    assert np.flatnonzero(perception == 1).tolist() == fits and (perception[others] == 0).all()
    assert action[marked] == 1 and (action[[fits[0], fits[2]]] == 0).all()
    assert np.isnan(action[others]).all()
    for nothing in (-1, others[0]):
        assert all(np.isnan(labels_of(sample, nothing, q)).all() for q in ("perception", "action"))


def test_where_one_thing_fits_the_labels_are_the_same():
    sample = samples.draw_one(NAMED, 0, 7)
    ((right,),) = sample.solutions.answers
    perception, action = (labels_of(sample, right, q) for q in ("perception", "action"))
    assert np.array_equal(perception, action) and perception.sum() == 1


def test_shuffled_labels_keep_their_numbers():
    labels = [np.array([1.0, 0, 0, np.nan, 0]) for _ in range(50)]
    mixed = onsets.shuffled(labels)
    assert all(np.isnan(own[3]) and np.nansum(own) == 1 for own in mixed)
    assert {int(np.nanargmax(own)) for own in mixed} == {0, 1, 2, 4}
    assert labels[0][0] == 1, "the labels themselves are left as they are"


def test_concordance_is_the_area_under_the_roc_curve():
    labels = np.array([1, 0, 1, 0, np.nan])
    assert concordance(np.array([3.0, 1, 2, 2.5, 9]), labels) == 0.75
    assert concordance(np.array([1.0, 1, 1, 1, 9]), labels) == 0.5
    assert np.isnan(concordance(np.arange(3.0), np.array([1, 1, np.nan])))
    assert np.isnan(concordance(np.full(2, np.nan), np.array([1, 0])))


def made_up(signal: float, n: int, width: int):
    rng = np.random.default_rng(0)
    labels = [np.array([1.0, 0, 0, np.nan])[rng.permutation(4)] for _ in range(n)]
    parts = [rng.normal(size=(4, width)) for _ in labels]
    for part, own in zip(parts, labels, strict=True):
        part[own == 1, 2] += signal
        part[np.isnan(own), 2] += 20 * signal  # does not count, so it must not mislead
    return parts, labels


def test_scores_are_of_probes_that_never_saw_the_sample():
    def read(*arguments) -> float:
        parts, labels = made_up(*arguments)
        scores = held_out_scores(parts, labels)
        return np.mean([concordance(*pair) for pair in zip(scores, labels, strict=True)])

    assert read(6.0, 60, 8) > 0.97
    assert 0.35 < read(0.0, 60, 200) < 0.65, "more features than samples: a leak would show"
    untaught = held_out_scores([np.ones((2, 3))] * 4, [np.full(2, np.nan)] * 4)
    assert all(np.isnan(own).all() for own in untaught)


# Onsets: the runs.


def test_what_is_read_is_what_the_run_computes(pictures):
    experiment, sample = Onsets(pictures, SCHEDULE), samples.draw_one(MARK, 0, 7)
    before = [p.clone() for p in pictures.transformers[0].parameters()]
    found = experiment.look(sample, 3, [0, 2], blind=True, count=None)
    assert all(map(torch.equal, before, pictures.transformers[0].parameters()))
    states, condition = Captured(), pictures.prepare_sample(sample)
    clean = generate(pictures, condition, SCHEDULE, 3, visit=states)
    places, last = thing_places(sample, 48, 8), slice(4 * 36, 5 * 36)  # of five frames
    whole = {(site.step, site.layer): state[last].numpy() for site, state in states.items()}
    assert experiment.middle == 1
    for step in (0, 2):
        assert np.allclose(found.features[step, "input"], places @ whole[step, -1], atol=1e-5)
        assert np.allclose(found.features[step, "1"], places @ whole[step, 1], atol=1e-5)
        x0_hat = clean.x0_hats[step][0, :, -1].flatten(1).T.numpy()  # a token a cell
        assert np.allclose(found.features[step, "x0_hat"], places @ x0_hat, atol=1e-5)
        belief = pictures.beliefs(sample, clean.x0_hats[step])[0, : len(places)]
        assert np.allclose(found.features[step, "belief"][:, 0], belief)
        random = found.features[step, "random network"]
        assert random.shape == found.features[step, "1"].shape
        assert not np.allclose(random, found.features[step, "1"], atol=1e-2)
    assert {step for step, _ in found.features} == {0, 2}


def test_rows_of_onsets_are_the_same_alone_and_cost_what_was_said(pictures):
    experiment, made = Onsets(pictures, SCHEDULE), []
    runs = experiment.plan([MARK], 5, every_until=1, step_stride=2, suite_seed=7)
    assert [(r.question, r.source) for r in runs] == [
        (q, s) for q in ("perception", "action") for s in ("1", *SOURCES)
    ]
    results = dict(experiment.results(runs, count=lambda: made.append(1)))
    assert len(made) == experiment.evaluations(runs) == 5 * (4 + 4)
    assert results[runs[0]]["step"] == [0, 1, 2, 3]
    assert np.shape(results[runs[0]]["concordance"]) == (4, 5)
    chosen = next(run for run in runs if run.source == "belief")
    assert experiment.evaluations([chosen]) == 20
    assert experiment.measure(experiment.identity(chosen)) == as_stored(results[chosen])
    with pytest.raises(ValueError, match="cells of mark"):
        experiment.plan(["occlusion"], 5, 1, 2, 7)


def test_readings_are_right_where_the_answer_is_known(pictures, monkeypatch):
    """Looks in which the middle block knows what fits from the start, and what is marked from step
    2 on; the input knows neither."""
    experiment, rng = Onsets(pictures, SCHEDULE), np.random.default_rng(0)

    def look(sample, seed, steps, blind, count):
        fits = [a[0] for a in sample.solutions.answers]
        things, marked = len(sample.state["things"]), fits[seed % 3]
        features = {}
        for step in steps:
            middle = rng.normal(size=(things, 6))
            middle[fits, 0] += 9.0
            middle[marked, 1] += 9.0 * (step >= 2)
            features[step, "1"] = middle
            features |= {(step, s): rng.normal(size=(things, 6)) for s in SOURCES}
            features[step, "belief"] = np.eye(things)[:, [marked]] * (step == 3)
        return onsets.Look(features, marked if seed else -1)

    monkeypatch.setattr(experiment, "look", look)
    runs = experiment.plan([MARK], 60, every_until=3, step_stride=1, suite_seed=7)
    rows = [
        {"run": experiment.identity(run), "result": result}
        for run, result in experiment.results(runs)
    ]
    assert rows[0]["result"]["concordance"][0][0] is None, "sample 0 marks nothing"
    found = onset_analysis.onsets_of(rows)[MARK]
    at = {s: v["mean"] for s, v in found["perception_at"].items()}
    assert min(at.values()) > 0.97 and found["perception_at"]["0"]["n"] == 59
    at = {s: v["mean"] for s, v in found["action_at"].items()}
    assert max(at["0"], at["1"]) < 0.7 and min(at["2"], at["3"]) > 0.9
    assert {s: v["mean"] for s, v in found["shown_at"].items()} == {
        "0": 0.5,
        "1": 0.5,
        "2": 0.5,
        "3": 1.0,
    }
    floors = [f["mean"] for q in found["floors"].values() for s in q.values() for f in s.values()]
    assert len(floors) == 2 * 4 * 4 and max(floors) < 0.75
    # From 0 before the first pass; perception is there after it, and the ring after step 3.
    assert found["perception_onset"]["mean"] == pytest.approx(-0.5, abs=0.02)
    assert 1.2 < found["action_onset"]["mean"] < 1.6 and found["shown_onset"]["mean"] == 2.5
    gap = found["onset_gap"]
    assert gap["mean"] == pytest.approx(1.9, abs=0.2) and gap["n"] == 59
    assert gap["low"] < gap["mean"] < gap["high"]
    assert found["shown_gap"]["mean"] == pytest.approx(3.0, abs=0.02)
    assert found["onset_gap_from_floor"]["mean"] == pytest.approx(1.9, abs=0.3)
    assert found["perception_at_step_0"]["mean"] > 0.9
    assert found["action_at_step_0"]["mean"] == pytest.approx(1 / 3, abs=0.2)
    assert found["perception_minus_action_at_step_0"]["low"] > 0.3


def test_the_first_steps_are_read_one_by_one():
    experiment = Onsets.__new__(Onsets)
    experiment.schedule = Schedule("test", "euler", 50, shift=5.0)
    run = OnsetRun(MARK, 1, 7, 10, 5, "action", "belief")
    assert experiment.steps(run) == [*range(11), 15, 20, 25, 30, 35, 40, 45, 49]
    assert experiment.steps(replace(run, every_until=60)) == list(range(50))
    assert run.base == replace(run, question="perception", source="input").base
    assert run.base != replace(run, every_until=9).base


def test_an_onset_is_half_of_the_way_from_the_floor_to_the_end():
    steps, onset = [0, 4, 8, 12], onset_analysis.onset
    curves = np.array([[0.5, 0.65, 0.75, 0.9]])
    assert onset(curves, 0.5, steps) == pytest.approx(6.0)  # .7 is half way from .65 to .75
    assert onset(curves, np.array([0.6]), steps) == pytest.approx(8.0)  # .75
    first = np.array([[0.8, 0.9, 0.9, 0.9]])
    assert onset(first, 0.5, steps) == pytest.approx(-1 + 2 / 3)  # .7, of .5 to .8 in one pass
    assert np.isnan(onset(curves, 0.95, steps)).all() and np.isnan(onset(curves, 0.9, steps)).all()
    dips = np.array([[0.7, 0.5, 0.9, 0.9]])
    assert onset(dips, 0.5, steps) == 0.0, "the first time"
    assert np.isnan(onset(np.full((1, 4), np.nan), 0.5, steps)).all()
    both = onset(np.concatenate([curves, first]), 0.5, steps)
    assert both == pytest.approx([6.0, -1 / 3])


def test_the_best_floor_is_at_least_chance():
    floors = np.array([[0.2, 0.6, 0.4], [0.1, 0.2, 0.3]])
    assert onset_analysis.best(floors).tolist() == [0.6, 0.5]


def onset_rows(perception: np.ndarray, action: np.ndarray, floor: float = 0.5) -> list[dict]:
    """Rows with these concordances (T, n) off block 4, and constant ones off all else."""
    rows = []
    for question, values in (("perception", perception), ("action", action)):
        for source in ("4", *SOURCES):
            own = values if source == "4" else np.full(values.shape, floor)
            run = {"cell": MARK, "question": question, "source": source}
            result = {"step": list(range(len(own))), "cluster": list(range(own.shape[1]))}
            nan_as_none = np.where(np.isnan(own), None, own).tolist()
            rows.append({"run": run, "result": result | {"concordance": nan_as_none}})
    return rows


def test_the_gap_is_drawn_over_samples():
    """Half of the samples act from step 1 on, half from step 3 on; all perceive at step 0."""
    early, late = [0.5, 1.0, 1.0, 1.0], [0.5, 0.5, 0.5, 1.0]
    action = np.array([early] * 20 + [late] * 20).T
    found = onset_analysis.onsets_of(onset_rows(np.ones((4, 40)), action))[MARK]
    # The mean curve is .5, .75, .75, 1: half at step 1. Perception: half in the first pass.
    assert found["perception_onset"]["mean"] == -0.5 and found["action_onset"]["mean"] == 1.0
    gap = found["onset_gap"]
    assert gap["mean"] == 1.5 and gap["n"] == 40
    # With a share p of early ones, half is at .5 / p < 1 for p > .5, else at 2 + (.5 - p) / (1 - p)
    assert 1.1 < gap["low"] < 1.4 and 2.5 < gap["high"] < 3.0
    assert found["shown_onset"]["n"] == 0, "a ring that never shows has no onset"


def test_the_floor_moves_both_onsets():
    """From .75: half of the way to 1 is .875. Perception is there half way through the first pass,
    action three quarters of the way from step 0 (.5) to step 1."""
    perception, action = np.ones((2, 8)), np.array([[0.5] * 8, [1.0] * 8])
    found = onset_analysis.onsets_of(onset_rows(perception, action, floor=0.75))[MARK]
    assert found["onset_gap"]["mean"] == 0.5 - -0.5
    assert found["onset_gap_from_floor"]["mean"] == 0.75 - -0.5


def test_equal_labels_have_no_gap():
    values = np.random.default_rng(0).uniform(0.5, 1.0, (6, 30))
    values[-1] = 1.0
    found = onset_analysis.onsets_of(onset_rows(values, values))[MARK]
    nothing = {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 30}
    assert found["onset_gap"] == found["onset_gap_from_floor"] == nothing
    assert found["perception_minus_action_at_step_0"]["mean"] == 0.0


def test_a_probe_is_right_at_step_0_if_every_yes_is_above_every_no():
    perception = np.array([[1.0, 1.0, 1.0, 0.9, np.nan], [0.0] * 5])
    action = np.array([[1.0, 0.5, 0.0, 1.0, np.nan], [1.0] * 5])
    found = onset_analysis.onsets_of(onset_rows(perception, action))[MARK]
    assert (found["perception_at_step_0"]["mean"], found["action_at_step_0"]["mean"]) == (0.75, 0.5)
    assert found["perception_minus_action_at_step_0"] == difference([1, 1, 1, 0], [1, 0, 0, 1])
    assert found["perception_at_step_0"]["n"] == 4, "a run that marks nothing has no action"


# The notebook.


def test_parameters_are_those_of_the_notebook():
    scales = scales_of("3_emergent_behaviors")
    assert set(scales) == {"smoke", "mini", "real"}
    for section in scales.values():
        assert set(section) == {"preset", "memory", "mistakes", "onsets"}


def test_the_notebook_runs_at_smoke_scale(pictures, tmp_path):
    pictures.pipe.save_pretrained(tmp_path / "model")
    smoke = scales_of("3_emergent_behaviors")["smoke"]
    places = {name: str(tmp_path / name) for name in ("model", "results", "out")}
    papermill.execute_notebook(
        ROOT / f"notebooks/{NAME}.ipynb",
        tmp_path / "executed.ipynb",
        {"section": smoke} | places | {"load": {"size": 48, "frames": 5}},
        cwd=ROOT / "notebooks",
    )
    metrics = json.loads((tmp_path / f"out/{NAME}.json").read_text())
    assert set(metrics["cells"]) == {"out_and_back", LATIN, MARK}
    assert {name: len(values) for name, values in metrics["sigmas"].items()} == {
        "memory": 6,
        "mistakes": 6,
        "onsets": 6,
    }
    assert "memory_sigma" in metrics["cells"]["out_and_back"]
    assert "repaired" in metrics["cells"][LATIN] and "onset_gap" in metrics["cells"][MARK]
    names = {file.stem for file in (tmp_path / "out" / NAME).glob("*.png")}
    assert names == listed.parts(NAME)


def test_the_notebook_is_committed_without_outputs():
    notebook = nbformat.read(ROOT / f"notebooks/{NAME}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_what_was_not_run_is_said_not_drawn():
    nothing = {"cells": {}, "sigmas": {name: [1.0, 0.0] for name in EXPERIMENTS}}
    for draw in (plots.memory, plots.recovery, plots.repaired, plots.onsets):
        (axis,) = draw(nothing).axes
        assert axis.texts[0].get_text().startswith("no ")

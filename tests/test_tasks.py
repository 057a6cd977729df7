"""Every puzzle: its scorer can be trusted, its candidates exclude one another, its partitions do
not overlap."""

import importlib

import numpy as np
import pytest

from chain_of_steps.bench import tasklist
from chain_of_steps.bench.first_scorer_checks import scorer_table
from chain_of_steps.puzzles.first import base, reading, suites
from chain_of_steps.puzzles.objects import HELD_OUT, KINDS
from chain_of_steps.training.recipe import build_tokenizer

ALL = tasklist.task_names()
every_task = pytest.mark.parametrize("task", ALL)
in_domain = pytest.mark.parametrize("task", tasklist.task_names("in-domain"))
# What earns nothing: all columns of the trust table but "ground truth" and "half done".
WORTHLESS = (
    "frozen first frame",
    "noise",
    "black",
    "another sample's answer",
    "straight line / wrong answer",
    "teleport",
)


def module_of(task: str):
    return importlib.import_module(f"chain_of_steps.puzzles.first.{suites.TASKS[task].module}")


def canonical(sample: base.Sample) -> str:
    return base.digest(module_of(sample.task).canonical(sample.state))


# The scorer.


@pytest.fixture(scope="module")
def table():
    return scorer_table(per_task=4)


@every_task
def test_the_ground_truth_scores_one(table, task):
    assert table.loc[task, "ground truth"] == 1.0


@every_task
def test_half_a_solution_scores_about_half(table, task):
    assert 0.2 < table.loc[task, "half done"] < 0.8


@every_task
@pytest.mark.parametrize("kind", WORTHLESS)
def test_a_video_that_solves_nothing_scores_nothing(table, task, kind):
    assert table.loc[task, kind] <= 0.1


def test_the_scorer_table_has_no_further_columns(table):
    assert set(table.columns) == {"ground truth", "half done", *WORTHLESS}


@every_task
@pytest.mark.parametrize(("size", "frames"), [(96, 13), (48, 9), (48, 17), (96, 17)])
def test_the_ground_truth_scores_one_at_other_sizes_and_lengths(task, size, frames):
    (sample,) = tasklist.draw(task, 1, seed=1)
    video = sample.render(size=size, frames=frames)
    assert video.shape == (frames, size, size, 3) and video.dtype == np.uint8
    assert sample.score(video) == 1.0 and sample.solved(video)


@every_task
def test_every_valid_answer_scores_one_and_every_other_nothing(task):
    (sample,) = tasklist.draw(task, 1, seed=2)
    for candidate in sample.candidates:
        assert sample.score(sample.render(candidate)) == (candidate.kind == "valid")


@every_task
def test_a_solution_at_another_pace_scores_one(task):
    (sample,) = tasklist.draw(task, 1, seed=3)
    pace = [3 * p**2 - 2 * p**3 for p in reading.timeline(13)]
    assert sample.score(np.stack([sample.picture(sample.valid[0], p) for p in pace])) == 1.0


@every_task
def test_a_clip_starts_with_the_given_frame_whatever_the_answer(task):
    (sample,) = tasklist.draw(task, 1, seed=4)
    first = (sample.first_frame() * 255 + 0.5).astype(np.uint8)
    for candidate in sample.candidates:
        assert np.array_equal(sample.render(candidate, frames=5)[0], first)


# Candidates and evidence.


@every_task
def test_candidates_are_distinct_and_valid_ones_come_first(task):
    for sample in tasklist.draw(task, 20, seed=0):
        names, kinds = [c.name for c in sample.candidates], [c.kind for c in sample.candidates]
        assert len(set(names)) == len(names) >= 2
        assert (
            kinds == sorted(kinds, key=["valid", "wrong", "illegal"].index) and kinds[0] == "valid"
        )


@every_task
def test_evidence_and_answer_recognise_every_final_picture(task):
    for sample in tasklist.draw(task, 10, seed=0):
        for i, candidate in enumerate(sample.candidates):
            picture = sample.picture(candidate)
            evidence = sample.evidence(picture)
            assert evidence[i] == pytest.approx(1.0, abs=1e-5)
            assert len(evidence) == 1 or np.delete(evidence, i).max() < 0.05
            assert sample.answer(picture) == candidate.name


@every_task
def test_a_ghost_at_opacity_a_gives_evidence_a(task):
    for sample in tasklist.draw(task, 5, seed=0):
        pictures = np.stack([sample.picture(c) for c in sample.candidates])
        for i, own in enumerate(reading.own_pixels(sample, 48, 1.0)):
            rivals = np.delete(pictures, i, axis=0).mean(0)
            assert own.mask.any()
            for opacity in (0.25, 0.5, 1.0):
                ghost = opacity * pictures[i] + (1.0 - opacity) * rivals
                assert sample.evidence(ghost)[i] == pytest.approx(opacity, abs=1e-3)


@every_task
def test_noise_and_black_read_as_no_answer(task):
    (sample,) = tasklist.draw(task, 1, seed=0)
    assert sample.answer(np.random.default_rng(0).random((48, 48, 3))) is None
    assert sample.answer(np.zeros((48, 48, 3), np.uint8)) is None


def test_the_tokenizer_knows_every_word_of_every_prompt():
    tokenizer = build_tokenizer()
    prompts = {s.prompt for task in ALL for s in tasklist.draw(task, 20, 0, "training")}
    for prompt in sorted(prompts):
        assert tokenizer.unk_token_id not in tokenizer(prompt).input_ids, prompt


# Partitions.


@in_domain
def test_ten_thousand_puzzles_of_each_partition_do_not_overlap(task, monkeypatch):
    module, given = module_of(task), []

    def listen(rng, partition, propose, canonical):
        given.append(propose)
        return base.draw_until(rng, partition, propose, canonical)

    monkeypatch.setattr(module, "draw_until", listen)
    rng = np.random.default_rng(0)
    module.sample(rng, "test")
    drawn, distinct, unchanged = {partition: [] for partition in base.PARTITIONS}, set(), 0
    # One stream serves all three partitions; tasks with few states are through before that.
    while min(map(len, drawn.values())) < 10_000 and unchanged < 5_000:
        state = given[0](rng)
        if state is not None:
            key = module.canonical(state)
            drawn[base.partition_of(key)].append(str(key))
            unchanged = 0 if str(key) not in distinct else unchanged + 1
            distinct.add(str(key))
    training, choosing, test = (set(drawn[p]) for p in ("training", "choosing", "test"))
    assert not training & choosing and not training & test and not choosing & test


@every_task
def test_pictures_with_the_same_prompt_lie_in_one_partition(task):
    seen = {}
    for partition in base.PARTITIONS:
        for sample in tasklist.draw(task, 10 if task == "maze_loops" else 100, 0, partition):
            assert base.partition_of(module_of(task).canonical(sample.state)) == partition
            assert (
                seen.setdefault((sample.prompt, sample.first_frame().tobytes()), partition)
                == partition
            )


@every_task
def test_a_sample_depends_on_seed_and_index_alone(task):
    few, many, other = (
        tasklist.draw(task, 2, 0),
        tasklist.draw(task, 4, 0),
        tasklist.draw(task, 4, 1),
    )
    assert [s.key for s in few] == [s.key for s in many[:2]]
    assert tasklist.draw_one(task, 3, 0).key == many[3].key
    assert [s.key for s in many] != [s.key for s in other]


@pytest.mark.parametrize("task", ["mark_object", "out_and_back"])
def test_the_order_in_which_other_things_are_listed_does_not_count(task):
    for sample in tasklist.draw(task, 20, 0):
        first, *others = sample.state["things"]
        listed_otherwise = {**sample.state, "things": [first, *others[::-1]]}
        assert module_of(task).canonical(listed_otherwise) == module_of(task).canonical(
            sample.state
        )


@in_domain
def test_held_out_pairs_are_never_drawn_in_training(task):
    for sample in tasklist.draw(task, 300, 0, "training"):
        state = sample.state
        things = (
            [state["thing"]] if "thing" in state else state.get("things", state.get("looks", []))
        )
        assert {tuple(thing[:2]) for thing in things}.isdisjoint(HELD_OUT)


def test_held_out_pairs_are_what_the_twist_asks_for():
    for sample in tasklist.draw("mark_new_pair", 50, 0):
        named, *others = (tuple(thing[:2]) for thing in sample.state["things"])
        assert named in HELD_OUT and set(others).isdisjoint(HELD_OUT)
    assert sorted(shape for _, shape in HELD_OUT) == sorted(KINDS)


def test_unknown_names_are_refused_with_what_was_expected():
    with pytest.raises(ValueError, match=r"unknown task 'mazes'; expected one of maze, "):
        tasklist.draw("mazes", 1, 0)
    with pytest.raises(ValueError, match=r"unknown partition 'train'; expected one of test, "):
        tasklist.draw("maze", 1, 0, "train")
    with pytest.raises(ValueError, match=r"unknown split 'ood'; expected in-domain, "):
        tasklist.task_names("ood")

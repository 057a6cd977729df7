"""Every task of the suite: samples by seed and number, clips, prompts that the tokenizer knows."""

import json

import numpy as np
import pytest

from chain_of_steps.common.hashing import digest
from chain_of_steps.puzzles import reading, suite
from chain_of_steps.puzzles.base import timeline
from chain_of_steps.puzzles.objects import HELD_OUT, KINDS
from chain_of_steps.puzzles.scoring import score
from chain_of_steps.puzzles.splits import SPLITS
from chain_of_steps.training.recipe import build_tokenizer

every_task = pytest.mark.parametrize("task", suite.TASKS)


@every_task
def test_a_sample_depends_on_seed_and_number_alone(task):
    few, many, other = (suite.draw(task, n, seed) for n, seed in ((2, 0), (4, 0), (4, 1)))
    assert [s.key for s in few] == [s.key for s in many[:2]]
    assert suite.draw_one(task, 3, 0).key == many[3].key
    assert [s.key for s in many] != [s.key for s in other]


@every_task
def test_what_defines_a_sample_is_plain_data(task):
    sample = suite.draw_one(task, 0, 0)
    for data in (sample.state, sample.knobs):
        assert json.loads(json.dumps(data)) == data
    assert digest(json.loads(json.dumps(sample.canonical))) == digest(sample.canonical)
    assert sample.task == task


@every_task
def test_a_clip_starts_with_the_given_frame_whatever_the_answer(task):
    sample = suite.draw_one(task, 0, 4)
    first = (sample.first_frame(48) * 255.0 + 0.5).astype(np.uint8)
    for answer in sample.solutions.answers[:3]:
        assert np.array_equal(sample.render(answer, size=48, frames=5)[0], first)


@every_task
def test_a_solution_at_another_pace_scores_one(task):
    sample = suite.draw_one(task, 0, 3)
    pace = [3 * p**2 - 2 * p**3 for p in timeline(13)]
    clip = np.stack([sample.picture(sample.solutions.answers[0], p, 48) for p in pace])
    assert score(sample, clip) == 1.0


@every_task
@pytest.mark.parametrize(("size", "frames"), [(96, 13), (48, 17)])
def test_every_valid_answer_is_decided_drawn_and_scored(task, size, frames):
    sample = suite.draw_one(task, 0, 2)
    for answer in sample.solutions.answers[:3]:
        clip = sample.render(answer, size=size, frames=frames)
        assert clip.shape == (frames, size, size, 3) and clip.dtype == np.uint8
        assert reading.decided(sample, clip[-1]) == answer and reading.drawn(sample, clip[-1])
        assert score(sample, clip) == 1.0


@every_task
def test_a_state_is_of_the_split_for_which_it_was_drawn(task):
    """No given frame with the same prompt occurs in two splits, unless it is marked as seen."""
    found: dict = {}
    for split in SPLITS:
        for sample in suite.draw(task, 20, 0, split):
            look = sample.prompt, sample.first_frame().tobytes()
            assert found.setdefault(look, split) == split or sample.seen


def test_the_tokenizer_knows_every_word_of_every_prompt():
    tokenizer = build_tokenizer()
    drawn = [s for task in suite.TASKS for s in suite.draw(task, 20, 0, "training")]
    for prompt in sorted({sample.prompt for sample in drawn}):
        assert tokenizer.unk_token_id not in tokenizer(prompt).input_ids, prompt


def test_held_out_pairs_are_of_every_shape():
    assert sorted(shape for _, shape in HELD_OUT) == sorted(KINDS)


def test_unknown_names_are_refused_with_what_was_expected():
    with pytest.raises(ValueError, match=r"unknown task 'mazes'; expected one of latin, "):
        suite.draw("mazes", 1, 0)
    with pytest.raises(ValueError, match=r"unknown split 'train'; expected one of test, "):
        suite.draw("maze", 1, 0, "train")
    with pytest.raises(ValueError, match=r"unknown domain 'ood'; expected in-domain, "):
        suite.task_names("ood")

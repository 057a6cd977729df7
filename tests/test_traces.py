"""What a run decides along its steps, on beliefs made by hand."""

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.bench import samples
from chain_of_steps.figures.sample_runs import SampleBranches, SampleRun
from chain_of_steps.measures import decisions, traces
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.puzzles import mark, reading
from chain_of_steps.sampling.denoise import generate
from chain_of_steps.sampling.interventions import NoiseAtStep

SCHEDULE = Schedule("test", "euler", steps=4, shift=3.0)


class Clean(SampleBranches):
    name = "test"


@pytest.fixture(scope="module")
def model():
    return VideoModel(tiny.mini_like(), "tiny", size=48, frames=5)


def test_answers_as_text_and_back():
    decided = np.array([[0, 9, -1], [10, 35, 3]])
    texts = [traces.encoded(answer) for answer in decided]
    assert texts == ["09.", "az3"]
    assert (traces.decoded(texts) == decided).all()
    assert traces.flags([True, False]) == "10"
    assert traces.unflagged("10").tolist() == [True, False]


def test_a_trace_of_two_steps_worked_out_by_hand():
    """A size pattern with two open places and two valid answers: step 0 shows both of each place,
    step 1 the first valid answer."""
    sample = samples.draw_one("size_pattern blanks=2", 0, 7)
    assert len(sample.solutions) == 2
    first, second = (np.array(a) for a in sample.solutions.answers)
    values = len(sample.parts[0].values)
    one, other = np.eye(values)[first], np.eye(values)[second]
    found = traces.trace(sample, np.stack([0.55 * one + 0.45 * other, one]), floor=0.2)
    assert found["decided"] == [traces.encoded(first)] * 2
    assert found["held"] == ["..", traces.encoded(first)]
    assert found["valid_at"] == "11" and found["violations_at"] == [0, 0]
    assert found["present_at"] == [2.0, 1.0]
    assert found["pruned"] is True


def test_a_trace_of_a_board_with_clues_worked_out_by_hand():
    """The mean of all valid answers shows in each open cell the values that occur in at least one
    of 2 K of them, K that are possible; a clue is no open cell."""
    sample = samples.draw_one("latin order=4 log2=2", 0, 7)
    answers = np.array(sample.solutions.answers)
    shares = [[(cell == v).mean() for v in range(4)] for cell in answers.T]
    counts = [sum(share >= 0.5 / sum(s > 0 for s in cell) for share in cell) for cell in shares]
    is_open = [max(cell) < 1.0 for cell in shares]
    shown = np.mean([count for count, counted in zip(counts, is_open, strict=True) if counted])
    found = traces.trace(sample, np.array([shares, np.eye(4)[answers[0]]]))
    assert 0 < sum(is_open) < 16 and shown >= 2 > np.mean(counts)
    assert found["present_at"] == [pytest.approx(shown, abs=1e-3), 1.0]
    assert found["pruned"] is True and found["violations_at"][1] == 0


def test_beliefs_along_are_those_of_the_decoded_frames(model):
    sample = samples.draw_one("latin order=4 rounds=1", 0, 7)
    latents = model.encode(sample.render(None, 48, 5))
    codec = model.decode(latents)[-1]
    beliefs = traces.beliefs_along(model, sample, [latents, latents])
    assert beliefs.shape == (2, 16, 4)
    assert beliefs[0] == pytest.approx(reading.belief(sample, codec), abs=1e-6)
    one = model.beliefs(sample, latents)
    assert beliefs[1] == pytest.approx(one, abs=1e-6)


def test_the_facts_of_a_sample_are_what_it_says():
    sample = samples.draw_one("latin order=4 log2=5", 0, 7)
    found = traces.facts(sample)
    assert 32 <= found["answers"] < 64 and found["rounds"] is None
    assert found["stratum"] == "several/5" and not found["more"]
    twin = samples.draw_one("latin order=4 log2=5", 1, 7)
    assert found["cluster"] != traces.facts(twin)["cluster"]


def test_samples_of_one_given_frame_are_one_cluster():
    sample = samples.draw_one("mark named=true answers=1", 0, 7)
    (named,) = sample.solutions.answers[0]
    other = mark.naming(sample, (named + 1) % len(sample.state["things"]))
    assert other.key != sample.key
    assert traces.facts(other)["cluster"] == traces.facts(sample)["cluster"]


def test_runs_are_read_alone_as_together(model):
    experiment = Clean(model, SCHEDULE)
    base = SampleRun("latin order=4 rounds=1", 0, 7, 3, traced=True)
    noised = SampleRun("latin order=4 rounds=1", 0, 7, 3, "step", (NoiseAtStep(2),))
    early = SampleRun("latin order=4 rounds=1", 0, 7, 3, "early", until=1)
    together = dict(experiment.results([base, noised, early]))
    for run in (base, noised, early):
        ((_, alone),) = experiment.results([run])
        assert alone == together[run]
    assert experiment.run_of(experiment.identity(noised)) == noised
    # The early run is read on the clean estimate of step 0.
    assert together[early]["answer"] == together[base]["decided"][0]
    assert experiment.evaluations([early]) == 1
    assert experiment.evaluations([base, noised]) == 4 + 2


def test_the_floor_is_one_for_all_cells_unless_an_untrained_network_has_larger_margins(
    model, monkeypatch
):
    experiment = Clean(model, SCHEDULE)
    before = [p.clone() for p in model.transformers[0].parameters()]
    floor = experiment.floor("latin order=4 rounds=1")
    assert floor == experiment.floor("latin order=4 rounds=1") == decisions.HELD
    after = model.transformers[0].parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    margins = np.array([0.1, 0.3, 0.7])  # median .3
    monkeypatch.setattr(decisions, "margins", lambda beliefs: margins)
    assert experiment.floor("mark named=true answers=1") == pytest.approx(0.3)


def test_a_traced_run_decides_what_its_clean_estimates_show(model):
    experiment = Clean(model, SCHEDULE)
    run = SampleRun("mark named=true answers=1", 0, 7, 1, traced=True)
    ((_, result),) = experiment.results([run])
    sample = experiment.sample(run)
    x0_hats = generate(model, model.prepare_sample(sample), SCHEDULE, 1).x0_hats
    shown = [reading.decided(sample, model.decode(x0_hat)[-1]) for x0_hat in x0_hats]
    texts = [traces.encoded([-1 if v is None else v for v in answer]) for answer in shown]
    assert result["decided"] == texts and result["answer"] == texts[-1]

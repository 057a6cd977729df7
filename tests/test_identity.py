"""Whatever determines a run tells it apart from others: in the prefix tree, in what is computed,
and in the key of its row.

Each example of an intervention names another value for each of its fields that matters; together
the examples of a class have all of its fields, so that a new field cannot be forgotten.
"""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import tiny
import torch

from chain_of_steps.experiments import base
from chain_of_steps.experiments.store import key_of
from chain_of_steps.figures.sample_runs import SampleBranches, SampleRun
from chain_of_steps.models.schedule import Schedule
from chain_of_steps.models.video_model import VideoModel
from chain_of_steps.sampling.interventions import (
    KINDS,
    Drop,
    MergeEstimates,
    MergeLatents,
    MergeLayers,
    NoiseAtCells,
    NoiseAtFrame,
    NoiseAtStep,
    Patch,
    Restart,
    Source,
)
from chain_of_steps.sampling.layout import Branch, Layout
from chain_of_steps.sampling.prefix_tree import grow

STEPS, FRAMES = 4, 5
SCHEDULE = Schedule("test", "euler", STEPS, shift=3.0, guidance=2.0)
COMPANY, STRANGERS = (Source(1000), Source(2000)), (Source(1000), Source(3000))
ADDED = {"mode": "additive", "amplitude": 0.5, "seed": 0}
OTHER_NOISE = {"mode": "level-correct", "amplitude": 0.6, "seed": 1}
EXAMPLES = [
    (NoiseAtStep(1, (0, 1), **ADDED), {"step": 2, "frames": (0,), **OTHER_NOISE}),
    (NoiseAtFrame(1, (1, 2), **ADDED), {"frame": 0, "steps": (1, 3), **OTHER_NOISE}),
    (NoiseAtCells(((1, 0), (2, 1)), **ADDED), {"cells": ((1, 0), (2, 2)), **OTHER_NOISE}),
    (Restart(2), {"step": 3, "seed": 1}),
    (Drop(1, until=3), {"step": 2, "until": 2, "given": False, "prompt": True}),
    (
        Patch(1, 0, COMPANY[0], (24, 25), "blend"),
        {"step": 2, "layer": 1, "donor": COMPANY[1], "tokens": (24, 26), "variant": "state"}
        | {"amount": 0.25, "held": True, "unguided": True},
    ),
    (Patch(1, 0, COMPANY[0], variant="noise"), {"seed": 1}),
    (
        MergeEstimates((0,), company=COMPANY),
        {"steps": (1,), "what": "velocity", "company": STRANGERS},
    ),
    (
        MergeLayers((0,), (0,), "soft", company=COMPANY),
        {"layers": (1,), "steps": (1,), "variant": "delta", "amount": 0.25, "company": STRANGERS},
    ),
    (MergeLatents((1,), company=COMPANY), {"steps": (2,), "rescale": False, "company": STRANGERS}),
]
PAIRS = [
    pytest.param(one, replace(one, **{name: value}), id=f"{type(one).__name__}.{name}")
    for one, others in EXAMPLES
    for name, value in others.items()
]
every_pair = pytest.mark.parametrize(("one", "other"), PAIRS)


def names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_examples_have_every_field_of_every_intervention(kind):
    others = [set(found) for one, found in EXAMPLES if type(one) is kind]
    assert others and set().union(*others) == names(kind)


# In the prefix tree.


@every_pair
def test_interventions_that_differ_in_a_field_share_no_end(one, other):
    layout = Layout(STEPS, FRAMES, layers=2)
    ends = [layout.plan(Branch((each,))).end for each in (one, other, one)]
    assert ends[0] is ends[2] and ends[0] is not ends[1]
    assert layout.plan(Branch()).end not in ends


def test_branches_that_differ_in_a_field_share_no_end():
    one = Branch((MergeEstimates((0,), company=COMPANY),), 3, Source(1))
    others = {"interventions": (), "until": 2, "source": Source(2), "place": 1}
    assert set(others) == names(Branch)
    layout = Layout(STEPS, FRAMES, layers=2)
    ends = [layout.plan(replace(one, **{name: other})).end for name, other in others.items()]
    assert len({layout.plan(one).end, *ends}) == len(ends) + 1


# In what is computed.


@pytest.fixture(scope="module")
def model():
    return VideoModel(tiny.mini_like(), "tiny", size=32, frames=FRAMES)


@pytest.fixture(scope="module")
def finals(model):
    """The final latents of the run of each intervention."""
    each = list(dict.fromkeys(i for pair in PAIRS for i in pair.values))
    frame = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    condition = model.prepare("fill the empty place", frame, FRAMES)
    grown = grow(model, condition, SCHEDULE, 3, [Branch((i,)) for i in each])
    return {each[index]: trajectory.latents[-1] for index, trajectory in grown}


@every_pair
def test_interventions_that_differ_in_a_field_end_differently(finals, one, other):
    assert not torch.equal(finals[one], finals[other])


# In the store.


class Clean(SampleBranches):
    name = "test"


RUN = SampleRun("maze", 0, 7, 3)
OTHER_RUN = {
    "cell": "mark",
    "index": 1,
    "suite_seed": 8,
    "seed": 4,
    "design": "step",
    "interventions": (Restart(1),),
    "until": 2,
    "traced": True,
    "split": "validation",
}


@every_pair
def test_interventions_that_differ_in_a_field_have_rows_of_their_own(model, one, other):
    experiment = Clean(model, SCHEDULE)
    runs = [replace(RUN, interventions=(each,)) for each in (one, other)]
    stored = [json.loads(json.dumps(experiment.identity(run))) for run in runs]
    assert key_of(stored[0]) != key_of(stored[1])
    assert [experiment.run_of(identity) for identity in stored] == runs
    assert [key_of(experiment.identity(run)) for run in runs] == list(map(key_of, stored))


def test_runs_that_differ_in_a_field_have_rows_of_their_own_and_share_what_they_may(model):
    assert set(OTHER_RUN) == names(SampleRun)
    experiment = Clean(model, SCHEDULE)
    others = {name: replace(RUN, **{name: value}) for name, value in OTHER_RUN.items()}
    keys = {key_of(experiment.identity(run)) for run in (RUN, *others.values())}
    assert len(keys) == len(others) + 1
    shares = {name for name, run in others.items() if run.base == RUN.base}
    assert shares == {"design", "interventions", "until", "traced"}


def test_experiments_that_differ_in_anything_have_rows_of_their_own(model, monkeypatch):
    """In weights, size of the clip, every field of the schedule, name, batch and version."""
    changed = {
        "name": "other",
        "sampler": "stochastic",
        "steps": 5,
        "shift": 4.0,
        "guidance": 3.0,
        "guidance_2": 2.0,
        "boundary": 0.5,
    }
    assert set(changed) == names(Schedule)
    models = [
        VideoModel(tiny.mini_like(1), "tiny", size=32, frames=FRAMES),
        VideoModel(tiny.mini_like(), "tiny", size=48, frames=FRAMES),
        VideoModel(tiny.mini_like(), "tiny", size=32, frames=9),
    ]
    named = type("Named", (Clean,), {"name": "other"})
    experiments = [
        *(Clean(each, SCHEDULE) for each in (model, *models)),
        *(Clean(model, replace(SCHEDULE, **{name: v})) for name, v in changed.items()),
        named(model, SCHEDULE),
        Clean(model, SCHEDULE).in_batches(2),
    ]
    monkeypatch.setattr(base, "EXPERIMENT_VERSION", base.EXPERIMENT_VERSION + 1)
    experiments.append(Clean(model, SCHEDULE))
    keys = {key_of(experiment.identity(RUN)) for experiment in experiments}
    assert len(keys) == len(experiments)

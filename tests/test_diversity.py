"""All valid answers, equally often: 1; always the same, or none: 0."""

import numpy as np
import pytest

from chain_of_steps.bench import diversity
from chain_of_steps.models.schedule import preset
from chain_of_steps.puzzles import suite


@pytest.fixture(scope="module")
def sample():
    found = (suite.draw_one("mark", i, 0) for i in range(40))
    return next(sample for sample in found if len(sample.solutions) == 4)


def test_entropy_by_hand(sample):
    a, b, c, d = sample.solutions.answers
    (wrong,) = [v for v in range(len(sample.parts[0].values)) if not sample.is_valid((v,))][:1]
    share = diversity.relative_entropy
    assert share(sample, [a, b, c, d] * 8) == pytest.approx(1.0)
    assert share(sample, [a, b] * 16) == pytest.approx(0.5)
    assert share(sample, [a] * 32) == share(sample, [(wrong,)] * 32) == 0.0
    assert share(sample, [a, b, (wrong,), (None,)] * 8) == pytest.approx(0.5)
    assert share(sample, [a, b]) == pytest.approx(1.0), "two answers cannot be four"


class Drawer:
    """A model whose videos end on a valid answer that the seed chooses."""

    def prepare_sample(self, sample):
        return sample

    def decode(self, drawn):
        return drawn


@pytest.mark.parametrize("answers", [1, 2])
def test_a_task_is_the_mean_of_its_samples(monkeypatch, answers):
    def generate(model, sample, schedule, seed):
        listed = sample.solutions.answers
        chosen = listed[seed % min(answers, len(listed))]
        clip = np.stack([sample.picture(chosen)])
        return type("Run", (), {"x0_hats": [clip]})

    monkeypatch.setattr(diversity, "generate", generate)
    found = diversity.diversity(Drawer(), preset("mini"), ["mark"], 12, 0, seeds=8)["mark"]
    several = [len(s.solutions) for s in suite.draw("mark", 12, 0) if len(s.solutions) > 1]
    wanted = np.mean([np.log(answers) / np.log(n) for n in several])
    assert found["n"] == len(several) > 2 and found["mean"] == pytest.approx(wanted, abs=1e-3)

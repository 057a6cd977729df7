"""Plans without weights: operations against the published figures and against the formula, memory,
folders."""

import pytest
import tiny

from chain_of_steps.cli import main
from chain_of_steps.experiments import cost_plan
from chain_of_steps.figures.perturbation_curves.runs import Perturbation
from chain_of_steps.models.schedule import preset


@pytest.fixture(scope="module")
def a14b():
    return cost_plan.blueprint("wan2.2-i2v-a14b")


def by_formula(tokens: int, width=5120, ffn=13824, layers=40, text=512) -> float:
    """Multiply-adds of a Wan transformer, times two: attention, cross-attention, feed-forward,
    embeddings."""
    own = 4 * tokens * width**2 + 2 * tokens**2 * width
    cross = 2 * tokens * width**2 + 2 * text * width**2 + 2 * tokens * text * width
    block = own + cross + 2 * tokens * width * ffn
    ends = (
        tokens * (36 * 4 + 16 * 4) * width
        + text * (4096 * width + width**2)
        + 256 * width
        + 7 * width**2
    )
    return 2 * (layers * block + ends)


@pytest.mark.parametrize(("frames", "published"), [(81, 1.678), (49, 0.83)])
def test_operations_of_one_forward(a14b, frames, published):
    flop = a14b.flop(480, 832, frames)
    tokens = (1 + (frames - 1) // 4) * 30 * 52
    assert flop / 1e15 == pytest.approx(published, rel=4e-3)
    assert flop == pytest.approx(by_formula(tokens), rel=1e-3)


def test_memory_is_that_of_the_published_checkpoints(a14b):
    experts = a14b.weights["transformer"] + a14b.weights["transformer_2"]
    assert experts / 1e9 == pytest.approx(57, abs=0.5)
    assert sum(a14b.weights.values()) / 1e9 == pytest.approx(69, abs=1.0)
    assert a14b.state(480, 832, 81) == 32760 * 5120 * 2, "320 MiB"


def test_noise_in_frames_is_planned_for_the_clip_that_is_asked_for():
    cell = {"latin order=4 log2=5": 1}
    for length, columns in ((9, [0, 2]), (17, [0, 2, 4])):
        short = cost_plan.blueprint("wan2.2-i2v-a14b", length)
        plan = Perturbation(short, preset("mini")).plan(cell, cell, {}, cell, 0, 10, 2, 7)
        noise = [r.interventions[0] for r in plan if r.design == "frame replace"]
        assert [each.frame for each in noise] == columns


def test_wan_2_1_has_one_expert_and_looks_at_the_image():
    model = cost_plan.blueprint("wan2.1-i2v-14b")
    assert model.experts == 1 and model.flop(64, 64, 5) > cost_plan.blueprint("vbvr-wan2.2").flop(
        64, 64, 5
    )


def test_a_folder_is_planned_from_its_configurations(tmp_path):
    pipe = tiny.wan22_like()
    pipe.save_pretrained(tmp_path / "model")
    for file in (tmp_path / "model").rglob("*.safetensors"):
        file.unlink()
    model = cost_plan.blueprint(str(tmp_path / "model"))
    assert model.experts == 2 and model.weights["transformer"] == 2 * sum(
        p.numel() for p in pipe.transformer.parameters()
    )
    assert model.flop(32, 32, 5) > 0


def test_neither_a_folder_nor_a_name(tmp_path):
    with pytest.raises(
        ValueError, match="neither a model folder nor a known name; expected a folder or wan2"
    ):
        cost_plan.blueprint(str(tmp_path))


def test_sharing_and_guidance_are_counted(a14b):
    grid = preset("paper")
    experiment = Perturbation(a14b, grid)
    runs = experiment.plan({}, {"maze": 1}, {}, {}, 0, 10, 5, 7)
    cost = cost_plan.cost(experiment, runs, grid)
    assert cost.passes == 2 and cost.runs == len(runs) and grid.steps < cost.shared < cost.naive
    assert cost.evaluations() == cost.shared + cost.controls > cost.shared, "tie floors"
    assert cost.hours(10**15, "H100") == pytest.approx(
        cost.evaluations() * 2 / (989e12 * 0.41 / 1e15) / 3600
    )
    text = cost_plan.report(a14b, [cost], 480, 832, 81)
    assert "1.678 PFLOP" in text and "320 MiB" in text and "at most 93 MiB a step" in text
    assert f"shared: {cost.evaluations()} evaluations" in text


def test_the_command_prints_a_plan_and_refuses_what_it_does_not_know(tmp_path, capsys):
    tiny.wan22_like().save_pretrained(tmp_path / "model")
    folder = str(tmp_path / "model")
    size = ["--height", "32", "--width", "32", "--frames", "5"]
    assert main(["plan", "--model", folder, *size, "--experiment", "2_perturbation_curves"]) == 0
    printed = capsys.readouterr().out
    assert "2_perturbation_curves" in printed and "naive:" in printed and "3_onsets" not in printed
    assert main(["plan", "--model", folder, *size, "--experiment", "7_nothing"]) == 2
    assert "expected one of 1_step_visualization" in capsys.readouterr().err
    assert main(["plan", "--model", folder, *size, "--scale", "huge"]) == 2
    assert "unknown scale 'huge'" in capsys.readouterr().err

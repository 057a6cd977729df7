"""`make reproduce MODEL=folder` on a tiny random model of two experts: a plan first, then every notebook, apart."""

import sys
from pathlib import Path

import pytest
import tiny

from chain_of_steps import suites, vbvr

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import another  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("another")
    tiny.wan22_like().save_pretrained(folder / "tiny-wan")
    vbvr.export_suite({"maze": suites.draw("maze", 1, 0), "bounce": suites.draw("bounce", 1, 0)}, folder / "gt", 96, 9)
    return folder


@pytest.fixture
def apart(folder, tmp_path, monkeypatch):
    """The tool, with a folder of its own for figures and rows."""
    for name in ("notebooks", "params.yaml", "claims.yaml", "src"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setattr(another, "ROOT", tmp_path)
    monkeypatch.setattr("run.ROOT", tmp_path)
    return [
        *("--model", str(folder / "tiny-wan"), "--scale", "smoke", "--preset", "mini"),
        *("--size", "96", "--frames", "49", "--device", "cpu", "--dtype", "float32"),
    ]


def test_a_plan_that_takes_too_long_is_not_begun(apart, tmp_path):
    said: list[str] = []
    assert another.main([*apart, "--hours", "1e-12"], said.append) == 1
    assert "PFLOP" in said[0] and "lower the numbers of samples in the section 'smoke'" in said[-1]
    assert not (tmp_path / "runs").exists() and not (tmp_path / "figures").exists()


def test_splits_become_the_suite_and_named_tasks_stay(folder):
    found = another.sections(ROOT / "params.yaml", "mini", "paper", str(folder / "gt"))
    assert (
        found["1_step_visualization"]["tasks"] == str(folder / "gt")
        and found["1_step_visualization"]["preset"] == "paper"
    )
    assert found["4_layer_roles"]["swaps"]["pairs"].keys() == {"maze", "mark_object"}
    assert found["6_step_budget"]["few"]["preset"] == "student"
    assert "model" not in found["6_step_budget"]["student"]


def test_what_is_no_model_is_said_in_one_sentence(apart):
    with pytest.raises(ValueError, match="is no model folder and no known name"):
        another.main(["--model", "/nowhere"])

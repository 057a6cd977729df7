"""Everything that goes wrong, as a table (fault_table.py): what is tried, how often, and what
happens.

A row is tested by the check of its name (fault_kills.py, fault_inputs.py), or elsewhere by the
tests that it names.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import fault_inputs
import fault_kills
import pytest
import tiny
from fault_table import CHECKS, ROWS, table

from chain_of_steps.models.schedule import preset
from chain_of_steps.training.recipe import save_pipeline

ROOT = Path(__file__).parent.parent
assert fault_inputs and fault_kills  # whose checks are now in CHECKS


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    pipe = tiny.mini_like()
    save_pipeline(folder, pipe.vae, pipe.text_encoder, pipe.transformer, preset("mini"))
    (folder / "training.json").write_text("{}")
    return folder


# The table


HERE = [row for row in ROWS if row.name in CHECKS]


@pytest.mark.filterwarnings("ignore:.*damaged")  # a line that was cut short
@pytest.mark.parametrize("row", HERE, ids=lambda row: row.name)
def test_fault(row, request, tmp_path, monkeypatch, capfd):
    test = CHECKS[row.name]
    wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
    known = {"tmp_path": tmp_path, "monkeypatch": monkeypatch, "capfd": capfd, "times": row.times}
    test(
        **{name: known[name] if name in known else request.getfixturevalue(name) for name in wanted}
    )


def test_every_row_has_its_check_or_tests_that_exist():
    assert len(HERE) == len(CHECKS) and all(row.name in CHECKS or row.elsewhere for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)
    tests = {
        node.name
        for file in Path(__file__).parent.glob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    for row in ROWS:
        assert set(row.elsewhere) <= tests, row.name


def test_the_documentation_shows_this_table():
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    assert table() in text, f"docs/robustness.md lacks this table:\n{table()}"


def test_the_command_line_itself_ends_so():
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "chain_of_steps", "claims", "--claims", "nowhere"]
    said = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert (
        said.returncode == 2
        and said.stderr.startswith("chain-of-steps: ")
        and "Traceback" not in said.stderr
    )
    assert said.stderr.count("\n") == 1

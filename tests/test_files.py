"""Files and folders that are written atomically."""

import os
import subprocess
import sys

import pytest

from chain_of_steps.common.files import atomic, atomic_folder


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_killed_processes_are_removed_those_of_running_ones_stay(tmp_path):
    dead, alive = ended_process(), os.getppid()
    stays = [f".{alive}.x.json", f".{dead}.other.json", ".hidden.x.json", ".x.json"]
    for name in (f".{dead}.x.json", *stays):
        (tmp_path / name).touch()
    with atomic(tmp_path / "x.json") as temporary:
        temporary.write_text("new")
    assert sorted(f.name for f in tmp_path.iterdir()) == sorted([*stays, "x.json"])


def test_leftover_folders_are_removed_too(tmp_path):
    (tmp_path / f".{ended_process()}.model" / "part").mkdir(parents=True)
    with atomic_folder(tmp_path / "model") as temporary:
        (temporary / "new").touch()
    assert [f.name for f in tmp_path.iterdir()] == ["model"]


def test_a_name_with_brackets_is_a_plain_name(tmp_path):
    (tmp_path / f".{ended_process()}.[a].json").touch()
    with atomic(tmp_path / "[a].json") as temporary:
        temporary.touch()
    assert [f.name for f in tmp_path.iterdir()] == ["[a].json"]


def test_an_error_leaves_the_old_file(tmp_path):
    (tmp_path / "x").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic(tmp_path / "x") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("x", "old")]

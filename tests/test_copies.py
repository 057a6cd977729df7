"""`make lab` works on the reader's own copies, which are never overwritten."""

import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import copies  # noqa: E402


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "notebooks").mkdir()
    for name in ("0_walkthrough.ipynb", "my_solutions.py", "checks.py"):
        (tmp_path / "notebooks" / name).write_text("first edition")
    return tmp_path


def prepared(root: Path) -> tuple[dict[str, str], list[str]]:
    said: list[str] = []
    folder = copies.prepare(root, said.append)
    files = [file for file in folder.iterdir() if not file.name.startswith(".")]
    return {file.name: file.read_text() for file in files}, said


def test_notebooks_and_their_modules_are_copied_once(root):
    first = prepared(root)
    assert first == (
        {"0_walkthrough.ipynb": "first edition", "my_solutions.py": "first edition"},
        [],
    )
    assert prepared(root) == first


def test_a_copy_that_nobody_changed_follows_its_original(root):
    prepared(root)
    (root / "notebooks" / "my_solutions.py").write_text("second edition")
    files, said = prepared(root)
    assert files["my_solutions.py"] == "second edition" and not said


def test_what_the_reader_wrote_stays_and_a_newer_original_is_said(root):
    prepared(root)
    mine = root / copies.COPIES / "0_walkthrough.ipynb"
    mine.write_text("mine")
    assert prepared(root) == (
        {"0_walkthrough.ipynb": "mine", "my_solutions.py": "first edition"},
        [],
    )
    (root / "notebooks" / mine.name).write_text("second edition")
    for _ in range(2):
        files, (said,) = prepared(root)
        assert files[mine.name] == "mine"
        assert "0_walkthrough.ipynb is newer; delete your copy to get the new one" in said
    mine.unlink()
    assert prepared(root) == ({mine.name: "second edition", "my_solutions.py": "first edition"}, [])


def test_a_call_that_was_killed_before_its_record_is_made_up_for(root):
    prepared(root)
    record = root / copies.COPIES / copies.RECORD
    made = record.read_text()
    (root / "notebooks" / "my_solutions.py").write_text("second edition")
    prepared(root)
    record.write_text(made)  # as if the second call had ended before it
    assert prepared(root)[1] == []
    assert json.loads(record.read_text()) != json.loads(made)


def test_jupyterlab_opens_the_walkthrough_among_the_copies(root, monkeypatch):
    monkeypatch.setattr(copies, "prepare", lambda: _made(root))
    started = []
    monkeypatch.setattr(os, "execv", lambda *call: started.append((*call, os.getcwd())))
    monkeypatch.chdir(root)
    copies.main(["--no-browser"])
    ((program, arguments, folder),) = started
    assert program == sys.executable and Path(folder) == root / copies.COPIES
    assert arguments[1:3] == ["-m", "jupyterlab"] and arguments[-1] == "--no-browser"
    assert "--LabApp.default_url=/lab/tree/0_walkthrough.ipynb" in arguments


def _made(root: Path) -> Path:
    folder = root / copies.COPIES
    folder.mkdir()
    return folder

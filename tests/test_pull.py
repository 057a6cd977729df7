"""`dvc pull`, as `make reproduce`, `make lab` and `make test` call it: it works from a ZIP file and
behind other settings, and where it fails it says why."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import pull  # noqa: E402
import surroundings  # noqa: E402

CONTENT = "the rows of a made-up experiment\n"
STORED = Path("dvc-store") / "files" / "md5"


def dvc(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> Path:
    """A project with one file in its store, as a ZIP file holds it: without .git."""
    folder = tmp_path_factory.mktemp("project") / "with space"
    (folder / ".dvc").mkdir(parents=True)
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
    dvc(folder, "config", "--local", "core.no_scm", "true")
    (folder / "data").mkdir()
    (folder / "data" / "rows.txt").write_text(CONTENT)
    dvc(folder, "add", "data")
    dvc(folder, "push")
    shutil.rmtree(folder / "data")
    for name in ("cache", "tmp"):
        shutil.rmtree(folder / ".dvc" / name)
    (folder / ".dvc" / "config.local").unlink()
    return folder


@pytest.fixture
def project(packed, tmp_path) -> Path:
    folder = Path(shutil.copytree(packed, tmp_path / "a project"))
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


def rows(folder: Path) -> str:
    return (folder / "data" / "rows.txt").read_text()


def stored(project: Path) -> Path:
    """The file of the store that holds the rows."""
    (file,) = (f for f in (project / STORED).glob("??/*") if f.suffix != ".dir")
    return file


def test_a_project_without_git_is_complete(project):
    shutil.rmtree(project / ".git")
    said: list[str] = []
    pull.pull(project, said.append)
    pull.pull(project, said.append)
    assert rows(project) == CONTENT
    assert said == ["This folder is no git repository; DVC is set to work without one."]


def test_settings_of_the_user_do_not_lead_elsewhere(project, tmp_path, monkeypatch):
    (tmp_path / "settings").mkdir()
    cache = "[cache]\n    dir = /proc/nowhere\n    type = symlink\n"
    for text in (cache, "[cache\n"):
        (tmp_path / "settings" / "config").write_text(text)
        monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "settings"))
        pull.pull(project)
        assert rows(project) == CONTENT and not (project / "data" / "rows.txt").is_symlink()
        shutil.rmtree(project / "data")


def test_a_damaged_file_of_the_store_is_named(project):
    stored(project).chmod(0o644)
    stored(project).write_text("garbage")
    with pytest.raises(
        RuntimeError, match=r"^1 of the files in dvc-store/ are damaged, such as .*"
    ):
        pull.pull(project)
    assert pull.damaged(project) == [str(stored(project).relative_to(project))]


def test_a_missing_file_of_the_store_is_said(project):
    stored(project).unlink()
    with pytest.raises(RuntimeError, match=r"^dvc-store/ lacks files that data\.dvc .*; fetch"):
        pull.pull(project)


def test_changes_of_the_user_are_not_dropped(project):
    pull.pull(project)
    (project / "data" / "rows.txt").unlink()
    (project / "data" / "rows.txt").write_text("mine")
    with pytest.raises(
        RuntimeError, match=r"changes of your own, .* `\.venv/bin/dvc pull --force`"
    ):
        pull.pull(project)
    assert rows(project) == "mine"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("ERROR: [Errno 28] No space left on device: 'x'", "the disk is full; free some space"),
        ("ERROR: Unable to acquire lock", "another DVC command is running"),
        ("/x/python: No module named dvc", "run `make env`"),
        ("ERROR: something new", r"with DVC, which says: something new$"),
        ("", r"with DVC, which says: nothing$"),
    ],
)
def test_every_failure_says_something(tmp_path, said, reason):
    assert re.search(reason, pull.reason(tmp_path, said))


def test_make_pulls_with_this_tool_alone():
    text = (ROOT / "Makefile").read_text() + (ROOT / "tools" / "reproduce.py").read_text()
    assert "-m dvc pull" not in text and '_dvc("pull"' not in text
    assert text.count("tools/pull.py") == 5 and text.count("_pull()") == 3


def test_texts_have_the_same_bytes_on_every_machine(tmp_path):
    """With core.autocrlf=true, a checkout would otherwise end lines in CRLF, and every stage of
    the pipeline would be out of date."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    git = ["git", "-c", "core.autocrlf=true", "-C", str(ROOT)]
    listed = subprocess.run([*git, "ls-files", "--eol"], check=True, capture_output=True, text=True)
    texts = [line for line in listed.stdout.splitlines() if line.startswith("i/lf")]
    assert len(texts) > 300
    kept = ("eol=lf", "attr/-text")  # converted to LF, or never converted
    assert [line for line in texts if not any(word in line for word in kept)] == []
    assert not any("i/crlf" in line or "i/mixed" in line for line in listed.stdout.splitlines())


def test_the_cache_is_the_projects_own():
    text = (ROOT / ".dvc" / "config").read_text()
    assert "dir = cache" in text and "reflink,copy" in text
    assert "DVC_GLOBAL_CONFIG_DIR" in surroundings.own({})

"""Third-party files are data: no pickle, no code from a model folder, no network unless requested,
no path out of a folder."""

import ast
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import tiny

from chain_of_steps.explorer import web
from chain_of_steps.explorer.config import Config
from chain_of_steps.explorer.recorded import RecordedExplorer
from chain_of_steps.figures.player import Player
from chain_of_steps.models.video_model import VideoModel

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import audit  # noqa: E402

CODE = sorted(
    [
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "tools").glob("*.py"),
        *(ROOT / "benchmarks").glob("*.py"),
    ]
)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "compile",
    "torch.load",
    "np.load",
    "yaml.load",
    "yaml.unsafe_load",
    "os.system",
}


def unsafe(code: str) -> list[str]:
    """Calls in some code that could execute the content of a file."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
            found += [name for name in names if name.split(".")[0] in UNSAFE_MODULES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in UNSAFE_CALLS else []
            found += [
                f"{word.arg}=True"
                for word in node.keywords
                if word.arg in ("trust_remote_code", "shell")
            ]
    return found


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_code_reads_pickles_or_runs_what_a_file_brings(file):
    assert not unsafe(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_no_notebook_does_either(file):
    cells = [
        cell.source for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"
    ]
    assert not unsafe(
        "\n".join(line for cell in cells for line in cell.split("\n") if not line.startswith("%"))
    )


def test_what_is_unsafe_is_recognised():
    for code in (
        "import pickle",
        "from joblib import load",
        "torch.load(f)",
        "f(x, trust_remote_code=True)",
        "eval(x)",
    ):
        assert unsafe(code)


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, file: str):
        self.file = file

    def __reduce__(self):
        return open, (self.file, "w")


@pytest.fixture
def folder(tmp_path):
    tiny.mini_like().save_pretrained(tmp_path / "tiny")
    (tmp_path / "tiny" / "training.json").write_text(
        "{}"
    )  # this identifies it as a model of 48 pixels
    return tmp_path / "tiny"


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder"])
def test_a_pickled_checkpoint_is_refused_and_never_opened(folder, tmp_path, part):
    (weights,) = (folder / part).glob("*.safetensors")
    bomb = pickle.dumps(Bomb(str(tmp_path / "went off")))
    names = {"diffusion_pytorch_model": "diffusion_pytorch_model.bin", "model": "pytorch_model.bin"}
    weights.with_name(names[weights.stem]).write_bytes(bomb)
    weights.unlink()
    with pytest.raises(ValueError, match="cannot be loaded"):
        VideoModel.load(folder)
    weights.write_bytes(bomb)  # a pickle under the name of safetensors
    with pytest.raises(ValueError, match="is damaged or cut short"):
        VideoModel.load(folder)
    assert not (tmp_path / "went off").exists()


def test_a_part_that_needs_the_folders_own_code_is_refused_and_the_code_never_run(folder, tmp_path):
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(json.dumps(index | {"transformer": ["evil", "Model"]}))
    (folder / "transformer" / "evil.py").write_text(bomb(tmp_path) + "class Model: pass\n")
    with pytest.raises(ValueError, match="cannot be loaded"):
        VideoModel.load(folder)
    assert not (tmp_path / "went off").exists()


def test_files_that_nothing_loads_are_ignored_and_code_among_them_is_never_run(folder, tmp_path):
    """The hub's folders bring examples."""
    before = VideoModel.load(folder).fingerprint
    for place in (".", "transformer", "text_encoder"):
        for name in ("example.py", "__init__.py", "model.py", "pipeline.py"):
            (folder / place / name).write_text(bomb(tmp_path))
    (folder / "README.md").write_text("read me")
    assert VideoModel.load(folder).fingerprint == before
    (folder / "transformer" / "diffusers.py").write_text(bomb(tmp_path))  # named as a library is
    with pytest.raises(ValueError, match="cannot be loaded"):
        VideoModel.load(folder)
    assert not (tmp_path / "went off").exists()


def bomb(folder: Path) -> str:
    """Code that makes a file when it is run."""
    return f"open({str(folder / 'went off')!r}, 'w')\n"


@pytest.mark.parametrize("name", ["../../outside.safetensors", "/etc/passwd", "sub/x.safetensors"])
def test_a_list_of_weight_files_cannot_lead_out_of_its_folder(folder, name):
    listed = {"weight_map": {"proj_out.weight": name}}
    (folder / "transformer/diffusion_pytorch_model.safetensors.index.json").write_text(
        json.dumps(listed)
    )
    with pytest.raises(ValueError, match="which lies outside of its folder"):
        VideoModel.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": []}'])
def test_a_damaged_list_of_weight_files_is_named(folder, text):
    (folder / "transformer/diffusion_pytorch_model.safetensors.index.json").write_text(text)
    with pytest.raises(ValueError, match=r"index\.json is not a list of weight files"):
        VideoModel.load(folder)


NO_NETWORK = """
import socket, sys
def refuse(self, address, *more):
    if self.family != socket.AF_UNIX:
        print("NETWORK", address, file=sys.stderr)
        raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = lambda *address, **more: refuse(socket.socket(), address)
from chain_of_steps.cli import main
sys.exit(main(sys.argv[1:]))
"""


def offline(*arguments: str) -> subprocess.CompletedProcess:
    """The command line in a process that has no sockets."""
    path = os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", NO_NETWORK, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}
    )


def test_nothing_asks_the_network(folder, tmp_path):
    suite, videos = str(tmp_path / "suite"), str(tmp_path / "videos")
    for command in (
        [
            "bench",
            "--model",
            str(folder),
            "--samples-per-task",
            "1",
            "--task",
            "bounce",
            "--preset",
            "student",
        ],
        [
            "export-suite",
            "--samples-per-task",
            "1",
            "--domain",
            "out-of-domain",
            "--size",
            "48",
            "--out",
            suite,
        ],
        [
            "generate",
            "--model",
            str(folder),
            "--task",
            "maze",
            "--preset",
            "student",
            "--out",
            videos,
        ],
        [
            "plan",
            "--model",
            str(folder),
            "--scale",
            "smoke",
            "--experiment",
            "1_step_visualization",
        ],
        ["claims"],
    ):
        run = offline(*command)
        assert run.returncode == 0 and "NETWORK" not in run.stderr, run.stderr[-500:]


def test_a_missing_model_is_not_looked_for_in_the_network():
    run = offline("bench", "--model", "somebody/some-model")
    assert (
        run.returncode == 2
        and "is not a model folder" in run.stderr
        and "NETWORK" not in run.stderr
    )


def test_the_check_itself_sees_a_connection():
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            NO_NETWORK.split("from chain")[0] + "socket.create_connection(('192.0.2.1', 80))",
        ],
        capture_output=True,
        text=True,
    )
    assert "NETWORK" in run.stderr


def test_prompts_and_errors_are_escaped():
    evil = "<img src=x onerror=alert(1)>"
    page = Player(np.zeros((1, 1, 8, 8, 3), np.uint8), title=evil, step_labels=[evil]).html()
    assert "<img" not in page
    with pytest.raises(ValueError, match="unknown task"):
        Config(cell=evil)
    shown = RecordedExplorer({"setting": {"cell": evil}, "prompt": "</script><script>"}).html()
    assert "<img" not in shown and "</script><script>" not in shown


def test_the_explorer_makes_no_markup_of_what_it_is_told():
    script = web.script()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


def test_jupyterlab_listens_to_this_machine_and_keeps_its_token():
    lab = (ROOT / "tools" / "copies.py").read_text()
    assert "--ServerApp.ip=127.0.0.1" in lab
    for opened in (
        "token=",
        "password=",
        "0.0.0.0",
        "allow_origin",
        "allow-root",
        "disable_check_xsrf",
    ):
        assert opened not in lab


def test_an_audit_that_cannot_ask_is_skipped_and_one_that_finds_fails(monkeypatch, capsys):
    fixed = {"id": "X-1", "fix_versions": ["2"]}
    answer = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [fixed]},
            {"name": "b", "skip_reason": "unknown"},
        ]
    }
    assert audit.read(json.dumps(answer)) == ["a 1: X-1, fixed in 2"]
    assert (
        audit.read("no network")
        is audit.read(json.dumps({"dependencies": answer["dependencies"][1:]}))
        is None
    )
    for found, code in ((None, 0), ([], 0), (["a 1: X-1"], 1)):
        monkeypatch.setattr(audit, "weaknesses", lambda file, found=found: found)
        assert audit.main([]) == code
    assert "audit skipped" in capsys.readouterr().out

"""Notebooks run on the project's own kernel, with its own packages and settings, whatever the user
has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import run  # noqa: E402
import surroundings  # noqa: E402

PROBE = """
import json, os, sys
import chain_of_steps, matplotlib, seaborn
print(json.dumps({
    "python": sys.executable,
    "library": chain_of_steps.__file__,
    "seaborn": hasattr(seaborn, "FAKE"),
    "startup": "STARTED" in globals(),
    "lines": matplotlib.rcParams["lines.linewidth"],
    "device": os.environ.get("CUDA_VISIBLE_DEVICES"),
}))
"""


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """An environment in which everything that can shadow ours does; and a project to run in."""
    other = tmp_path / "other"
    for name in ("python3", surroundings.KERNEL):
        kernel = other / "kernels" / name / "kernel.json"
        kernel.parent.mkdir(parents=True)
        about = {"argv": ["false", "{connection_file}"], "display_name": "x", "language": "python"}
        kernel.write_text(json.dumps(about))
    startup = other / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("STARTED = True")
    (other / "seaborn.py").write_text("FAKE = True")
    (other / "matplotlibrc").write_text("lines.linewidth: 42\n")
    for name, value in {
        "JUPYTER_PATH": other,
        "JUPYTER_DATA_DIR": other,
        "JUPYTER_RUNTIME_DIR": "/proc/nowhere",
        "IPYTHONDIR": other / "ipython",
        "PYTHONPATH": other,
        "PYTHONWARNINGS": "error",
        "MATPLOTLIBRC": other / "matplotlibrc",
        "CUDA_VISIBLE_DEVICES": "7",
    }.items():
        monkeypatch.setenv(name, str(value))
    project = tmp_path / "a project"
    (project / "build" / "notebooks").mkdir(parents=True)
    (project / "src").symlink_to(ROOT / "src")
    monkeypatch.setattr(run, "ROOT", project)
    return project


def test_nothing_of_the_users_shadows_ours(foreign):
    cells = [nbformat.v4.new_code_cell(PROBE, id="probe")]
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=about)
    nbformat.write(notebook, foreign / "build" / "notebooks" / "probe.ipynb")
    before = dict(os.environ)
    executed = nbformat.read(run.execute("probe", None), as_version=4)
    assert dict(os.environ) == before
    (text,) = [o.text for o in executed.cells[-1].outputs if o.get("name") == "stdout"]
    assert json.loads(text) == {
        "python": sys.executable,
        "library": str(foreign / "src" / "chain_of_steps" / "__init__.py"),
        "seaborn": False,
        "startup": False,
        "lines": 1.5,
        "device": "7",  # where to compute is the user's choice
    }


def test_the_kernel_of_jupyterlab_is_ours_too(foreign):
    call = (
        "from jupyter_client.kernelspec import KernelSpecManager as K; import sys; "
        "print([K().get_kernel_spec(n).argv[0] for n in ('chain-of-steps', 'python3')])"
    )
    command = [sys.executable, str(ROOT / "tools" / "surroundings.py"), "-c", call]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "PYTHONPATH": ""}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = eval(found.stdout)
    assert first == sys.executable and second in ("python", "python3", sys.executable)


def test_make_starts_python_without_what_shadows_packages():
    text = (ROOT / "Makefile").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("unexport ")]
    assert {"PYTHONPATH", "PYTHONHOME", "RAY_ADDRESS"} <= set(line.split())

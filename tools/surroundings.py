"""The environment in which notebooks run: the project's own kernel and settings, whatever else is
on this machine. `surroundings.py -m jupyterlab ...` runs Python with these arguments in it.

A kernel called python3, IPython startup files, a matplotlibrc or modules on PYTHONPATH of the
user's own would otherwise change figures, or run the notebooks with other packages. What decides
where to compute, such as CUDA_VISIBLE_DEVICES or OMP_NUM_THREADS, is left alone.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chain_of_steps.common.files import atomic

ROOT = Path(__file__).parent.parent
KERNEL = "chain-of-steps"
SHARE = Path(sys.prefix) / "share" / "jupyter"
IGNORED = (
    "DIFFUSERS_ATTN_BACKEND",
    "IPYTHONSTARTUP",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_NO_CONFIG",
    "JUPYTER_PREFER_ENV_PATH",
    "MPLBACKEND",
    "PYTHONCASEOK",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONOPTIMIZE",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
    "RAY_ADDRESS",
)
FOLDERS = {
    "DVC_GLOBAL_CONFIG_DIR": "dvc",
    "DVC_SYSTEM_CONFIG_DIR": "dvc",
    "IPYTHONDIR": "ipython",
    "JUPYTER_RUNTIME_DIR": "jupyter",
}  # in build/, empty or for us alone


def own(environment: dict[str, str], root: Path = ROOT) -> dict[str, str]:
    """An environment without what would shadow the project's own kernel, packages and settings."""
    kept = {name: value for name, value in environment.items() if name not in IGNORED}
    settings = {
        "PYTHONPATH": root / "src",
        "PYTHONNOUSERSITE": 1,
        "JUPYTER_PATH": SHARE,
        "MATPLOTLIBRC": _package("matplotlib") / "mpl-data" / "matplotlibrc",
        "SOURCE_DATE_EPOCH": 0,  # dates in figures
    }
    settings |= {name: root / "build" / folder for name, folder in FOLDERS.items()}
    return kept | {name: str(value) for name, value in settings.items()}


def _package(name: str) -> Path:
    return Path(importlib.util.find_spec(name).origin).parent


@contextmanager
def surroundings(root: Path = ROOT) -> Iterator[None]:
    """This process in the project's own environment, with the kernel `KERNEL` in it."""
    make_kernel()
    for folder in FOLDERS.values():
        (root / "build" / folder).mkdir(parents=True, exist_ok=True)
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(own(before, root))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def make_kernel() -> None:
    """Describes this Python to Jupyter as the kernel `KERNEL`, next to its packages."""
    file = SHARE / "kernels" / KERNEL / "kernel.json"
    # Without its warning that a kernel on this machine is reached over TCP, as they all are.
    quiet = "--IPKernelApp.log_level=ERROR"
    arguments = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", quiet]
    about = {"argv": arguments, "display_name": "Chain of Steps", "language": "python"}
    text = json.dumps(about | {"metadata": {"debugger": True}}, indent=1) + "\n"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        with atomic(file) as temporary:
            temporary.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> None:
    with surroundings():
        os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])

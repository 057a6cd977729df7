"""Executes one notebook with its parameters from params.yaml: `run.py NAME [--scale mini] [--out figures]`."""

import argparse
import os
from pathlib import Path

import papermill
import yaml

ROOT = Path(__file__).parent.parent


def execute(name: str, scale: str | None = "mini", out: str = "figures", **more: object) -> Path:
    """Runs build/notebooks/NAME.ipynb and returns the executed copy under build/executed.

    Args:
        scale: section of params.yaml; None for a notebook that has none, which runs with its own values.
        out: folder of figures and metrics.
        more: parameters that override those of params.yaml.
    """
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    parameters: dict = {"root": "."}
    if scale is not None:
        parameters |= yaml.safe_load((ROOT / "params.yaml").read_text())[scale][name] | {"out": out} | more
    executed = ROOT / "build" / "executed" / f"{name}.ipynb"
    executed.parent.mkdir(parents=True, exist_ok=True)
    source = ROOT / "build" / "notebooks" / f"{name}.ipynb"
    papermill.execute_notebook(source, executed, parameters, cwd=ROOT, progress_bar=False, kernel_name="python3")
    return executed


def released() -> list[str]:
    """The notebooks that the pipeline draws: those whose rows are part of `results/`."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return [name for name in yaml.safe_load((ROOT / "params.yaml").read_text())["figures"] if name in stages]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--out", default="figures")
    options = parser.parse_args()
    execute(options.name, options.scale, options.out)

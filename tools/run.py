"""Executes one notebook with its parameters from params.yaml: `run.py NAME [--scale mini]`."""

import sys
from pathlib import Path

import papermill
from surroundings import KERNEL, surroundings

from chain_of_steps.cli.arguments import Parser
from chain_of_steps.common.errors import run_command
from chain_of_steps.experiments.parameters import read

ROOT = Path(__file__).parent.parent


def execute(name: str, scale: str | None = "mini", out: str = "figures", **more: object) -> Path:
    """Runs build/notebooks/NAME.ipynb and returns the executed copy under build/executed.

    Args:
        scale: section of params.yaml; None for a notebook without one, which runs with its own
            defaults.
        out: folder of figures and metrics.
        more: parameters that override those of params.yaml, or the notebook's own defaults.
    """
    parameters: dict = {}
    if scale is not None:
        section = read(ROOT / "params.yaml", scale, name)
        parameters |= {"section": section, "results": "results", "out": out}
    parameters |= more
    executed = ROOT / "build" / "executed" / f"{name}.ipynb"
    executed.parent.mkdir(parents=True, exist_ok=True)
    source = ROOT / "build" / "notebooks" / f"{name}.ipynb"
    known = papermill.inspect_notebook(source)
    if unknown := [
        parameter for parameter in parameters if parameter not in known
    ]:  # papermill would only warn
        raise ValueError(
            f"notebook {name} has no parameter {unknown[0]!r}; it has {', '.join(known)}"
        )
    with surroundings(ROOT):
        papermill.execute_notebook(
            source, executed, parameters, cwd=ROOT, progress_bar=False, kernel_name=KERNEL
        )
    return executed


def released() -> list[str]:
    """The notebooks of the pipeline, whose figures are part of the project."""
    return list(read(ROOT / "params.yaml", "pipeline"))


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("name")
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--out", default="figures")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    options = parser.parse_args()
    execute(options.name, options.scale, options.out)


if __name__ == "__main__":
    sys.exit(run_command(main, "run", debug="--debug" in sys.argv))

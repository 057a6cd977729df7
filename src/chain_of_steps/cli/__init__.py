"""The command line: `chain-of-steps`, also `python -m chain_of_steps`.

Commands import what they need when they run: help and wrong arguments are answered at once.
"""

import sys
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter
from cyclopts.exceptions import UnknownCommandError

from ..common.errors import USER_ERROR, run_command
from . import benchmark, experiments, export, training
from .arguments import Flag
from .errors import describe

NAME = "chain-of-steps"
ABOUT = "Watch a video diffusion model reason along its denoising steps."
TOUR = """\
A first tour, from the project's folder:
  chain-of-steps bench --samples-per-task 4 --task maze --seed 1
  chain-of-steps generate --task maze --out scratch/videos --every-step
  chain-of-steps export-suite --samples-per-task 2 --seed 1 --out scratch/suite

Vocabulary:
  A *step* is one denoising step: step 0 is the noisiest, sigma its noise level.
  *x0_hat* is the clean estimate at a step.
  A *suite* is a list of samples with exact answers.
"""
COMMANDS = (
    training.train,
    training.distill,
    benchmark.bench,
    benchmark.export_suite,
    benchmark.generate,
    experiments.plan,
    benchmark.evalkit,
    benchmark.scores,
    experiments.claims,
    experiments.store,
    export.export_web,
)

app = App(
    NAME,
    ABOUT,
    help_format="plaintext",
    help_epilogue=TOUR,
    version_flags=(),
    group_parameters=Group("Options", sort_key=1),
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)
for position, command in enumerate(COMMANDS):
    app.command(command, help_epilogue="", sort_key=position)
app.meta.help_flags = ()  # `app` answers --help itself, and reports unknown commands


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit code; an error is one sentence on standard error."""
    try:
        return app.meta(sys.argv[1:] if arguments is None else arguments)
    except CycloptsError as error:
        print(f"{NAME}: {describe(error)}", file=sys.stderr)
        return USER_ERROR


@app.meta.default
def _run(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[Flag, Parameter(group=Group("Any command", sort_key=2))] = False,
) -> int:
    """Takes `--debug` from wherever it stands and runs the command that the other tokens name.

    Args:
        debug: Show the traceback of an error.
    """
    if not tokens:
        raise UnknownCommandError(unused_tokens=[], app=app)
    command, bound, _ = app.parse_args(tokens)
    return run_command(lambda: command(*bound.args, **bound.kwargs), NAME, debug)

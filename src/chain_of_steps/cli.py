"""The command line: `chain-of-steps`, also `python -m chain_of_steps`."""

import argparse
import sys

from . import commands as run
from .common.errors import told

MINI = "data/mini"
LOAD = "how the model is loaded: 'dtype=bfloat16 offload=group storage=fp8 lora=high.safetensors,low.safetensors'"

EPILOG = """\
A first tour, from the project's folder:
  chain-of-steps bench --samples-per-task 4 --task maze --seed 1
  chain-of-steps generate --suite mini --task maze --out scratch/videos --every-step
  chain-of-steps export-suite --samples-per-task 2 --seed 1 --out scratch/suite

Vocabulary: a *step* is one denoising step (step 0 is the noisiest, sigma its noise level); *x0_hat* is the clean
estimate at a step; a *suite* is a list of samples with exact symbolic answers.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; an error is one sentence on standard error and a non-zero exit code (see `faults`)."""
    options = _parser().parse_args(arguments)
    return told(lambda: options.run(options), "chain-of-steps", options.debug)


def _count(text: str) -> int:
    return _number(text, at_least=1)


def _seed(text: str) -> int:
    return _number(text, at_least=0)


def _number(text: str, at_least: int) -> int:
    if not text.isdecimal() or int(text) < at_least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {at_least} on")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chain-of-steps",
        description="Watch a video diffusion model reason along its denoising steps.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the trace-back of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    debug = argparse.ArgumentParser(add_help=False)  # so that it may stand after the command too
    debug.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )

    train = commands.add_parser(
        "train", help="fit the mini model, or go on fitting it", parents=[debug]
    )
    train.add_argument("--budget", required=True, help="how long: 90s, 120m, 2h")
    train.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoints in --work, or from the model in --out",
    )
    train.add_argument(
        "--out", default=MINI, help="folder of the finished model (default: %(default)s)"
    )
    train.add_argument(
        "--work", default="build/train", help="folder of checkpoints (default: %(default)s)"
    )
    train.set_defaults(run=run.train)

    distill = commands.add_parser(
        "distill",
        help="fit a student that takes four steps to a model's trajectories",
        parents=[debug],
    )
    distill.add_argument(
        "--model", default=MINI, help="folder of the teacher (default: %(default)s)"
    )
    distill.add_argument(
        "--trajectories", type=_count, default=10_000, metavar="N", help="default: %(default)s"
    )
    distill.add_argument(
        "--budget", required=True, help="how long to fit, once these are made: 90s, 120m, 2h"
    )
    distill.add_argument(
        "--out", default="data/student", help="folder of the student (default: %(default)s)"
    )
    distill.add_argument(
        "--work", default="build/distill", help="folder to go on from (default: %(default)s)"
    )
    distill.set_defaults(run=run.distill)

    bench = commands.add_parser(
        "bench", help="judge a model on the mini suite, by task and by knob", parents=[debug]
    )
    bench.add_argument("--model", default=MINI, help="model folder (default: %(default)s)")
    bench.add_argument("--suite", default="mini", help="suite to score (default: %(default)s)")
    bench.add_argument(
        "--samples-per-task", type=_count, default=25, metavar="N", help="default: %(default)s"
    )
    bench.add_argument(
        "--seed", type=_seed, default=0, help="of samples and noise (default: %(default)s)"
    )
    bench.add_argument("--split", default="all", choices=("in-domain", "out-of-domain", "all"))
    bench.add_argument(
        "--partition",
        default="test",
        choices=("test", "validation"),
        help="which samples (default: %(default)s)",
    )
    bench.add_argument("--task", help="this task only")
    bench.add_argument(
        "--knobs", metavar="KNOBS", help="fix knobs of the task, such as order=4,clues=6"
    )
    bench.add_argument("--preset", default="mini", help="schedule (default: %(default)s)")
    bench.add_argument("--device", default="cpu", help="default: %(default)s")
    bench.add_argument("--load", default="", metavar="HOW", help=LOAD)
    bench.add_argument(
        "--json",
        metavar="FILE",
        help="write the report; - is standard output, instead of the table",
    )
    bench.set_defaults(run=run.bench)

    export = commands.add_parser(
        "export-suite", help="write the mini suite in the VBVR-Bench layout", parents=[debug]
    )
    export.add_argument(
        "--samples-per-task", type=_count, default=5, metavar="N", help="default: %(default)s"
    )
    export.add_argument("--seed", type=_seed, default=0, help="default: %(default)s")
    export.add_argument("--split", default="all", choices=("in-domain", "out-of-domain", "all"))
    export.add_argument(
        "--size", type=_count, default=480, help="side in pixels (default: %(default)s)"
    )
    export.add_argument(
        "--frames", type=_count, default=13, help="pixel frames (default: %(default)s)"
    )
    export.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    export.set_defaults(run=run.export_suite)

    generate = commands.add_parser(
        "generate",
        help="write a model's videos in the layout that VBVR-EvalKit reads",
        parents=[debug],
    )
    generate.add_argument("--model", default=MINI, help="model folder (default: %(default)s)")
    generate.add_argument(
        "--suite", default="mini", help="mini, or a folder in the VBVR-Bench layout"
    )
    generate.add_argument(
        "--samples-per-task", type=_count, default=1, metavar="N", help="of the mini suite"
    )
    generate.add_argument("--task", help="this task only")
    generate.add_argument(
        "--seed", type=_seed, default=0, help="of samples and noise (default: %(default)s)"
    )
    generate.add_argument("--preset", default="mini", help="schedule (default: %(default)s)")
    generate.add_argument("--device", default="cpu", help="default: %(default)s")
    generate.add_argument("--load", default="", metavar="HOW", help=LOAD)
    generate.add_argument(
        "--every-step", action="store_true", help="also write a preview of every step's x0_hat"
    )
    generate.add_argument(
        "--until", type=_count, metavar="STEP", help="stop before this step: previews only"
    )
    generate.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    generate.set_defaults(run=run.generate)

    plan = commands.add_parser(
        "plan", help="what experiments will cost, before any weight is loaded", parents=[debug]
    )
    plan.add_argument(
        "--model", required=True, help="a folder, or wan2.1-i2v-14b, wan2.2-i2v-a14b, vbvr-wan2.2"
    )
    plan.add_argument("--height", type=_count, default=480, help="pixels (default: %(default)s)")
    plan.add_argument("--width", type=_count, default=480, help="pixels (default: %(default)s)")
    plan.add_argument(
        "--frames", type=_count, default=49, help="pixel frames (default: %(default)s)"
    )
    plan.add_argument("--experiment", metavar="NAME", help="of this one only")
    plan.add_argument(
        "--scale", default="real", help="section of params.yaml (default: %(default)s)"
    )
    plan.add_argument(
        "--params", default="params.yaml", metavar="FILE", help="default: %(default)s"
    )
    plan.set_defaults(run=run.plan)

    evalkit = commands.add_parser(
        "evalkit",
        help="run an installed VBVR-EvalKit over a model's videos, clip by clip",
        parents=[debug],
    )
    evalkit.add_argument("--videos", required=True, metavar="DIR", help="what `generate` wrote")
    evalkit.add_argument(
        "--suite", required=True, metavar="DIR", help="a VBVR-Bench folder with ground truth"
    )
    evalkit.add_argument(
        "--frozen", action="store_true", help="first fill DIR with frozen first frames: the floor"
    )
    evalkit.add_argument(
        "--limit", type=float, default=300.0, help="seconds per clip (default: %(default)s)"
    )
    evalkit.add_argument("--out", required=True, metavar="DIR", help="folder of the results")
    evalkit.set_defaults(run=run.evalkit)

    scores = commands.add_parser(
        "scores", help="print EvalKit's results as a table, beside their floor", parents=[debug]
    )
    scores.add_argument("results", nargs="+", metavar="FILE", help="<model>_vbvr_results.json")
    scores.add_argument("--floor", metavar="FILE", help="results of the frozen first frames")
    scores.add_argument("--commit", default="unknown", help="of the EvalKit that gave them")
    scores.set_defaults(run=run.scores)

    claims = commands.add_parser(
        "claims", help="judge every claim from the metrics files", parents=[debug]
    )
    claims.add_argument("--claims", default="claims.yaml", help="default: %(default)s")
    claims.add_argument(
        "--figures", default="figures", help="folder of metrics (default: %(default)s)"
    )
    claims.add_argument(
        "--out", default="-", metavar="FILE", help="Markdown file; - is standard output"
    )
    claims.add_argument(
        "--brief", action="store_true", help="only what the paper itself says, as in the README"
    )
    claims.set_defaults(run=run.claims)

    store = commands.add_parser(
        "store", help="look after stored rows: list, verify or prune them", parents=[debug]
    )
    store.add_argument(
        "what",
        choices=("ls", "verify", "prune"),
        help="prune drops what `verify` names, and old rows",
    )
    store.add_argument(
        "--results", default="results", metavar="DIR", help="folder of rows (default: %(default)s)"
    )
    store.add_argument(
        "--model", default=MINI, help="whose rows `prune` keeps (default: %(default)s)"
    )
    store.set_defaults(run=run.store)
    return parser


if __name__ == "__main__":
    sys.exit(main())

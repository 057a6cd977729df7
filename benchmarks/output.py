"""What the benchmarks share: their options, and where the numbers go."""

import argparse
import json
from pathlib import Path


def options_of(doc: str) -> argparse.ArgumentParser:
    """A parser with `--model` and `--json`.

    Args:
        doc: what the benchmark says of itself.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="data/mini")
    parser.add_argument("--json", default="-", help="file to write; - is standard output")
    return parser


def write(numbers: dict, file: str) -> None:
    """Prints numbers, or writes them to a file."""
    text = json.dumps(numbers, indent=1)
    if file == "-":
        print(text)
    else:
        Path(file).write_text(text + "\n")

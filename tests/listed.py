"""The pictures that figures.yaml lists."""

from pathlib import Path

from chain_of_steps.experiments.pictures import pictures_in

ROOT = Path(__file__).parent.parent


def parts(notebook: str) -> set[str]:
    """Of one notebook, without its name."""
    names = (name.split("/") for name in pictures_in(ROOT / "figures.yaml"))
    return {part for own, part in names if own == notebook}

"""The parameters of a notebook, from params.yaml."""

from pathlib import Path

import yaml

SCALES = ("smoke", "mini", "real")


def scales_of(notebook: str) -> dict[str, dict]:
    """Its section at every scale."""
    parameters = yaml.safe_load((Path(__file__).parent.parent / "params.yaml").read_text())
    return {scale: parameters[scale][notebook] for scale in SCALES}

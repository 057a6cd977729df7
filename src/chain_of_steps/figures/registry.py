"""The experiments of each notebook, and their runs at a scale of params.yaml.

The map `figures` of params.yaml gives every notebook a folder here. The folder's `runs.py` declares
`EXPERIMENTS`: a class; or several, each under the name of its group of parameters; or `{}`, where a
notebook only reads rows that another one asks for.
"""

import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from ..experiments.base import Experiment
from ..experiments.parameters import read
from ..experiments.sweep import planned
from ..models.video_model import VideoModel

SYMBOLS = "data/symbols/"  # where the symbol networks are
NOT_SCALES = ("figures", "pipeline")  # other keys of params.yaml
WHOLE = ""  # the group of an only experiment: the notebook's whole section


class Use(NamedTuple):
    """An experiment in one notebook, with the runs that this notebook asks for."""

    notebook: str
    experiment: Experiment
    runs: list


def experiments(
    params: Path,
    scale: str,
    load: Callable[[str], VideoModel],
    model: str = "data/mini",
    symbols: bool = True,
) -> dict[str, tuple[Experiment, list]]:
    """Every experiment by name, with its runs, see `together`.

    Args:
        params: a params.yaml.
        load: loads a model folder.
        model: folder of the model, for groups of parameters that name none.
        symbols: also those on symbol networks, which do not depend on the model.

    Raises:
        ValueError: for a scale that the file does not have, or a faulty section of it.
    """
    return together(uses(params, sections(params, scale), load, model, symbols))


def folders(params: Path) -> dict[str, str]:
    """The folder of every notebook, from the map `figures`."""
    found = read(params, "figures")
    if not isinstance(found, dict):
        raise ValueError(f"`figures` in {params} is {found!r}; expected folders by notebook")
    for notebook, folder in found.items():
        if not isinstance(folder, str) or not folder.isidentifier():
            raise ValueError(
                f"the folder of {notebook!r} in {params} is {folder!r}; expected a name"
            )
    return found


def classes(folder: str) -> dict[str, type[Experiment]]:
    """What a folder declares, by the name of its group of parameters; `WHOLE` for an only class.

    Raises:
        ValueError: if there is no such folder with a `runs.py`, or nothing is declared in it.
    """
    name = f"{__package__}.{folder}.runs"
    try:
        declared = getattr(importlib.import_module(name), "EXPERIMENTS", None)
    except ModuleNotFoundError as error:
        if not name.startswith(str(error.name)):
            raise  # the file is there and imports something that is not
        declared = None
    if declared is None:
        raise ValueError(
            f"there is no figures/{folder}/runs.py that declares EXPERIMENTS; expected a class, "
            "or classes by the name of their group of parameters"
        )
    return {WHOLE: declared} if isinstance(declared, type) else declared


def sections(params: Path, scale: str) -> dict[str, dict]:
    """The parameters of every notebook at a scale.

    Raises:
        ValueError: for a scale that the file does not have, or that has other sections than those
            of the notebooks.
    """
    scales = read(params)
    if not isinstance(scales, dict) or not isinstance(scales.get(scale), dict):
        known = (
            ", ".join(str(name) for name in scales if name not in NOT_SCALES)
            if isinstance(scales, dict)
            else "none"
        )
        raise ValueError(f"unknown scale {scale!r}; expected one of {known}")
    known = folders(params)
    for notebook, section in scales[scale].items():
        if notebook not in known or not isinstance(section, dict):
            raise ValueError(
                f"{params} has a section {notebook!r}, which is not a notebook in its map "
                f"`figures`; expected {', '.join(map(str, known))}"
            )
    return scales[scale]


def uses(
    params: Path,
    sections: dict[str, dict],
    load: Callable[[str], VideoModel],
    model: str,
    symbols: bool = True,
) -> list[Use]:
    """The experiments of every notebook, from its section of parameters; see `experiments`."""
    found, known = [], folders(params)
    for notebook, section in sections.items():
        groups = {name: value for name, value in section.items() if name != "preset"}
        for part, kind in classes(known[notebook]).items():
            if missing := [name for name in ("preset", part or "preset") if name not in section]:
                raise ValueError(f"the parameters of {notebook} lack {missing[0]!r}")
            own = groups if part == WHOLE else groups[part]
            if not symbols and on_symbols(own):
                continue
            experiment, runs = planned(kind, own, load, model, section["preset"])
            if runs:  # else its parameters ask for nothing
                found.append(Use(notebook, experiment, runs))
    return found


def on_symbols(group: dict) -> bool:
    """Whether a group of parameters names a symbol network as its model."""
    return str(group.get("model", "")).startswith(SYMBOLS)


def together(uses: Iterable[Use]) -> dict[str, tuple[Experiment, list]]:
    """Every experiment by name, with the runs of all notebooks that use it, each once.

    Raises:
        ValueError: if two notebooks use the same name for different experiments.
    """
    found: dict[str, Use] = {}  # the first use of each, with all runs so far
    for use in uses:
        name = use.experiment.name
        first = found.setdefault(name, use)
        if not _same(first.experiment, use.experiment):
            raise ValueError(
                f"{first.notebook} and {use.notebook} both have an experiment {name!r}, but "
                "another class, model or preset; give one of the two another `name`"
            )
        found[name] = first._replace(runs=list(dict.fromkeys([*first.runs, *use.runs])))
    return {name: (use.experiment, use.runs) for name, use in found.items()}


def _same(one: Experiment, other: Experiment) -> bool:
    """Whether two experiments write the same rows; one may add pictures to what the other shows."""
    kin = isinstance(one, type(other)) or isinstance(other, type(one))
    return kin and one.header == other.header

"""The experiments of each notebook, and their runs at a scale of params.yaml."""

from collections.abc import Callable
from pathlib import Path

from ..experiments.parameters import read
from ..experiments.sweep import planned
from ..models.video_model import VideoModel
from .emergent_behaviors.memory_probes import MemoryProbes
from .emergent_behaviors.onsets import Onsets
from .emergent_behaviors.runs import Behaviors, WorkingMemory
from .ensemble_table.runs import Ensemble
from .layer_roles.energy import LayerEnergy
from .layer_roles.probes import LayerProbes
from .layer_roles.swaps import LayerSwaps
from .perturbation_curves.runs import Perturbation
from .step_budget.runs import FewSteps, StepBudget, StudentEnsemble, StudentSteps
from .step_visualization.runs import StepVisualization

# By notebook; if there are several, by the name of their group of parameters.
EXPERIMENTS = {
    "1_step_visualization": StepVisualization,
    "2_perturbation_curves": Perturbation,
    # `Behaviors` has the rows of notebook 1 and one more picture, so it replaces that experiment.
    "3_emergent_behaviors": {
        "steps": Behaviors,
        "memory": WorkingMemory,
        "probes": MemoryProbes,
        "onsets": Onsets,
    },
    "4_layer_roles": {"swaps": LayerSwaps, "energy": LayerEnergy, "probes": LayerProbes},
    "5_ensemble_table": Ensemble,
    "6_step_budget": {
        "grid": StepBudget,
        "few": FewSteps,
        "student": StudentSteps,
        "ensemble": StudentEnsemble,
    },
}


def experiments(
    params: Path, scale: str, load: Callable[[str], VideoModel], model: str = "data/mini"
) -> dict[str, tuple]:
    """Every experiment by name, with its runs.

    Args:
        params: a params.yaml.
        load: loads a model folder.
        model: folder of the model, for groups of parameters that name none.

    Raises:
        ValueError: for a scale that the file does not have.
    """
    return of_sections(sections(params, scale), load, model)


def sections(params: Path, scale: str) -> dict[str, dict]:
    """The parameters of every notebook at a scale.

    Raises:
        ValueError: for a scale that the file does not have, or that has other sections than those
            of the notebooks.
    """
    scales = read(params)
    if not isinstance(scales, dict) or not isinstance(scales.get(scale), dict):
        known = (
            ", ".join(str(name) for name in scales if name != "figures")
            if isinstance(scales, dict)
            else "none"
        )
        raise ValueError(f"unknown scale {scale!r}; expected one of {known}")
    for notebook, section in scales[scale].items():
        if notebook not in EXPERIMENTS or not isinstance(section, dict):
            expected = ", ".join(EXPERIMENTS)
            raise ValueError(
                f"{params} has a section {notebook!r}, which is not a notebook; expected {expected}"
            )
    return scales[scale]


def of_sections(
    sections: dict[str, dict], load: Callable[[str], VideoModel], model: str
) -> dict[str, tuple]:
    """The same as `experiments`, from the parameters of every notebook."""
    found = {}
    for notebook, section in sections.items():
        groups = {name: value for name, value in section.items() if name != "preset"}
        kinds = EXPERIMENTS[notebook]
        if missing := [
            name
            for name in ("preset", *(kinds if isinstance(kinds, dict) else ()))
            if name not in section
        ]:
            raise ValueError(f"the parameters of {notebook} lack {missing[0]!r}")
        plans = (
            [(kinds, groups)]
            if isinstance(kinds, type)
            else [(kinds[part], groups[part]) for part in kinds]
        )
        for kind, parameters in plans:
            experiment, runs = planned(kind, parameters, load, model, section["preset"])
            found[experiment.name] = (experiment, runs)
    return found

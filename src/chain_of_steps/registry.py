"""Which experiments a notebook rests on, and their runs at a scale of params.yaml."""

from collections.abc import Callable
from pathlib import Path

import yaml

from .experiments.emergent_behaviors import Behaviors, WorkingMemory
from .experiments.ensemble import Ensemble
from .experiments.layer_energy import LayerEnergy
from .experiments.layer_probes import LayerProbes
from .experiments.layer_swaps import LayerSwaps
from .experiments.memory_probes import MemoryProbes
from .experiments.onsets import Onsets
from .experiments.perturbation import Perturbation
from .experiments.step_budget import FewSteps, StepBudget, StudentEnsemble, StudentSteps
from .experiments.step_visualization import StepVisualization
from .models import VideoModel
from .sweep import planned

# Of every notebook; where there are several, each by the name of its own group of parameters.
EXPERIMENTS = {
    "1_step_visualization": StepVisualization,
    "2_perturbation_curves": Perturbation,
    # `Behaviors` has the rows of notebook 1 and one more picture: it takes that experiment's place.
    "3_emergent_behaviors": {"steps": Behaviors, "memory": WorkingMemory, "probes": MemoryProbes, "onsets": Onsets},
    "4_layer_roles": {"swaps": LayerSwaps, "energy": LayerEnergy, "probes": LayerProbes},
    "5_ensemble_table": Ensemble,
    "6_step_budget": {"grid": StepBudget, "few": FewSteps, "student": StudentSteps, "ensemble": StudentEnsemble},
}


def experiments(
    params: Path, scale: str, load: Callable[[str], VideoModel], model: str = "data/mini"
) -> dict[str, tuple]:
    """Every experiment by name, with its runs.

    Args:
        params: a params.yaml.
        load: loads a model folder.
        model: the folder that is asked wherever a group of parameters names none.

    Raises:
        ValueError: for a scale that the file does not have.
    """
    scales = yaml.safe_load(params.read_text())
    if scale not in scales or scale == "figures":
        raise ValueError(f"unknown scale {scale!r}; expected one of {', '.join(scales.keys() - {'figures'})}")
    return of_sections(scales[scale], load, model)


def of_sections(sections: dict[str, dict], load: Callable[[str], VideoModel], model: str) -> dict[str, tuple]:
    """The same from the parameters of every notebook."""
    found = {}
    for notebook, section in sections.items():
        groups = {name: value for name, value in section.items() if name != "preset"}
        kinds = EXPERIMENTS[notebook]
        plans = [(kinds, groups)] if isinstance(kinds, type) else [(kinds[part], groups[part]) for part in kinds]
        for kind, parameters in plans:
            experiment, runs = planned(kind, parameters, load, model, section["preset"])
            found[experiment.name] = (experiment, runs)
    return found

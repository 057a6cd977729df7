"""The experiments of notebook 7."""

from .boards import Boards
from .in_pictures import InPictures
from .path_or_passes import PathOrPasses
from .phase_diagram import PhaseDiagram

EXPERIMENTS = {
    "diagram": PhaseDiagram,
    "passes": PathOrPasses,
    "boards": Boards,
    "pictures": InPictures,
}

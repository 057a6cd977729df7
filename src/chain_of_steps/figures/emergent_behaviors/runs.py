"""Figures 4 and 5 of the paper, measured: what is remembered, what is corrected, and what comes
first."""

from .memory import WorkingMemory
from .mistakes import Mistakes
from .onsets import Onsets

EXPERIMENTS = {"memory": WorkingMemory, "mistakes": Mistakes, "onsets": Onsets}

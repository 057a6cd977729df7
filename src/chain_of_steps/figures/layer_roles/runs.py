"""Which runs the figures of layers rest on: three experiments, each in a file of its own."""

from .energy import LayerEnergy
from .probes import LayerProbes
from .swaps import LayerSwaps

EXPERIMENTS = {"swaps": LayerSwaps, "energy": LayerEnergy, "probes": LayerProbes}

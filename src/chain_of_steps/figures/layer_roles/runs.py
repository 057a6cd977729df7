"""What each layer does: energy, linear probes and patches, each experiment in a file of its own."""

from .energy import LayerEnergy
from .probes import LayerProbes
from .swaps import LayerSwaps

EXPERIMENTS = {"energy": LayerEnergy, "probes": LayerProbes, "swaps": LayerSwaps}

"""Chain of Steps: watch video diffusion models reason along their denoising steps."""

import logging
import os

# OpenMP threads that wait spin for a while before they sleep. By default they spin so long that a
# forward pass on two threads takes three times as long while another process uses one of the cores;
# like this, twice as long (benchmarks/neighbour.json). It counts if torch is imported later.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# diffusers imports an image processor of transformers that we never use; without torchvision that
# prints a long warning.
logging.getLogger("transformers.utils.import_utils").addFilter(
    lambda entry: "torchvision" not in entry.getMessage()
)

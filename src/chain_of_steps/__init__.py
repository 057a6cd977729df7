"""Chain of Steps: watch video diffusion models reason along their denoising steps."""

import logging

# diffusers asks transformers for an image processor that we never use; without torchvision it says so at length.
logging.getLogger("transformers.utils.import_utils").addFilter(
    lambda entry: "torchvision" not in entry.getMessage()
)

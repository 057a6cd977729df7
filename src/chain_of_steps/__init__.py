"""Chain of Steps: watch video diffusion models reason along their denoising steps."""

import logging

# diffusers imports an image processor of transformers that we never use; without torchvision that
# prints a long warning.
logging.getLogger("transformers.utils.import_utils").addFilter(
    lambda entry: "torchvision" not in entry.getMessage()
)

"""`python -m chain_of_steps`."""

import sys

from .cli import main

sys.exit(main())

"""`python -m chain_of_steps`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

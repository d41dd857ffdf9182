"""`python -m fl.training`: trains a hierarchical model and shows how it gets on."""

import sys

from fl.training.command.main import main

if __name__ == "__main__":
    sys.exit(main())

"""`ape run owner`: a model owner, left running."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.owner import cli

__all__ = ["cli"]

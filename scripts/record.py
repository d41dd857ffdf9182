"""`ape run record`: a finished round as one document."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.record import cli

__all__ = ["cli"]

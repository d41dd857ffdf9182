"""`ape run base_station`: a base station, left running."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.base_station import cli

__all__ = ["cli"]

"""`ape run create_round`: a round by its terms, a YAML file."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.create_round import cli

__all__ = ["cli"]

"""`ape run member`: each step of a round by hand."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.member import cli

__all__ = ["cli"]

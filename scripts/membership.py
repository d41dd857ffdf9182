"""`ape run membership`: who may join a round, signed by who says so; and a member's own key card."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.membership import cli

__all__ = ["cli"]

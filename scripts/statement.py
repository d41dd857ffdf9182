"""`ape run statement`: what an account has done with HCFL, and what it cost and brought."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.statement import cli

__all__ = ["cli"]

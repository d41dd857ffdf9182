"""`ape run status`: where a round stands, and what an account does next."""

# `ape run` has the project on Python's path only while it loads this file; the package then finds its own modules.
from fl.commands.status import cli

__all__ = ["cli"]

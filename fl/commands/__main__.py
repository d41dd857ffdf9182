"""`hcfl`: the members' commands, where only the package is installed."""

from importlib import import_module

import click

NAMES = (
    *("membership", "create_round", "status", "owner", "base_station"),
    *("member", "record", "statement"),
)
"""In the order in which one needs them."""


class Commands(click.Group):
    """Loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """One of them."""
        if name not in NAMES:
            return None
        found: click.Command = import_module(f"fl.commands.{name}").cli
        return found


@click.command(cls=Commands)
def main() -> None:
    """Take part in rounds of HCFL: what `ape run` offers in a checkout."""


if __name__ == "__main__":
    main()

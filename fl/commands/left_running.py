"""The two commands that members leave running: they differ in the side that they take."""

from functools import partial
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

from fl.commands.command import Command
from fl.commands.options import (
    access_of,
    json_option,
    membership_option,
    pause_option,
    place_options,
    rounds_argument,
    show,
)


def left_running(role: str, text: str) -> click.Command:
    """The command of a side.

    Args:
        role: the side, by name in `fl.market.terms.Role`.
        text: its help.
    """

    @click.command(cls=Command, help=text)
    @network_option(default=None)
    @place_options
    @membership_option
    @rounds_argument
    @pause_option
    @json_option
    def cli(provider: ProviderAPI | None, rounds: tuple[int, ...], pause: float, as_json: bool, **place: Any) -> None:
        from fl.market.terms import Role
        from fl.members.command import run_rounds

        say = partial(click.echo, err=as_json)  # what a program reads is the answer alone
        ends, statement = run_rounds(access_of(provider, **place), Role[role], rounds, pause, say)
        show({"rounds": ends, "statement": statement.to_json()}, [*ends, *statement.told()], as_json)

    return cli

"""`ape run owner`: a model owner, left running."""

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


@click.command(cls=Command)
@network_option(default=None)
@place_options
@membership_option
@rounds_argument
@pause_option
@json_option
def cli(provider: ProviderAPI | None, rounds: tuple[int, ...], pause: float, as_json: bool, **place: Any) -> None:
    """Take an owner through ROUNDS, one after the other, to a statement of them.

    It joins, proposes, bids, reveals, trains its model if that is selected or judges the winner's, votes and settles,
    each in its time, and can be ended and started again at any moment: what it has decided is in its journal.
    """
    from fl.market.terms import Role
    from fl.members.command import run_rounds

    ends, statement = run_rounds(access_of(provider, **place), Role.OWNER, rounds, pause)
    show({"rounds": ends, "statement": statement.to_json()}, [*ends, *statement.told()], as_json)

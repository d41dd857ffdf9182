"""`ape run base_station`: a base station, left running."""

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
    """Take a base station through ROUNDS, one after the other, to a statement of them.

    It joins, bids, reveals, trains the selected model on its own data, records its updates and settles, each
    in its time, and can be ended and started again at any moment: what it has decided is in its journal.
    """
    from fl.market.terms import Role
    from fl.members.command import run_rounds

    ends, statement = run_rounds(access_of(provider, **place), Role.BASE_STATION, rounds, pause)
    show({"rounds": ends, "statement": statement.to_json()}, [*ends, *statement.told()], as_json)

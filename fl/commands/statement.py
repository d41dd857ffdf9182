"""`ape run statement`: what an account has done with HCFL, and what it cost and brought."""

from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

from fl.commands.command import Command
from fl.commands.options import access_of, json_option, place_options, show


@click.command(cls=Command)
@network_option(default=None)
@place_options
@click.option("--csv", "as_csv", is_flag=True, help="Answer in comma-separated values, amounts in wei.")
@json_option
def cli(provider: ProviderAPI | None, as_csv: bool, as_json: bool, **place: Any) -> None:
    """Show every transaction of an account, from the chain alone: block, time, gas, fee, and what moved and why.

    The account is --account (an alias, or any address) or that of --config. All rounds are summed, and the sum is held
    against the account's free balance on chain, to the wei.
    """
    from fl.members.looking import statement

    found = statement(access_of(provider, **place))
    if as_csv:
        click.echo(found.to_csv(), nl=False)
    else:
        show(found.to_json(), found.told(), as_json)

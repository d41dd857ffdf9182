"""`ape run status`: where a round stands, and what an account does next."""

import json
import sys
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

from fl.commands.command import Command
from fl.commands.options import access_of, json_option, membership_option, place_options, show


@click.command(cls=Command)
@network_option(default=None)
@place_options
@membership_option
@click.argument("round_id", metavar="ROUND", type=click.IntRange(min=1))
@click.option("--watch", is_flag=True, help="Again at each new block, until the round is over.")
@json_option
def cli(provider: ProviderAPI | None, round_id: int, watch: bool, as_json: bool, **place: Any) -> None:
    """Show ROUND: its phase and deadlines by the chain's clock, who has done what, and the models.

    With --account (an alias, or any address) or --config also what that account has locked, what it can lose, and its
    next step. Names come from the membership list. With --watch and --json there is one line for each block.
    """
    from fl.members.looking import opened

    with opened(access_of(provider, **place), round_id) as watcher:
        if not watch:
            status = watcher.look()
            show(status.to_json(), status.lines(), as_json)
            return
        for look in watcher.looks():
            if as_json:
                click.echo(json.dumps({**look.status.to_json(), "away": look.away or None}, ensure_ascii=False))
                continue
            lines = look.status.lines() + ([f"\n{look.away}; waiting for it"] if look.away else [])
            before = "\x1b[H\x1b[2J" if sys.stdout.isatty() else ""
            click.echo(before + "\n".join(lines) + ("" if before else "\n"))

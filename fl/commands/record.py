"""`ape run record`: a finished round as one document."""

from pathlib import Path
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
@click.argument("round_id", metavar="ROUND", type=click.IntRange(1))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="[default: round-<ROUND>.json]")
@json_option
def cli(provider: ProviderAPI | None, round_id: int, out: Path | None, as_json: bool, **place: Any) -> None:
    """Write round.json of ROUND, from the chain and what an owner can open; no other member need be there."""
    from fl.members.command import record

    show(*record(access_of(provider, **place), round_id, out or Path(f"round-{round_id}.json")), as_json)

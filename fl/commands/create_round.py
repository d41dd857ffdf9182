"""`ape run create_round`: a round by its terms, a YAML file."""

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
@click.argument("terms", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--another", is_flag=True, help="Although the same terms and members are open for joining already.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@json_option
def cli(provider: ProviderAPI | None, terms: Path, another: bool, yes: bool, as_json: bool, **place: Any) -> None:
    """Create a round by TERMS, a YAML file (examples/terms.yaml), for the members of a list.

    Terms are checked by the contract's own limits before anything is sent, and what each role can lose is shown. Prints
    the round's number, and what its members check before they join: the terms' hash and the list's root.
    """
    from fl.members.creation import create_round

    def confirm(lines: list[str]) -> None:
        click.echo("\n".join(lines), err=as_json)
        if not yes:
            click.confirm("\nCreate it?", abort=True, err=as_json)

    made = create_round(access_of(provider, **place), terms, another, confirm)
    lines = ["", f"Round {made['round']} of {made['contract']} on chain {made['chain_id']}"]
    lines += [f"{what.replace('_', ' ')} {made[what]}" for what in ("terms_hash", "membership_root", "door")]
    show(made, lines, as_json)

"""`ape run membership`: who may join a round, signed by who says so; and a member's own key card."""

from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

from fl.commands.command import Command
from fl.commands.options import access_of, json_option, place_options, show


@click.command(cls=Command)
@network_option(default=None)
@place_options
@click.argument("table", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--policy",
    type=click.Choice(["equal", "capability"]),
    default="equal",
    show_default=True,
    help="Under capability owners may have other points than 1.",
)
@click.option("--card", is_flag=True, help="Instead: make and sign the key card of --account.")
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="With --card: where the key is kept.")
@click.option("--new-key", is_flag=True, help="With --card: a new key, although the journal has one.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="[default: membership.json, or <account>.card.json]"
)
@json_option
def cli(
    provider: ProviderAPI | None,
    table: Path | None,
    policy: str,
    card: bool,
    journal: Path | None,
    new_key: bool,
    out: Path | None,
    as_json: bool,
    **place: Any,
) -> None:
    """Make a membership list of TABLE, a CSV with the columns account, role, points, key_card, name.

    Points (1) and name may be missing; key_card is the path of a member's card, or the card. The list gets each line's
    proof, and the signature of --account: whoever creates a round with it, or joins one, sees whose list it is. A
    member makes its card with --card; the private key stays in its journal.
    """
    from fl.members.listing import make_card, make_list

    access = access_of(provider, **place)
    if card == (table is not None):
        raise click.UsageError("name a table to make a list of, or --card to make a key card")
    if table is not None:
        document, lines = make_list(access, table, policy, out or Path("membership.json"))
    else:
        document, lines = make_card(access, journal, new_key, out)
    show(document, lines, as_json)

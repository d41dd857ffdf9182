"""`ape run member`: each step of a round by hand."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

from fl.commands.command import Command
from fl.commands.options import access_of, json_option, membership_option, place_options, show

_HELP = {
    "join": "Lock what the terms ask for.",
    "propose": "Send member.yaml's model to both sides, and propose it.",
    "draw": "Draw θ and the claimant.",
    "reveal": "Open the sealed bids.",
    "select": "Let the contract select the model.",
    "record": "Deliver order and models (winner), or train and record.",
    "report": "List the contributions and report the trained model (winner).",
    "abort": "End a round whose winner has not reported.",
    "settle": "Settle oneself, for good.",
    "claim": "Take what has come in of the claimant's lot.",
}


_PATH = click.Path(path_type=Path)


@click.group()
def cli() -> None:
    """Each step of a member by hand; it is done if it is the next one, and said if it is not."""


def _common(command: Callable[..., None]) -> Callable[..., None]:
    for option in (json_option, membership_option, place_options, network_option(default=None)):
        command = option(command)
    return command


def _by_hand(
    provider: ProviderAPI | None,
    round_id: int,
    word: str,
    as_json: bool,
    place: dict[str, Any],
    prepare: Callable[[Any, Any], None] = lambda member, facts: None,
) -> None:
    from fl.members.command import by_hand

    say = partial(click.echo, err=as_json)  # what a program reads is the answer alone
    show(*by_hand(access_of(provider, **place), round_id, word, prepare, say), as_json)


def _step(word: str) -> None:
    @cli.command(word, cls=Command, help=_HELP[word])
    @_common
    @click.argument("round_id", metavar="ROUND", type=click.IntRange(1))
    def step(provider: ProviderAPI | None, round_id: int, as_json: bool, **place: Any) -> None:
        _by_hand(provider, round_id, word, as_json, place)


for each in _HELP:
    _step(each)


@cli.command(cls=Command)
@_common
@click.argument("round_id", metavar="ROUND", type=click.IntRange(1))
@click.option("--bids", metavar="GWEI,GWEI,…", help="One for each model, in their order.  [default: by the plan]")
@click.option("--export", metavar="FILE", type=_PATH, help="Write the sealed bid, for a wallet's page; send nothing.")
@click.option("--import", "taken", metavar="FILE", type=_PATH, help="Note the sealed bid of a file; send nothing.")
def bid(
    provider: ProviderAPI | None,
    round_id: int,
    bids: str | None,
    export: Path | None,
    taken: Path | None,
    as_json: bool,
    **place: Any,
) -> None:
    """Seal a bid for each model."""
    from fl.members.command import export_bid, import_bid, note_bids

    if sum(each is not None for each in (bids, export, taken)) > 1:
        raise click.UsageError("--bids, --export and --import do not go together: name one")
    if export is not None:
        show(*export_bid(access_of(provider, **place), round_id, export), as_json)
        return
    if taken is not None:
        show(*import_bid(access_of(provider, **place), round_id, taken), as_json)
        return
    if bids is None:
        _by_hand(provider, round_id, "bid", as_json, place)
        return
    numbers = [part.strip() for part in bids.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in numbers):
        raise click.BadParameter("whole gwei with commas between them, as in 12,0,7", param_hint="--bids")
    _by_hand(provider, round_id, "bid", as_json, place, note_bids([int(part) for part in numbers]))


@cli.command(cls=Command)
@_common
@click.argument("round_id", metavar="ROUND", type=click.IntRange(1))
def texts(provider: ProviderAPI | None, round_id: int, as_json: bool, **place: Any) -> None:
    """Show what the proposals say, and the bids of one's plan."""
    from fl.members.command import texts as texts_of

    show(*texts_of(access_of(provider, **place), round_id), as_json)


@cli.command(cls=Command)
@_common
@click.argument("round_id", metavar="ROUND", type=click.IntRange(1))
@click.option("--accuracy", type=click.FloatRange(0, 1), help="Of the reported model.  [default: measured]")
@click.option("--uphold/--no-uphold", default=None, help="Whether the contributions stand.  [default: measured]")
def vote(
    provider: ProviderAPI | None,
    round_id: int,
    accuracy: float | None,
    uphold: bool | None,
    as_json: bool,
    **place: Any,
) -> None:
    """Vote on the reported model and the contributions."""
    from fl.members.command import note_vote

    if (accuracy is None) != (uphold is None):
        raise click.UsageError("--accuracy and --uphold go together: give both, or have both measured")
    if accuracy is None or uphold is None:
        _by_hand(provider, round_id, "vote", as_json, place)
    else:
        _by_hand(provider, round_id, "vote", as_json, place, note_vote(round(accuracy * 10_000), uphold))


@cli.command(cls=Command)
@_common
@click.option("--amount", metavar="AMOUNT", help='As "0.1 ether", "5 gwei".  [default: all that is free]')
@click.option("--to", metavar="ADDRESS", help="[default: the member's account]")
def withdraw(provider: ProviderAPI | None, amount: str | None, to: str | None, as_json: bool, **place: Any) -> None:
    """Take out what no round holds."""
    from fl.market.terms_file import wei_of
    from fl.members.command import withdraw as take

    try:
        wei = None if amount is None else wei_of(amount)
    except ValueError:
        raise click.BadParameter('an amount as "0.1 ether" or "5 gwei"', param_hint="--amount") from None
    show(*take(access_of(provider, **place), wei, to), as_json)

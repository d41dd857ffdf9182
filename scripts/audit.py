"""`ape run audit`: a round worked out again, by whoever can."""

import sys
from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
from fl.commands.command import Command
from fl.commands.options import access_of, json_option, membership_option, place_options, show


@click.command(cls=Command)
@network_option(default=None)
@place_options
@membership_option
@click.argument("round_id", metavar="ROUND", type=click.IntRange(1))
@click.option(
    "--document", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A round.json to hold against it."
)
@click.option("--station", metavar="ACCOUNT|own", help="Train again what this base station recorded, and no more.")
@json_option
def cli(
    provider: ProviderAPI | None, round_id: int, document: Path | None, station: str | None, as_json: bool, **place: Any
) -> None:
    """Work ROUND out again: the draw from its block, the selection, every share, tax and payment.

    With the --config of an owner also what only its keys open: each global model bit for bit from the signed updates,
    the contributions and the accuracy. What does not follow is named with the account that signed it; the exit status
    is then 1.

    --station trains again from the data that --config names, for a dispute: base stations use "own"; whoever is asked
    to decide is given the data and names the account.
    """
    from analysis.check_round import check_on_chain
    from fl.members.auditing import audit_round, replay_station

    access = access_of(provider, **place)
    if station is not None:
        replayed = replay_station(access, round_id, station)
        rows = [{"global_round": each.number, "recorded": each.recorded, "again": each.again} for each in replayed]
        show({"station": station, "global_rounds": rows}, list(map(str, replayed)), as_json)
        if any(each.differs for each in replayed):
            sys.exit(1)
        return
    report = audit_round(access, round_id, document, check_on_chain)
    show(report.to_json(), report.lines(), as_json)
    if report.wrong:
        sys.exit(1)

"""`ape run audit`: a round worked out again, by whoever can."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from ape.api import ProviderAPI
from ape.cli import network_option

# `ape run` has the project on Python's path only while it loads this file; these packages then find their own modules.
import analysis  # noqa: F401
import fl  # noqa: F401
from scripts._command import Command
from scripts._options import access_of, json_option, membership_option, place_options, show


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
    from fl.members.auditing import audit_as_owner, replay_station

    access = access_of(provider, **place)
    if station is not None:
        replayed = replay_station(access, round_id, station)
        rows = [{"global_round": each.number, "recorded": each.recorded, "again": each.again} for each in replayed]
        show({"station": station, "global_rounds": rows}, list(map(str, replayed)), as_json)
        if any(each.differs for each in replayed):
            sys.exit(1)
        return
    found, unknown = _on_chain(access, round_id, document)
    parts: dict[str, Any] = {"chain": {"findings": found, "unknown": unknown}}
    lines = [f"chain: {line}" for line in found] or ["chain: draw, selection, shares, taxes and payments follow"]
    wrong = list(found)
    if access.configuration is None:
        lines.append("not looked at, for want of an owner's --config: global models, contributions, accuracy")
    else:
        audited = audit_as_owner(access, round_id)
        parts["training"] = audited.to_json()
        lines += [*audited.lines(), *(f"does not follow: {each}" for each in audited.findings)]
        wrong += [str(each) for each in audited.findings]
    lines += [f"not in the chain: {name}" for name in unknown]
    lines.append(f"First of {len(wrong)} that do not follow: {wrong[0]}" if wrong else "All of it follows.")
    show({"round": round_id, "follows": not wrong, **parts}, lines, as_json)
    if wrong:
        sys.exit(1)


def _on_chain(access: Any, round_id: int, path: Path | None) -> tuple[list[str], list[str]]:
    """What does not follow of what the chain says, and of a document; what of that is not in the chain."""
    from analysis.check_round import check_against_chain, check_chain
    from analysis.round_on_chain import ChainError, read_round
    from fl.market.refusals import MarketError

    with access.market() as market:

        def ask(method: str, parameters: Sequence[Any]) -> Any:
            try:
                return market.request(method, parameters)
            except MarketError as error:  # as where a node gives only so many blocks at once
                raise ChainError(str(error)) from error

        try:
            if path is None:
                return check_chain(read_round(ask, market.address, round_id, market.first_block)), []
            document = json.loads(path.read_text(encoding="utf-8"))
            checked = check_against_chain(document, ask, market.address, market.first_block)
        except (ChainError, ValueError) as error:
            raise MarketError(str(error)) from error
    if document.get("round_id") != round_id:
        return [f"{path} is of round {document.get('round_id')}, not of {round_id}"], checked.unknown
    return checked.found, checked.unknown

"""Re-check a finished round's `round.json` (format 2) against the reference: `python -m analysis.check_round PATH`.

Everything that the mechanism decides is worked out again from the bids and from what happened, and compared
to the wei. `fl/record/round.md` has the format; nothing of the product's reader is used. How it is read beyond that:

- A cancelled round that was drawn, and in which a base station revealed, was not selected in time.
- Punishment and the contributions' standing are counted again from the votes.

With `--rpc` every field that the chain knows is held against it (`analysis.round_on_chain`), and the rest is listed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils import is_address

from analysis.mechanism import BASIS_POINTS, THETA_ONE, WEI_PER_GWEI, theta_numerator
from analysis.round_facts import Dues, Member, Round, RoundResult
from analysis.round_on_chain import Ask, ChainError, RoundOnChain, asking, compare, differs_from_text
from analysis.round_on_chain import read_round as read_chain
from analysis.settlement import exceeds_threshold, settle_round
from fl.shallow_json import shallow_json

logger = logging.getLogger(__name__)

FORMAT = 2

Document = Mapping[str, Any]
DUES_FIELDS = ("share", "tax", "reward", "forfeited", "slashed", "bonus", "payment")


@dataclass(frozen=True)
class Checked:
    """What came of a check.

    Attributes:
        found: One line a discrepancy.
        unknown: What was held against nothing.
    """

    found: list[str]
    unknown: list[str]


def check(document: Document) -> list[str]:
    """Compare a `round.json` with the reference.

    Args:
        document: The parsed JSON.

    Returns:
        One line a discrepancy; empty if the round is exactly what the mechanism makes of its bids. A document
        that cannot be read at all gives one line that says why.
    """
    try:
        if document["format"] != FORMAT:
            return [f"the document has format {document['format']}, and format {FORMAT} is checked here"]
        round_ = read_round(document)
        result = settle_round(round_)
        return [
            *_check_outcome(document, round_, result),
            *_check_models(document, round_),
            *_check_members(document, "owners", round_.owners, result.owners, 0),
            *_check_members(document, "base_stations", round_.stations, result.stations, result.lot),
            *_check_votes(document, round_, result),
            *differs_from_text(document),
        ]
    except KeyError as error:
        return [f"the document lacks {error}"]
    except (IndexError, OverflowError, TypeError, ValueError, AttributeError) as error:
        return [f"the document cannot be read: {error}"]


def read_round(document: Document) -> Round:
    """What happened in the round, out of its document.

    Raises:
        KeyError: A key is missing.
        ValueError: An entry is out of its range or contradicts another.
        TypeError: An entry is of the wrong type.
    """
    caps, models, selected = document["caps"], document["models"], document["selected"]
    owners, stations = (tuple(_read_member(entry) for entry in document[side]) for side in ("owners", "base_stations"))
    places = _places(document["owners"], "an owner")
    station_places = _places(document["base_stations"], "a base station")
    for model in models:
        if _account(model["proposer"]) not in places:
            raise ValueError(f"proposer {model['proposer']} is not an owner")
    claimant = document["claimant"]
    if claimant is not None and _account(claimant) not in station_places:
        raise ValueError(f"claimant {claimant} is not a base station")
    punished, upheld = _verdicts(document, owners)
    return Round(
        owners=owners,
        stations=stations,
        proposers=tuple(places[_account(model["proposer"])] for model in models),
        claimant=None if claimant is None else station_places[_account(claimant)],
        theta_numerator=_int(document["theta_numerator"]),
        max_owner_bid=_int(caps["owner"]),
        max_station_bid=_int(caps["base_station"]),
        bond=_int(document["bond"]),
        stake=_int(document["contribution_stake"]),
        owner_policy=_one_of(document["policy"], ("equal", "capability")),
        selected_in_time=document["status"] != "cancelled",
        global_rounds=1 if selected is None else _int(models[selected]["global_rounds"]),
        reported=document["status"] != "aborted",
        punished=punished,
        upheld=upheld,
        contributions=tuple(None if points is None else _int(points) for points in document["contributions"]),
    )


def _read_member(entry: Document) -> Member:
    bids = entry["bids"]
    if (bids is None) == _bool(entry["revealed"]):
        raise ValueError(f"{entry['account']} has bids without having revealed, or none though it has")
    return Member(
        bids=() if bids is None else tuple(_int(bid) for bid in bids),
        points=_int(entry["points"]),
        committed=_bool(entry["committed"]),
        revealed=bids is not None,
        recorded=_int(entry["recorded"]),
    )


def _places(entries: Sequence[Document], what: str) -> dict[str, int]:
    places = {_account(entry["account"]): number for number, entry in enumerate(entries)}
    if len(places) < len(entries):
        raise ValueError(f"{what} is listed twice")
    return places


def _verdicts(document: Document, owners: Sequence[Member]) -> tuple[bool, bool]:
    """Whether the winner is punished, and whether enough electors uphold the contributions."""
    if document["status"] != "settled":
        return False, False
    electors = sum(owner.committed for owner in owners) - 1
    claimed = _bps(document["models"][document["selected"]]["claimed_accuracy"])
    least, threshold = claimed - _int(document["tolerance"]), _int(document["threshold"])
    votes_for = (
        sum(_bps(vote["measured_accuracy"]) < least for vote in document["votes"]),
        sum(_bool(vote["uphold"]) for vote in document["votes"]),
    )
    punish, uphold = (exceeds_threshold(votes, electors, threshold) for votes in votes_for)
    return punish, uphold


def _check_outcome(document: Document, round_: Round, result: RoundResult) -> list[str]:
    pool = 0 if result.settlement is None else int(result.settlement.pool)
    return [
        *_differs("status", document["status"], result.status),
        *_differs("selected", document["selected"], result.selected),
        *_differs("pool", _int(document["pool"]), pool),
        *_differs("punished", _bool(document["punished"]), result.status == "settled" and round_.punished),
        *_differs("upheld", _bool(document["upheld"]), result.upheld),
        *_differs("kept", _int(document["kept"]), result.kept),
        *_check_theta(document, round_),
    ]


def _check_theta(document: Document, round_: Round) -> list[str]:
    """θ lies in its range, and is 0 where it was not drawn."""
    lo, hi = (_int(bps) for bps in document["theta_range"])
    weighted, theta = round_.owner_policy == "capability", round_.theta_numerator
    least, most = (theta_numerator(lo, hi, u, weighted) for u in (0, THETA_ONE - 1))
    if round_.claimant is None:
        least = most = 0
    return [] if least <= theta <= most else [f"theta_numerator is {theta}, which is not in {least} … {most}"]


def _check_models(document: Document, round_: Round) -> list[str]:
    found = []
    stations = sum(station.committed for station in round_.stations)
    for number, (model, live) in enumerate(zip(document["models"], round_.live, strict=True)):
        value = _sum_of_bids(round_.owners, number)
        cost = _sum_of_bids(round_.stations, number)
        margin = ((stations - 1) * value - stations * cost) // max(1, stations - 1)
        found += _differs(f"model {number} live", _bool(model["live"]), live)
        for field, expected in (("value", value), ("cost", cost), ("margin", margin)):
            found += _differs(f"model {number} {field}", _int(model[field]), expected)
    return found


def _sum_of_bids(side: Sequence[Member], model: int) -> int:
    return sum(member.bids[model] for member in side if member.committed and member.revealed) * WEI_PER_GWEI


def _check_members(
    document: Document, side: str, members: Sequence[Member], dues: Sequence[Dues], lot: int
) -> list[str]:
    found = []
    for number, (entry, member, due) in enumerate(zip(document[side], members, dues, strict=True)):
        name = f"{side.rstrip('s').replace('_', ' ')} {number}"
        is_claimant = document["claimant"] is not None and _account(entry["account"]) == _account(document["claimant"])
        receives = lot if is_claimant else 0
        found += _differs(f"{name} revealed", _bool(entry["revealed"]), member.revealed)
        found += _differs(f"{name} claimant", _bool(entry["claimant"]), is_claimant)
        found += _differs(f"{name} lot", _int(entry["lot"]), receives)
        for field in DUES_FIELDS:
            found += _differs(f"{name} {field}", _int(entry[field]), getattr(due, field))
        change = _int(entry["balance_after"]) - _int(entry["balance_before"])
        found += _differs(f"{name} change of balance", change, receives - due.payment)
    return found


def _check_votes(document: Document, round_: Round, result: RoundResult) -> list[str]:
    """Votes come from electors, once each, after a report."""
    votes = document["votes"]
    if result.selected is None or result.status != "settled":
        return ["there is a vote, but no report"] if votes else []
    winner = round_.proposers[result.selected]
    electors = [
        _account(entry["account"])
        for number, entry in enumerate(document["owners"])
        if number != winner and round_.owners[number].committed
    ]
    voters = [_account(vote["account"]) for vote in votes]
    found = [f"{voter} voted but is no elector" for voter in voters if voter not in electors]
    found += [f"{voter} voted more than once" for voter in sorted(set(voters)) if voters.count(voter) > 1]
    return found


def _differs(name: str, found: object, expected: object) -> list[str]:
    return [] if found == expected else [f"{name} is {found}, the reference says {expected}"]


def _account(address: str) -> str:
    return address.lower()


def _bps(accuracy: float) -> int:
    """An accuracy, 0 … 1, as the chain has it, 1/10,000."""
    return round(accuracy * BASIS_POINTS)


def _bool(flag: Any) -> bool:
    if not isinstance(flag, bool):
        raise TypeError(f"{flag!r} is neither true nor false")
    return flag


def _one_of(word: Any, words: tuple[str, ...]) -> Any:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return word


def _int(number: int | str) -> int:
    """An integer that may be written as a string; nothing else, above all no float."""
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise TypeError(f"{number!r} is not an integer")
    return int(number)


def check_on_chain(ask: Ask, contract: str, round_id: int, first_block: int, document: Document | None) -> Checked:
    """Hold what the chain says of a round against the reference, and a `round.json` against the chain.

    Args:
        ask: A node.
        contract: The deployment.
        round_id: The round.
        first_block: Of the deployment, or before.
        document: The parsed JSON; None: there is none to check.

    Raises:
        Fault: The node does not answer, there is no such round, or it is not over.
    """
    chain = read_chain(ask, contract, round_id, first_block)
    if document is None:
        return Checked(check_chain(chain), [])
    try:
        found, unknown = compare(document, chain)
    except (KeyError, IndexError, OverflowError, TypeError, ValueError, AttributeError) as error:
        return Checked([f"the document cannot be read: {error!r}"], [])
    return Checked([*found, *check_chain(chain)], unknown)


def check_against_chain(document: Document, ask: Ask, contract: str | None, first_block: int = 0) -> Checked:
    """The same for the round that a `round.json` names.

    Args:
        document: The parsed JSON.
        ask: A node.
        contract: The deployment that is trusted; None: the one that the document names.
        first_block: Of the deployment, or before.

    Raises:
        Fault: As above.
    """
    named, round_id = document.get("contract"), document.get("round_id")
    if not isinstance(named, str) or not is_address(named) or type(round_id) is not int:
        return Checked([f"the document names no contract and round: {named!r}, {round_id!r}"], [])
    checked = check_on_chain(ask, contract or named, round_id, first_block, document)
    if contract is None:
        return Checked(checked.found, ["that the contract is HCFL (name one with --contract)", *checked.unknown])
    return checked


def check_chain(chain: RoundOnChain) -> list[str]:
    """Work out again from the chain's logs what they say was decided: draw, selection, shares, taxes, payments.

    Returns:
        One line for each thing that does not follow.
    """
    # What an account does besides, in other rounds or none, is not the round's doing; a lot may wait to be claimed.
    taxes = sum(entry["tax"] for side in ("owners", "base_stations") for entry in chain.known[side])
    alone: dict[str, list[Document]] = {"owners": [], "base_stations": []}
    for side, entries in alone.items():
        for entry in chain.known[side]:
            lot = max(entry["lot"], taxes) if entry["claimant"] else entry["lot"]
            after = {"lot": lot, "balance_before": 0, "balance_after": lot - entry["payment"]}
            entries.append({**entry, **after})
    found = [*chain.off, *check({**chain.known, **alone})]
    return [f"the contract, or the node that tells of it: {line}" for line in found]


def main(arguments: Sequence[str]) -> int:
    """Check one document and say what is wrong with it; 0 if nothing, 1 if something, 2 if it cannot be read.

    Raises:
        SystemExit: 2 on a wrong call, 0 once it has helped.
    """
    parser = argparse.ArgumentParser(
        prog="python -m analysis.check_round",
        description="Works out again, from the bids and from what happened, all that the mechanism decides in a "
        "finished round, and compares it to the wei. With --rpc all that the chain knows is held against the chain.",
        epilog="Exits with 0 if all agrees, with 1 and a line for each discrepancy if not, with 2 if the document "
        "or the chain cannot be read.",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a round.json, as `make round` leaves it")
    parser.add_argument("--rpc", metavar="URL", help="a node of the chain that the round was played on")
    parser.add_argument("--contract", metavar="ADDRESS", help="the deployment that you trust, with --rpc")
    parser.add_argument("--first-block", type=int, default=0, help="of that deployment, with --rpc", metavar="NUMBER")
    options = parser.parse_args(arguments)
    path = options.path
    try:
        document = shallow_json(path.read_bytes())
        if options.rpc is None or not isinstance(document, dict):
            checked = Checked(check(document), [])
        else:  # What the chain knows agrees with it or not; and what the chain says is held against the reference.
            checked = check_against_chain(document, asking(options.rpc), options.contract, options.first_block)
    except (OSError, ValueError, ChainError) as error:
        logger.error("%s cannot be checked: %s", path, error)
        return 2
    for line in checked.found:
        logger.error("%s", line)
    if checked.found:
        logger.error("%s: %d discrepancies", path, len(checked.found))
        return 1
    members = len(document["owners"]) + len(document["base_stations"])
    where = "" if options.rpc is None else f", and with chain {document['chain_id']}"
    logger.info("%s: all amounts of %d members agree with the reference%s", path, members, where)
    for line in checked.unknown:
        logger.info("not checked: %s", line)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main(sys.argv[1:]))

"""Re-check a finished round's `round.json` against the reference: `python -m analysis.check_round PATH`.

Everything that the mechanism decides is worked out again from the bids and from what happened, and compared
to the wei. `fl/crowdfunding/round.md` has the format. How it is read beyond that:

- `value`, `cost` and `margin` sum the revealed bids of the committed members. They may be null; so may `training` and
  `contributions` where nothing was trained.
- `claimant` is null where nothing was drawn. A round that was drawn and is cancelled though a base station revealed was
  not selected in time.
- `payment = share + tax + slashed + forfeited - bonus`; the lot comes besides, once the claimant takes it.
- With `threshold` in the document `upheld` is counted again from the votes, and with `tolerance` `punished` too; else
  they are believed.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.mechanism import BASIS_POINTS, CONTRIBUTION_ONE, WEI_PER_GWEI
from analysis.round_facts import Dues, Member, Round, RoundResult
from analysis.settlement import exceeds_threshold, settle_round

logger = logging.getLogger(__name__)

Document = Mapping[str, Any]
FORMAT = 2
AMOUNTS = ("share", "tax", "reward", "forfeited", "slashed", "bonus", "payment")


def check(document: Document) -> list[str]:
    """Compare a `round.json` with the reference.

    Args:
        document: The parsed JSON.

    Returns:
        One line a discrepancy; empty if the round is exactly what the mechanism makes of its bids. A document
        that cannot be read at all gives one line that says why.
    """
    try:
        round_ = read_round(document)
        result = settle_round(round_)
        return [
            *_check_outcome(document, result),
            *_check_models(document, round_),
            *_check_members(document["owners"], "owner", result.owners, None, 0),
            *_check_members(document["base_stations"], "base station", result.stations, round_.claimant, result.lot),
            *_check_votes(document, round_, result),
        ]
    except KeyError as error:
        return [f"the document lacks {error}"]
    except (TypeError, ValueError, AttributeError) as error:
        return [f"the document cannot be read: {error}"]


def read_round(document: Document) -> Round:
    """What happened in the round, out of its document.

    Raises:
        KeyError: A key is missing.
        ValueError: An entry is out of its range or contradicts another.
        TypeError: An entry is of the wrong type.
    """
    if document["format"] != FORMAT:
        raise ValueError(f"it has format {document['format']}, not {FORMAT}")
    caps, models = document["caps"], document["models"]
    owners, stations = (
        _places(document[side], name) for side, name in (("owners", "owner"), ("base_stations", "base"))
    )
    for model in models:
        if _account(model["proposer"]) not in owners:
            raise ValueError(f"proposer {model['proposer']} is not an owner")
    claimant = document["claimant"]
    if claimant is not None and _account(claimant) not in stations:
        raise ValueError(f"claimant {claimant} is not a base station")
    selected = document["selected"]
    return Round(
        owners=tuple(map(_read_member, document["owners"])),
        stations=tuple(map(_read_member, document["base_stations"])),
        proposers=tuple(owners[_account(model["proposer"])] for model in models),
        claimant=None if claimant is None else stations[_account(claimant)],
        theta_numerator=_int(document["theta_numerator"]),
        max_owner_bid=_int(caps["owner"]),
        max_station_bid=_int(caps["base_station"]),
        bond=_int(document["bond"]),
        stake=_int(document["contribution_stake"]),
        owner_policy=_one_of(document["policy"], ("equal", "capability")),
        selected_in_time=document["status"] != "cancelled",
        global_rounds=1 if selected is None else _int(models[selected]["global_rounds"]),
        reported=document["status"] != "aborted",
        punished=bool(document["punished"]),
        upheld=bool(document["upheld"]),
        contributions=tuple(None if points is None else _int(points) for points in document["contributions"] or ()),
    )


def _places(entries: Sequence[Document], name: str) -> dict[str, int]:
    """Where each account is among its side."""
    places = {_account(entry["account"]): number for number, entry in enumerate(entries)}
    if len(places) < len(entries):
        raise ValueError(f"an account is listed twice among the {name}s")
    return places


def _read_member(entry: Document) -> Member:
    return Member(
        bids=tuple(_int(bid) for bid in entry["bids"] or ()),
        points=_int(entry["points"]),
        committed=bool(entry["committed"]),
        revealed=bool(entry["revealed"]),
        recorded=_int(entry.get("recorded") or 0),
    )


def _check_outcome(document: Document, result: RoundResult) -> list[str]:
    pool = 0 if result.settlement is None else int(result.settlement.pool)
    return [
        *_differs("status", document["status"], result.status),
        *_differs("selected", document["selected"], result.selected),
        *_differs("pool", _int(document["pool"] or 0), pool),
        *_differs("upheld", bool(document["upheld"]), result.upheld),
        *_differs("kept", _int(document["kept"]), result.kept),
    ]


def _check_models(document: Document, round_: Round) -> list[str]:
    found = []
    for number, (model, live) in enumerate(zip(document["models"], round_.live, strict=True)):
        value = _sum_of_bids(round_.owners, number)
        cost = _sum_of_bids(round_.stations, number)
        found += _differs(f"model {number} live", bool(model["live"]), live)
        for field, expected in (("value", value), ("cost", cost), ("margin", value - cost)):
            if model[field] is not None:
                found += _differs(f"model {number} {field}", _int(model[field]), expected)
    return found


def _sum_of_bids(side: Sequence[Member], model: int) -> int:
    return sum(member.bids[model] for member in side if member.committed and member.revealed) * WEI_PER_GWEI


def _check_members(
    entries: Sequence[Document], role: str, dues: Sequence[Dues], claimant: int | None, lot: int
) -> list[str]:
    found = []
    for number, (entry, each) in enumerate(zip(entries, dues, strict=True)):
        name, own_lot = f"{role} {number}", lot if number == claimant else 0
        for field in AMOUNTS:
            found += _differs(f"{name} {field}", _int(entry[field] or 0), getattr(each, field))
        found += _differs(f"{name} lot", _int(entry["lot"] or 0), own_lot)
        found += _differs(f"{name} claimant", bool(entry["claimant"]), number == claimant)
        change = _int(entry["balance_after"]) - _int(entry["balance_before"])
        if change not in (-each.payment, -each.payment + own_lot):
            found.append(
                f"{name} balance changed by {change}, the reference says {-each.payment} and a lot of {own_lot}"
            )
    return found


def _check_votes(document: Document, round_: Round, result: RoundResult) -> list[str]:
    """Votes come from electors, once each, after a report; and they decide what is punished and upheld."""
    votes = document["votes"] or []
    if result.selected is None or result.status != "settled":
        return ["there is a vote or a verdict, but no report"] if votes or round_.punished or round_.upheld else []
    winner = round_.proposers[result.selected]
    electors = [
        _account(entry["account"])
        for number, entry in enumerate(document["owners"])
        if number != winner and round_.owners[number].committed
    ]
    voters = [_account(vote["account"]) for vote in votes]
    found = [f"{voter} voted but is no elector" for voter in voters if voter not in electors]
    found += [f"{voter} voted more than once" for voter in sorted(set(voters)) if voters.count(voter) > 1]
    threshold, tolerance = document.get("threshold"), document.get("tolerance")
    if threshold is None:
        return found
    for_upholding = sum(bool(vote["uphold"]) for vote in votes)
    listed = sum(points or 0 for points in round_.contributions) == CONTRIBUTION_ONE
    upheld = listed and not round_.punished and exceeds_threshold(for_upholding, len(electors), _int(threshold))
    found += _differs("upheld", round_.upheld, upheld)
    if tolerance is not None:
        claimed = _basis_points(document["training"]["claimed_accuracy"])
        against = sum(_basis_points(vote["measured_accuracy"]) + _int(tolerance) < claimed for vote in votes)
        found += _differs("punished", round_.punished, exceeds_threshold(against, len(electors), _int(threshold)))
    return found


def _basis_points(accuracy: float) -> int:
    """As the contract has it."""
    return round(accuracy * BASIS_POINTS)


def _differs(name: str, found: object, expected: object) -> list[str]:
    return [] if found == expected else [f"{name} is {found}, the reference says {expected}"]


def _account(address: str) -> str:
    return address.lower()


def _one_of(word: Any, words: tuple[str, ...]) -> Any:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
    return word


def _int(number: int | str) -> int:
    """An integer that may be written as a string; nothing else, above all no float."""
    if isinstance(number, bool) or not isinstance(number, int | str):
        raise TypeError(f"{number!r} is not an integer")
    return int(number)


def main(arguments: Sequence[str]) -> int:
    """Check one document and say what is wrong with it; 0 if nothing, 1 if something, 2 on a wrong call."""
    if len(arguments) != 1:
        logger.error("usage: python -m analysis.check_round PATH")
        return 2
    try:
        document = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.error("%s cannot be read: %s", arguments[0], error)
        return 2
    found = check(document)
    for line in found:
        logger.error("%s", line)
    if found:
        logger.error("%s: %d discrepancies", arguments[0], len(found))
        return 1
    members = len(document["owners"]) + len(document["base_stations"])
    logger.info("%s: all amounts of %d members agree with the reference", arguments[0], members)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main(sys.argv[1:]))

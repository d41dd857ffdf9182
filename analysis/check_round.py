"""Re-check a finished round's `round.json` against the reference: `python -m analysis.check_round PATH`.

Everything that the mechanism decides is worked out again from the bids and from what happened, and compared
to the wei. `fl/crowdfunding/round.md` has the format. How it is read beyond that:

- `value`, `cost` and `margin`, the bids of whoever did not reveal, and `training` and `contributions` where
  nothing was trained, may be null.
- The winner recorded a global round if an epoch has an `updates_root`.
- A cancelled round that had to be cancelled by neither commits nor reveals was not selected in time.
- With `threshold` in the document `punished` is counted again from the votes, else it is believed.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.mechanism import WEI_PER_GWEI
from analysis.round_facts import Member, Round, RoundResult, Statement
from analysis.settlement import is_punished, settle_round

logger = logging.getLogger(__name__)

Document = Mapping[str, Any]
STATEMENT_FIELDS = ("share", "tax", "reward", "forfeited", "slashed", "rebate", "payment")


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
            *_check_members(document["owners"], "owner", result.owners),
            *_check_members(document["base_stations"], "base station", result.base_stations),
            *_check_collected(document, result),
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
    policy, caps, models = document["policy"], document["caps"], document["models"]
    base_stations = tuple(_read_member(entry, len(models)) for entry in document["base_stations"])
    places = {_account(entry["account"]): number for number, entry in enumerate(document["owners"])}
    if len(places) < len(document["owners"]):
        raise ValueError("an owner is listed twice")
    for model in models:
        if _account(model["proposer"]) not in places:
            raise ValueError(f"proposer {model['proposer']} is not an owner")
    epochs = (document.get("training") or {}).get("epochs") or []
    contributions = tuple(None if points is None else _int(points) for points in document["contributions"] or ())
    return Round(
        owners=tuple(_read_member(entry, len(models)) for entry in document["owners"]),
        base_stations=base_stations,
        proposers=tuple(places[_account(model["proposer"])] for model in models),
        theta_numerator=_int(document["theta_numerator"]),
        max_owner_bid=_int(caps["owner"]),
        max_base_bid=_int(caps["base_station"]),
        bond=_int(document["bond"]),
        owner_policy=_one_of(policy["owners"], ("equal", "capability")),
        base_policy=_one_of(policy["base_stations"], ("equal", "capability", "contribution")),
        selected_in_time=document["status"] != "cancelled",
        global_round_recorded=any(epoch.get("updates_root") for epoch in epochs),
        reported=document["status"] != "aborted",
        punished=bool(document["punished"]),
        contributions=contributions,
    )


def _read_member(entry: Document, models: int) -> Member:
    revealed = bool(entry["revealed"])
    return Member(
        bids=tuple(_int(bid) for bid in entry["bids"]) if revealed else (0,) * models,
        points=_int(entry["points"]),
        committed=bool(entry["committed"]),
        revealed=revealed,
        recorded=bool(entry.get("recorded")),
    )


def _check_outcome(document: Document, result: RoundResult) -> list[str]:
    pool = 0 if result.settlement is None else int(result.settlement.pool)
    return [
        *_differs("status", document["status"], result.status),
        *_differs("selected", document["selected"], result.selected),
        *_differs("pool", _int(document["pool"] or 0), pool),
    ]


def _check_models(document: Document, round_: Round) -> list[str]:
    found = []
    for number, (model, live) in enumerate(zip(document["models"], round_.live, strict=True)):
        value = _sum_of_bids(round_.owners, number)
        cost = _sum_of_bids(round_.base_stations, number)
        found += _differs(f"model {number} live", bool(model["live"]), live)
        for field, expected in (("value", value), ("cost", cost), ("margin", value - cost)):
            if model[field] is not None:
                found += _differs(f"model {number} {field}", _int(model[field]), expected)
    return found


def _sum_of_bids(side: Sequence[Member], model: int) -> int:
    return sum(member.bids[model] for member in side if member.committed and member.revealed) * WEI_PER_GWEI


def _check_members(entries: Sequence[Document], role: str, statements: Sequence[Statement]) -> list[str]:
    found = []
    for number, (entry, statement) in enumerate(zip(entries, statements, strict=True)):
        name = f"{role} {number}"
        for field in STATEMENT_FIELDS:
            found += _differs(f"{name} {field}", _int(entry[field] or 0), getattr(statement, field))
        change = _int(entry["balance_after"]) - _int(entry["balance_before"])
        if change not in (-statement.payment, -statement.payment + statement.rebate):
            found.append(
                f"{name} balance changed by {change}, "
                f"the reference says {-statement.payment} before its rebate of {statement.rebate}"
            )
    return found


def _check_collected(document: Document, result: RoundResult) -> list[str]:
    found = []
    for key, side in (("owners", result.owner_side), ("base_stations", result.base_side)):
        found += _differs(f"collected {key}", _int(document["collected"][key] or 0), side.inside + side.outside)
    return found


def _check_votes(document: Document, round_: Round, result: RoundResult) -> list[str]:
    """Votes come from electors, once each, after a report; and they decide whether the winner is punished."""
    votes = document["votes"] or []
    if result.selected is None or result.status != "settled":
        return ["there is a vote or a punishment, but no report"] if votes or round_.punished else []
    winner = round_.proposers[result.selected]
    electors = [
        _account(entry["account"])
        for number, entry in enumerate(document["owners"])
        if number != winner and round_.owners[number].committed
    ]
    voters = [_account(vote["account"]) for vote in votes]
    found = [f"{voter} voted but is no elector" for voter in voters if voter not in electors]
    found += [f"{voter} voted more than once" for voter in sorted(set(voters)) if voters.count(voter) > 1]
    if document.get("threshold") is not None:
        votes_for = sum(bool(vote["punish"]) for vote in votes)
        punished = is_punished(votes_for, len(electors), _int(document["threshold"]))
        found += _differs("punished", round_.punished, punished)
    return found


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
    """Check one document and say what is wrong with it; 0 if nothing, 1 if something, 2 if it cannot be read.

    Raises:
        SystemExit: 2 on a wrong call, 0 once it has helped.
    """
    parser = argparse.ArgumentParser(
        prog="python -m analysis.check_round",
        description="Works out again, from the bids and from what happened, all that the mechanism decides in a "
        "finished round, and compares it to the wei.",
        epilog="Exits with 0 if all agrees, with 1 and a line for each discrepancy if not, with 2 if the document "
        "cannot be read.",
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="a round.json, as `make round` leaves it")
    path = parser.parse_args(arguments).path
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        logger.error("%s cannot be read: %s", path, error)
        return 2
    found = check(document)
    for line in found:
        logger.error("%s", line)
    if found:
        logger.error("%s: %d discrepancies", path, len(found))
        return 1
    members = len(document["owners"]) + len(document["base_stations"])
    logger.info("%s: all amounts of %d members agree with the reference", path, members)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main(sys.argv[1:]))

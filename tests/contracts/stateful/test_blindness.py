"""What everybody can read until reveals open does not depend on what is bid, but for the commitments."""

from collections.abc import Sequence
from typing import Any

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import Policy, RoundTerms, Stage

ZEROS = ((0, 0), (0, 0), (0, 0))
LARGEST_VALUES = ((100, 100), (100, 100), (100, 100))
LARGEST_COSTS = ((50, 50), (50, 50), (50, 50))


def readable(round_: LiveRound) -> dict[str, Any]:
    """All views and logs of the round and all balances, without commitments."""
    market, members = round_.market, round_.members
    accounts = [seat.account for seat in members]
    views = {seat.name: vars(round_.member(seat)).copy() for seat in members}
    assert all(view["stage"] == Stage.COMMITTED for view in views.values())
    commitments = [view.pop("sealedBid") for view in views.values()]
    assert len(set(commitments)) == len(members)
    logs = [(event.name, dict(event.values)) for event in market.logs()]
    hidden = [values.pop("commitment") for name, values in logs if name == "BidCommitted"]
    assert len(hidden) == len(members)
    for name, values in logs:
        if name == "RoundCreated":
            values["terms"] = vars(values["terms"]) | {"deadlines": vars(values["terms"].deadlines)}
    terms = market.view("termsOf", round_.id)
    return {
        "round": vars(round_.state),
        "terms": (RoundTerms.decode(terms.terms), terms.door),
        "sums": vars(market.view("sumsOf", round_.id)),
        "members": views,
        "logs": logs,
        "free": [market.free(account) for account in accounts],
        "ether": [market.chain.balance_of(account) for account in accounts],
        "held": market.held,
    }


def committed(
    market: Market, create_round: CreateRound, values: Sequence[Any], costs: Sequence[Any], **terms: Any
) -> dict[str, Any]:
    with market.chain.snapshot():
        round_ = create_round(values, costs, **terms).committed().wait_for("commit")
        return readable(round_)


@pytest.mark.parametrize("policy", [Policy.EQUAL, Policy.CAPABILITY])
def test_until_reveals_open__other_bids__same_state_and_logs_but_for_the_commitments(
    market: Market, create_round: CreateRound, policy: Policy
) -> None:
    points = (1, 2, 3) if policy is Policy.CAPABILITY else None
    terms = {"owner_policy": policy, "owner_points": points, "contribution_stake": 10**9}
    nothing = committed(market, create_round, ZEROS, ZEROS, **terms)
    everything = committed(market, create_round, LARGEST_VALUES, LARGEST_COSTS, **terms)
    assert nothing == everything

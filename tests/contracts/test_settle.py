"""`settle` and `settleMany`: honest rounds to the wei, who may settle whom, when, and with which bids.

The default round at θ = 1/2, all in gwei: three owners, three base stations, the last one the claimant, whose bids
nobody ever sees. So K is the sum of two costs, the costs of all are estimated as 3 K / 2, and

    score E = 2 V - 3 K
    owner c = K/4 + (V - v) / 4      base station r = (K - k) / 2 + V/6      claimant r = K/4 + V/6

    model 0: V = 30 + 30 + 12 = 72, K = 28 + 1 = 29, E = 57
    model 1: V = 20 + 10 + 60 = 90, K = 2 + 14 = 16, E = 132, selected; payment 24 + (90 - 24) / 2 = 57

              claim 0, 1   share 0, 1     A = E - 2 (v - c), E + 3 (k - r) at 0, 1    tax (A_0 - A_1) / 2, / 3
    alice     30, 20       17.75, 21.5    32.5, 135                                   0
    bob       30, 10       17.75, 24      32.5, 160                                   0
    carol     12, 60       22.25, 11.5    77.5, 35                                    21.25
    north     28, 2        12.5, 22       103.5, 72                                   10.5
    south     1, 14        26, 16         -18, 126                                    0
    east      sealed       19             -                                           none; the lot is 31.75
"""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, Seat
from fl.market.bids import pack_bids
from fl.market.terms import GWEI, Phase, Policy, Role, Stage, Status

SHARES = {"alice": 21.5, "bob": 24, "carol": 11.5}
REWARDS = {"north": 22, "south": 16, "east": 19}
TAXES = {"carol": 21.25, "north": 10.5}
LOT = int(31.75 * GWEI)


def expected(seat: Seat) -> dict[str, int]:
    """What the table above says of a member, wei."""
    return {
        "share": int(SHARES.get(seat.name, 0) * GWEI),
        "tax": int(TAXES.get(seat.name, 0) * GWEI),
        "slashed": 0,
        "reward": int(REWARDS.get(seat.name, 0) * GWEI),
        "forfeited": 0,
        "bonus": 0,
    }


def test_settle__honest_round__every_amount_as_worked_out_by_hand(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    market = round_.market
    for seat in round_.members:
        receipt = round_.settle(seat).send()
        amounts = expected(seat)
        assert receipt.names == ["MemberSettled"]
        assert receipt.event("MemberSettled") == {
            "roundId": round_.id,
            "member": seat.account,
            **amounts,
        }, seat.name
        payment = amounts["share"] + amounts["tax"] - amounts["reward"]
        assert market.free(seat.account) == round_.lock(seat) - payment, seat.name
        assert round_.stage(seat) is (Stage.SETTLED if seat.name == "east" else Stage.NONE), seat.name
    assert (round_.lot, round_.state.escrow) == (LOT, LOT)
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == LOT
    assert (round_.lot, round_.state.escrow) == (0, 0)

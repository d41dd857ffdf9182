"""`claimLot`: all taxes, for the claimant alone, as they come in."""

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.terms import GWEI, Stage

# Carol's and north's taxes in the default round: see `test_settle.py`.
CAROL, NORTH = 21.25 * GWEI, 10.5 * GWEI


def test_claim__as_taxes_come_in__each_time_what_is_new(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    market, east = round_.market, round_.claimant
    paid = []
    for seat in (None, "alice", "carol", "east", "north", "south", "bob"):
        if seat:
            round_.settle(next(member for member in round_.members if member.name == seat)).send()
        before, free = round_.lot, market.free(east.account)
        receipt = round_.claim_lot(east).send()
        assert receipt.names == ["LotClaimed"]
        amount = receipt.event("LotClaimed")["amount"]
        assert receipt.event("LotClaimed") == {"roundId": round_.id, "claimant": east.account, "amount": amount}
        assert (amount, market.free(east.account) - free, round_.lot) == (before, before, 0)
        paid.append(amount)
    assert paid == [0, 0, CAROL, 0, NORTH, 0, 0]
    assert round_.state.escrow == 0


def test_claim__before_and_after_the_claimant_is_settled__same_lot(create_round: CreateRound) -> None:
    gains = []
    for claimed_first in (True, False):
        round_ = create_round().voted()
        with round_.market.chain.snapshot():
            east = round_.claimant
            if claimed_first:
                others = [seat for seat in round_.members if seat != east]
                round_.settle_many(others).send()
                round_.claim_lot(east).send()
            round_.settled()
            if not claimed_first:
                assert round_.stage(east) is Stage.SETTLED
                round_.claim_lot(east).send()
            gains.append(round_.market.free(east.account) - round_.lock(east))
    assert gains == [19 * GWEI + CAROL + NORTH] * 2


def test_claim__anybody_else__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().voted()
    round_.settled()
    for account in (stranger, *(seat.account for seat in round_.members if seat != round_.claimant)):
        round_.call("claimLot", sender=account).reverts_with("NotTheClaimant", roundId=round_.id, account=account)


def test_claim__before_the_draw__there_is_no_claimant(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    for seat in round_.members:
        round_.claim_lot(seat).reverts_with("NotTheClaimant", roundId=round_.id, account=seat.account)


def test_claim__unknown_round__there_is_no_claimant(market: Market, stranger: str) -> None:
    market.call("claimLot", 1, sender=stranger).reverts_with("NotTheClaimant", roundId=1, account=stranger)
    assert market.view("lotOf", 1) == 0


def test_claim__cancelled_after_the_draw__nothing_comes_in(create_round: CreateRound) -> None:
    round_ = create_round().drawn().revealed(but=[]).wait_for("select")
    round_.settled()
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == 0

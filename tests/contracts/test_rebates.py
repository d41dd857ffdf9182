"""What a round recycles: when it is due, to whom, how it is claimed or credited on joining."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Stage

# Carol's tax of 37.5 gwei to the two other owners, north's of 17.5 to the two other base stations.
REBATES = {"alice": 18.75, "bob": 18.75, "carol": 0, "north": 0, "south": 8.75, "east": 8.75}


def settled(create_round: CreateRound) -> LiveRound:
    """The default round, everybody settled and nothing claimed."""
    round_: LiveRound = create_round()
    round_.voted().settled()
    return round_


def test_rebate__everybody_settled__the_others_taxes(create_round: CreateRound) -> None:
    round_ = settled(create_round)
    assert {seat.name: round_.rebate(seat) / GWEI for seat in round_.members} == REBATES


def test_claim__due__credited_and_closed(create_round: CreateRound) -> None:
    round_ = settled(create_round)
    alice = round_.owners[0]
    free, escrow = round_.market.free(alice.account), round_.state.escrow
    receipt = round_.claim_rebate(alice).send()
    assert receipt.names == ["RebatePaid"]
    assert receipt.event("RebatePaid") == {
        "roundId": round_.id,
        "member": alice.account,
        "amount": 18.75 * GWEI,
    }
    assert round_.market.free(alice.account) == free + 18.75 * GWEI
    assert round_.state.escrow == escrow - 18.75 * GWEI
    assert (round_.stage(alice), round_.rebate(alice)) == (Stage.CLOSED, 0)


def test_claim__everybody__escrow_ends_empty(create_round: CreateRound) -> None:
    round_ = settled(create_round)
    for seat in round_.members:
        round_.claim_rebate(seat).send()
    assert round_.state.escrow == 0


def test_claim__nothing_to_get__closes_all_the_same(create_round: CreateRound) -> None:
    round_ = settled(create_round)
    carol = round_.owners[2]
    assert round_.claim_rebate(carol).send().event("RebatePaid")["amount"] == 0
    assert round_.stage(carol) is Stage.CLOSED


def test_claim__one_committed_member_unsettled__reverts(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    alice, east = round_.owners[0], round_.stations[2]
    round_.settle_many([seat for seat in round_.members if seat != east]).send()
    assert round_.rebate(alice) == 0
    round_.claim_rebate(alice).reverts_with("RebateNotDue", roundId=round_.id, account=alice.account)
    round_.settle(east).send()
    round_.claim_rebate(alice).send()


def test_claim__only_somebody_who_never_committed_is_unsettled__due(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    carol = round_.owners[2]
    round_.committed(but=[carol]).voted()
    round_.settle_many([seat for seat in round_.members if seat != carol]).send()
    round_.claim_rebate(round_.owners[0]).send()


def test_claim__twice__reverts(create_round: CreateRound) -> None:
    round_ = settled(create_round)
    alice = round_.owners[0]
    round_.claim_rebate(alice).send()
    round_.claim_rebate(alice).reverts_with("RebateNotDue", roundId=round_.id, account=alice.account)


def test_claim__not_settled_oneself_or_no_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().voted()
    alice = round_.owners[0]
    for account in (alice.account, stranger):
        round_.call("claimRebate", sender=account).reverts_with("RebateNotDue", roundId=round_.id, account=account)


def test_claim__joined_and_never_committed__nothing_is_due(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    carol = round_.owners[2]
    round_.committed(but=[carol]).voted()
    round_.settled()
    assert round_.rebate(carol) == 0
    round_.claim_rebate(carol).reverts_with("RebateNotDue", roundId=round_.id, account=carol.account)


def test_claim__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("claimRebate", 3, sender=stranger).reverts_with("UnknownRound", roundId=3)


# ── credited on joining ──


def test_join__rebates_listed__credited_before_the_lock_is_taken(create_round: CreateRound) -> None:
    first = settled(create_round)
    second = create_round()
    alice = first.owners[0]
    market = first.market
    market.call("withdraw", market.free(alice.account), sender=alice.account).send()
    value = second.lock(alice) - int(18.75 * GWEI)
    second.join(alice, rebates=[first.id], value=value - 1).reverts_with(
        "InsufficientBalance", available=18.75 * GWEI, required=18.75 * GWEI + 1
    )
    receipt = second.join(alice, rebates=[first.id], value=value).send()
    assert receipt.names == ["RebatePaid", "Joined"]
    assert receipt.event("RebatePaid")["amount"] == 18.75 * GWEI
    assert market.free(alice.account) == 0
    assert first.stage(alice) is Stage.CLOSED
    assert (first.state.escrow, second.state.escrow) == (36.25 * GWEI, second.lock(alice))


def test_join_and_commit__rebates_listed__credited(create_round: CreateRound) -> None:
    first = settled(create_round)
    second = create_round().wait_for("join")
    south = first.stations[1]
    receipt = second.join_and_commit(south, rebates=[first.id]).send()
    assert receipt.names == ["RebatePaid", "Joined", "BidCommitted"]
    assert receipt.event("RebatePaid")["amount"] == 8.75 * GWEI


def test_join__several_rebates__all_credited_at_once(create_round: CreateRound) -> None:
    rounds = [settled(create_round) for _ in range(3)]
    last = create_round()
    bob = last.owners[1]
    receipt = last.join(bob, rebates=[round_.id for round_ in rounds]).send()
    assert receipt.names == ["RebatePaid"] * 3 + ["Joined"]
    assert [round_.stage(bob) for round_ in rounds] == [Stage.CLOSED] * 3


@pytest.mark.parametrize("kind", ["not due", "listed twice", "the joined round itself"])
def test_join__rebate_that_cannot_be_paid__reverts(create_round: CreateRound, kind: str) -> None:
    first = create_round().voted() if kind == "not due" else settled(create_round)
    second = create_round()
    alice = first.owners[0]
    rebates = {"not due": [first.id], "listed twice": [first.id] * 2, "the joined round itself": [second.id]}
    refused = second.id if kind == "the joined round itself" else first.id
    second.join(alice, rebates=rebates[kind]).reverts_with("RebateNotDue", roundId=refused, account=alice.account)


def test_join__rebate_of_an_unknown_round__reverts(create_round: CreateRound) -> None:
    round_ = create_round()
    round_.join(round_.owners[0], rebates=[77]).reverts_with("UnknownRound", roundId=77)

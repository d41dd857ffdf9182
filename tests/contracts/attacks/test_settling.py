"""Members that never settle; members settled by a stranger: in any order, long after, between their other rounds."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Stage, Status
from tests.conftest import actor, rounds_on, untouched
from tests.support.assertions import assert_conserved, assert_settles_like_reference

DECADE = 10 * 365 * 24 * 60 * 60
STRANGER = actor("stranger")


def bids_from_logs(round_: LiveRound, accounts: Sequence[str]) -> list[int]:
    """What settles these members, as anybody can read it off the chain: zeros where nothing was revealed."""
    revealed = {
        e.values["member"]: e.values["bids"] for e in round_.market.logs_of(round_.id) if e.name == "BidRevealed"
    }
    return [word for account in accounts for word in revealed.get(account, round_.zeros)]


def by_a_stranger(round_: LiveRound, seats: Sequence[Seat]) -> Call:
    """The settlement of these members by somebody who knows nothing but what is on chain."""
    accounts = [seat.account for seat in seats]
    return round_.call("settleMany", accounts, bids_from_logs(round_, accounts), sender=STRANGER)


def troubled(create_round: CreateRound) -> LiveRound:
    """A round with everything in it: bob wins and is punished, east is absent, dave silent, frank proposed in vain."""
    round_: LiveRound = create_round(
        owner_bids=((30, 20, 1), (30, 10, 1), (12, 60, 1), (1, 1, 1), (2, 2, 2)),
        station_bids=((28, 2, 3), (1, 14, 3), (1, 14, 3), (2, 3, 4)),
        proposers=(0, 1, 4),
    )
    *_, dave, erin = round_.owners
    round_.joined().committed(but=[erin]).revealed(but=[dave, round_.stations[3]])
    round_.selected().trained(but=[round_.stations[2]]).reported()
    return round_.voted(punish=round_.electors)


@settings(max_examples=12)
@given(order=st.permutations(range(9)), cuts=st.sets(st.integers(1, 8)))
def test_settled_by_a_stranger__in_any_order_and_any_batches__same_amounts(
    deployment: Market, order: list[int], cuts: set[int]
) -> None:
    """No member can be settled first or last to its harm, and no batch is better than another."""
    with untouched(deployment):
        round_ = troubled(rounds_on(deployment))
        with deployment.chain.snapshot():
            amounts = {e.values["member"]: e.values for e in by_a_stranger(round_, round_.members).send().events}
            rebates = [round_.rebate(seat) for seat in round_.members]
        assert sum(rebates) > 3 * GWEI, "there is something to divide"
        seats = [round_.members[number] for number in order]
        bounds = [0, *sorted(cuts), len(seats)]
        for start, end in pairwise(bounds):
            for event in by_a_stranger(round_, seats[start:end]).send().events:
                assert event.values == amounts.pop(event.values["member"])
        assert not amounts, "somebody was left out"
        assert [round_.rebate(seat) for seat in round_.members] == rebates
        assert deployment.free(STRANGER) == 0
        assert_settles_like_reference(round_)
        assert_conserved(deployment)


def test_settled_by_a_stranger__a_decade_later__same_amounts(create_round: CreateRound) -> None:
    round_ = troubled(create_round)
    with round_.market.chain.snapshot():
        now = [event.values for event in by_a_stranger(round_, round_.members).send().events]
    round_.wait_for("vote", DECADE)
    later = [event.values for event in by_a_stranger(round_, round_.members).send().events]
    assert later == now
    assert_settles_like_reference(round_)


def test_cancelled_by_time__settled_by_a_stranger_a_decade_later__everybody_gets_its_lock(
    create_round: CreateRound,
) -> None:
    round_ = create_round().revealed().wait_for("select", DECADE)
    by_a_stranger(round_, round_.members).send()
    assert round_.state.status == Status.CANCELLED
    for seat in round_.members:
        assert round_.market.free(seat.account) == round_.lock(seat)


def test_member_that_never_settles__holds_up_neither_settlements_nor_rebates(create_round: CreateRound) -> None:
    """Carol never calls again. Her own money waits for her, however long."""
    round_ = create_round().voted()
    market, (alice, _, carol) = round_.market, round_.owners
    others = [seat for seat in round_.members if seat != carol]
    for seat in others:
        round_.settle(seat, sender=seat).send()
        released = market.free(seat.account)
        market.call("withdraw", released, sender=seat.account).send()
    round_.claim_rebate(alice).reverts_with("RebateNotDue", roundId=round_.id, account=alice.account)
    by_a_stranger(round_, [carol]).send()
    for seat in others:
        round_.claim_rebate(seat).send()
    round_.wait_for("vote", DECADE)
    # Her lock of 400 less her share of 12.5 and her tax of 37.5, and a rebate of none of her own tax.
    assert market.free(carol.account) == 350 * GWEI
    round_.claim_rebate(carol).send()
    market.call("withdraw", 350 * GWEI, sender=carol.account).send()
    assert round_.state.escrow == market.free(carol.account) == 0


def test_settled_by_a_stranger__between_two_other_rounds_of_theirs__each_round_pays_its_own(
    create_round: CreateRound,
) -> None:
    """Three rounds of the same members. The first is settled while they are in the middle of the two others.

    They pay the locks of the third out of their free balances, into which the first is settled just then.
    """
    first, second = create_round(), create_round(((31, 7), (29, 100), (11, 61)), ((28, 2), (1, 14), (1, 13)))
    first.joined()
    second.joined()
    first.committed()
    second.committed()
    market = first.market
    first.revealed().selected().trained().reported().voted()
    second.revealed().selected()

    third = create_round(bond=111 * GWEI)
    early, late = first.members[:3], first.members[3:]
    by_a_stranger(first, early).send()
    for seat in early:
        third.join(seat, value=0).send()
    second.trained()
    by_a_stranger(first, late).send()
    second.reported()
    # All of the first are settled, so its rebates are due; the later members bring them along.
    for seat in late:
        missing = max(0, third.lock(seat) - market.free(seat.account) - first.rebate(seat))
        third.join(seat, rebates=[first.id], value=missing).send()
    third.market.send_all([third.propose(seat) for seat in third.proposers])
    assert [first.stage(seat) for seat in first.members] == [Stage.SETTLED] * 3 + [Stage.CLOSED] * 3

    second.voted()
    third.joined(but=third.members).committed()
    by_a_stranger(second, second.members[::-1]).send()
    for seat in early:
        assert (
            first.claim_rebate(seat).send().event("RebatePaid")["amount"]
            == {"alice": 18.75 * GWEI, "bob": 18.75 * GWEI, "carol": 0}[seat.name]
        )
    assert first.state.escrow == 0
    assert_settles_like_reference(second)
    third.revealed().voted()
    assert_settles_like_reference(third)
    assert_conserved(market)


def test_settled_by_a_stranger__while_a_member_withdraws__neither_loses(create_round: CreateRound) -> None:
    """A withdrawal of all that was free before a settlement takes nothing of what came with it."""
    round_ = create_round().voted()
    market, alice = round_.market, round_.owners[0]
    market.call("deposit", sender=alice.account, value=10).send()
    by_a_stranger(round_, [alice]).send()
    market.call("withdraw", 10, sender=alice.account).send()
    assert market.free(alice.account) == round_.lock(alice) - 22.5 * GWEI

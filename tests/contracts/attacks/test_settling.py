"""Members that never settle; members settled by a stranger: in any order, long after, between their other rounds."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.devnode.actors import actor
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Stage, Status
from tests.conftest import rounds_on, untouched
from tests.support.assertions import assert_conserved
from tests.support.reference import assert_settles_like_reference

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
    """A round with everything in it: bob wins and is punished, erin proposed in vain, dave and west are silent.

    South has recorded one global round, harbour never committed, and east is the claimant.
    """
    round_: LiveRound = create_round(
        owner_bids=((30, 20, 1), (30, 10, 1), (12, 60, 1), (1, 1, 1), (2, 2, 2)),
        station_bids=((28, 2, 3), (1, 14, 3), (1, 14, 3), (2, 3, 4), (1, 1, 1)),
        proposers=(0, 1, 4),
        contribution_stake=GWEI,
        claimant=2,
    )
    *_, dave, erin = round_.owners
    _, south, _, west, harbour = round_.stations
    round_.joined().committed(but=[erin, harbour]).drawn()
    round_.revealed(but=[dave, west]).selected().trained(recorded={south: 1}).reported()
    return round_.voted(punish=round_.electors)


@settings(max_examples=12)
@given(order=st.permutations(range(10)), cuts=st.sets(st.integers(1, 9)))
def test_settled_by_a_stranger__in_any_order_and_any_batches__same_amounts(
    deployment: Market, order: list[int], cuts: set[int]
) -> None:
    """No member can be settled first or last to its harm, and no batch is better than another."""
    with untouched(deployment):
        round_ = troubled(rounds_on(deployment))
        with deployment.chain.snapshot():
            amounts = {e.values["member"]: e.values for e in by_a_stranger(round_, round_.members).send().events}
            lot, kept = round_.lot, round_.state.escrow - round_.lot
        assert lot > 3 * GWEI and kept > 3 * round_.terms.bond, "there is something to lose"
        seats = [round_.members[number] for number in order]
        bounds = [0, *sorted(cuts), len(seats)]
        for start, end in pairwise(bounds):
            for event in by_a_stranger(round_, seats[start:end]).send().events:
                assert event.values == amounts.pop(event.values["member"])
        assert not amounts, "somebody was left out"
        assert (round_.lot, round_.state.escrow - round_.lot) == (lot, kept)
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


def test_member_that_never_settles__holds_up_neither_settlements_nor_the_lot(create_round: CreateRound) -> None:
    """Carol never calls again. Her own money waits for her, however long; her tax waits for the claimant."""
    round_ = create_round().voted()
    market, carol = round_.market, round_.owners[2]
    others = [seat for seat in round_.members if seat != carol]
    for seat in others:
        round_.settle(seat, sender=seat).send()
        released = market.free(seat.account)
        market.call("withdraw", released, seat.account, sender=seat.account).send()
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == 10.5 * GWEI, "north's tax"
    round_.wait_for("vote", DECADE)
    by_a_stranger(round_, [carol]).send()
    # Her lock of 400 less her share of 11.5 and her tax of 21.25.
    assert market.free(carol.account) == 367.25 * GWEI
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == 21.25 * GWEI
    assert round_.state.escrow == 0


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
    first.drawn()
    second.drawn()
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
    # The claimant takes the first's lot and pays for the third with it.
    assert first.claim_lot().send().event("LotClaimed")["amount"] == 31.75 * GWEI
    for seat in late:
        missing = max(0, third.lock(seat) - market.free(seat.account))
        third.join(seat, value=missing).send()
    third.market.send_all([third.propose(seat) for seat in third.proposers])
    assert [first.stage(seat) for seat in first.members] == [Stage.NONE] * 5 + [Stage.SETTLED]

    second.voted()
    third.joined(but=third.members).committed()
    by_a_stranger(second, second.members[::-1]).send()
    assert first.state.escrow == 0
    assert_settles_like_reference(second)
    third.drawn()
    third.revealed().voted()
    assert_settles_like_reference(third)
    assert_conserved(market)


def test_settled_by_a_stranger__while_a_member_withdraws__neither_loses(create_round: CreateRound) -> None:
    """A withdrawal of all that was free before a settlement takes nothing of what came with it."""
    round_ = create_round().voted()
    market, alice = round_.market, round_.owners[0]
    market.call("deposit", sender=alice.account, value=10).send()
    by_a_stranger(round_, [alice]).send()
    market.call("withdraw", 10, alice.account, sender=alice.account).send()
    assert market.free(alice.account) == round_.lock(alice) - 21.5 * GWEI

"""Rounds one after the other and side by side: rebates lower the next price; every wei comes out again."""

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Role, Stage
from tests.support.assertions import assert_conserved, assert_settles_like_reference


def join_with_rebates(round_: LiveRound, earlier: LiveRound) -> None:
    """Everybody joins, crediting the earlier round's rebate and sending only what is missing."""
    for seat in round_.members:
        available = round_.market.free(seat.account) + earlier.rebate(seat)
        missing = max(0, round_.lock(seat) - available)
        round_.join(seat, rebates=[earlier.id], value=missing).send()
    round_.market.send_all([round_.propose(seat) for seat in round_.proposers])
    round_.joined(but=round_.members)


def test_two_rounds__rebates_credited_on_joining__an_owners_discount_and_a_stations_price_rise(
    create_round: CreateRound,
) -> None:
    first = create_round().voted()
    first.settled()
    second = create_round()
    market = first.market
    brought = {seat.name: market.free(seat.account) for seat in first.members}
    join_with_rebates(second, first)
    for seat in second.members:
        assert first.stage(seat) is Stage.CLOSED
    assert first.state.escrow == 0
    # Alice paid a share of 22.5 gwei and got 18.75 of carol's tax: 3.75 gwei were missing in her lock.
    alice = first.owners[0]
    assert brought["alice"] == first.lock(alice) - 22.5 * GWEI
    assert market.free(alice.account) == 0
    # South brought its reward of 19 and got 8.75: all of it is beyond the lock.
    south = first.stations[1]
    assert market.free(south.account) == 27.75 * GWEI
    assert_conserved(market)
    assert_settles_like_reference(second.voted())


def test_three_rounds__everybody_withdraws__contract_holds_only_dust(create_round: CreateRound) -> None:
    rounds = [create_round().voted()]
    rounds[0].settled()
    for _ in range(2):
        following = create_round(((31, 7), (29, 100), (11, 61)), ((28, 2), (1, 14), (1, 13)), theta=None)
        join_with_rebates(following, rounds[-1])
        following.voted().settled()
        rounds.append(following)
    market = rounds[0].market
    for seat in rounds[-1].members:
        rounds[-1].claim_rebate(seat).send()
        market.call("withdraw", market.free(seat.account), sender=seat.account).send()
    assert market.held == sum(round_.state.escrow for round_ in rounds) < 4 * 6 * 3


def test_late_rebate__not_listed_on_joining__claimed_long_after(create_round: CreateRound) -> None:
    first = create_round().voted()
    first.settled()
    second = create_round().joined()
    alice = first.owners[0]
    second.voted().settled()
    second.wait_for("vote", 10**8)
    assert first.claim_rebate(alice).send().event("RebatePaid")["amount"] == 18.75 * GWEI
    assert second.claim_rebate(alice).send().event("RebatePaid")["amount"] == 18.75 * GWEI


def test_overlapping_rounds__settled_in_the_middle_of_another__neither_touches_the_other(
    create_round: CreateRound,
) -> None:
    first, second = create_round(), create_round(((31, 7), (29, 100), (11, 61)))
    first.joined()
    second.joined()
    for play in ("committed", "revealed", "selected", "trained", "reported", "voted"):
        getattr(first, play)()
        getattr(second, play)()
    alice, north = first.owners[0], first.stations[0]
    before = second.state.escrow
    first.settle(alice, sender=north).send()
    assert second.state.escrow == before
    assert second.stage(alice) is Stage.REVEALED
    assert_settles_like_reference(second)
    assert_settles_like_reference(first)


def test_one_account__owner_here_and_base_station_there__both_at_once(create_round: CreateRound) -> None:
    first = create_round().joined()
    second = create_round()
    alice = first.owners[0]
    second.call("join", Role.BASE_STATION, 1, [], [], sender=alice, value=250 * GWEI).send()
    assert first.member(alice).role == Role.OWNER
    assert second.member(alice).role == Role.BASE_STATION


def test_rounds_of_different_terms__side_by_side__each_keeps_its_own(create_round: CreateRound) -> None:
    first = create_round(theta=1)
    second = create_round(theta=2**64 - 1, bond=999 * GWEI, max_owner_bid=500)
    assert (first.state.thetaNumerator, second.state.thetaNumerator) == (1, 2**64 - 1)
    alice = first.owners[0]
    assert first.join(alice).send().event("Joined")["value"] == 400 * GWEI
    assert second.join(alice).send().event("Joined")["value"] == (2 * 500 + 999) * GWEI

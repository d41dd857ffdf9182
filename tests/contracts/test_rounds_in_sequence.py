"""Rounds one after the other and side by side: each pays its own; every wei but what is kept comes out again."""

from analysis.devnode.rounds import CreateRound
from fl.market.membership import Entry
from fl.market.terms import GWEI, Role, Stage
from tests.support.assertions import assert_conserved
from tests.support.reference import assert_settles_like_reference


def test_three_rounds__everybody_withdraws__contract_holds_only_what_is_kept(create_round: CreateRound) -> None:
    """Each round is joined with what the one before has released; the rounding of shares stays."""
    market, rounds = None, []
    for _ in range(3):
        round_ = create_round(((31, 7), (29, 100), (11, 61)), surplus_bps=(2_000, 6_000), claimant=None)
        market = round_.market
        for seat in round_.members:
            missing = max(0, round_.lock(seat) - market.free(seat.account))
            round_.join(seat, value=missing).send()
        market.send_all([round_.propose(seat) for seat in round_.proposers])
        round_.joined(but=round_.members).voted().settled()
        round_.claim_lot().send()
        rounds.append(round_)
    assert market is not None
    for seat in rounds[-1].members:
        market.call("withdraw", market.free(seat.account), seat.account, sender=seat.account).send()
    assert market.held == sum(round_.state.escrow for round_ in rounds) < 6 * len(rounds)


def test_overlapping_rounds__settled_in_the_middle_of_another__neither_touches_the_other(
    create_round: CreateRound,
) -> None:
    first, second = create_round(), create_round(claimant=1)
    for play in ("joined", "committed", "drawn", "revealed", "selected", "trained", "reported", "voted"):
        getattr(first, play)()
        getattr(second, play)()
    alice, north = first.owners[0], first.stations[0]
    before = second.state
    first.settle(alice, sender=north).send()
    first.settled()
    first.claim_lot().send()
    assert second.state == before
    assert second.stage(alice) is Stage.REVEALED
    second.claim_lot(first.claimant).reverts_with("NotTheClaimant", roundId=second.id, account=first.claimant.account)
    second.settled()
    assert second.claim_lot(second.stations[1]).send().event("LotClaimed")["amount"] == 31.75 * GWEI
    assert_conserved(first.market)
    for round_ in (first, second):
        assert_settles_like_reference(round_)


def test_one_account__owner_here_and_base_station_there__both_at_once(create_round: CreateRound) -> None:
    first = create_round().joined()
    alice = first.owners[0]
    listed = Entry(alice.account, Role.BASE_STATION)
    second = create_round(strangers=(listed,))
    arguments = (second.terms.hash, listed.role, 1, second.tree.proof(listed))
    second.call("join", *arguments, sender=alice, value=250 * GWEI).send()
    assert first.member(alice).role == Role.OWNER
    assert second.member(alice).role == Role.BASE_STATION


def test_rounds_of_different_terms__side_by_side__each_keeps_its_own(create_round: CreateRound) -> None:
    first = create_round(surplus_bps=(1, 1))
    second = create_round(surplus_bps=(9_999, 9_999), bond=999 * GWEI, max_owner_bid=500)
    alice = first.owners[0]
    assert first.join(alice).send().event("Joined")["value"] == 400 * GWEI
    assert second.join(alice).send().event("Joined")["value"] == (2 * 500 + 999) * GWEI
    thetas = [create_round(surplus_bps=(bps, bps)).drawn().state.thetaNumerator for bps in (1, 9_999)]
    assert thetas == [2**64 // 10_000, 9_999 * 2**64 // 10_000]

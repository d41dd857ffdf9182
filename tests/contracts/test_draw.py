"""`drawClaimant`: when, by whom, what it draws and from what; what a round is before it and without it."""

from collections import Counter

import pytest
from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import DRAW_DELAY, GWEI, Phase, Policy, Stage, Status

Q = 2**64


def drawn_from(source: bytes, round_id: int, range_bps: tuple[int, int], stations: int) -> tuple[int, int]:
    """The numerator of theta and the claimant's ordinal, as `IHCFL` says."""
    c = int.from_bytes(keccak(encode(["bytes32", "uint256"], [source, round_id])), "big")
    lo, hi = range_bps
    return (lo * Q + (hi - lo) * (c % Q)) // 10_000, (c >> 64) % 2**96 % stations + 1


def randao(market: Market) -> bytes:
    """Of the newest block."""
    return bytes.fromhex(market.chain.rpc("eth_getBlockByNumber", "latest", False)["mixHash"][2:])


@pytest.mark.parametrize("surplus", [(2_000, 6_000), (0, 9_999), (5_000, 5_000), (0, 0)])
def test_draw__first_second__theta_and_claimant_from_prevrandao(
    create_round: CreateRound, surplus: tuple[int, int]
) -> None:
    round_ = create_round(surplus_bps=surplus).committed().wait_for("commit", DRAW_DELAY)
    receipt = round_.draw().send()
    theta, ordinal = drawn_from(randao(round_.market), round_.id, surplus, 3)
    assert receipt.names == ["ClaimantDrawn"]
    assert receipt.event("ClaimantDrawn") == {"roundId": round_.id, "thetaNumerator": theta, "ordinal": ordinal}
    state = round_.state
    assert (state.thetaNumerator, state.claimant, state.phase) == (theta, ordinal, Phase.REVEAL)
    assert [round_.member(seat).claimant for seat in round_.stations] == [ordinal == n for n in (1, 2, 3)]
    assert not any(round_.member(seat).claimant for seat in round_.owners)


def test_draw__by_a_stranger__anyone_may(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().committed().wait_for("commit", DRAW_DELAY)
    round_.call("drawClaimant", sender=stranger).send()
    assert round_.state.claimant in (1, 2, 3)


def test_draw__under_capability__theta_is_zero(create_round: CreateRound) -> None:
    round_ = create_round(owner_policy=Policy.CAPABILITY).drawn()
    assert round_.state.thetaNumerator == 0


def test_draw__many_blocks__every_station_can_come(create_round: CreateRound) -> None:
    """Forty blocks to draw in: each of four stations comes at least three times (all but once in 10,000)."""
    round_ = create_round(station_bids=((1, 1),) * 4).committed().wait_for("commit", DRAW_DELAY)
    drawn: Counter[int] = Counter()
    for _ in range(40):
        with round_.market.chain.snapshot():
            drawn[round_.draw().send().event("ClaimantDrawn")["ordinal"]] += 1
        round_.market.chain.rpc("evm_mine")
    assert set(drawn) == {1, 2, 3, 4} and min(drawn.values()) >= 3, drawn


def test_draw__to_the_second__from_a_minute_after_commits_to_the_middle_of_the_reveal_phase(
    create_round: CreateRound,
) -> None:
    round_ = create_round().committed()
    times = round_.terms.deadlines
    assert (times.draw_opens, times.draw) == (times.commit + 60, (times.commit + times.reveal) // 2)
    round_.wait_for("commit", DRAW_DELAY - 1)
    assert round_.state.phase == Phase.DRAW
    round_.draw().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=times.draw_opens)
    for second in (times.draw_opens, times.draw - 1):
        round_.market.chain.travel_to(second)
        with round_.market.chain.snapshot():
            round_.draw().send()
    round_.market.chain.travel_to(times.draw)
    round_.draw().reverts_with("DeadlinePassed", roundId=round_.id, deadline=times.draw)


def test_draw__twice__reverts(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    before = round_.state
    round_.draw().reverts_with("AlreadyDrawn", roundId=round_.id)
    round_.wait_for("select")
    round_.draw().reverts_with("AlreadyDrawn", roundId=round_.id)
    assert (round_.state.thetaNumerator, round_.state.claimant) == (before.thetaNumerator, before.claimant)


def test_draw__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("drawClaimant", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)


def test_before_the_draw__nothing_can_be_revealed_or_selected(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit", DRAW_DELAY)
    for call in (round_.reveal_bid(round_.owners[0]), round_.reveal_bid(round_.stations[0]), round_.select()):
        call.reverts_with("NotDrawn", roundId=round_.id)
    round_.settle(round_.owners[0]).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.OPEN)


def test_never_drawn__cancelled_from_the_end_of_the_window(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    times = round_.terms.deadlines
    round_.market.chain.travel_to(times.draw - 1)
    assert (round_.state.status, round_.state.phase) == (Status.OPEN, Phase.DRAW)
    round_.market.chain.travel_to(times.draw)
    assert (round_.state.status, round_.state.phase) == (Status.CANCELLED, Phase.SETTLE)
    for call in (round_.reveal_bid(round_.owners[0]), round_.select()):
        call.reverts_with("NotDrawn", roundId=round_.id)


def test_never_drawn__nobody_loses_anything_nor_an_absent_proposer(create_round: CreateRound) -> None:
    """Nobody could reveal, and nobody knows who would have."""
    round_ = create_round(contribution_stake=7 * GWEI).joined()
    alice, east = round_.owners[0], round_.stations[2]
    round_.committed(but=[alice, east])
    round_.market.chain.travel_to(round_.terms.deadlines.draw)
    settled = round_.settled()
    assert {seat.name for seat in settled} == {seat.name for seat in round_.members}
    for seat, receipt in settled.items():
        amounts = receipt.event("MemberSettled")
        assert not any(amounts[name] for name in ("share", "tax", "slashed", "reward", "forfeited", "bonus"))
        assert round_.market.free(seat.account) == round_.lock(seat), seat.name
        assert round_.stage(seat) is Stage.NONE, "there is no claimant to keep"
    assert round_.state.escrow == 0


FOUR_OWNERS = ((30, 20), (30, 10), (12, 60), (1, 1))


def with_absent_members(create_round: CreateRound) -> LiveRound:
    """Alice, who proposed, dave and east never commit."""
    round_ = create_round(FOUR_OWNERS, ((28, 2), (1, 14), (1, 14), (2, 2)), contribution_stake=7 * GWEI).joined()
    return round_.committed(but=[round_.owners[0], round_.owners[3], round_.stations[2]])


def test_absent_members__released_from_the_commit_deadline__a_proposer_from_the_draw(
    create_round: CreateRound,
) -> None:
    round_ = with_absent_members(create_round)
    alice, dave, east = round_.owners[0], round_.owners[3], round_.stations[2]
    round_.wait_for("commit", -1)
    for seat in (alice, dave, east):
        round_.settle(seat).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.OPEN)
    round_.wait_for("commit")
    for seat in (dave, east):
        assert round_.settle(seat).send().event("MemberSettled")["slashed"] == 0
        assert round_.market.free(seat.account) == round_.lock(seat)
        assert round_.stage(seat) is Stage.NONE
    for call in (round_.settle(alice), round_.settle_many([alice])):
        call.reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.OPEN)
    round_.settle(round_.owners[1]).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.OPEN)
    round_.drawn()
    assert round_.settle(alice).send().event("MemberSettled")["slashed"] == round_.terms.bond
    assert round_.market.free(alice.account) == round_.lock(alice) - round_.terms.bond
    round_.revealed()
    assert round_.state.phase == Phase.SELECT, "nobody waits for who is gone"
    before = round_.market.free(alice.account)
    round_.voted().settled()
    round_.claim_lot().send()
    kept = round_.state.escrow - round_.terms.bond
    assert 0 <= kept < len(round_.members), "the contract keeps the bond, and less than a wei of rounding a member"
    assert round_.market.free(alice.account) == before


def test_absent_members__claimant_drawn__is_none_of_them(create_round: CreateRound) -> None:
    """An absent station has no ordinal, as owners have none: no draw can name it."""
    round_ = with_absent_members(create_round).drawn()
    assert [round_.member(seat).ordinal for seat in round_.stations] == [1, 2, 0, 3]
    assert not round_.member(round_.stations[2]).claimant
    for seat in (*round_.owners, round_.stations[2]):
        round_.claim_lot(seat).reverts_with("NotTheClaimant", roundId=round_.id, account=seat.account)


def test_absent_proposer__round_never_drawn__keeps_its_bond(create_round: CreateRound) -> None:
    round_ = with_absent_members(create_round)
    alice = round_.owners[0]
    round_.market.chain.travel_to(round_.terms.deadlines.draw)
    assert round_.settle(alice).send().names == ["RoundCancelled", "MemberSettled"]
    assert round_.market.free(alice.account) == round_.lock(alice)


def test_draw__members_in_another_order_and_the_same_claimant__same_amounts(create_round: CreateRound) -> None:
    """Whoever joins and commits first gains nothing by it, but for who is drawn: here the same station."""
    values, costs = ((30, 20), (30, 10), (12, 60)), ((28, 2), (1, 14), (1, 13))
    amounts = []
    for order in ((0, 1, 2), (2, 0, 1), (2, 1, 0)):
        round_ = create_round(
            owner_bids=[values[i] for i in order],
            station_bids=[costs[i] for i in order],
            proposers=[order.index(0), order.index(1)],
            claimant=order.index(2),
        )
        settled = round_.voted().settled()
        events = {seat.bids: receipt.event("MemberSettled") | {"member": ""} for seat, receipt in settled.items()}
        amounts.append({bids: {**event, "roundId": 0} for bids, event in events.items()})
    assert amounts[0] == amounts[1] == amounts[2]
    assert any(event["tax"] for event in amounts[0].values()), "nobody is pivotal"

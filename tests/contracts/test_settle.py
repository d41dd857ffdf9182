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
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.bids import pack_bids
from fl.market.terms import GWEI, Phase, Policy, Stage, Status
from tests.support.reference import assert_settles_like_reference

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


def test_settle__by_a_stranger_in_any_order__same_amounts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().voted()
    for seat in reversed(round_.members):
        call = round_.call("settle", seat.account, round_.words(seat), sender=stranger)
        assert call.send().event("MemberSettled") == {
            "roundId": round_.id,
            "member": seat.account,
            **expected(seat),
        }
    assert round_.market.free(stranger) == 0


def test_settle_many__whole_round_in_one_call__same_as_alone(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    receipt = round_.settle_many(round_.members).send()
    assert [event.values for event in receipt.events] == [
        {"roundId": round_.id, "member": seat.account, **expected(seat)} for seat in round_.members
    ]
    assert (round_.lot, round_.state.escrow) == (LOT, LOT)


def test_settle_many__in_any_cut__same_amounts(create_round: CreateRound) -> None:
    """The lot and the escrow are written once a call."""
    round_ = create_round().voted()
    order = [round_.members[i] for i in (3, 2, 5, 0, 4, 1)]
    for first, last in ((0, 1), (1, 4), (4, 6)):
        receipt = round_.settle_many(order[first:last]).send()
        for seat, event in zip(order[first:last], receipt.events, strict=True):
            assert event.values == {"roundId": round_.id, "member": seat.account, **expected(seat)}
    assert (round_.lot, round_.state.escrow) == (LOT, LOT)


def test_settle_many__none_or_settled_or_listed_twice__passed_over(create_round: CreateRound, stranger: str) -> None:
    """Every entry brings its words all the same, looked at or not."""
    round_ = create_round().voted()
    alice, bob, carol = round_.owners
    east = round_.claimant
    round_.settle_many([alice, east]).send()
    accounts = [alice.account, stranger, bob.account, bob.account, east.account, carol.account]
    words = [7, 8, *bob.sealed.words, 9, 10, *carol.sealed.words]
    receipt = round_.call("settleMany", accounts, words, sender=alice).send()
    assert [event.values["member"] for event in receipt.events] == [bob.account, carol.account]
    assert (round_.market.free(east.account), round_.stage(east)) == (round_.lock(east) + 19 * GWEI, Stage.SETTLED)


def test_settle_many__nobody__nothing_happens(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    before = round_.state
    assert round_.settle_many([]).send().events == ()
    assert round_.state == before


def test_settle__twice__no_member_any_more(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    for seat in (round_.owners[0], round_.stations[0], round_.claimant):
        words = round_.words(seat)
        round_.settle(seat).send()
        again = round_.settle(seat, bids=words)
        again.reverts_with("NotAMember", roundId=round_.id, account=seat.account)


def test_settle__not_a_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().voted()
    round_.call("settle", stranger, [0], sender=round_.owners[0]).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )


def test_settle__other_bids_than_revealed__reverts(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    alice, bob, _ = round_.owners
    for bids in (pack_bids((30, 21)), [0], bob.sealed.words):
        round_.settle(alice, bids=bids).reverts_with("WrongBids", member=alice.account)
    swapped = [*bob.sealed.words, *alice.sealed.words]
    round_.call("settleMany", [alice.account, bob.account], swapped, sender=alice).reverts_with(
        "WrongBids", member=alice.account
    )


def test_settle__silent_member_with_what_it_committed_to__reverts(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    carol = round_.owners[2]
    round_.revealed(but=[carol]).voted()
    round_.settle(carol, bids=carol.sealed.words).reverts_with("WrongBids", member=carol.account)
    round_.settle(carol, bids=[0]).send()


@pytest.mark.parametrize("words", [0, 2])
def test_settle__wrong_number_of_words__reverts(create_round: CreateRound, words: int) -> None:
    """Also for who never committed, whose words nobody looks at."""
    round_ = create_round(station_bids=((28, 2), (1, 14), (1, 14), (1, 14))).joined()
    alice, north = round_.owners[0], round_.stations[0]
    round_.committed(but=[north]).voted()
    for seat in (alice, north):
        round_.settle(seat, bids=[0] * words).reverts_with("WrongBidLength", length=words, required=1)
    round_.call("settleMany", [alice.account] * 3, [0] * words, sender=alice).reverts_with(
        "WrongBidLength", length=words, required=3
    )
    assert round_.settle(north, bids=[123]).send().event("MemberSettled")["slashed"] == 0


def test_settle__before_its_time__reverts_in_every_phase(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]

    def refused(status: Status) -> None:
        for call in (
            round_.call("settle", alice.account, [0], sender=alice),
            round_.call("settleMany", [alice.account], [0], sender=alice),
        ):
            call.reverts_with("SettlementNotOpen", roundId=round_.id, status=status)

    for play in (round_.joined, round_.committed, round_.drawn, round_.revealed):
        play()
        refused(Status.OPEN)
    round_.selected()
    refused(Status.TRAINING)
    round_.trained()
    refused(Status.TRAINING)
    round_.reported()
    refused(Status.REPORTED)
    round_.voted().settle(alice).send()
    assert round_.state.phase == Phase.SETTLE


def test_settle__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("settle", 1, stranger, [], sender=stranger).reverts_with("UnknownRound", roundId=1)
    market.call("settleMany", 1, [], [], sender=stranger).reverts_with("UnknownRound", roundId=1)


@pytest.mark.parametrize("claimant", range(4))
@pytest.mark.parametrize("surplus", [(0, 0), (1, 1), (9_999, 9_999), (0, 9_999)])
def test_settle__uneven_round_at_any_theta__like_the_reference(
    create_round: CreateRound, surplus: tuple[int, int], claimant: int
) -> None:
    """Bids of which every division leaves a remainder; four models take two words."""
    assert_settles_like_reference(uneven(create_round, claimant, surplus_bps=surplus).voted())


@pytest.mark.parametrize("claimant", range(4))
@pytest.mark.parametrize("points", [(7, 3, 1, 11), (2**32 - 1, 1, 1, 1), (1, 1, 1, 1)])
def test_settle__uneven_round_under_capability__like_the_reference(
    create_round: CreateRound, points: tuple[int, ...], claimant: int
) -> None:
    capability = {"owner_policy": Policy.CAPABILITY, "owner_points": points}
    assert_settles_like_reference(uneven(create_round, claimant, **capability).voted())


def uneven(create_round: CreateRound, claimant: int, **terms: object) -> LiveRound:
    round_: LiveRound = create_round(
        owner_bids=((31, 7, 0, 97), (29, 100, 1, 3), (11, 61, 99, 1), (5, 7, 11, 13)),
        station_bids=((28, 2, 49, 3), (1, 14, 50, 5), (1, 13, 0, 7), (3, 9, 27, 11)),
        proposers=(2, 0, 3, 1),
        claimant=claimant,
        **terms,
    )
    return round_


def test_settle__capability__shares_follow_the_points(create_round: CreateRound) -> None:
    """At θ = 0 an owner pays p / Σp of the costs, 3 · 16 / 2 = 24 gwei: 27, 1, 1 and 1 thirtieths.

    The first version put the heavy owner's claim on the light ones: 14.6 and 17.1 gwei of 66.
    """
    round_ = create_round(
        owner_bids=((100, 100), (4, 4), (4, 4), (4, 5)),
        owner_points=(27, 1, 1, 1),
        owner_policy=Policy.CAPABILITY,
    ).voted()
    settled = {seat.name: receipt.event("MemberSettled") for seat, receipt in round_.settled().items()}
    shares = [settled[name]["share"] for name in ("alice", "bob", "carol", "dave")]
    assert shares == [24 * GWEI * points // 30 for points in (27, 1, 1, 1)]
    assert [settled[name]["reward"] / GWEI for name in ("north", "south", "east")] == [14, 2, 8]
    assert_settles_like_reference(round_)


def test_settle__cheap_owner_at_a_dear_model__share_counts_as_its_cap_at_most(create_round: CreateRound) -> None:
    """Model 0 costs 75 gwei and is worth nothing: a share of 37.5 each counts as 3, the cap.

    So bob's A there is -2 · 75 ... + 2 · 3 and not + 75, and nobody is pivotal.
    """
    round_ = create_round(((0, 3), (0, 3)), ((25, 0), (25, 0), (0, 0)), max_owner_bid=3).voted()
    assert round_.state.selected == 1
    settled = {seat.name: receipt.event("MemberSettled") for seat, receipt in round_.settled().items()}
    assert not any(event["tax"] for event in settled.values())
    assert_settles_like_reference(round_)


def test_settle__nothing_worth_training__taxes_alone(create_round: CreateRound) -> None:
    """V = 60, K = 62 without the claimant, E = -66: north prevents the training and pays what the others lose.

    Its reward would be (K - k) / 2 + V / 6 = 6 + 10, so A = -66 + 3 (50 - 16) = 36, and the tax 12.
    """
    round_ = create_round(((30,), (30,)), ((50,), (12,), (1,)), proposers=(0,)).selected()
    assert round_.state.status == Status.NOTHING_TRAINED
    settled = {seat.name: r.event("MemberSettled") for seat, r in round_.settled().items()}
    taxes = {name: event["tax"] for name, event in settled.items()}
    assert taxes == {"alice": 0, "bob": 0, "north": 12 * GWEI, "south": 0, "east": 0}
    for event in settled.values():
        assert not any(event[name] for name in ("share", "reward", "slashed", "forfeited", "bonus"))
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == 12 * GWEI
    assert_settles_like_reference(round_)


def test_settle__joined_but_never_committed__released_untouched(create_round: CreateRound) -> None:
    round_ = create_round(station_bids=((28, 2), (1, 14), (1, 14), (1, 14))).joined()
    carol, east = round_.owners[2], round_.stations[2]
    round_.committed(but=[carol, east]).voted()
    for seat in (carol, east):
        receipt = round_.settle(seat, bids=[0]).send()
        amounts = dict.fromkeys(("share", "tax", "slashed", "reward", "forfeited", "bonus"), 0)
        assert receipt.event("MemberSettled") == {"roundId": round_.id, "member": seat.account, **amounts}
        assert round_.market.free(seat.account) == round_.lock(seat)
        assert round_.stage(seat) is Stage.NONE
    assert_settles_like_reference(round_)


def test_settle__slots__cleared_but_for_the_claimants(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    round_.settled()
    east = round_.claimant
    for seat in round_.members:
        view = round_.member(seat)
        if seat == east:
            assert (view.stage, view.ordinal, view.claimant) == (Stage.SETTLED, 3, True)
        else:
            assert not any(vars(view).values()), f"{seat.name} has left something: {view}"

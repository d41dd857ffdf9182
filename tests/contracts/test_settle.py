"""`settle` and `settleMany`: honest rounds to the wei, who may settle whom, when, and with which bids.

The default round at θ = 1/2, all in gwei. With n = 3 on both sides and equal weights a share is
`1/3 · [K/2 + 3 (V - v) / 4]` for an owner and `1/3 · [3 (K - k) / 4 + V/2]` for a base station, so

    owner c = K/6 + (V - v) / 4        base station r = (K - k) / 4 + V/6

    model 0: V = 30 + 30 + 12 = 72, K = 28 + 1 + 1  = 30, margin 42
    model 1: V = 20 + 10 + 60 = 90, K = 2 + 14 + 14 = 30, margin 60, selected; pool 30 + 60/2 = 60

              claim 0, 1   share 0, 1     others enjoy A = D - u + s at 0, 1    tax (A_0 - A_1 where positive)
    alice     30, 20       15.5, 22.5     42 - 30 + 15.5 = 27.5, 62.5           0
    bob       30, 10       15.5, 25       27.5, 75                              0
    carol     12, 60       20,   12.5     50, 12.5                              37.5
    north     28, 2        12.5, 22       42 + 28 - 12.5 = 57.5, 40             17.5
    south     1, 14        19.25, 19      23.75, 55                             0
    east      as south
"""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, Seat
from analysis.mechanism import settle as settle_by_reference
from fl.market.bids import pack_bids
from fl.market.terms import GWEI, Phase, Policy, Stage, Status
from tests.support.assertions import assert_settles_like_reference

SHARES = {"alice": 22.5, "bob": 25, "carol": 12.5}
REWARDS = {"north": 22, "south": 19, "east": 19}
TAXES = {"carol": 37.5, "north": 17.5}


def expected(seat: Seat) -> dict[str, int]:
    """What the table above says of a member, wei."""
    return {
        "share": int(SHARES.get(seat.name, 0) * GWEI),
        "tax": int(TAXES.get(seat.name, 0) * GWEI),
        "slashed": 0,
        "reward": int(REWARDS.get(seat.name, 0) * GWEI),
        "forfeited": 0,
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
        member = round_.member(seat)
        assert (member.stage, member.payload) == (Stage.SETTLED, amounts["tax"]), seat.name
    assert round_.state.escrow == 55 * GWEI, "the two taxes wait for the rebates"
    assert round_.state.settled == 6


def test_reference__default_round__as_worked_out_by_hand() -> None:
    """The two stand on the same table: a failure above and not here is the contract's."""
    bids = ((30, 20), (30, 10), (12, 60)), ((28, 2), (1, 14), (1, 14))
    result = settle_by_reference(*bids, 2**63, max_owner_bid=100)
    assert [tax / GWEI for tax in result.taxes] == [0, 0, 37.5, 17.5, 0, 0]
    assert [share / GWEI for share in result.shares] == [22.5, 25, 12.5, -22, -19, -19]
    assert result.pool == 60 * GWEI


def test_settle__by_a_stranger_in_any_order__same_amounts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().voted()
    for seat in reversed(round_.members):
        call = round_.call("settle", seat.account, seat.sealed.words, sender=stranger)
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
    assert (round_.state.settled, round_.state.escrow) == (6, 55 * GWEI)


def test_settle_many__some_settled_or_listed_twice__skipped(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    alice, bob, carol = round_.owners
    round_.settle(alice).send()
    accounts = [seat.account for seat in (alice, bob, bob, carol)]
    words = [word for seat in (alice, bob, bob, carol) for word in seat.sealed.words]
    receipt = round_.call("settleMany", accounts, words, sender=alice).send()
    assert [event.values["member"] for event in receipt.events] == [bob.account, carol.account]
    assert round_.state.settled == 3


def test_settle_many__nobody__nothing_happens(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    before = round_.state
    assert round_.settle_many([]).send().events == ()
    assert round_.state == before


def test_settle__twice__reverts_also_after_the_rebate(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    alice = round_.owners[0]
    round_.settle(alice).send()
    again = round_.settle(alice, bids=alice.sealed.words)
    again.reverts_with("AlreadySettled", roundId=round_.id, account=alice.account)
    round_.settled()
    round_.claim_rebate(alice).send()
    assert round_.stage(alice) is Stage.CLOSED
    again.reverts_with("AlreadySettled", roundId=round_.id, account=alice.account)


def test_settle__not_a_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().voted()
    alice = round_.owners[0]
    for call in (
        round_.call("settle", stranger, [0], sender=alice),
        round_.call("settleMany", [alice.account, stranger], [*alice.sealed.words, 0], sender=alice),
    ):
        call.reverts_with("NotAMember", roundId=round_.id, account=stranger)


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
    round_ = create_round().committed()
    carol = round_.owners[2]
    round_.revealed(but=[carol]).voted()
    round_.settle(carol, bids=carol.sealed.words).reverts_with("WrongBids", member=carol.account)
    round_.settle(carol, bids=[0]).send()


@pytest.mark.parametrize("words", [0, 2])
def test_settle__wrong_number_of_words__reverts(create_round: CreateRound, words: int) -> None:
    round_ = create_round().voted()
    alice = round_.owners[0]
    round_.settle(alice, bids=[0] * words).reverts_with("WrongBidLength", length=words, required=1)
    round_.call("settleMany", [alice.account] * 3, [0] * words, sender=alice).reverts_with(
        "WrongBidLength", length=words, required=3
    )


def test_settle__before_its_time__reverts_in_every_phase(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]

    def refused(status: Status) -> None:
        for call in (
            round_.call("settle", alice.account, [0], sender=alice),
            round_.call("settleMany", [alice.account], [0], sender=alice),
        ):
            call.reverts_with("SettlementNotOpen", roundId=round_.id, status=status)

    refused(Status.OPEN)
    for play in (round_.joined, round_.committed, round_.revealed):
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


@pytest.mark.parametrize("theta", [0, 1, 2**63, 2**64 - 1, None])
@pytest.mark.parametrize("base_policy", Policy)
@pytest.mark.parametrize("owner_policy", [Policy.EQUAL, Policy.CAPABILITY])
def test_settle__every_policy_and_theta__like_the_reference(
    create_round: CreateRound, owner_policy: Policy, base_policy: Policy, theta: int | None
) -> None:
    """Uneven bids and points, so that every division leaves a remainder; four models take two words."""
    round_ = create_round(
        owner_bids=((31, 7, 0, 97), (29, 100, 1, 3), (11, 61, 99, 1), (5, 7, 11, 13)),
        station_bids=((28, 2, 49, 3), (1, 14, 50, 5), (1, 13, 0, 7)),
        owner_points=(7, 3, 1, 11) if owner_policy else None,
        station_points=(1_000, 17, 3) if base_policy is Policy.CAPABILITY else None,
        proposers=(2, 0, 3, 1),
        owner_policy=owner_policy,
        base_policy=base_policy,
        theta=theta,
    )
    assert_settles_like_reference(round_.voted())


def test_settle__share_rounded_over_the_cap__is_the_cap(create_round: CreateRound) -> None:
    """Uncut, a lie would save a wei: claiming 0 at model 0 selects model 1, which has the same margin.

    Four owners with a point each, θ ~ 1: a term of 1 gwei is 4/3, rounded up, and a share 1/4 of three of them, rounded
    up: 1,000,000,001 wei.
    """
    round_ = create_round(
        owner_bids=((1, 1), (1, 1), (1, 1), (1, 0)),
        station_bids=((1, 0), (0, 0)),
        owner_points=(1, 1, 1, 1),
        owner_policy=Policy.CAPABILITY,
        max_owner_bid=1,
        theta=2**64 - 1,
    ).voted()
    with round_.market.chain.snapshot():
        settled = round_.settled()
        assert round_.state.selected == 0
        assert [settled[owner].event("MemberSettled")["share"] for owner in round_.owners] == [GWEI] * 4
    assert_settles_like_reference(round_)


def test_settle__nothing_worth_training__taxes_alone(create_round: CreateRound) -> None:
    """V = 58, K = 60, margin -2: north's claim of 50 prevents the training and costs it what the others lose.

    At θ = 1/2 and n = 2 its reward would be (K - k)/2 + V/4 = 5 + 14.5, and A = -2 + 50 - 19.5 = 28.5.
    """
    round_ = create_round(owner_bids=((30,), (28,)), station_bids=((50,), (10,)), proposers=(0,)).selected()
    assert round_.state.status == Status.NOTHING_TRAINED
    with round_.market.chain.snapshot():
        settled = {seat.name: r.event("MemberSettled") for seat, r in round_.settled().items()}
        taxes = {name: event["tax"] for name, event in settled.items()}
        assert taxes == {"alice": 0, "bob": 0, "north": 28.5 * GWEI, "south": 0}
        assert not any(event["share"] or event["reward"] or event["slashed"] for event in settled.values())
        assert [round_.rebate(seat) for seat in round_.stations] == [0, 28.5 * GWEI]
    assert_settles_like_reference(round_)


def test_settle__joined_but_never_committed__released_untouched(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    carol, east = round_.owners[2], round_.stations[2]
    round_.committed(but=[carol, east]).voted()
    for seat in (carol, east):
        receipt = round_.settle(seat, bids=[0]).send()
        amounts = {"share": 0, "tax": 0, "slashed": 0, "reward": 0, "forfeited": 0}
        assert receipt.event("MemberSettled") == {
            "roundId": round_.id,
            "member": seat.account,
            **amounts,
        }
        assert round_.market.free(seat.account) == round_.lock(seat)
        assert round_.stage(seat) is Stage.CLOSED
    assert round_.state.settled == 0, "only committed members count"
    assert_settles_like_reference(round_)

"""Calls in somebody else's way: before it, after it in the same block, or with what it has just made public."""

from collections.abc import Callable

import pytest

from analysis.devnode.market import Call
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Phase, Role, Stage, Status
from tests.contracts.attacks.contract_member import ContractMember
from tests.support.assertions import assert_settles_like_reference

MakeContract = Callable[[str], ContractMember]


def test_reveal__front_run_with_its_own_opening__victim_is_not_hindered(
    create_round: CreateRound, stranger: str
) -> None:
    """Bids and salt are readable before the transaction is mined; they open nothing for anybody else."""
    round_ = create_round().committed().wait_for("commit")
    alice, bob, _ = round_.owners
    words, salt = alice.sealed.words, alice.sealed.salt
    opened = round_.market.view("commitmentOf", round_.id, bob.account, words, salt)
    round_.call("revealBid", words, salt, sender=bob).reverts_with(
        "WrongOpening", member=bob.account, commitment=opened
    )
    round_.call("revealBid", words, salt, sender=stranger).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )
    round_.reveal_bid(alice).send()


def intrusions(round_: LiveRound, stranger: str) -> list[tuple[Call, str, dict[str, object]]]:
    """Everything that could move the sums or the models, and how it is refused once commits are closed."""
    alice, late = round_.owners[0], round_.owners[3]
    closed, join = round_.terms.deadlines.commit, round_.terms.deadlines.join
    entry = (Role.OWNER, 1, [], [])
    over = {"roundId": round_.id, "deadline": closed}
    return [
        (round_.call("join", *entry, sender=stranger, value=400 * GWEI), "DeadlinePassed", over | {"deadline": join}),
        (round_.call("joinAndCommit", *entry, bytes(32), sender=stranger, value=400 * GWEI), "DeadlinePassed", over),
        (round_.commit_bid(late), "DeadlinePassed", over),
        (round_.propose(late), "DeadlinePassed", over | {"deadline": join}),
        (round_.reveal_bid(late), "NotCommitted", {"roundId": round_.id, "account": late.account}),
        (round_.reveal_bid(alice), "AlreadyRevealed", {"roundId": round_.id, "account": alice.account}),
    ]


def test_select__sandwiched__nothing_before_or_after_it_moves_the_sums(
    create_round: CreateRound, stranger: str
) -> None:
    """Everybody who committed has revealed, so the selection may come at once, in the middle of the reveal phase."""
    round_ = create_round(((30, 20), (30, 10), (12, 60), (99, 0))).joined()
    round_.committed(but=[round_.owners[3]]).revealed()
    before = vars(round_.market.view("sumsOf", round_.id))
    for call, error, values in intrusions(round_, stranger):
        call.reverts_with(error, **values)
    round_.select().send()
    for call, error, values in intrusions(round_, stranger):
        call.reverts_with(error, **values)
    assert vars(round_.market.view("sumsOf", round_.id)) == before
    assert round_.state.selected == 1


def test_select__by_somebody_who_likes_what_it_sees__cannot_shut_out_a_bid(create_round: CreateRound) -> None:
    """While one committed bid is missing it waits for the reveal deadline, whoever calls and how often."""
    round_ = create_round().committed()
    carol = round_.owners[2]
    round_.revealed(but=[carol]).wait_for("reveal", -1)
    # Without carol's bids model 0 would lead, which alice proposed.
    round_.select(round_.owners[0]).reverts_with(
        "PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.reveal
    )
    round_.reveal_bid(carol).send()
    round_.select().send()
    assert round_.state.selected == 1


@pytest.mark.parametrize("who", ["one of them", "all of them"])
def test_settle_many__front_run_by_settling_its_members__goes_on_with_the_others(
    create_round: CreateRound, stranger: str, who: str
) -> None:
    """Somebody pays 80,000 gas to spoil a batch of a thousand; it is not spoilt."""
    round_ = create_round().voted()
    batch = round_.settle_many(round_.members)
    spoiled = round_.members[1:2] if who == "one of them" else round_.members
    for seat in spoiled:
        round_.call("settle", seat.account, seat.sealed.words, sender=stranger).send()
    receipt = batch.send()
    assert len(receipt.events) == len(round_.members) - len(spoiled)
    assert round_.state.settled == 6
    assert_settles_like_reference(round_)


def test_settle_many__word_of_settled_members__is_not_even_read(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    alice, bob, _ = round_.owners
    round_.settle(alice).send()
    words = [2**256 - 1, *bob.sealed.words]
    receipt = round_.call("settleMany", [alice.account, bob.account], words, sender=bob).send()
    assert [event.values["member"] for event in receipt.events] == [bob.account]


def test_settle_many__same_member_a_hundred_times__settled_once(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    alice = round_.owners[0]
    receipt = round_.call("settleMany", [alice.account] * 100, alice.sealed.words * 100, sender=alice).send()
    assert receipt.names == ["MemberSettled"]
    assert (round_.state.settled, round_.market.free(alice.account)) == (1, round_.lock(alice) - 22.5 * GWEI)


def test_settle_many__unknown_member_among_them__nothing_is_settled(create_round: CreateRound, stranger: str) -> None:
    """The list is its caller's alone: nobody else can put a name on it or take a membership away."""
    round_ = create_round().voted()
    alice = round_.owners[0]
    before = round_.state
    round_.call("settleMany", [alice.account, stranger], [*alice.sealed.words, 0], sender=alice).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )
    assert round_.state == before


def test_join_with_a_rebate__settled_in_front_of_it__one_credit(create_round: CreateRound) -> None:
    """Alice's claim and her join race; whichever is second is refused, and nothing else changes."""
    first = create_round().voted()
    first.settled()
    second = create_round()
    alice = first.owners[0]
    joining = second.join(alice, rebates=[first.id])
    first.claim_rebate(alice).send()
    joining.reverts_with("RebateNotDue", roundId=first.id, account=alice.account)
    second.join(alice).send()


def test_join_with_a_rebate__join_refused__rebate_is_still_there(create_round: CreateRound) -> None:
    """A failed call changes nothing: the credit of a round before is taken back with it."""
    first = create_round().voted()
    first.settled()
    second = create_round()
    alice = first.owners[0]
    free = first.market.free(alice.account)
    first.market.call("withdraw", free, sender=alice.account).send()
    second.join(alice, rebates=[first.id], value=1).reverts_with(
        "InsufficientBalance", available=18.75 * GWEI, required=second.lock(alice) - 1
    )
    assert (first.stage(alice), first.rebate(alice)) == (Stage.SETTLED, 18.75 * GWEI)


@pytest.mark.parametrize("thief", ["bob", "north", "stranger"])
def test_rebate__claimed_by_anybody_else__pays_only_what_is_the_callers(
    create_round: CreateRound, stranger: str, thief: str
) -> None:
    """There is no argument for whose rebate it is: a claim and a listed round are the caller's own."""
    first = create_round().voted()
    first.settled()
    market, alice = first.market, first.owners[0]
    accounts = {seat.name: seat.account for seat in first.members} | {"stranger": stranger}
    before = market.free(alice.account), first.rebate(alice)
    if thief == "stranger":
        first.call("claimRebate", sender=stranger).reverts_with("RebateNotDue", roundId=first.id, account=stranger)
        create_round().call("join", 0, 1, [], [first.id], sender=stranger, value=400 * GWEI).reverts_with(
            "RebateNotDue", roundId=first.id, account=stranger
        )
    else:
        paid = first.call("claimRebate", sender=accounts[thief]).send().event("RebatePaid")
        assert paid == {
            "roundId": first.id,
            "member": accounts[thief],
            "amount": {"bob": 18.75 * GWEI, "north": 0}[thief],
        }
    assert (market.free(alice.account), first.rebate(alice)) == before


def test_abort_and_report__at_the_report_deadline__never_both(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """In its last second the winner may report and nobody abort; in the next, the other way round."""
    round_ = create_round().trained().wait_for("report", -1)
    bob = make_contract(round_.winner.account)
    deadline = round_.terms.deadlines.report
    both = [round_.report_result(), round_.abort(sender=round_.winner)]
    with round_.market.chain.snapshot():
        bob.run(both).reverts_with("WrongStatus", roundId=round_.id, actual=Status.REPORTED, required=Status.TRAINING)
        round_.abort().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=deadline)
        round_.report_result().send()
    round_.wait_for("report")
    round_.report_result().reverts_with("DeadlinePassed", roundId=round_.id, deadline=deadline)
    round_.abort().send()
    assert round_.state.phase == Phase.SETTLE

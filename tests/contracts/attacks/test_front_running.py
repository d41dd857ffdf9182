"""Calls in somebody else's way: before it, after it in the same block, or with what it has just made public."""

from collections.abc import Callable
from typing import Any

import pytest

from analysis.devnode.market import Call
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Phase, Role, Status
from tests.contracts.attacks.contract_member import ContractMember
from tests.support.reference import assert_settles_like_reference

MakeContract = Callable[[str], ContractMember]


def test_reveal__front_run_with_its_own_opening__victim_is_not_hindered(
    create_round: CreateRound, stranger: str
) -> None:
    """Bids and salt are readable before the transaction is mined; they open nothing for anybody else."""
    round_ = create_round().drawn()
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
    alice, late, east = round_.owners[0], round_.owners[3], round_.stations[2]
    closed, join = round_.terms.deadlines.commit, round_.terms.deadlines.join
    entry: tuple[Any, ...] = (round_.terms.hash, Role.OWNER, 1, [])
    over: dict[str, object] = {"roundId": round_.id, "deadline": closed}
    return [
        (round_.call("join", *entry, sender=stranger, value=400 * GWEI), "DeadlinePassed", over | {"deadline": join}),
        (round_.call("joinAndCommit", *entry, bytes(32), sender=stranger, value=400 * GWEI), "DeadlinePassed", over),
        (round_.commit_bid(late), "DeadlinePassed", over),
        (round_.propose(late), "DeadlinePassed", over | {"deadline": join}),
        (round_.reveal_bid(late), "NotCommitted", {"roundId": round_.id, "account": late.account}),
        (round_.reveal_bid(alice), "AlreadyRevealed", {"roundId": round_.id, "account": alice.account}),
        (round_.reveal_bid(east), "ClaimantStandsAside", {"roundId": round_.id, "claimant": east.account}),
        (round_.draw(), "AlreadyDrawn", {"roundId": round_.id}),
    ]


def test_select__sandwiched__nothing_before_or_after_it_moves_the_sums(
    create_round: CreateRound, stranger: str
) -> None:
    """Everybody who committed has revealed, so the selection may come at once, in the middle of the reveal phase."""
    round_ = create_round(((30, 20), (30, 10), (12, 60), (99, 0))).joined()
    round_.committed(but=[round_.owners[3]]).drawn()
    round_.revealed()
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
    round_ = create_round().drawn()
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
    assert round_.market.free(alice.account) == round_.lock(alice) - 21.5 * GWEI
    assert_settles_like_reference(round_)


def test_settle_many__dead_entries_among_them__passed_over_with_their_words(
    create_round: CreateRound, stranger: str
) -> None:
    """Nobody, a settled member, the contract itself, again and again: each brings its word, which nobody reads."""
    round_ = create_round().voted()
    market, (alice, bob, carol) = round_.market, round_.owners
    round_.settle(alice).send()
    dead = [stranger, alice.account, "0x" + "00" * 20, market.address]
    accounts = [*dead, bob.account, *dead, carol.account, *dead]
    words = [*range(4), *bob.sealed.words, *[2**256 - 1] * 4, *carol.sealed.words, *[0] * 4]
    assert len(words) == len(accounts)
    receipt = round_.call("settleMany", accounts, words, sender=stranger).send()
    assert [event.values["member"] for event in receipt.events] == [bob.account, carol.account]
    round_.call("settleMany", accounts, words[1:], sender=stranger).reverts_with(
        "WrongBidLength", length=len(words) - 1, required=len(words)
    )
    assert_settles_like_reference(round_)


def test_settle_many__dead_entry_without_its_words__shifts_nobody_elses(create_round: CreateRound) -> None:
    """Bob's words in alice's place are not alice's."""
    round_ = create_round().voted()
    alice, bob, carol = round_.owners
    words = [*bob.sealed.words, *carol.sealed.words, *alice.sealed.words]
    call = round_.call("settleMany", [seat.account for seat in (alice, bob, carol)], words, sender=bob)
    call.reverts_with("WrongBids", member=alice.account)


@pytest.mark.parametrize("thief", ["alice", "north", "stranger"])
def test_lot__claimed_by_anybody_else__is_the_claimants_alone(
    create_round: CreateRound, stranger: str, thief: str
) -> None:
    """There is no argument for whose lot it is: neither payers nor other base stations nor strangers have one."""
    round_ = create_round().voted()
    round_.settled()
    accounts = {seat.name: seat.account for seat in round_.members} | {"stranger": stranger}
    lot = round_.lot
    round_.call("claimLot", sender=accounts[thief]).reverts_with(
        "NotTheClaimant", roundId=round_.id, account=accounts[thief]
    )
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == lot > 0


def test_lot__claimant_of_another_round__gets_nothing_here(create_round: CreateRound) -> None:
    """North is the claimant of the second round only; both have a lot."""
    first = create_round().voted()
    first.settled()
    second = create_round(claimant=0).voted()
    second.settled()
    north = first.stations[0]
    first.claim_lot(north).reverts_with("NotTheClaimant", roundId=first.id, account=north.account)
    assert second.claim_lot(north).send().event("LotClaimed")["roundId"] == second.id
    assert first.lot > 0


def test_terms__creation_copied_in_front_of_it__same_terms_under_another_number(
    create_round: CreateRound, stranger: str
) -> None:
    """Somebody creates the same round first: whoever joins either joins the terms and the list that it read."""
    meant = create_round()
    copy = meant.market.call("createRound", meant.terms.encode(), meant.tree.root, sender=stranger).send()
    other = copy.event("RoundCreated")["roundId"]
    joining = meant.join(meant.owners[0])
    meant.market.call("join", other, *joining.arguments[1:], sender=joining.sender, value=joining.value).send()
    assert meant.market.view("termsOf", other) == meant.market.view("termsOf", meant.id)


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

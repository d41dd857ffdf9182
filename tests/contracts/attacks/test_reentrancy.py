"""Re-entrancy: ether leaves by `withdraw` alone, and whoever is paid by it can call back as it likes.

Each call of the contract is made from within a withdrawal and, in the same state, right after one: if the state
afterwards is not the same to the wei and the bit, the withdrawal was not over when its receiver was called.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from analysis.devnode.chain import Reverted
from analysis.devnode.codec import Failure
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Role
from tests.contracts.attacks.contract_member import ContractMember
from tests.contracts.attacks.scenes import (
    OWNER_LOCK,
    SCENES,
    Scene,
    owner,
    to_claim_the_lot,
    to_commit,
    to_join,
    to_join_and_commit,
    to_list_contributions,
    to_propose,
    to_record_a_global_round,
    to_record_an_update,
    to_report,
    to_reveal,
    to_settle_oneself,
    to_vote,
    to_withdraw_the_rest,
)
from tests.support.assertions import assert_conserved

FREE = 1_000 * GWEI  # what the member that calls back has free
TAKEN = 999 * GWEI  # what it withdraws
DRAWN = ("thetaNumerator", "claimant")

MakeContract = Callable[[str], ContractMember]


def prepared(make_contract: MakeContract, seat: Seat, market: Market) -> tuple[ContractMember, Call]:
    """The member as a contract with `FREE` wei of its own, and its withdrawal of `TAKEN`."""
    free = market.free(seat.account)
    if free > FREE:
        market.call("withdraw", free - FREE, seat.account, sender=seat.account).send()
    else:
        market.call("deposit", sender=seat.account, value=FREE - free).send()
    return make_contract(seat.account), market.call("withdraw", TAKEN, seat.account, sender=seat.account)


def everything(round_: LiveRound) -> Any:
    """All that can be read of the contract: rounds, members, balances; and what its members hold outside of it.

    But for what is drawn, which depends on the block.
    """
    market, numbers = round_.market, range(1, round_.market.view("roundCount") + 1)
    rounds = [vars(state) for state in market.views([("roundOf", (number,)) for number in numbers])]
    members = market.views([("memberOf", (number, seat.account)) for number in numbers for seat in round_.members])
    return (
        [{name: value for name, value in state.items() if name not in DRAWN} for state in rounds],
        market.views([("sumsOf", (number,)) for number in numbers]),
        [{name: value for name, value in vars(member).items() if name not in DRAWN} for member in members],
        market.views([("freeBalance", (seat.account,)) for seat in round_.members]),
        [market.chain.balance_of(seat.account) for seat in round_.members],
        market.held,
        [event.name for event in market.logs()],
    )


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_withdraw__receiver_calls_back__same_as_calling_afterwards(
    create_round: CreateRound, make_contract: MakeContract, scene: Callable[[CreateRound], Scene]
) -> None:
    round_, seat, call = scene(create_round)
    member, withdrawal = prepared(make_contract, seat, round_.market)
    with round_.market.chain.snapshot():
        withdrawal.send()
        before = everything(round_)
        call.send()
        afterwards = everything(round_)
        assert afterwards != before, f"{call} does nothing here: the comparison would prove nothing"
    member.arm([call])
    withdrawal.send()
    assert [outcome.failure for outcome in member.outcomes] == [None], str(call)
    assert everything(round_) == afterwards
    assert_conserved(round_.market)


def test_withdraw__receiver_withdraws_again__finds_only_what_is_left(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """The classic: also in pieces, and while others' ether is there to be taken."""
    round_ = create_round().joined()
    market, bob = round_.market, owner(round_)
    member, withdrawal = prepared(make_contract, bob, market)
    before = market.chain.balance_of(bob.account)
    amounts = (TAKEN, FREE - TAKEN + 1, FREE - TAKEN, 1)
    member.arm([market.call("withdraw", amount, bob.account, sender=bob.account) for amount in amounts])
    withdrawal.send()

    def refused(available: int, required: int) -> Failure:
        return Failure("InsufficientBalance", {"available": available, "required": required})

    left = FREE - TAKEN
    told = [outcome.failure for outcome in member.outcomes]
    assert told == [refused(left, TAKEN), refused(left, left + 1), None, refused(0, 1)]
    assert (market.free(bob.account), market.held) == (0, round_.state.escrow)
    assert market.chain.balance_of(bob.account) - before == FREE


@pytest.mark.parametrize("function", ["join", "joinAndCommit"])
def test_withdraw__receiver_joins_with_what_it_takes_out__is_refused(
    create_round: CreateRound, make_contract: MakeContract, function: str
) -> None:
    """Funds that are on their way out lock nothing."""
    round_ = create_round()
    if function == "joinAndCommit":
        round_.wait_for("join")
    bob = owner(round_)
    member, withdrawal = prepared(make_contract, bob, round_.market)
    from_balance = round_.join if function == "join" else round_.join_and_commit
    member.arm([from_balance(bob, value=0)])
    withdrawal.send()
    left = FREE - TAKEN
    assert member.outcomes[0].failure == Failure("InsufficientBalance", {"available": left, "required": OWNER_LOCK})


@pytest.mark.parametrize(
    ("scene", "error"),
    [(to_settle_oneself, "NotAMember"), (to_join, "AlreadyJoined"), (to_withdraw_the_rest, "InsufficientBalance")],
    ids=["settle", "join", "withdraw"],
)
def test_withdraw__receiver_takes_what_is_due_twice__gets_it_once(
    create_round: CreateRound, make_contract: MakeContract, scene: Callable[[CreateRound], Scene], error: str
) -> None:
    round_, seat, call = scene(create_round)
    member, withdrawal = prepared(make_contract, seat, round_.market)
    member.arm([call, call])
    withdrawal.send()
    first, second = (outcome.failure for outcome in member.outcomes)
    assert first is None
    assert second is not None and second.error == error
    assert_conserved(round_.market)


def test_withdraw__receiver_claims_its_lot_again_and_again__gets_it_once(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """Also while more comes in: south is settled in between, whose tax is nothing, and carol, whose tax is 21.25."""
    round_ = create_round().voted()
    market, (north, south, east), carol = round_.market, round_.stations, round_.owners[2]
    round_.settle(north).send()
    member, withdrawal = prepared(make_contract, east, market)
    claim = round_.claim_lot()
    member.arm([claim, claim, round_.settle(south), claim, round_.settle(carol), claim, claim])
    withdrawal.send()
    assert [outcome.failure for outcome in member.outcomes] == [None] * 7, "it may call as often as it likes"
    claimed = [event.values["amount"] for event in market.logs_of(round_.id) if event.name == "LotClaimed"]
    assert claimed == [10.5 * GWEI, 0, 0, 21.25 * GWEI, 0]
    assert market.free(east.account) == FREE - TAKEN + sum(claimed)
    assert round_.lot == 0
    assert_conserved(market)


def test_withdraw__in_the_middle_of_it__everything_adds_up_already(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """A reader that is called by the receiver, say a price, must not be told of ether that has left."""
    round_ = create_round().joined()
    market, bob = round_.market, owner(round_)
    member, withdrawal = prepared(make_contract, bob, market)
    views: Sequence[Call] = [
        market.call("freeBalance", bob.account, sender=bob.account),
        market.call("withdraw", FREE - TAKEN, bob.account, sender=bob.account),
    ]
    member.arm(views)
    held = market.held
    withdrawal.send()
    assert [outcome.failure for outcome in member.outcomes] == [None, None]
    # The inner withdrawal came last; both amounts were gone when it paid.
    assert member.payments == 2
    assert member.held_when_paid == held - FREE == round_.state.escrow


def test_every_call__made_by_a_contract__pays_nobody_but_a_withdrawal(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """A whole round and its lot among contracts only: none of them ever gets a chance to call back."""
    round_ = create_round()
    contracts = {seat: make_contract(seat.account) for seat in round_.members}
    round_.voted().settled()
    round_.claim_lot().send()
    assert [contract.payments for contract in contracts.values()] == [0] * len(contracts)
    for seat, contract in contracts.items():
        free = round_.market.free(seat.account)
        round_.market.call("withdraw", free, seat.account, sender=seat.account).send()
        assert contract.payments == 1
    assert round_.market.held == round_.state.escrow == 0
    assert {seat.role for seat in contracts} == set(Role)


OF_WHO_CALLS = {
    to_join: "NotAdmitted",
    to_join_and_commit: "NotAdmitted",
    to_propose: "NotAMember",
    to_commit: "NotAMember",
    to_reveal: "NotAMember",
    to_record_a_global_round: "NotTheWinner",
    to_record_an_update: "NotAMember",
    to_list_contributions: "NotTheWinner",
    to_report: "NotTheWinner",
    to_vote: "NotAMember",
    to_claim_the_lot: "NotTheClaimant",
    to_withdraw_the_rest: "InsufficientBalance",
}
"""The calls that look at who calls, and the refusal of a stranger."""


@pytest.mark.parametrize("scene", OF_WHO_CALLS, ids=lambda scene: scene.__name__)
def test_call__of_a_contract_that_the_member_calls__is_not_the_members(
    scene: Callable[[CreateRound], Scene], create_round: CreateRound, make_contract: MakeContract, stranger: str
) -> None:
    """Who signed a transaction is nobody here: else any contract that a member ever calls could act as that member."""
    round_, seat, call = scene(create_round)
    round_.market.call("deposit", sender=seat.account, value=OWNER_LOCK).send()
    with pytest.raises(Reverted, match=OF_WHO_CALLS[scene]):
        make_contract(stranger).run([call], signer=seat.account).returns()
    call.returns()

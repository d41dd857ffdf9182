"""Receivers that refuse ether, burn all gas or answer with megabytes; and ether that is forced upon the contract."""

from collections.abc import Callable

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Status
from tests.support.assertions import assert_conserved
from tests.support.reference import assert_settles_like_reference

HOSTILE = ("RefusingReceiver", "GasBurningReceiver", "ReturnBombingReceiver")


def reported(round_: LiveRound) -> None:
    round_.reported().voted(punish=round_.owners[:1])


def cancelled(round_: LiveRound) -> None:
    round_.joined()
    round_.committed(but=round_.stations).over().wait_for("commit")


def aborted(round_: LiveRound) -> None:
    round_.trained().aborted()


def nothing_trained(round_: LiveRound) -> None:
    round_.drawn()
    round_.revealed(but=round_.owners).selected().over()


ENDINGS = {
    Status.REPORTED: reported,
    Status.CANCELLED: cancelled,
    Status.ABORTED: aborted,
    Status.NOTHING_TRAINED: nothing_trained,
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("code", HOSTILE)
def test_settlement__every_member_a_hostile_receiver__holds_up_nobody(
    create_round: CreateRound, runtime_code: Callable[[str], bytes], code: str, ending: Status
) -> None:
    """Nothing in a round calls its members: joins, settlements and lots are entries in accounts."""
    round_ = create_round()
    market = round_.market
    for seat in round_.members:
        market.chain.set_code(seat.account, runtime_code(code))
    ENDINGS[ending](round_)
    assert round_.state.status == ending
    assert_settles_like_reference(round_)
    bob = round_.owners[1]
    for seat in round_.members:
        free = market.free(seat.account)
        market.call("withdraw", free, seat.account, sender=seat.account).reverts_with(
            "TransferFailed", to=seat.account, amount=free
        )
    # One of them mends its ways; the others' refusal has nothing to do with it.
    market.chain.set_code(bob.account, b"")
    before = market.chain.balance_of(bob.account)
    free = market.free(bob.account)
    market.call("withdraw", free, bob.account, sender=bob.account).send()
    assert market.chain.balance_of(bob.account) - before == free > 0


@pytest.mark.parametrize("code", HOSTILE)
def test_withdraw__refused__leaves_the_balance_where_it_was(
    market: Market, stranger: str, runtime_code: Callable[[str], bytes], code: str
) -> None:
    market.call("deposit", sender=stranger, value=10).send()
    market.chain.set_code(stranger, runtime_code(code))
    market.call("withdraw", 10, stranger, sender=stranger).reverts_with("TransferFailed", to=stranger, amount=10)
    assert (market.free(stranger), market.held) == (10, 10)
    # It can still spend what it has in rounds: only ether itself finds no way to it.
    market.call("withdraw", 0, stranger, sender=stranger).reverts_with("TransferFailed", to=stranger, amount=0)


def test_withdraw__to_the_contract_itself__refused(market: Market, stranger: str) -> None:
    """Ether that no account is credited with would be lost."""
    market.call("deposit", sender=stranger, value=10).send()
    market.call("withdraw", 10, market.address, sender=stranger).reverts_with(
        "TransferFailed", to=market.address, amount=10
    )
    assert (market.free(stranger), market.held) == (10, 10)


def test_withdraw__to_the_zero_address__refused(market: Market, stranger: str) -> None:
    """Where a receiver was forgotten it would be burnt."""
    zero = "0x" + "00" * 20
    market.call("deposit", sender=stranger, value=10).send()
    market.call("withdraw", 10, zero, sender=stranger).reverts_with("TransferFailed", to=zero, amount=10)
    assert (market.free(stranger), market.held) == (10, 10)


def force(market: Market, sender: str, amount: int) -> None:
    """Send ether that no function sees: init code that destroys its own contract in the contract's favour."""
    init_code = f"0x73{market.address[2:]}ff"  # PUSH20 market, SELFDESTRUCT
    before = market.held
    transaction = {"from": sender, "data": init_code, "value": hex(amount), "gas": hex(10**6), "gasPrice": "0x0"}
    assert market.chain.rpc("eth_sendTransactionSync", transaction)["status"] == "0x1"
    assert market.held == before + amount, "the ether has not arrived"


def test_forced_ether__by_self_destruct__belongs_to_nobody(create_round: CreateRound, stranger: str) -> None:
    """Neither its sender nor anybody else is credited, no lock is paid by it, and all others get theirs out."""
    round_ = create_round()
    market, alice = round_.market, round_.owners[0]
    with market.chain.snapshot():
        force(market, stranger, 10**18)
        assert market.free(stranger) == 0
        market.call("withdraw", 1, stranger, sender=stranger).reverts_with(
            "InsufficientBalance", available=0, required=1
        )
        round_.join(alice, value=0).reverts_with("InsufficientBalance", available=0, required=round_.lock(alice))
        round_.voted()
        force(market, alice.account, 3)
        assert_settles_like_reference(round_)
        assert_conserved(market, forced=10**18 + 3)
        for seat in round_.members:
            market.call("withdraw", market.free(seat.account), seat.account, sender=seat.account).send()
        assert market.held == 10**18 + 3 + round_.state.escrow


def test_forced_ether__before_a_deposit__the_deposit_is_what_was_sent(market: Market, stranger: str) -> None:
    with market.chain.snapshot():
        force(market, stranger, 77)
        receipt = market.call("deposit", sender=stranger, value=5).send()
        assert receipt.event("Deposited") == {"account": stranger, "amount": 5}
        assert market.free(stranger) == 5


@pytest.mark.parametrize("data", ["0x", "0xdeadbeef", "0x00"])
def test_plain_transfer__with_or_without_data__refused(market: Market, stranger: str, data: str) -> None:
    """A transfer credits nobody, so it must not get in."""
    transaction = {"from": stranger, "to": market.address, "value": "0x1", "data": data}
    answers = market.chain.raw_batch([("eth_call", (transaction, "latest")), ("eth_estimateGas", (transaction,))])
    assert all("error" in answer for answer in answers)
    assert market.held == 0


def test_lock__paid_with_a_surplus_by_a_hostile_receiver__surplus_is_not_sent_back(
    create_round: CreateRound, runtime_code: Callable[[str], bytes]
) -> None:
    """Change that is pushed back would let a member refuse its own join, or call back in the middle of it."""
    round_ = create_round()
    alice = round_.owners[0]
    round_.market.chain.set_code(alice.account, runtime_code("RefusingReceiver"))
    round_.join(alice, value=round_.lock(alice) + GWEI).send()
    assert round_.market.free(alice.account) == GWEI

"""`deposit` and `withdraw`: free balances, and the only way out."""

import pytest
from eth_utils import keccak

from analysis.devnode.chain import RpcError
from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.terms import GWEI

# Contract code as bytes: PUSH1 0 PUSH1 0 REVERT, for an account that refuses ether.
REFUSES_ETHER = bytes.fromhex("60006000fd")


def withdraw_again(market: Market, amount: int) -> bytes:
    """Code of an account that, paid, calls `withdraw(amount)` once more and ignores whether that worked."""
    selector = keccak(text="withdraw(uint256)")[:4].hex()
    return bytes.fromhex(
        f"63{selector}60e01b600052"  # memory 0: the selector
        f"7f{amount:064x}600452"  # memory 4: the amount
        f"6000600060246000600073{market.address[2:]}5af1" + "5000"  # call it with 36 bytes  # drop the result, stop
    )


def test_deposit__value__free_and_announced(market: Market, stranger: str) -> None:
    receipt = market.call("deposit", sender=stranger, value=7).send()
    assert receipt.names == ["Deposited"]
    assert receipt.event("Deposited") == {"account": stranger, "amount": 7}
    market.call("deposit", sender=stranger, value=5).send()
    assert (market.free(stranger), market.held) == (12, 12)


def test_withdraw__part__paid_to_its_owner(market: Market, stranger: str) -> None:
    market.call("deposit", sender=stranger, value=10).send()
    before = market.chain.balance_of(stranger)
    receipt = market.call("withdraw", 4, sender=stranger).send()
    assert receipt.names == ["Withdrawn"]
    assert receipt.event("Withdrawn") == {"account": stranger, "amount": 4}
    assert market.chain.balance_of(stranger) == before + 4
    assert (market.free(stranger), market.held) == (6, 6)
    market.call("withdraw", 6, sender=stranger).send()
    assert (market.free(stranger), market.held) == (0, 0)


@pytest.mark.parametrize("amount", [11, 2**256 - 1])
def test_withdraw__more_than_is_free__reverts(market: Market, stranger: str, amount: int) -> None:
    market.call("deposit", sender=stranger, value=10).send()
    market.call("withdraw", amount, sender=stranger).reverts_with("InsufficientBalance", available=10, required=amount)


def test_withdraw__locked_funds__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    alice = round_.owners[0]
    round_.market.call("withdraw", 1, sender=alice.account).reverts_with("InsufficientBalance", available=0, required=1)


def test_withdraw__somebody_elses__no_such_thing(market: Market, stranger: str) -> None:
    other = "0x" + "22" * 20
    market.chain.set_balance(other, GWEI)
    market.call("deposit", sender=stranger, value=10).send()
    market.call("withdraw", 10, sender=other).reverts_with("InsufficientBalance", available=0, required=10)


def test_withdraw__receiver_refuses_ether__reverts_and_holds_up_nobody(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    market, alice = round_.market, round_.owners[0]
    market.chain.set_code(alice.account, REFUSES_ETHER)
    round_.settle(alice, sender=round_.owners[1]).send()
    free = market.free(alice.account)
    assert free == round_.lock(alice) - 22.5 * GWEI
    market.call("withdraw", free, sender=alice.account).reverts_with(
        "TransferFailed", account=alice.account, amount=free
    )
    market.chain.set_code(alice.account, b"")
    market.call("withdraw", free, sender=alice.account).send()


def test_withdraw__receiver_calls_again__gets_its_own_once(market: Market, stranger: str) -> None:
    thief = "0x" + "33" * 20
    market.chain.set_balance(thief, 10 * GWEI)
    market.call("deposit", sender=stranger, value=100).send()
    market.call("deposit", sender=thief, value=40).send()
    market.chain.set_code(thief, withdraw_again(market, 40))
    before = market.chain.balance_of(thief)
    market.call("withdraw", 40, sender=thief).send()
    assert market.chain.balance_of(thief) - before == 40
    assert (market.free(thief), market.free(stranger), market.held) == (0, 100, 100)


def test_contract__plain_transfer__refused(market: Market, stranger: str) -> None:
    transaction = {"from": stranger, "to": market.address, "value": "0x1"}
    with pytest.raises(RpcError, match="reverted"):
        market.chain.rpc("eth_call", transaction, "latest")


def test_contract__ether_forced_upon_it__belongs_to_nobody(create_round: CreateRound) -> None:
    """Self-destruct and block rewards get past every function; accounts do not follow the balance."""
    round_ = create_round().joined()
    market = round_.market
    with market.chain.snapshot():
        market.chain.set_balance(market.address, market.held + 10**18)
        round_.voted().settled()
        for seat in round_.members:
            round_.claim_rebate(seat).send()
            market.call("withdraw", market.free(seat.account), sender=seat.account).send()
        assert market.held == 10**18

"""Transactions sent by way of the journal, through a proxy, to a real node."""

from threading import Timer
from typing import Any

import pytest

from fl.market.refusals import Again, ByHand, Never
from fl.market.terms import GWEI, Deadlines, RoundTerms
from fl.members.journal import State
from tests.fl.members.conftest import Sender
from tests.support.proxy import Fault, LoseAnswer, LoseRequest, Refuse, Say, Stall

SEND = "eth_sendRawTransaction"


def assert_sent_once(sender: Sender, *amounts: int) -> None:
    """Each deposit is in the contract, by one transaction that succeeded, and nothing else has left."""
    assert sender.balance == sum(amounts)
    assert [each.state for each in sender.rows()] == [State.DONE] * len(amounts)
    assert [each.nonce for each in sender.rows()] == list(range(sender.nonce))
    assert sender.proxy.sent() == sender.raw


# ── nothing goes wrong ──


def test_send__twice_the_same__is_two_transactions(sender: Sender) -> None:
    client = sender.client()
    receipts = [client.deposit(sender.account, 5) for _ in range(2)]
    assert_sent_once(sender, 5, 5)
    for receipt, row in zip(receipts, sender.rows(), strict=True):
        assert receipt.txn_hash == "0x" + row.hash.hex()
        assert (row.call, row.block, row.gas_used) == ("deposit", receipt.block_number, receipt.gas_used)
        assert row.price == receipt.gas_price
        assert row.gas > receipt.gas_used


def test_send__what_the_contract_refuses__never_leaves(sender: Sender) -> None:
    with pytest.raises(Never, match="withdraw: 0 wei are free and 1 are needed") as refused:
        sender.client().withdraw(sender.account, 1, str(sender.account.address))
    assert refused.value.name == "InsufficientBalance"
    assert sender.rows() == ()


def test_send__without_ether__says_what_to_do(sender: Sender) -> None:
    sender.node.set_balance(str(sender.account.address), 0)
    with pytest.raises(ByHand, match=f"send ether to {sender.account.address}"):
        sender.client().deposit(sender.account, 1)
    assert sender.rows() == ()


def test_send__for_another_account__is_refused(sender: Sender, accounts: Any) -> None:
    with pytest.raises(ByHand, match="each account has one of its own"):
        sender.client().deposit(accounts[0], 1)


def test_send__depth_asked_for__waits_for_it(sender: Sender) -> None:
    with pytest.raises(Again, match="not final yet"):
        sender.client(confirmations=3, longest=0.2).deposit(sender.account, 5)
    mining = Timer(0.2, sender.node.rpc, ("anvil_mine", "0x2"))
    mining.start()
    receipt = sender.client(confirmations=3).deposit(sender.account, 5)
    mining.join()
    assert int(sender.node.rpc("eth_blockNumber"), 16) == receipt.block_number + 2
    assert_sent_once(sender, 5)


def test_send__safe_block_asked_for__waits_for_it(sender: Sender) -> None:
    with pytest.raises(Again, match="not final yet"):
        sender.client(confirmations="safe", longest=0.2).deposit(sender.account, 5)
    sender.node.rpc("anvil_mine", "0x2")
    sender.client(confirmations="safe").deposit(sender.account, 5)
    assert_sent_once(sender, 5)


# ── the way to the node ──


@pytest.mark.parametrize("fault", [LoseAnswer(), LoseRequest(), Refuse(429), Refuse(503), Stall(45)], ids=str)
@pytest.mark.parametrize("method", [SEND, "eth_getTransactionReceipt", "eth_getTransactionCount"])
def test_send__over_a_bad_line__is_done_once(sender: Sender, fault: Fault, method: str) -> None:
    sender.proxy.fail(fault, method, times=2)
    sender.client().deposit(sender.account, 5)
    sender.client().deposit(sender.account, 6)
    assert_sent_once(sender, 5, 6)

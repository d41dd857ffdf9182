"""Transactions sent by way of the journal, through a proxy, to a real node."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from threading import Timer
from time import monotonic, sleep
from typing import Any

import pytest

from fl.market.refusals import Again, ByHand, Never
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms
from fl.members.journal import Recorded, State
from fl.members.outbox import FILLING
from tests.fl.members.conftest import FUNDS, RICH, Sender
from tests.support.proxy import Fault, LoseAnswer, LoseRequest, Reply, Say, Stall

SEND = "eth_sendRawTransaction"


@contextmanager
def once_looked(sender: Sender, do: Callable[..., object], *values: object) -> Iterator[None]:
    """Have something done as soon as what is inside has looked at the chain twice."""
    before = len(sender.proxy.requests)

    def later() -> None:
        end = monotonic() + 5
        while [method for method, _ in sender.proxy.requests[before:]].count("eth_getBlockByNumber") < 3:
            assert monotonic() < end, "nobody looks"
            sleep(0.005)
        do(*values)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(later)
        yield
        done.result()


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


def test_send__one_of_several_nodes_lags__asks_all_about_the_same_block(sender: Sender) -> None:
    """One before the account's last transaction would have it sent again, to fail."""
    client = sender.client()
    client.deposit(sender.account, 5)
    sender.proxy.requests.clear()
    client.deposit(sender.account, 6)
    before = hex(sender.rows()[1].block - 1)  # type: ignore[operator]
    asked = [params[1] for method, params in sender.proxy.requests if method == "eth_estimateGas"]
    asked += [params[1] for method, params in sender.proxy.requests if method == "eth_getTransactionCount"][:1]
    assert asked == [before, before]


def test_send__what_the_contract_refuses__never_leaves(sender: Sender) -> None:
    with pytest.raises(Never, match="withdraw: 0 wei are free and 1 are needed") as refused:
        sender.client().withdraw(sender.account, 1, str(sender.account.address))
    assert refused.value.name == "InsufficientBalance"
    assert sender.rows() == ()


def test_send__refused_as_another_node_says_it__in_words_all_the_same(sender: Sender) -> None:
    """Hardhat has what the contract said one level further in."""
    data = "0xcf479181" + (7).to_bytes(32).hex() + (9).to_bytes(32).hex()
    said = f"Error: VM Exception while processing transaction: reverted with an unrecognized custom error ({data})"
    client, error = sender.client(), {"code": 3, "message": said, "data": {"message": said, "data": data}}
    sender.proxy.fail(Say({"error": error}), "eth_estimateGas", times=1)
    with pytest.raises(Never, match="withdraw: 7 wei are free and 9 are needed") as refused:
        client.withdraw(sender.account, 1, str(sender.account.address))
    assert refused.value.name == "InsufficientBalance"


def test_send__without_ether__says_what_to_do(sender: Sender) -> None:
    sender.node.set_balance(str(sender.account.address), 0)
    with pytest.raises(ByHand, match=f"send ether to {sender.account.address}"):
        sender.client().deposit(sender.account, 1)
    assert sender.rows() == ()


def test_send__too_little_ether_for_its_gas__says_how_much(sender: Sender) -> None:
    sender.node.set_balance(str(sender.account.address), 10**14)
    with pytest.raises(ByHand, match=r"has 100000000000000 wei, and this may take \d+ with its gas: send ether to it"):
        sender.client().deposit(sender.account, 10**13)
    assert sender.rows() == ()


@pytest.mark.parametrize(
    "said", ["tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", "exceeds block gas limit"]
)
def test_send__refused_by_the_node_for_good__is_in_nobodys_way(sender: Sender, said: str) -> None:
    """An empty transaction takes the nonce, in case that another node has it: never are both mined."""
    client, refused = sender.client(), Say({"error": {"code": -32000, "message": said}})
    sent: list[str] = []

    def first(_: str, params: list[Any]) -> bool:
        sent.append(params[0])
        return params[0] == sent[0]

    sender.proxy.fail(refused, SEND, times=10**6, matches=first)
    with pytest.raises(ByHand, match=re.escape(said)):
        client.deposit(sender.account, 5)
    sleep(sender.settings.patience)
    client.deposit(sender.account, 6)
    assert (sender.balance, sender.nonce) == (6, 2)
    assert [(each.call, each.state) for each in sender.rows()] == [
        ("deposit", State.REPLACED),
        (FILLING, State.DONE),
        ("deposit", State.DONE),
    ]
    client.deposit(sender.account, 5)
    assert sender.balance == 11


def test_send__for_another_account__is_refused(sender: Sender, accounts: Any) -> None:
    with pytest.raises(ByHand, match="each account has one of its own"):
        sender.client().deposit(accounts[0], 1)


# ── the way to the node ──


@pytest.mark.parametrize("fault", [LoseAnswer(), LoseRequest(), Reply(429), Reply(503), Stall(45)], ids=str)
@pytest.mark.parametrize("method", [SEND, "eth_getTransactionReceipt", "eth_getTransactionCount"])
def test_send__over_a_bad_line__is_done_once(sender: Sender, fault: Fault, method: str) -> None:
    sender.proxy.fail(fault, method, times=2)
    sender.client().deposit(sender.account, 5)
    sender.client().deposit(sender.account, 6)
    assert_sent_once(sender, 5, 6)


def test_send__node_gone_and_back__goes_on(sender: Sender) -> None:
    client = sender.client()
    sender.proxy.close()
    back = Timer(0.3, sender.proxy.open)
    back.start()
    client.deposit(sender.account, 5)
    back.join()
    assert_sent_once(sender, 5)


def test_send__node_gone_for_long__says_so_and_is_done_later(sender: Sender) -> None:
    sender.node.rpc("evm_setAutomine", False)
    with pytest.raises(Again, match="not mined after"):
        sender.client(longest=0.2).deposit(sender.account, 5)
    client = sender.client(silence=0.2)
    sender.proxy.fail(Reply(503), times=10**6)
    with pytest.raises(Again, match=r"no node can be used: http://127.0.0.1:\d+ answers HTTP 503;"):
        client.deposit(sender.account, 5)
    sender.proxy.mend()
    sender.node.rpc("evm_mine")
    client.deposit(sender.account, 5)
    assert_sent_once(sender, 5)


@pytest.mark.parametrize(
    ("code", "said"),
    [(-32005, "limit exceeded"), (-32603, "Internal error"), (-32000, "txpool is full"), (-32000, "already known")],
)
def test_send__node_too_busy__is_done_once(sender: Sender, code: int, said: str) -> None:
    sender.proxy.fail(Say({"error": {"code": code, "message": said}}), SEND, times=2)
    sender.client().deposit(sender.account, 5)
    assert_sent_once(sender, 5)


# ── the chain goes back ──


@pytest.mark.parametrize("depth", [1, 3])
def test_send__after_a_reorganisation__sends_the_same_bytes_first(sender: Sender, depth: int) -> None:
    """What was mined, and is not in the chain any more, goes out again as it was."""
    client = sender.client()
    for amount in (5, 6, 7):
        client.deposit(sender.account, amount)
    before = sender.raw
    sender.node.rpc("anvil_reorg", depth, [])
    assert sender.nonce == 3 - depth
    client.deposit(sender.account, 8)
    assert sender.raw[:3] == before
    assert_sent_once(sender, 5, 6, 7, 8)
    assert sender.said == ["the chain has dropped transactions that it had: they are sent again"]


def test_send__state_put_back__sends_the_same_bytes(sender: Sender) -> None:
    """A development node that is set back forgets the blocks since, as one does that was restored from a copy."""
    snapshot = sender.node.rpc("evm_snapshot")
    client = sender.client()
    client.deposit(sender.account, 5)
    before = sender.raw
    sender.node.rpc("evm_revert", snapshot)
    assert sender.nonce == 0
    client.deposit(sender.account, 6)
    assert sender.raw[:1] == before
    assert_sent_once(sender, 5, 6)


def test_tend__after_a_reorganisation__sends_what_is_missing(sender: Sender) -> None:
    outbox = sender.outbox()
    for amount in (5, 6):
        sender.client().deposit(sender.account, amount)
    sender.node.rpc("anvil_reorg", 2, [])
    assert not outbox.tend(sender.account)
    assert sender.balance == 11
    assert outbox.tend(sender.account)
    assert_sent_once(sender, 5, 6)


# ── pending ──


def pending(sender: Sender, amount: int) -> None:
    """A deposit that the node has, and does not mine."""
    sender.node.rpc("evm_setAutomine", False)
    with pytest.raises(Again, match="not mined after"):
        sender.client(longest=0.1).deposit(sender.account, amount)
    assert len(sender.rows(State.OPEN)) == 1


def test_pending__over_a_restart__is_followed(sender: Sender) -> None:
    pending(sender, 5)
    sender.reopened()
    with once_looked(sender, sender.node.rpc, "evm_mine"):
        sender.client().deposit(sender.account, 5)
    assert_sent_once(sender, 5)


def test_pending__mined_while_the_member_was_away__is_found(sender: Sender) -> None:
    pending(sender, 5)
    sender.node.rpc("evm_mine")
    sender.reopened().client().deposit(sender.account, 5)
    assert_sent_once(sender, 5)


def test_pending__forgotten_by_the_node__is_sent_again(sender: Sender) -> None:
    pending(sender, 5)
    sender.forget()
    sender.node.rpc("evm_setAutomine", True)
    sender.reopened().client().deposit(sender.account, 5)
    assert_sent_once(sender, 5)


def test_pending__written_down_and_never_left__is_sent(sender: Sender) -> None:
    """A crash between the journal and the node."""
    sender.proxy.fail(LoseRequest(), SEND, times=10**6)
    with pytest.raises(Again):
        sender.client(silence=0.1).deposit(sender.account, 5)
    assert sender.nonce == 0
    sender.proxy.mend()
    sender.reopened().client().deposit(sender.account, 5)
    assert_sent_once(sender, 5)


def test_pending__another_call__comes_after_it(sender: Sender) -> None:
    pending(sender, 5)
    with once_looked(sender, sender.node.rpc, "evm_setAutomine", True):
        sender.client().deposit(sender.account, 6)
    assert_sent_once(sender, 5, 6)


# ── fees ──


def crowded_block(sender: Sender, stuck: Recorded) -> None:
    """A block that is full without a pending transaction."""
    everything = stuck.gas + 20_000  # too little for it and a transfer
    tip = hex(stuck.tip * 5 // 4)
    transfer = {"from": RICH, "to": RICH, "gas": hex(21_000), "maxFeePerGas": tip, "maxPriorityFeePerGas": tip}
    sender.node.rpc("evm_setBlockGasLimit", hex(everything))
    try:
        sender.node.rpc("eth_sendTransaction", transfer)
        sender.node.rpc("evm_mine")
    finally:
        sender.node.rpc("evm_setBlockGasLimit", hex(30_000_000))


def assert_raised(sender: Sender) -> None:
    """Each version of the one transaction offers a tenth more than the one before, both ways."""
    versions = sender.rows()
    assert len(versions) > 1
    for before, after in pairwise(versions):
        assert (after.nonce, after.key, after.call) == (before.nonce, before.key, before.call)
        assert after.max_fee * 10 >= before.max_fee * 11
        assert after.tip * 10 >= before.tip * 11


def test_stuck__while_blocks_pass__is_replaced(sender: Sender) -> None:
    pending(sender, 5)
    crowd = once_looked(sender, crowded_block, sender, sender.rows()[0])
    with crowd, pytest.raises(Again, match="not mined after"):
        sender.client(patience=0.2, longest=1).deposit(sender.account, 5)
    assert_raised(sender)
    assert len(sender.rows()) == 2, "a second block has not passed"
    assert len(sender.said) == 1 and "its fee is raised" in sender.said[0]
    sender.node.rpc("evm_mine")
    sender.client().deposit(sender.account, 5)
    assert sender.balance == 5
    assert [each.state for each in sender.rows()] == [State.REPLACED, State.DONE]


def test_stuck__while_no_block_passes__costs_no_more(sender: Sender) -> None:
    pending(sender, 5)
    with pytest.raises(Again, match="not mined after"):
        sender.client(patience=0.05, longest=0.4).deposit(sender.account, 5)
    assert len(sender.rows()) == 1


def test_stuck__gas_dearer_than_offered__is_replaced_for_more_at_once(sender: Sender) -> None:
    """Geth keeps such a transaction, and anvil throws it out; a deadline does not wait until patience is at an end."""
    pending(sender, 5)
    try:
        sender.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(3 * sender.rows()[0].max_fee))
        sender.node.rpc("evm_mine")
        sender.node.rpc("evm_setAutomine", True)
        with once_looked(sender, sender.node.rpc, "evm_mine"):
            sender.client(patience=60).deposit(sender.account, 5)
    finally:
        sender.node.rpc("anvil_setNextBlockBaseFeePerGas", "0x0")
        sender.node.rpc("evm_mine")
    assert_raised(sender)
    assert sender.balance == 5


def test_stuck__at_the_cap__says_so_and_stays_below_it(sender: Sender) -> None:
    pending(sender, 5)
    cap = sender.rows()[0].max_fee + 1
    crowd = once_looked(sender, crowded_block, sender, sender.rows()[0])
    with crowd, pytest.raises(Again, match="not mined after"):
        sender.client(patience=0.1, longest=1, fee_cap=cap).deposit(sender.account, 5)
    assert len(sender.rows()) == 1
    assert len(sender.said) == 1 and "stuck at" in sender.said[0] and "raise the cap" in sender.said[0]


def test_stuck__too_little_ether_to_pay_more__says_so_once_and_goes_on_when_there_is(sender: Sender) -> None:
    """A version that nobody can pay for would be in the way of the one that waits."""
    pending(sender, 5)
    stuck, account = sender.rows()[0], str(sender.account.address)
    sender.node.set_balance(account, 5 + stuck.gas * stuck.max_fee)
    crowd = once_looked(sender, crowded_block, sender, stuck)
    with crowd, pytest.raises(Again, match="not mined after"):
        sender.client(patience=0.1, longest=1).deposit(sender.account, 5)
    assert sender.rows() == (stuck,)
    assert len(sender.said) == 1 and f"{account} has too little ether to pay more: send ether to it" in sender.said[0]
    sender.node.set_balance(account, FUNDS)
    crowd = once_looked(sender, crowded_block, sender, stuck)
    with crowd, pytest.raises(Again, match="not mined after"):
        sender.client(patience=0.1, longest=1).deposit(sender.account, 5)
    assert_raised(sender)
    sender.node.rpc("evm_mine")
    assert sender.balance == 5


def test_send__ether_is_gone_when_it_leaves__waits_for_more_and_takes_no_nonce_for_nothing(sender: Sender) -> None:
    """What is left would be spent on an empty transaction, and the call still not be paid for."""
    client, account = sender.client(), str(sender.account.address)

    def spend(method: str, params: list[Any]) -> bool:
        sender.node.set_balance(account, 10**12)
        return False

    sender.proxy.fail(Stall(0), SEND, matches=spend)
    with pytest.raises(ByHand, match=f"send ether to {account}"):
        client.deposit(sender.account, 5)
    sleep(sender.settings.patience)
    with pytest.raises(ByHand, match=f"send ether to {account}"):
        client.deposit(sender.account, 5)
    sender.proxy.mend()
    sender.node.set_balance(account, FUNDS)
    client.deposit(sender.account, 5)
    assert_sent_once(sender, 5)


# ── another hand ──


def test_account__used_by_another_hand__goes_on_with_its_nonce(sender: Sender) -> None:
    client = sender.client()
    client.deposit(sender.account, 5)
    sender.direct().deposit(sender.account, 6)
    client.deposit(sender.account, 7)
    assert sender.balance == 18
    assert [each.nonce for each in sender.rows()] == [0, 2]


def test_account__nonce_taken_by_another_hand__is_signed_anew(sender: Sender) -> None:
    pending(sender, 5)
    sender.forget()
    sender.node.rpc("evm_setAutomine", True)
    sender.direct().deposit(sender.account, 6)
    sender.client().deposit(sender.account, 5)
    assert sender.balance == 11
    assert [(each.nonce, each.state) for each in sender.rows()] == [(0, State.LOST), (1, State.DONE)]
    assert len(sender.said) == 1 and "nonce 0" in sender.said[0]


def test_account__pending_by_another_hand__is_not_touched(sender: Sender) -> None:
    sender.node.rpc("evm_setAutomine", False)
    sender.strange()
    with pytest.raises(ByHand, match="nonce 0 is pending that is not in the journal"):
        sender.client().deposit(sender.account, 5)
    assert sender.rows() == ()
    sender.node.rpc("evm_setAutomine", True)
    sender.node.rpc("evm_mine")
    sender.client().deposit(sender.account, 5)
    assert (sender.balance, sender.nonce) == (5, 2)


def test_account__gap_that_another_hand_left__is_filled(sender: Sender) -> None:
    """A reorganisation dropped a transaction that is nowhere any more, and one of ours after it."""
    sender.direct().deposit(sender.account, 6)
    sender.client().deposit(sender.account, 5)
    sender.node.rpc("anvil_reorg", 2, [])
    sender.client().deposit(sender.account, 7)
    assert sender.balance == 12
    assert {each.nonce: each.call for each in sender.rows()} == {0: FILLING, 1: "deposit", 2: "deposit"}
    assert any("an empty one takes it" in each for each in sender.said)


# ── an old copy of the journal ──


def test_journal__old_copy_put_back__goes_on_with_the_nonce_of_the_chain(sender: Sender) -> None:
    sender.client().deposit(sender.account, 5)
    old = sender.copied()
    sender.client().deposit(sender.account, 6)
    before = sender.raw
    sender.put_back(old)
    sender.client().deposit(sender.account, 7)
    assert sender.balance == 18
    assert [each.nonce for each in sender.rows()] == [0, 2]
    assert len(set(sender.proxy.sent())) == sender.nonce == 3, "no nonce was used twice"
    assert set(before) < set(sender.proxy.sent())


def test_journal__old_copy_put_back_with_a_pending_transaction__waits_for_that(sender: Sender) -> None:
    old = sender.copied()
    pending(sender, 5)
    sender.put_back(old)
    with pytest.raises(ByHand, match="nonce 0 is pending that is not in the journal"):
        sender.client().deposit(sender.account, 6)
    sender.node.rpc("evm_mine")
    sender.node.rpc("evm_setAutomine", True)
    sender.client().deposit(sender.account, 6)
    assert (sender.balance, sender.nonce, len(sender.proxy.sent())) == (11, 2, 2)


# ── fails in the chain ──


def test_send__reverted_in_its_block__says_why(sender: Sender) -> None:
    """Right when it was signed, too late when it was mined; asked for again it is not sent any more."""
    terms = RoundTerms(
        max_owner_bid=100,
        max_station_bid=50,
        bond=200 * GWEI,
        contribution_stake=0,
        deadlines=Deadlines.after(sender.node.now, 300),
        owner_policy=Policy.EQUAL,
        surplus_bps=(5_000, 5_000),
        threshold_bps=5_000,
        tolerance_bps=300,
        max_models=4,
    )
    snapshot = sender.node.rpc("evm_snapshot")
    sender.node.rpc("evm_setAutomine", False)
    with pytest.raises(Again, match="not mined after"):
        sender.client(longest=0.1).create_round(sender.account, terms, b"\1" * 32)
    sender.node.rpc("evm_setNextBlockTimestamp", sender.node.now + 10_000)
    sender.node.rpc("evm_mine")
    sender.node.rpc("evm_setAutomine", True)
    try:
        with pytest.raises(Never, match=r"createRound: deadline 0 .* leaves its phase too short") as refused:
            sender.client().create_round(sender.account, terms, b"\1" * 32)
        assert refused.value.name == "InvalidDeadline"
        assert [each.state for each in sender.rows()] == [State.FAILED]
        with pytest.raises(Never, match="createRound"):
            sender.client().create_round(sender.account, terms, b"\1" * 32)
        assert len(sender.rows()) == 1
    finally:
        sender.node.rpc("evm_revert", snapshot)

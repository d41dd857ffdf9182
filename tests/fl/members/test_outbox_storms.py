"""Whatever happens between member and chain, what was asked for is done once."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis.devnode.anvil import anvil
from fl.market.nodes import connected
from fl.market.refusals import Again
from fl.members.journal import State
from tests.fl.members.conftest import BRISK, Sender, open_journal
from tests.support.proxy import Fault, LoseAnswer, LoseRequest, Reply, Say, proxied

TRIES = 20

faults = st.tuples(
    st.sampled_from(
        [
            LoseAnswer(),
            LoseRequest(),
            Reply(429),
            Reply(503),
            Reply(200, b"<html>"),
            Say({"error": {"code": -32005, "message": "limit exceeded"}}),
            Say({"error": {"code": -32603, "message": "Internal error"}}),
        ]
    ),
    st.sampled_from(
        [
            "eth_sendRawTransaction",
            "eth_getTransactionReceipt",
            "eth_getTransactionByHash",
            "eth_getTransactionCount",
            "eth_getBlockByNumber",
            "eth_estimateGas",
            None,
        ]
    ),
    st.integers(1, 4),
)
events = st.one_of(
    faults,
    st.just("restart"),
    st.just("forget"),
    st.just("another hand"),
    st.tuples(st.just("reorganise"), st.integers(1, 3)),
)


def happen(sender: Sender, event: Any) -> None:
    match event:
        case "restart":
            sender.reopened()
        case "forget":
            sender.forget()
        case "another hand":
            if sender.nonce <= max((each.nonce for each in sender.rows()), default=-1):
                return  # else it would undo what was done, and only the contract tells that: ask it
            sender.strange()
            sender.node.rpc("evm_mine")  # anvil answers a moment before it has mined
        case "reorganise", depth:
            sender.node.rpc("anvil_mine", hex(depth))  # so that at most what this account did is dropped
            sender.node.rpc("anvil_reorg", depth + 1, [])
        case (Fault() as fault, method, times):
            sender.proxy.fail(fault, method, times)


def insist(sender: Sender, amount: int) -> None:
    """Ask until it is done, as a member does."""
    for _ in range(TRIES):
        try:
            sender.client(silence=0.3).deposit(sender.account, amount)
            return
        except Again:
            continue
    raise AssertionError(f"{amount} is not done after {TRIES} tries: {sender.rows()}, {sender.said}")


def weather(sender: Sender, storms: Sequence[Sequence[Any]]) -> None:
    """Deposits of powers of two, events before each: the sum tells how often each was done."""
    sender.node.rpc("anvil_mine", "0x40")  # so that no reorganisation takes the account's ether away
    for number, storm in enumerate(storms):
        for event in storm:
            happen(sender, event)
        insist(sender, 2**number)
    sender.proxy.mend()
    insist(sender, 2 ** len(storms))
    assert sender.balance == 2 ** (len(storms) + 1) - 1
    done = [each for each in sender.rows() if each.state is State.DONE]
    assert len({each.nonce for each in done}) == len(done)


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(storms=st.lists(st.lists(events, max_size=3), max_size=2))
@example([[(LoseAnswer(), "eth_sendRawTransaction", 4), "restart"], [("reorganise", 1), "forget"]])
def test_send__any_storm__each_is_done_once(new_sender: Callable[[], Any], storms: list[list[Any]]) -> None:
    with new_sender() as sender:
        weather(sender, storms)


@pytest.mark.heavy
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(storms=st.lists(st.lists(events, max_size=4), max_size=6))
def test_send__many_storms__each_is_done_once(new_sender: Callable[[], Any], storms: list[list[Any]]) -> None:
    with new_sender() as sender:
        weather(sender, storms)


# ── the node itself ──


def test_send__node_ended_and_started_with_its_state__sends_what_it_lost(
    compiled: Any, accounts: Any, tmp_path: Path
) -> None:
    """Its pool is empty then, as that of any node that was started anew."""
    state, account = ("--state", str(tmp_path / "state.json")), accounts[1]
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        node = first.enter_context(anvil(*state, frozen=False))
        proxy = stack.enter_context(proxied(node.uri))
        provider = stack.enter_context(connected([proxy.uri], patience=BRISK))
        address = str(accounts[0].deploy(compiled).address)
        journal = stack.enter_context(open_journal(tmp_path / "journal.sqlite", account, node, address))
        sender = Sender(node, proxy, provider, account, journal, address, [])
        sender.client().deposit(account, 1)
        node.rpc("evm_setAutomine", False)
        with pytest.raises(Again, match="not mined after"):
            sender.client(longest=0.1).deposit(account, 2)
        first.close()
        with pytest.raises(Again, match="cannot be reached"):
            sender.client(silence=0.1).deposit(account, 2)
        proxy.upstream = stack.enter_context(anvil(*state, frozen=False)).uri
        sender.client().deposit(account, 2)
        assert sender.balance == 3
        assert [each.state for each in sender.rows()] == [State.DONE] * 2
        assert proxy.sent()[1:] == sender.raw, "the first deployed the contract"

"""The one reader of the node: what it knows is what a fresh one would, whatever the chain did meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import CreateRound
from fl.market.client import Block, Market
from fl.market.events import Event
from fl.market.refusals import MarketError
from fl.market.terms import Phase, Status
from tests.support.client import client_of
from web.reader import Reader, Snapshot


class Counted(Market):
    """Counts what it asks the node for, and can be told not to answer."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.gone = False
        self.begins: list[int | None] = []
        self.between: Callable[[], None] = lambda: None
        self.without: frozenset[str] = frozenset()

    def block(self, which: int | str) -> Block:
        if self.gone:
            raise MarketError("block: the node does not answer any more")
        return super().block(which)

    def events(self, *args: Any, **options: Any) -> list[Event]:
        self.begins.append(args[1])
        found = super().events(*args, **options)
        self.between()
        return [event for event in found if event.name not in self.without]


@pytest.fixture
def client(market: Devnode) -> Counted:
    return Counted(client_of(market).contract, first_block=0)


def rounds_of(snapshot: Snapshot) -> Any:
    return {number: (seen.record, seen.state, seen.events) for number, seen in snapshot.rounds.items()}


def fresh(client: Market) -> Snapshot:
    return Reader(client).poll()


def test_poll__step_by_step__knows_what_one_from_the_start_does(client: Counted, create_round: CreateRound) -> None:
    reader = Reader(client)
    round_ = create_round()
    for step in (round_.joined, round_.committed, round_.drawn, round_.revealed, round_.selected, round_.trained,
        round_.reported, round_.voted, round_.settled):  # fmt: skip
        step()
        assert rounds_of(reader.poll()) == rounds_of(fresh(client))
    seen = reader.poll().rounds[round_.id]
    assert (seen.state.phase, seen.record.status) == (Phase.SETTLE, Status.REPORTED)
    assert seen.source is not None and seen.source.document.status == "settled"


def test_poll__nothing_new__asks_for_no_logs(client: Counted, create_round: CreateRound) -> None:
    create_round().joined()
    reader = Reader(client)
    first = reader.poll()
    client.begins.clear()
    assert reader.poll() == first
    assert client.begins == []
    create_round()
    assert first.head is not None
    assert set(reader.poll().rounds) == {1, 2}
    assert client.begins == [first.head.number + 1]


def test_poll__logs_that_a_node_did_not_have_yet__are_found_later(client: Counted, create_round: CreateRound) -> None:
    """Another one behind its address said which block is the newest."""
    round_ = create_round().committed()
    reader = Reader(client)
    reader.poll()
    round_.revealed()
    client.without = frozenset({"BidRevealed"})
    reader.poll()
    client.without = frozenset()
    round_.selected()
    assert rounds_of(reader.poll()) == rounds_of(fresh(client))


def test_poll__after_a_reorganisation__has_no_log_of_what_was_taken_back(
    client: Counted, create_round: CreateRound, market: Devnode
) -> None:
    reader, round_ = Reader(client), create_round()
    reader.poll()
    with market.chain.snapshot():
        round_.joined().committed()
        assert len(reader.poll().rounds[round_.id].record.members) == 6
    for count in range(2):
        assert len(reader.poll().rounds[round_.id].record.members) == count
        round_.join(round_.members[count]).send()
    assert rounds_of(reader.poll()) == rounds_of(fresh(client))


def test_poll__a_round_taken_back__is_gone(client: Counted, create_round: CreateRound, market: Devnode) -> None:
    reader = Reader(client)
    with market.chain.snapshot():
        create_round().joined()
        assert set(reader.poll().rounds) == {1}
    assert dict(reader.poll().rounds) == {}


def test_poll__reorganised_while_it_reads__is_read_again(
    client: Counted, create_round: CreateRound, market: Devnode
) -> None:
    reader, round_ = Reader(client), create_round()
    reader.poll()
    snapshot = market.chain.rpc("evm_snapshot")
    round_.joined()
    client.between = lambda: market.chain.rpc("evm_revert", snapshot)
    assert reader.poll().trouble
    client.between = lambda: None
    after = reader.poll()
    assert (after.trouble, len(after.rounds[round_.id].record.members)) == ("", 0)


def test_poll__node_away__keeps_what_was_known_and_goes_on(client: Counted, create_round: CreateRound) -> None:
    now = [1_000.0]
    reader, round_ = Reader(client, lambda: now[0]), create_round().joined()
    before = reader.poll()
    client.gone = True
    now[0] = 2_000.0
    away = reader.poll()
    now[0] = 3_000.0
    assert reader.poll().since == away.since == 2_000
    assert "does not answer" in away.trouble
    assert rounds_of(away) == rounds_of(before)
    round_.committed()
    client.gone = False
    back = reader.poll()
    assert (back.trouble, back.since) == ("", 0)
    assert rounds_of(back) == rounds_of(fresh(client))


def test_poll__chain_ahead_of_our_clock__says_by_how_much(client: Counted, create_round: CreateRound) -> None:
    create_round()
    head = client.block("latest")
    now = [head.time - 500.0]
    reader = Reader(client, lambda: now[0])
    assert reader.poll().ahead == 500
    now[0] += 60
    assert reader.poll().ahead == 500, "time passes on both"

"""A statement adds up, to the wei: an account's free balance, and the ether that is left of what it had."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from analysis.devnode.actors import FUNDS, actor
from analysis.devnode.anvil import _native, anvil_at, free_port
from analysis.devnode.chain import Reverted
from analysis.devnode.deployment import artefact_of, deploy
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound
from fl.market.client import Market as Client
from fl.market.nodes import connected
from fl.market.refusals import MarketError
from fl.market.terms import GWEI, Role
from fl.record.history import rebuild
from fl.record.statement import AMOUNTS, Line, Statement, StatementError, gwei_text, statement_of, sums
from tests.conftest import OWNERS, STATIONS, rounds_on


class Paying(Market):
    """Every transaction costs a gwei a gas."""

    def _paid(self, call: Call) -> dict[str, str]:
        return {**self._transaction(call), "gasPrice": hex(GWEI)}


@dataclass(frozen=True)
class Played:
    """Two rounds, the second aborted, and what alice did beside them.

    Attributes:
        elsewhere: wei that alice sent out of the contract to somebody else.
    """

    client: Client
    market: Market
    rounds: tuple[LiveRound, LiveRound]
    elsewhere: int

    def statement(self, name: str) -> Statement:
        return statement_of(self.client, actor(name))


@pytest.fixture(scope="module")
def played(compiled: Any) -> Iterator[Played]:
    # Anvil itself keeps all states; the command on the path keeps few.
    with anvil_at(free_port(), "--base-fee", "0", "--gas-price", "0", binary=str(_native())) as chain:
        chain.impersonate_anyone()
        chain.freeze_clock()
        plain = deploy(chain, artefact_of(compiled))
        market = Paying(chain, plain.address, plain.codec)
        names = (*OWNERS, *STATIONS, "stranger")
        market.introduce(**{name: actor(name) for name in names})
        for name in names:
            chain.set_balance(actor(name), FUNDS)
        alice, stranger = actor("alice"), actor("stranger")
        market.call("deposit", sender=alice, value=5 * GWEI).send()
        create = rounds_on(market)
        first = create(contribution_stake=30 * GWEI).trained()
        points = dict(zip(first.stations, (500_000, 300_000, 200_000), strict=True))
        first.reported(points).voted()
        seats = {seat.name: seat for seat in first.members}
        first.settle(seats["alice"], sender=seats["bob"]).send()  # by another
        first.settled()
        first.claim_lot().send()
        with pytest.raises(Reverted):
            market.call("withdraw", FUNDS, alice, sender=alice).send()
        market.call("withdraw", 3 * GWEI, alice, sender=alice).send()
        market.call("withdraw", 2 * GWEI, stranger, sender=alice).send()
        chain.rpc("eth_sendTransaction", {"from": alice, "to": stranger, "value": "0x0", "gasPrice": "0x0"})
        second = create().trained().aborted()
        second.settled()
        with connected([chain.uri]):
            yield Played(Client.at(market.address), market, (first, second), 2 * GWEI)


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "north", "south", "east"])
def test_statement__each_member__adds_up_to_what_it_has_left(played: Played, name: str) -> None:
    statement = played.statement(name)
    total, account = statement.total, actor(name)
    assert statement.unseen == 0
    assert total["free"] == played.market.free(account)
    assert total["locked"] == 0, "all is settled"
    elsewhere = played.elsewhere if name == "alice" else 0
    spent = total["fee"] + total["paid_in"] - total["taken_out"] + elsewhere
    assert played.market.chain.balance_of(account) == FUNDS - spent
    own = [line for line in statement.lines if line.sender == account]
    assert total["fee"] == sum(line.gas_used for line in own) * GWEI > 0
    assert [line for line in statement.lines if line.sender != account and line.fee] == []


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "north", "east"])
def test_statement__rounds__each_as_its_settlement_has_it(played: Played, name: str) -> None:
    statement = played.statement(name)
    assert [part.round for part in statement.rounds] == [live.id for live in played.rounds]
    for part, live in zip(statement.rounds, played.rounds, strict=True):
        member = rebuild(played.client.events(live.id)).members[actor(name)]
        settled, found = member.settled, sums(part.lines)
        assert settled is not None
        for amount in ("share", "tax", "slashed", "reward", "bonus"):
            assert found[amount] == getattr(settled, amount), amount
        assert found["net"] == member.lot - settled.payment
        assert part.role is member.role
        locked = [line.locked for line in part.lines if line.locked]
        assert locked == [member.lock, -member.lock]
    assert [part.status for part in statement.rounds] == ["reported", "aborted"]
    moved = sum(sums(part.lines)[amount] for part in statement.rounds for amount in ("share", "tax", "reward", "lot"))
    assert moved > 0, "nothing moved: the test looks at zeros"


def test_statement__what_alice_did__is_there_and_says_why(played: Played) -> None:
    statement = played.statement("alice")
    whys = [line.why for line in statement.lines]
    by_bob = f"settled, by {actor('bob')}"
    for words, count in (
        ("paid in", 1),
        ("joined", 2),
        ("voted", 1),
        (by_bob, 1),
        ("refused: withdraw", 1),
        ("took out", 2),
    ):
        assert whys.count(words) == count, (words, whys)
    refused = next(line for line in statement.lines if line.why == "refused: withdraw")
    assert refused.fee > 0 and refused.free == 0
    assert [line.block for line in statement.lines] == sorted(line.block for line in statement.lines)
    assert len({line.transaction for line in statement.lines}) == len(statement.lines)


def test_statement__calls_without_a_log_of_ones_own__are_in_their_round(played: Played) -> None:
    """Who drew, and who selected, is not in the log; the transactions of that account are there all the same."""
    calls = {
        (each.sender, each.call)
        for live in played.rounds
        for each in played.client.transactions(played.client.events(live.id))
        if each.call in ("drawClaimant", "selectModel", "reportContributions")
    }
    assert calls
    words = {"drawClaimant": "drew the claimant", "selectModel": "had the model selected"}
    for sender, call in calls:
        statement = statement_of(played.client, sender)
        lines = [line for line in statement.lines if line.why == words.get(str(call), "listed contributions")]
        assert lines and all(line.round is not None and line.fee for line in lines), (sender, call)


def test_statement__node_without_old_states__says_what_it_cannot_see(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refused call left no log, nor did a transfer to somebody else."""
    whole, head = played.statement("alice"), played.client.block("latest").number
    real = Client.sent_count

    def forgetful(client: Client, sender: str, block: int) -> int:
        if block < head:
            raise MarketError("no state")
        return real(client, sender, block)

    monkeypatch.setattr(Client, "sent_count", forgetful)
    found = played.statement("alice")
    assert found.unseen == 2
    assert [line for line in whole.lines if not line.why.startswith("refused")] == list(found.lines)
    assert "2 further transactions" in found.told()[-1]


def test_statement__a_log_withheld__does_not_add_up(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Client.events_about

    def withholding(client: Client, account: str, last: int) -> list[object]:
        events = real(client, account, last)
        return [event for event in events if event.name != "Deposited"]

    monkeypatch.setattr(Client, "events_about", withholding)
    with pytest.raises(StatementError, match="does not give all logs"):
        played.statement("alice")


def test_statement__who_had_nothing_to_do_with_it__empty(played: Played) -> None:
    statement = statement_of(played.client, "0x" + "11" * 20)
    assert (statement.lines, statement.rounds, statement.unseen) == ((), (), 0)
    assert set(statement.total.values()) == {0}


def test_statement__as_csv_json_and_table__the_same(played: Played) -> None:
    statement = played.statement("carol")
    rows = list(csv.DictReader(io.StringIO(statement.to_csv())))
    document = json.loads(json.dumps(statement.to_json()))
    table = statement.told()
    assert len(rows) == len(document["lines"]) == len(statement.lines)
    for name in AMOUNTS:
        expected = statement.total[name]
        assert sum(int(row[name]) for row in rows) == expected
        assert int(document["total"][name]) == expected
        assert not expected or gwei_text(expected) in table[-1]
    assert document["rounds"][0]["role"] == "owner"
    assert len(table) == 2 + 1 + len(statement.lines) + 2 + 1


def test_gwei_text__any__is_exact() -> None:
    assert [gwei_text(wei) for wei in (0, 1, -1, 10**9, 1_234_500_000_000, -(10**8))] == [
        "",
        "0.000000001",
        "-0.000000001",
        "1",
        "1,234.5",
        "-0.1",
    ]


def test_line__of_every_amount__free_is_their_sum() -> None:
    amounts = {name: 10**number for number, name in enumerate(name for name in AMOUNTS if name not in ("fee", "free"))}
    line = Line(1, 1, 1, "", "", "", **amounts)
    plus = amounts["paid_in"] + amounts["reward"] + amounts["bonus"] + amounts["lot"]
    assert line.free == plus - sum(amounts[name] for name in ("taken_out", "locked", "share", "tax", "slashed"))
    assert Role.OWNER.value == 0

"""The client of a deployment that it knows by its address alone."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from ape import chain
from ape.api.query import ContractCreation
from web3.exceptions import BlockNotFound, Web3RPCError

from analysis.devnode.deployment import artefact_of, deploy
from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import CreateRound
from fl.market.client import ABI, Market
from fl.market.deployment import abi_of
from fl.market.events import Trace
from fl.market.refusals import Again, ByHand, MarketError
from fl.market.terms import GWEI, Phase, Role, Stage, Status
from fl.record.history import rebuild
from tests.conftest import OWNER_BIDS, STATION_BIDS

NOBODY = "0x" + "11" * 20


def test_abi__committed__is_that_of_the_sources(compiled: Any) -> None:
    assert json.loads(ABI.read_text(encoding="utf-8")) == abi_of(compiled), "write it: `ape run abi`"


def test_code__of_another_contract__is_not_known(create_round: CreateRound) -> None:
    deployed = create_round().market
    client = Market.at(deployed.address)
    assert client.has_known_code(), "write it: `ape run abi`"
    code = deployed.chain.code_of(deployed.address)
    # The last two bytes are the length of what stands before them: a digest of the sources, comments and all.
    metadata = len(code) - 2 - int.from_bytes(code[-2:])
    for place, known in ((metadata - 1, False), (metadata, True), (len(code) - 1, True)):
        deployed.chain.set_code(deployed.address, code[:place] + bytes([code[place] ^ 1]) + code[place + 1 :])
        assert client.has_known_code() is known, place
    deployed.chain.set_code(deployed.address, code + b"\0")
    assert not client.has_known_code()


def test_first_block__another_chain_had_the_address__is_that_of_this_one(
    market: Devnode, compiled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.chain.rpc("anvil_mine", "0x5")
    address = deploy(market.chain, artefact_of(compiled)).address
    client = Market.at(address)
    came = client.block("latest").number
    market.chain.rpc("anvil_mine", "0x5")
    chain.contracts.contract_creations[address] = ContractCreation(
        txn_hash="0x" + "00" * 32, block=10**6, deployer=address
    )
    assert client.first_block == came
    eth = client.contract.provider.web3.eth
    of_node = eth.get_code
    for oldest, found in ((came - 1, came), (came, 0), (came + 3, 0)):

        def get_code(account: Any, block: int, oldest: int = oldest) -> Any:
            if block < oldest:
                raise Web3RPCError("missing trie node")
            return of_node(account, block)

        monkeypatch.setattr(eth, "get_code", get_code)
        assert Market(client.contract).first_block == found, f"states from {oldest - came} blocks after it on"


def test_at__a_deployment__reads_its_round(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    market = Market.at(round_.market.address)
    state = market.round_state(round_.id)
    assert (state.status, state.phase, state.selected) == (Status.TRAINING, Phase.TRAIN, 1)
    record = rebuild(market.events(round_.id))
    assert [member.bids(2) for member in record.side(Role.OWNER)] == [list(bids) for bids in OWNER_BIDS]
    *opened, sealed = [member.bids(2) for member in record.side(Role.BASE_STATION)]
    assert opened == [list(bids) for bids in STATION_BIDS[:-1]]
    assert sealed is None, "the claimant's"
    assert record.claimant == round_.claimant.account
    states = [market.member_state(round_.id, account) for account in record.members]
    assert [state.stage for state in states] == [*[Stage.REVEALED] * (len(states) - 1), Stage.COMMITTED]
    assert [state.claimant for state in states] == [*[False] * (len(states) - 1), True]
    assert [state.ordinal for state in states] == [0, 0, 0, 1, 2, 3]


def test_terms__of_a_round__are_those_it_was_created_with(create_round: CreateRound) -> None:
    round_ = create_round(contribution_stake=7 * GWEI, surplus_bps=(100, 9_000))
    market = Market.at(round_.market.address)
    terms, door = market.terms(round_.id)
    assert terms == round_.terms
    assert door == terms.door(round_.tree.root) == market.door(round_.tree.root, market.terms_hash(terms))
    for role, points in ((Role.OWNER, 1), (Role.OWNER, 5), (Role.BASE_STATION, 1)):
        assert market.lock(round_.id, role, points) == terms.lock(role, points)
        assert market.worst_loss(round_.id, role, points) == terms.worst_loss(role, points)


def test_seals__of_the_contract__are_those_made_without_a_node(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    market, seat = Market.at(round_.market.address), round_.members[0]
    words, salt = seat.sealed.words, seat.sealed.salt
    assert market.commitment(round_.id, seat.account, words, salt) == round_.commitment(seat)
    digest = market.owners_digest(round_.id, seat.account, round_.opening.encoded)
    assert digest == market.model_state(round_.id, 0).owners_digest


def test_transactions__of_a_round__are_told_by_its_logs(create_round: CreateRound) -> None:
    """A call that leaves many logs is one transaction; its place is that of the first."""
    round_ = create_round().selected()
    market = Market.at(round_.market.address)
    events = market.events(round_.id)
    transactions = market.transactions(events)
    assert [tx.call for tx in transactions if tx.call not in ("join", "propose", "commitBid", "revealBid")] == [
        "createRound",
        "drawClaimant",
        "selectModel",
    ]
    assert [tx.sender for tx in transactions if tx.call == "join"] == [seat.account for seat in round_.members]
    assert [event.transaction for event in events] == [tx.hash for tx in transactions], "none leaves two here"
    for tx in transactions:
        block = round_.market.chain.rpc("eth_getBlockByNumber", hex(tx.block), False)
        assert tx.hash in block["transactions"]
        assert tx.time == int(block["timestamp"], 16)
        receipt = round_.market.chain.rpc("eth_getTransactionReceipt", tx.hash)
        assert tx.gas_used == int(receipt["gasUsed"], 16) > 21_000
        assert tx.fee == tx.gas_used * int(receipt["effectiveGasPrice"], 16)
        assert len(tx.logs) == len(receipt["logs"])
    joined = [tx.logs for tx in transactions if tx.call == "join"]
    assert joined == [(Trace("Joined", seat.account, None),) for seat in round_.members]
    assert transactions[-1].logs == (Trace("ModelSelected", round_.winner.account, 1),)
    assert market.events(round_.id, first_block=events[-1].block) == events[-1:]


def test_settle__all_calls__by_the_client(create_round: CreateRound, accounts: Any) -> None:
    """The claimant's lot, and a withdrawal to somebody else, are credited to the wei."""
    round_ = create_round().voted()
    market, claimant = Market.at(round_.market.address), round_.claimant
    words = [word for seat in round_.members for word in round_.words(seat)]
    market.settle_many(accounts[0], round_.id, [seat.account for seat in round_.members], words)
    lot = market.lot(round_.id)
    assert lot == market.round_state(round_.id).lot > 0
    before = market.free_balance(claimant.account)
    round_.claim_lot().send()
    assert market.free_balance(claimant.account) - before == lot
    assert (market.lot(round_.id), market.unaccounted()) == (0, 0)
    assert {market.member_state(round_.id, seat.account).stage for seat in round_.owners} == {Stage.NONE}
    market.deposit(accounts[0], 5)
    held = accounts[1].balance
    market.withdraw(accounts[0], 3, str(accounts[1].address))
    assert (accounts[1].balance - held, market.free_balance(str(accounts[0].address))) == (3, 2)
    with pytest.raises(MarketError, match="2 wei are free and 3 are needed"):
        market.withdraw(accounts[0], 3, str(accounts[1].address))


def test_at__a_refused_call__is_told_in_words(create_round: CreateRound, accounts: Any) -> None:
    round_ = create_round()
    with pytest.raises(MarketError, match=rf"commitBid: this phase of round {round_.id} opens at \d+"):
        Market.at(round_.market.address).commit_bid(accounts[0], round_.id, b"\1" * 32)


@pytest.mark.parametrize(("address", "reason"), [(NOBODY, "no contract"), ("0x12", "0x12"), ("nonsense", "nonsense")])
def test_at__no_deployment__is_refused_in_a_line(node: Any, address: str, reason: str) -> None:
    with pytest.raises(MarketError, match=reason) as refusal:
        Market.at(address)
    assert "\n" not in str(refusal.value)


def test_read__contract_gone__is_told_in_words_and_no_number(create_round: CreateRound, node: Any) -> None:
    """As on a development node that was started anew: an answer of no bytes is not 0."""
    round_ = create_round()
    market = Market.at(round_.market.address)
    node.rpc("anvil_setCode", market.address, "0x")
    for read in (
        market.round_count,
        lambda: market.terms(1),
        lambda: market.sums(1),
        lambda: market.free_balance(NOBODY),
    ):
        with pytest.raises(ByHand, match=r"there is no contract at .* any more"):
            read()


def test_read__any_view__asks_the_node_once(create_round: CreateRound, monkeypatch: pytest.MonkeyPatch) -> None:
    market = Market.at(create_round().market.address)
    newest = market.block("latest").number
    provider, asked = market.contract.provider.web3.provider, []
    make = provider.make_request
    monkeypatch.setattr(provider, "make_request", lambda method, params: asked.append(method) or make(method, params))
    market.round_count()
    market.at_block(newest).free_balance(NOBODY)
    assert asked == ["eth_call", "eth_call"]


@pytest.mark.parametrize(("which", "kind"), [("safe", ByHand), (7, Again)])
def test_block__that_the_node_does_not_know__a_setting_to_mend_or_a_node_that_lags(
    which: int | str, kind: type[MarketError]
) -> None:
    def unknown(which: int | str) -> Any:
        raise BlockNotFound(str(which))

    node: Any = SimpleNamespace(provider=SimpleNamespace(web3=SimpleNamespace(eth=SimpleNamespace(get_block=unknown))))
    with pytest.raises(kind):
        Market(node).block(which)

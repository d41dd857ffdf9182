"""A round.json held against the chain: whatever is changed in it is found, or said to be held against nothing."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from analysis.check_round import check, check_against_chain, check_chain, main
from analysis.devnode.chain import Chain
from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Opening
from analysis.round_on_chain import Ask, ChainError, RoundOnChain, compare, read_round
from fl.market.client import Market as Client
from fl.market.terms import GWEI, Policy
from fl.record.document import Balances, GlobalRoundEntry, TrainingEntry, document_of, to_json
from fl.record.history import rebuild
from fl.store.texts import OwnersView, StationsView
from tests.conftest import rounds_on, untouched
from tests.fl.store.test_texts import STATIONS

TARGETS = OwnersView(9_100, ("3", "5", "8"))
OPENING = Opening(*TARGETS.opening)

TEXT = replace(
    STATIONS,
    model="small-cnn",
    dataset="digits",
    global_rounds=3,
    initial_model="0x12",
    optimizer="AdamW",
    strategy="FedAdam(tau=0.01)",
)

UNKNOWN = {
    "that the contract is HCFL (name one with --contract)",
    "models[0].targets",
    "models[0].initial_digest",
    "models[0].claimed_accuracy",
    "training.final_accuracy",
    *(f"training.global_rounds[{number}].{field}" for number in range(3) for field in ("accuracy", "loss")),
}


@dataclass(frozen=True)
class Finished:
    """A round that is over, its document, and what the chain says of it."""

    live: LiveRound
    document: dict[str, Any]
    chain: RoundOnChain

    @property
    def ask(self) -> Ask:
        return asking(self.live.market.chain)


def asking(chain: Chain) -> Ask:
    return lambda method, parameters: chain.rpc(method, *parameters)


def document_for(live: LiveRound, deposits: Mapping[str, int] = MappingProxyType({})) -> dict[str, Any]:
    """As a member writes it that can open the text of the selected model and no other."""
    client = Client.at(live.market.address)
    events = client.events(live.id)
    record = rebuild(events)
    balances = {}
    for account, member in record.members.items():
        after, change = client.balance_of(account), member.lot - member.settled.payment if member.settled else 0
        balances[account] = Balances(after - change - deposits.get(account, 0), after)
    training = None
    if record.result is not None:
        rounds = [
            GlobalRoundEntry(number, "0x" + model.hex(), 0.5, 1.5, "0x" + root.hex())
            for number, (model, root) in sorted(record.global_rounds.items())
        ]
        result = "0x" + record.result[0].hex()
        known = ("digits", "small-cnn", TEXT.initial_model, result, tuple(rounds), record.result[1] / 10_000, 0.5)
        proposed = record.models[record.selected or 0].stations_digest == TEXT.digest
        training = TrainingEntry(*known, TEXT if proposed else None)
    texts: list[tuple[OwnersView | None, StationsView | None]] = [
        (TARGETS, TEXT) if number == record.selected else (None, None) for number in range(len(record.models))
    ]
    made = document_of(client.chain_id, client.address, record, texts, training, balances, client.transactions(events))
    document: dict[str, Any] = json.loads(json.dumps(to_json(made)))
    return document


@pytest.fixture(scope="module")
def finished(deployment: Market) -> Iterator[Finished]:
    """Settled, of two models, with stakes, taxes, a vote; one account has made a deposit besides."""
    with untouched(deployment):
        create = rounds_on(deployment)
        live = create(contribution_stake=30 * GWEI, opening=OPENING)
        honest = live.proposal
        live.proposal = lambda *given: (honest(*given)[0], TEXT.digest, honest(*given)[2])  # type: ignore[method-assign]
        live.trained()
        points = dict(zip(live.stations, (500_000, 300_000, 200_000), strict=True))
        live.reported(points).voted()
        deployment.call("deposit", sender=live.owners[0].account, value=7 * GWEI).send()
        live.settled()
        live.claim_lot().send()
        document = document_for(live, {live.owners[0].account: 7 * GWEI})
        yield Finished(live, document, read_round(asking(deployment.chain), deployment.address, live.id))


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, (*path, number))
    else:
        yield path


def _name(path: Sequence[Any]) -> str:
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).removeprefix(".")


def _other(value: Any) -> Any:
    """Another value of the same kind, as near as there is one."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str() if value.removeprefix("-").isdecimal():
            return str(int(value) + 1)
        case str() if value.startswith("0x") and len(value) > 2:
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case str():
            return value + "x"
        case None:
            return 1
        case _:
            return [1]


def test_compare__document_of_the_round__agrees_and_says_what_nothing_is_known_of(finished: Finished) -> None:
    checked = check_against_chain(finished.document, finished.ask, None)
    assert checked.found == []
    assert set(checked.unknown) == UNKNOWN
    trusted = check_against_chain(finished.document, finished.ask, finished.live.market.address)
    assert (trusted.found, set(trusted.unknown)) == ([], UNKNOWN - {checked.unknown[0]})


def test_compare__each_field_changed__is_found_or_said_to_be_unknown(finished: Finished) -> None:
    """One wei, one letter, one vote: each leaf of the document in its turn."""
    paths = list(_leaves(finished.document))
    assert len(paths) > 300
    for path in paths:
        document = copy.deepcopy(finished.document)
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = _other(place[path[-1]])
        try:
            found, unknown = compare(document, finished.chain)
        except (IndexError, TypeError):
            continue  # refused as unreadable
        in_unknown = any(_name(path).startswith(name) for name in unknown)
        assert bool(found) is not in_unknown, f"{_name(path)}: {found}"
        if found and path[0] not in ("format", "round_id"):
            assert any(_name(path[:-1]) in line for line in found), f"{_name(path)} is not named: {found}"


def test_compare__chain_contract_votes_accuracy_forged__each_named(finished: Finished) -> None:
    """What passes without the chain."""
    document = copy.deepcopy(finished.document)
    selected = document["selected"]
    document["chain_id"] = 1
    document["votes"][0]["measured_accuracy"] = 0.95
    document["training"]["claimed_accuracy"] = document["models"][selected]["claimed_accuracy"] = 0.92
    document["models"][selected]["targets"] = ["3", "5", "9"]
    assert check(document) == check(finished.document)
    found = "\n".join(compare(document, finished.chain)[0])
    for name in (
        "chain_id is 1, the chain says 31337",
        "votes[0].measured_accuracy is 0.95, the chain says 0.91",
        "training.claimed_accuracy is 0.92",
        f"models[{selected}].claimed_accuracy is 0.92",
        f"models[{selected}].targets is not what the report opened",
    ):
        assert name in found


def test_check__training_that_is_not_the_texts__is_named_without_a_chain(finished: Finished) -> None:
    document = copy.deepcopy(finished.document)
    document["training"]["text"]["model"] = "cnn"
    before, said = check(finished.document), "training.model is small-cnn, the text that was proposed says cnn"
    assert check(document) == [*before, said]
    del document["training"]["text"]
    assert check(document) == before, "documents of before say nothing of it"


def test_check_against_chain__another_contract__has_no_such_round(finished: Finished) -> None:
    with pytest.raises(ChainError, match="there is no round"):
        check_against_chain({**finished.document, "contract": "0x" + "11" * 20}, finished.ask, None)
    forged = {**finished.document, "contract": "0x" + "11" * 20}
    found = check_against_chain(forged, finished.ask, finished.live.market.address).found
    assert len(found) == 1 and found[0].startswith("contract is 0x1111")


def test_check_against_chain__members_and_votes_missing_or_more__found(finished: Finished) -> None:
    for key in ("owners", "base_stations", "votes", "transactions", "contributions", "models"):
        less = {**finished.document, key: finished.document[key][:-1]}
        more = {**finished.document, key: [*finished.document[key], finished.document[key][-1]]}
        for document in (less, more):
            assert any(line.startswith(f"{key} has ") for line in compare(document, finished.chain)[0]), key


def test_draw__another_source__does_not_follow(finished: Finished) -> None:
    """The source is the block's randomness; where that is a constant, the hash of the block before."""
    drawn = next(each for each in finished.document["transactions"] if each["call"] == "drawClaimant")

    def reading(mix: int, parent: str | None = None, difficulty: int = 0) -> list[str]:
        def ask(method: str, parameters: Sequence[Any]) -> Any:
            answer = finished.ask(method, parameters)
            if method == "eth_getBlockByNumber" and int(parameters[0], 16) == drawn["block"]:
                told = {"mixHash": hex(mix), "difficulty": hex(difficulty)}
                answer = {**answer, **told, "parentHash": parent or answer["parentHash"]}
            return answer

        return check_chain(read_round(ask, finished.live.market.address, finished.live.id))

    block = finished.ask("eth_getBlockByNumber", [hex(drawn["block"]), False])
    source = int(block["mixHash"], 16)
    assert reading(source) == []
    assert reading(2, block["mixHash"]) == []
    assert reading(source + 1, block["mixHash"], difficulty=2) == []
    found = [reading(source + step) for step in range(1, 8)]
    assert any("was drawn" in line for lines in found for line in lines), "of seven draws one names another claimant"


@pytest.mark.parametrize("word", [1, 2, 3], ids=["accuracy", "targets", "salt"])
def test_claim__opened_wrongly__named_with_the_winner(finished: Finished, word: int) -> None:
    """The contract refuses it: a chain, or a node, that says otherwise is found out."""
    live = finished.live

    def ask(method: str, parameters: Sequence[Any]) -> Any:
        answer = finished.ask(method, parameters)
        for log in answer if method == "eth_getLogs" else ():
            if live.market.codec.event(log).name == "ResultReported":
                data = bytearray.fromhex(log["data"].removeprefix("0x"))
                data[32 * word + 31] ^= 1
                log["data"] = "0x" + data.hex()
        return answer

    found = check_chain(read_round(ask, live.market.address, live.id))
    assert any(f"claim: what {live.winner.account} opened makes 0x" in line for line in found), found


@pytest.mark.parametrize("how", ["aborted", "nothing", "cancelled", "capability"])
def test_read_round__other_ends__agree_too(deployment: Market, how: str) -> None:
    with untouched(deployment):
        create = rounds_on(deployment)
        match how:
            case "aborted":
                live = create().trained().aborted()
            case "nothing":
                live = create(((1, 1), (1, 1), (1, 1))).revealed().selected().over()
            case "cancelled":
                live = create().drawn().over().wait_for("select")
            case _:
                live = create(owner_points=(3, 1, 2), owner_policy=Policy.CAPABILITY, opening=OPENING).voted()
        with pytest.raises(ChainError, match="not over"):
            read_round(asking(deployment.chain), deployment.address, live.id)
        live.settled()
        assert check_chain(read_round(asking(deployment.chain), deployment.address, live.id)) == [], "the lot may wait"
        if live.lot:
            live.claim_lot().send()
        checked = check_against_chain(document_for(live), asking(deployment.chain), deployment.address)
    assert checked.found == []


def test_main__with_a_node__exit_codes(finished: Finished, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, node = tmp_path / "round.json", ["--rpc", finished.live.market.chain.uri]
    path.write_text(json.dumps(finished.document), encoding="utf-8")
    with caplog.at_level("INFO"):
        assert main([str(path), *node]) == 0
    assert "not checked: training.final_accuracy" in caplog.text
    path.write_text(json.dumps({**finished.document, "chain_id": 5}), encoding="utf-8")
    assert main([str(path), *node]) == 1
    assert main([str(path), "--rpc", "http://127.0.0.1:9"]) == 2

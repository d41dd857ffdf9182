"""A round as the chain's logs alone tell it, in the words of `round.json`; asked over JSON-RPC.

Nothing of the product's reader is used: what it could have wrong is found here. What the chain does not know (texts,
accuracies that were not voted on) is not in it.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from eth_abi import encode
from eth_utils import keccak, to_checksum_address

from analysis.devnode.codec import Codec
from analysis.mechanism import BASIS_POINTS, THETA_ONE, WEI_PER_GWEI, draw
from fl.faults import Fault

ABI = Path(__file__).resolve().parents[1] / "fl" / "market" / "HCFL.abi.json"
TIMEOUT_SECONDS = 30
OWNER, BASE_STATION = 0, 1
NO_RANDOMNESS = 2**64
"""A `prevrandao` up to this is a constant or a difficulty: the draw takes the hash of the block before instead."""

Ask = Callable[[str, Sequence[Any]], Any]
"""A JSON-RPC method with its parameters; its result."""


class ChainError(Fault):
    """The node does not answer, or refuses."""


def asking(url: str) -> Ask:
    """A node at an address.

    Raises:
        ChainError: (the function) it does not answer, or refuses.
    """

    def ask(method: str, parameters: Sequence[Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}).encode()
        try:
            request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                found = json.load(answer)
        except (OSError, ValueError) as error:
            raise ChainError(f"{url} does not answer {method}: {error}") from error
        if not isinstance(found, dict) or "result" not in found:
            raise ChainError(f"{url} refuses {method}: {found.get('error') if isinstance(found, dict) else found}")
        return found["result"]

    return ask


@dataclass(frozen=True)
class Log:
    """A decoded log of the contract, and where it stands."""

    name: str
    values: Mapping[str, Any]
    block: int
    index: int
    transaction: str


@dataclass(frozen=True)
class RoundOnChain:
    """What the chain knows of a round.

    Attributes:
        known: fields of `round.json`, without those that it cannot know.
        targets_digest: keccak256 of the selected model's labels, as the report opened it; None: no report.
        text_digest: keccak256 of the text for base stations of the selected model, as it was proposed; None: no model
            is selected.
        off: what does not follow of the draw, from the block that it is in, and of the opening of the winner's claim,
            from what it proposed; empty if all does.
    """

    known: Mapping[str, Any]
    targets_digest: bytes | None
    text_digest: bytes | None
    off: tuple[str, ...]


def read_round(ask: Ask, contract: str, round_id: int, first_block: int = 0) -> RoundOnChain:
    """Read a finished round.

    Args:
        ask: a node.
        contract: address of the deployment.
        round_id: the round.
        first_block: of the deployment, or before.

    Raises:
        ChainError: the node does not answer, there is no such round, or it is not over.
    """
    codec = Codec(json.loads(ABI.read_text(encoding="utf-8")))
    newest = int(ask("eth_blockNumber", []), 16)
    logs = list(_logs(ask, codec, contract, first_block, newest))
    fold = _Fold(ask, codec, contract, round_id, logs)
    return fold.result()


def _logs(ask: Ask, codec: Codec, contract: str, first: int, last: int) -> Iterator[Log]:
    """All of the contract, in the order of the chain; many nodes give only so many blocks at once."""
    query = {"address": contract, "fromBlock": hex(first), "toBlock": hex(last)}
    try:
        found = ask("eth_getLogs", [query])
    except Fault:
        if first >= last:
            raise
        middle = (first + last) // 2
        yield from _logs(ask, codec, contract, first, middle)
        yield from _logs(ask, codec, contract, middle + 1, last)
        return
    for log in found:
        event = codec.event(log)
        place = int(log["blockNumber"], 16), int(log["logIndex"], 16)
        yield Log(event.name, event.values, *place, log["transactionHash"])


STATUS = {
    "ResultReported": "settled",
    "TrainingAborted": "aborted",
    "NothingSelected": "nothing trained",
    "RoundCancelled": "cancelled",
}


class _Fold:
    """The logs of a round, folded."""

    def __init__(self, ask: Ask, codec: Codec, contract: str, round_id: int, logs: Sequence[Log]):
        self._ask, self._codec, self._contract, self._round_id = ask, codec, contract, round_id
        self._all = logs
        self._logs = [log for log in logs if log.values.get("roundId") == round_id]
        if not self._logs or self._logs[0].name != "RoundCreated":
            raise ChainError(f"there is no round {round_id} at {contract} on this chain")
        self._terms = self._logs[0].values["terms"]
        ends = [STATUS[log.name] for log in self._logs if log.name in STATUS]
        if not ends:
            raise ChainError(f"round {round_id} is not over")
        self._status = ends[-1]
        if waiting := self._by("Joined", "member").keys() - self._by("MemberSettled", "member").keys():
            raise ChainError(f"round {round_id} is not over: {len(waiting)} members are not settled")

    # ── the logs by name ──

    def _named(self, name: str) -> list[Mapping[str, Any]]:
        return [log.values for log in self._logs if log.name == name]

    def _one(self, name: str) -> Mapping[str, Any] | None:
        return next(iter(self._named(name)), None)

    def _by(self, name: str, key: str) -> dict[str, Mapping[str, Any]]:
        return {values[key]: values for values in self._named(name)}

    def result(self) -> RoundOnChain:
        terms, drawn, reported = self._terms, self._one("ClaimantDrawn"), self._one("ResultReported")
        committed = [values["member"] for values in self._named("BidCommitted")]
        joined = self._by("Joined", "member")
        stations = [account for account in committed if joined[account]["role"] == BASE_STATION]
        claimant = None if drawn is None else stations[drawn["ordinal"] - 1]
        selected = self._one("ModelSelected")
        proposals = self._named("ModelProposed")
        bids = {
            account: _unpacked(values["bids"], len(proposals))
            for account, values in self._by("BidRevealed", "member").items()
        }
        values, costs = (
            [
                sum(row[model] for account, row in bids.items() if joined[account]["role"] == role) * WEI_PER_GWEI
                for model in range(len(proposals))
            ]
            for role in (OWNER, BASE_STATION)
        )
        theta = 0 if drawn is None else drawn["thetaNumerator"]
        number = None if selected is None else selected["model"]
        members = [self._member(account, committed, claimant, bids) for account in joined]
        roles = [joined[account]["role"] for account in joined]
        listed = self._by("ContributionReported", "station")
        settled = list(self._by("MemberSettled", "member").values())
        electors = sum(joined[account]["role"] == OWNER for account in committed) - 1
        votes = self._named("Voted")
        punished, upheld = self._verdicts(votes, electors, reported, [each["points"] for each in listed.values()])
        known = {
            "format": 2,
            "chain_id": int(self._ask("eth_chainId", []), 16),
            "contract": to_checksum_address(self._contract),
            "round_id": self._round_id,
            "theta_range": [terms.surplusMinBps, terms.surplusMaxBps],
            "theta_numerator": theta,
            "claimant": claimant,
            "caps": {"owner": terms.maxOwnerBid, "base_station": terms.maxStationBid},
            "bond": terms.bond,
            "contribution_stake": terms.contributionStake,
            "deadlines": vars(terms.deadlines),
            "threshold": terms.thresholdBps,
            "tolerance": terms.toleranceBps,
            "policy": ("equal", "capability")[terms.ownerPolicy],
            "status": self._status,
            "selected": number,
            "pool": 0 if number is None else _pool(values[number], costs[number], len(stations), theta),
            "models": [
                self._model(proposal, number, committed, len(stations), values, costs, reported)
                for proposal in proposals
            ],
            "owners": [each for each, role in zip(members, roles, strict=True) if role == OWNER],
            "base_stations": [each for each, role in zip(members, roles, strict=True) if role == BASE_STATION],
            "training": None if reported is None else self._training(reported),
            "contributions": [
                listed[account]["points"] if account in listed else None
                for account in joined
                if joined[account]["role"] == BASE_STATION
            ],
            "votes": [
                {
                    "account": vote["elector"],
                    "measured_accuracy": vote["measuredAccuracyBps"] / BASIS_POINTS,
                    "uphold": vote["upholdContributions"],
                }
                for vote in votes
            ],
            "upheld": upheld,
            "punished": punished,
            "kept": sum(_payment(each) - each["tax"] for each in settled),
            "transactions": self._transactions(),
        }
        digest = None if reported is None else bytes(reported["opening"].targetsDigest)
        text = None if number is None else bytes(proposals[number]["proposal"].stationsDigest)
        return RoundOnChain(known, digest, text, (*self._draw(stations), *self._opening(proposals, number, reported)))

    def _model(
        self,
        proposal: Mapping[str, Any],
        selected: int | None,
        committed: Sequence[str],
        stations: int,
        values: Sequence[int],
        costs: Sequence[int],
        reported: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        number = proposal["model"]
        opened = number == selected and reported is not None
        claim = {"claimed_accuracy": reported["opening"].claimedAccuracyBps / BASIS_POINTS} if opened else {}  # type: ignore[index]
        return {
            "proposer": proposal["proposer"],
            "live": proposal["proposer"] in committed,
            "global_rounds": proposal["proposal"].globalRounds,
            "value": values[number],
            "cost": costs[number],
            "margin": ((stations - 1) * values[number] - stations * costs[number]) // max(1, stations - 1),
            **claim,
        }

    def _member(
        self, account: str, committed: Sequence[str], claimant: str | None, bids: Mapping[str, list[int]]
    ) -> dict[str, Any]:
        joined = self._by("Joined", "member")[account]
        dues = self._by("MemberSettled", "member")[account]
        before, after = self._balances(account)
        return {
            "account": account,
            "points": joined["points"],
            "committed": account in committed,
            "revealed": account in bids,
            "claimant": account == claimant,
            "recorded": sum(values["station"] == account for values in self._named("UpdateRecorded")),
            "bids": bids.get(account),
            "share": dues["share"] if joined["role"] == OWNER else -(dues["reward"] + dues["forfeited"]),
            "tax": dues["tax"],
            "reward": dues["reward"],
            "forfeited": dues["forfeited"],
            "slashed": dues["slashed"],
            "bonus": dues["bonus"],
            "lot": sum(values["amount"] for values in self._named("LotClaimed") if values["claimant"] == account),
            "payment": _payment(dues),
            "balance_before": before,
            "balance_after": after,
        }

    def _balances(self, account: str) -> tuple[int, int]:
        """Wei, free and locked, right after its join, and after the last log in the round that moved any of it."""
        total, found = 0, list[int]()
        for log in self._all:
            total += _change(log, account)
            if log.values.get("roundId") == self._round_id and log.name in _MOVES and _whose(log) == account:
                found.append(total)
        return found[0], found[-1]

    def _verdicts(
        self, votes: Sequence[Mapping[str, Any]], electors: int, reported: Mapping[str, Any] | None, points: list[int]
    ) -> tuple[bool, bool]:
        if reported is None:
            return False, False
        least = reported["opening"].claimedAccuracyBps - self._terms.toleranceBps
        against = sum(vote["measuredAccuracyBps"] < least for vote in votes)
        upholding = sum(vote["upholdContributions"] for vote in votes)
        punished, carried = (cast * BASIS_POINTS > self._terms.thresholdBps * electors for cast in (against, upholding))
        return punished, carried and sum(points) == 1_000_000

    def _training(self, reported: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "result_digest": _hex(reported["modelDigest"]),
            "claimed_accuracy": reported["opening"].claimedAccuracyBps / BASIS_POINTS,
            "global_rounds": [
                {
                    "global_round": values["globalRound"],
                    "global_digest": _hex(values["modelDigest"]),
                    "updates_root": _hex(values["updatesRoot"]),
                }
                for values in self._named("GlobalRoundRecorded")
            ],
        }

    # ── blocks and transactions ──

    def _transactions(self) -> list[dict[str, Any]]:
        left: dict[str, list[Log]] = {}
        for log in self._logs:
            left.setdefault(log.transaction, []).append(log)
        return [self._transaction(logs) for logs in left.values()]

    def _transaction(self, logs: Sequence[Log]) -> dict[str, Any]:
        log, *_ = logs
        sent = self._ask("eth_getTransactionByHash", [log.transaction])
        receipt = self._ask("eth_getTransactionReceipt", [log.transaction])
        block = self._ask("eth_getBlockByNumber", [hex(log.block), False])
        to_us = sent["to"] is not None and sent["to"].lower() == self._contract.lower()
        gas = int(receipt["gasUsed"], 16)
        return {
            "call": self._codec.called(sent["input"]) if to_us else None,
            "sender": to_checksum_address(sent["from"]),
            "hash": log.transaction,
            "block": log.block,
            "time": int(block["timestamp"], 16),
            "log_index": log.index,
            "gas_used": gas,
            "fee": gas * int(receipt["effectiveGasPrice"], 16),
            "logs": [
                {
                    "event": each.name,
                    "account": _whose(each),
                    "number": each.values.get("model", each.values.get("globalRound")),
                }
                for each in logs
            ],
        }

    def _draw(self, stations: Sequence[str]) -> Iterator[str]:
        """The draw worked out again from the block that it is in."""
        log = next((log for log in self._logs if log.name == "ClaimantDrawn"), None)
        if log is None:
            return
        block = self._ask("eth_getBlockByNumber", [hex(log.block), False])
        # `block.prevrandao`; on a chain that still has a difficulty, that is what the contract reads in its place.
        source = int(block.get("difficulty") or "0x0", 16) or int(block.get("mixHash") or "0x0", 16)
        if source <= NO_RANDOMNESS:
            source = int(block["parentHash"], 16)
        c = int.from_bytes(keccak(encode(["uint256", "uint256"], [source, self._round_id])), "big")
        terms = self._terms
        follows = draw(c, len(stations), terms.surplusMinBps, terms.surplusMaxBps, bool(terms.ownerPolicy))
        theta, ordinal = log.values["thetaNumerator"], log.values["ordinal"]
        if theta != follows.theta_numerator:
            yield f"draw: theta was drawn as {theta}, and block {log.block} makes it {follows.theta_numerator}"
        if ordinal != follows.claimant + 1:
            yield f"draw: base station {ordinal} was drawn, and block {log.block} names {follows.claimant + 1}"

    def _opening(
        self, proposals: Sequence[Mapping[str, Any]], selected: int | None, reported: Mapping[str, Any] | None
    ) -> Iterator[str]:
        """What the winner claims to have proposed, held against the digest that it did propose."""
        if selected is None or reported is None:
            return
        winner, opening = proposals[selected]["proposer"], reported["opening"]
        types = ["uint256", "address", "uint256", "address", "uint16", "bytes32", "bytes32"]
        said = opening.claimedAccuracyBps, bytes(opening.targetsDigest), bytes(opening.salt)
        place = int(self._ask("eth_chainId", []), 16), self._contract, self._round_id
        opened, proposed = keccak(encode(types, [*place, winner, *said])), proposals[selected]["proposal"].ownersDigest
        if opened != bytes(proposed):
            yield f"claim: what {winner} opened makes {_hex(opened)}, and it had proposed {_hex(proposed)}"


def _payment(dues: Mapping[str, int]) -> int:
    return dues["share"] + dues["tax"] + dues["slashed"] - dues["reward"] - dues["bonus"]


_MOVES = ("Joined", "MemberSettled", "LotClaimed")


def _whose(log: Log) -> Any:
    """The account that a log is about; None: nobody alone."""
    return next((log.values[key] for key in _ACCOUNTS if key in log.values), None)


_ACCOUNTS = ("member", "proposer", "station", "elector", "claimant", "winner", "creator")


def _change(log: Log, account: str) -> int:
    """By how much a log changes what an account has, free and locked, wei."""
    values = log.values
    match log.name:
        case "Deposited" if values["account"] == account:
            return int(values["amount"])
        case "Withdrawn" if values["account"] == account:
            return -int(values["amount"])
        case "Joined" if values["member"] == account:
            return int(values["value"])
        case "MemberSettled" if values["member"] == account:
            return -_payment(values)
        case "LotClaimed" if values["claimant"] == account:
            return int(values["amount"])
    return 0


def _pool(value: int, cost: int, stations: int, theta: int) -> int:
    """C = K^ + theta (V - K^) with K^ = K n / (n - 1), rounded down."""
    return (cost * stations * (THETA_ONE - theta) + theta * value * (stations - 1)) // ((stations - 1) * THETA_ONE)


def _unpacked(words: Sequence[int], models: int) -> list[int]:
    """One bid for each model, out of four 64-bit lanes a word, the first of which is empty."""
    return [words[(model + 1) // 4] >> 64 * ((model + 1) % 4) & (2**64 - 1) for model in range(models)]


def _hex(word: bytes) -> str:
    return "0x" + bytes(word).hex()


# ── a document against it ──


def compare(document: Mapping[str, Any], chain: RoundOnChain) -> tuple[list[str], list[str]]:
    """Hold a `round.json` against the chain.

    Returns:
        One line a discrepancy, and the fields that the chain does not know.
    """
    found = [f"the document lacks {key}" for key in ("chain_id", "contract", "round_id", "training", "transactions")
             if key not in document]  # fmt: skip
    unknown: list[str] = []
    known = {**chain.known}
    if document.get("training") is None and known["training"] is not None:
        del known["training"]  # an owner that could not open the models leaves it out
    for key, value in document.items():
        _hold(value, known.get(key, _UNKNOWN), key, found, unknown)
    selected = chain.known["selected"]
    name = f"models[{selected}].targets"
    if chain.targets_digest is not None and name in unknown:
        unknown.remove(name)
        if _digest({"targets": document["models"][selected]["targets"]}) != chain.targets_digest:
            found.append(f"{name} is not what the report opened: its digest is another")
    if chain.text_digest is not None and "training.text" in unknown:
        text = document["training"]["text"]
        unknown = [each for each in unknown if each not in (_told(selected) if text else ["training.text"])]
        found += differs_from_text(document)
        if text is not None and _digest(text) != chain.text_digest:
            found.append("training.text is not what was proposed: its digest is another")
    return found, unknown


def _told(selected: int) -> dict[str, str]:
    """Where a document has what the text for base stations says, and what that calls it."""
    named = {"dataset": "dataset", "model": "model", "initial_digest": "initial_model"}
    return {
        "training.text": "",
        f"models[{selected}].initial_digest": "initial_model",
        **{f"training.{name}": field for name, field in named.items()},
    }


def differs_from_text(document: Mapping[str, Any]) -> list[str]:
    """What a `round.json` says otherwise than the text that it has of its training."""
    training, selected = document.get("training"), document["selected"]
    if training is None or (text := training.get("text")) is None:
        return []
    said = {"training": training, **{f"models[{number}]": each for number, each in enumerate(document["models"])}}
    found = []
    for place, field in _told(selected).items():
        part, _, name = place.rpartition(".")
        if field and part in said and said[part][name] != text[field]:
            found.append(f"{place} is {said[part][name]}, the text that was proposed says {text[field]}")
    return found


_UNKNOWN = SimpleNamespace()


def _hold(value: Any, known: Any, where: str, found: list[str], unknown: list[str]) -> None:
    if known is _UNKNOWN:
        unknown.append(where)
    elif isinstance(known, dict) and isinstance(value, dict):
        for key, item in value.items():
            _hold(item, known.get(key, _UNKNOWN), f"{where}.{key}", found, unknown)
    elif isinstance(known, list) and isinstance(value, list):
        if len(known) != len(value):
            found.append(f"{where} has {len(value)} entries, the chain has {len(known)}")
        for number, (item, each) in enumerate(zip(value, known, strict=False)):
            _hold(item, each, f"{where}[{number}]", found, unknown)
    elif not _same(value, known):
        found.append(f"{where} is {value}, the chain says {known}")


def _same(value: Any, known: Any) -> bool:
    if isinstance(known, bool) or known is None or isinstance(known, float):
        return type(value) in (type(known), *([int] if isinstance(known, float) else [])) and value == known
    if isinstance(known, int):
        is_number = isinstance(value, int | str) and not isinstance(value, bool)
        return is_number and str(value) == str(known)
    if isinstance(known, str) and isinstance(value, str) and known.startswith("0x"):
        return value.lower() == known.lower()
    return bool(value == known)


def _digest(document: Any) -> bytes:
    """keccak256 of the canonical JSON."""
    return keccak(json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())

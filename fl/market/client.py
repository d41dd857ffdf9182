"""The typed client of the HCFL contract; the only module that talks to it.

One method for each call of `IHCFL`, one frozen value for each of its views. Addresses are checksummed strings, amounts
wei unless a name says gwei, digests 32 bytes. It keeps nothing: what was done is read from the chain's logs.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ape import Contract
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from ape.contracts.base import ContractCall, ContractTransaction
from ape.exceptions import ApeException, ContractLogicError, CustomError
from ape.types import ContractLog
from eth_utils import keccak, to_checksum_address
from ethpm_types import ContractType
from ethpm_types.abi import EventABI
from hexbytes import HexBytes
from web3.exceptions import BlockNotFound, Web3Exception, Web3RPCError

from fl.faults import line_of
from fl.market.events import Event, Sent, Transaction, in_order
from fl.market.outbox import Direct, Outbox
from fl.market.refusals import Again, ByHand, MarketError, Never, NoNode, explain
from fl.market.terms import Phase, Role, RoundTerms, Stage, Status

DIRECT = Direct()

ABI = Path(__file__).with_name("HCFL.abi.json")
"""The contract's interface, for whoever has no sources; `ape run abi` writes it."""

CODE_HASH = Path(__file__).with_name("HCFL.code-hash.txt")
"""`code_hash_of` the contract; `ape run abi` writes it."""

_METADATA = 53  # bytes

_OVERLAP = 32
"""Blocks whose logs are asked for again: of several nodes behind an address one may lag, and give what it has."""


def code_hash_of(code: bytes) -> str:
    """keccak256 of a contract's code, hex, but for its end, where the compiler has a digest of sources and comments."""
    return keccak(code[:-_METADATA]).hex()


@cache
def interface() -> list[dict[str, Any]]:
    """The contract's interface, read once."""
    read: list[dict[str, Any]] = json.loads(ABI.read_text(encoding="utf-8"))
    return read


@dataclass(frozen=True)
class RoundState:
    """A round as `IHCFL.roundOf` shows it; pairs are (owners, base stations).

    Attributes:
        claimant: the claimant's number in the order in which base stations committed, from 1; 0: not drawn.
        global_rounds: those that the selected proposal names.
        listed_points: sum of the points that the winner has listed.
        escrow: wei that the round holds: locks, the lot and what is kept.
        lot: wei that have come in for the claimant and are not yet claimed.
    """

    status: Status
    phase: Phase
    theta_numerator: int
    claimant: int
    model_count: int
    live: tuple[bool, ...]
    selected: int
    global_rounds: int
    committed: tuple[int, int]
    points: int
    revealed: tuple[int, int]
    recorders: int
    finished: int
    listed_points: int
    votes_punish: int
    votes_uphold: int
    votes_cast: int
    escrow: int
    lot: int


@dataclass(frozen=True)
class MemberState:
    """A member of a round as `IHCFL.memberOf` shows it; nothing is left of a settled one, but of the claimant.

    Attributes:
        points: an owner's capability points; of a base station those that the winner has listed.
        ordinal: a base station's number in the order of commits, from 1; 0: not committed, or an owner.
        recorded: number of global rounds that it has recorded.
        sealed_bid: top 182 bits of the commitment, then of the hash of the revealed bids.
    """

    stage: Stage
    role: Role
    points: int
    proposer: bool
    model: int
    ordinal: int
    claimant: bool
    recorded: int
    listed: bool
    voted: bool
    sealed_bid: int


@dataclass(frozen=True)
class Block:
    """A block: its number, its Unix time, its hash."""

    number: int
    time: int
    hash: bytes


@dataclass(frozen=True)
class ModelState:
    """A proposed model as stored."""

    proposer: str
    global_rounds: int
    owners_digest: bytes
    stations_digest: bytes


class Market:
    """One deployment of HCFL.

    Every call that changes something takes the account that sends it and waits for the receipt.

    Args:
        contract: as ape has it.
        outbox: sends the calls.
        first_block: in which it was deployed, so that logs are looked for from there on; None: the node is asked.
        at: number of the block at which views are read; None: the newest.

    Raises:
        MarketError: (every method) the contract or the node refused, with the reason in words; `Again`, `Never` or
            `ByHand` where that says what to do about it.
    """

    def __init__(
        self,
        contract: ContractInstance,
        outbox: Outbox = DIRECT,
        *,
        first_block: int | None = None,
        at: int | None = None,
    ):
        self.contract = contract
        self.outbox = outbox
        self._first = first_block
        self._at = at

    def at_block(self, number: int) -> "Market":
        """The deployment as its views are at a block; what is read there is of one moment."""
        return Market(self.contract, self.outbox, first_block=self._first, at=number)

    def sending(self, outbox: Outbox) -> "Market":
        """The same deployment, whose calls are sent by another outbox."""
        return Market(self.contract, outbox, first_block=self._first, at=self._at)

    @classmethod
    def at(cls, address: str, outbox: Outbox = DIRECT, *, first_block: int | None = None) -> "Market":
        """The deployment at an address of the network that ape is connected to; needs no sources.

        Args:
            address: the contract's.
            outbox: sends the calls.
            first_block: in which it was deployed; None: the node is asked.

        Raises:
            MarketError: nothing is there.
        """
        contract_type = ContractType.model_validate({"contractName": "HCFL", "abi": interface()})
        try:
            with asking(address):
                contract = Contract(address, contract_type, fetch_from_explorer=False, detect_proxy=False)
                code = contract.provider.get_code(contract.address)
        except ValueError as error:
            raise MarketError(f"{address}: {error}") from error
        if not code:
            raise MarketError(f"{address}: there is no contract on {contract.provider.network_choice}")
        return cls(contract, outbox, first_block=first_block)

    @property
    def address(self) -> str:
        """The contract's address."""
        return str(self.contract.address)

    @property
    def chain_id(self) -> int:
        """The chain it is deployed on."""
        return int(self.contract.provider.chain_id)

    def has_known_code(self) -> bool:
        """Whether the code at the address is that of the sources which this package was made with."""
        with asking("read the contract"):
            code = bytes(self.contract.provider.get_code(self.contract.address))
        return code_hash_of(code) == CODE_HASH.read_text(encoding="utf-8").strip()

    # ── accounts ──

    def free_balance(self, account: str) -> int:
        """Wei of an account that no round holds."""
        return int(self._read("freeBalance", account))

    def deposit(self, sender: AccountAPI, amount: int) -> ReceiptAPI:
        """Add to the sender's free balance."""
        return self._send("deposit", sender, value=amount)

    def withdraw(self, sender: AccountAPI, amount: int, to: str) -> ReceiptAPI:
        """Send part of the sender's free balance to an account."""
        return self._send("withdraw", sender, amount, to)

    # ── create and join ──

    def create_round(self, sender: AccountAPI, terms: RoundTerms, membership_root: bytes) -> int:
        """Create a round; returns its number."""
        receipt = self._send("createRound", sender, terms.encode(), membership_root)
        return int(next(iter(receipt.decode_logs(self.contract.RoundCreated))).roundId)

    def join(
        self,
        sender: AccountAPI,
        round_id: int,
        terms_hash: bytes,
        role: Role,
        proof: Sequence[bytes],
        points: int = 1,
        value: int = 0,
    ) -> ReceiptAPI:
        """Join a round on the terms that were read, and lock funds: the value sent, then the free balance."""
        return self._send("join", sender, round_id, terms_hash, int(role), points, list(proof), value=value)

    def propose(
        self, sender: AccountAPI, round_id: int, owners_digest: bytes, stations_digest: bytes, global_rounds: int
    ) -> int:
        """Propose a model; returns its index."""
        receipt = self._send("propose", sender, round_id, (owners_digest, stations_digest, global_rounds))
        return int(next(iter(receipt.decode_logs(self.contract.ModelProposed))).model)

    # ── commit, draw and reveal ──

    def commit_bid(self, sender: AccountAPI, round_id: int, commitment: bytes) -> ReceiptAPI:
        """Seal the sender's bids."""
        return self._send("commitBid", sender, round_id, commitment)

    def join_and_commit(
        self,
        sender: AccountAPI,
        round_id: int,
        terms_hash: bytes,
        role: Role,
        proof: Sequence[bytes],
        commitment: bytes,
        points: int = 1,
        value: int = 0,
    ) -> ReceiptAPI:
        """Join and seal in one call."""
        return self._send(
            "joinAndCommit", sender, round_id, terms_hash, int(role), points, list(proof), commitment, value=value
        )

    def draw_claimant(self, sender: AccountAPI, round_id: int) -> ReceiptAPI:
        """Draw θ and the claimant, or cancel a round that cannot be held."""
        return self._send("drawClaimant", sender, round_id)

    def reveal_bid(self, sender: AccountAPI, round_id: int, words: Sequence[int], salt: bytes) -> ReceiptAPI:
        """Open the sender's commitment."""
        return self._send("revealBid", sender, round_id, list(words), salt)

    def select_model(self, sender: AccountAPI, round_id: int) -> ReceiptAPI:
        """Select, or find that nothing is worth training, or cancel."""
        return self._send("selectModel", sender, round_id)

    # ── train, report, vote ──

    def record_global_round(
        self, sender: AccountAPI, round_id: int, global_round: int, model_digest: bytes, updates_root: bytes
    ) -> ReceiptAPI:
        """Record the winner's global model of a global round; in order, from 0."""
        return self._send("recordGlobalRound", sender, round_id, global_round, model_digest, updates_root)

    def record_update(self, sender: AccountAPI, round_id: int, global_round: int, update_digest: bytes) -> ReceiptAPI:
        """Record a base station's update of a global round; in order, from 0; the digest 0 where it has none."""
        return self._send("recordUpdate", sender, round_id, global_round, update_digest)

    def report_contributions(
        self, sender: AccountAPI, round_id: int, stations: Sequence[str], points: Sequence[int]
    ) -> ReceiptAPI:
        """List base stations with their points."""
        return self._send("reportContributions", sender, round_id, list(stations), list(points))

    def report_result(
        self, sender: AccountAPI, round_id: int, model_digest: bytes, opening: tuple[int, bytes, bytes]
    ) -> ReceiptAPI:
        """Report the trained model and open the claim."""
        return self._send("reportResult", sender, round_id, model_digest, opening)

    def abort_training(self, sender: AccountAPI, round_id: int) -> ReceiptAPI:
        """End a round whose winner never reported."""
        return self._send("abortTraining", sender, round_id)

    def vote(self, sender: AccountAPI, round_id: int, measured_accuracy_bps: int, uphold: bool) -> ReceiptAPI:
        """Vote with the accuracy that was measured, and on whether the listed contributions stand."""
        return self._send("vote", sender, round_id, measured_accuracy_bps, uphold)

    # ── settle ──

    def settle(self, sender: AccountAPI, round_id: int, member: str, words: Sequence[int]) -> ReceiptAPI:
        """Settle one member; `words` are its packed bids as revealed, zeros if it never did."""
        return self._send("settle", sender, round_id, member, list(words))

    def settle_many(
        self, sender: AccountAPI, round_id: int, members: Sequence[str], words: Sequence[int]
    ) -> ReceiptAPI:
        """Settle many members; `words` are their packed bids one after the other."""
        return self._send("settleMany", sender, round_id, list(members), list(words))

    def claim_lot(self, sender: AccountAPI, round_id: int) -> ReceiptAPI:
        """Credit the claimant, who sends this, with what has come in of the lot."""
        return self._send("claimLot", sender, round_id)

    # ── views ──

    def round_count(self) -> int:
        """The newest round's number."""
        return int(self._read("roundCount"))

    def round_state(self, round_id: int) -> RoundState:
        """A round's state now."""
        view = self._read("roundOf", round_id)
        return RoundState(
            status=Status(view.status),
            phase=Phase(view.phase),
            theta_numerator=view.thetaNumerator,
            claimant=view.claimant,
            model_count=view.modelCount,
            live=tuple(bool(view.live >> m & 1) for m in range(view.modelCount)),
            selected=view.selected,
            global_rounds=view.globalRounds,
            committed=(view.committed[0], view.committed[1]),
            points=view.points,
            revealed=(view.revealed[0], view.revealed[1]),
            recorders=view.recorders,
            finished=view.finished,
            listed_points=view.listedPoints,
            votes_punish=view.votesPunish,
            votes_uphold=view.votesUphold,
            votes_cast=view.votesCast,
            escrow=view.escrow,
            lot=view.lot,
        )

    def terms(self, round_id: int) -> tuple[RoundTerms, bytes]:
        """A round's terms, and its door (`RoundTerms.door` of them and the membership root)."""
        terms, door = self._read("termsOf", round_id)
        struct, _ = self.contract.contract_type.view_methods["termsOf"].outputs
        return RoundTerms.decode(_named(struct, terms)), bytes(door)

    def member_state(self, round_id: int, account: str) -> MemberState:
        """A member's state now."""
        view = self._read("memberOf", round_id, account)
        return MemberState(
            stage=Stage(view.stage),
            role=Role(view.role),
            points=view.points,
            proposer=bool(view.proposer),
            model=view.model,
            ordinal=view.ordinal,
            claimant=bool(view.claimant),
            recorded=view.recorded,
            listed=bool(view.listed),
            voted=bool(view.voted),
            sealed_bid=view.sealedBid,
        )

    def model_state(self, round_id: int, model: int) -> ModelState:
        """A proposed model."""
        view = self._read("modelOf", round_id, model)
        return ModelState(str(view.proposer), view.globalRounds, bytes(view.ownersDigest), bytes(view.stationsDigest))

    def sums(self, round_id: int) -> tuple[list[int], list[int]]:
        """Values and costs of each model, gwei."""
        values, costs = self._read("sumsOf", round_id)
        return list(values), list(costs)

    def lock(self, round_id: int, role: Role, points: int = 1) -> int:
        """What a member locks, wei."""
        return int(self._read("lockOf", round_id, int(role), points))

    def worst_loss(self, round_id: int, role: Role, points: int = 1) -> int:
        """The most that a truthful member loses that does its duties, wei; its bond besides after a verdict."""
        return int(self._read("worstLossOf", round_id, int(role), points))

    def lot(self, round_id: int) -> int:
        """Wei that `claim_lot` would credit now."""
        return int(self._read("lotOf", round_id))

    # ── what is sealed, as the contract works it out (`fl.market.terms`, `bids` and `views` do it without a node) ──

    def terms_hash(self, terms: RoundTerms) -> bytes:
        """What one joins with, 32 bytes."""
        return bytes(self._read("termsHashOf", terms.encode()))

    def door(self, membership_root: bytes, terms_hash: bytes) -> bytes:
        """What `terms` must return beside the terms, 32 bytes."""
        return bytes(self._read("doorOf", membership_root, terms_hash))

    def commitment(self, round_id: int, member: str, words: Sequence[int], salt: bytes) -> bytes:
        """What a member sends to `commit_bid`, 32 bytes."""
        return bytes(self._read("commitmentOf", round_id, member, list(words), salt))

    def owners_digest(self, round_id: int, proposer: str, opening: tuple[int, bytes, bytes]) -> bytes:
        """What a proposal seals of its claim, 32 bytes."""
        return bytes(self._read("ownersDigestOf", round_id, proposer, opening))

    # ── logs ──

    def block(self, which: int | str) -> Block:
        """A block, by its number, or "latest", or "safe"."""
        try:
            with asking("block"):
                found = self.contract.provider.web3.eth.get_block(which)
        except Again as error:
            if which == "safe" and isinstance(error.__cause__, BlockNotFound):
                raise ByHand('the node knows no safe block: set "confirmations" to a number of blocks') from None
            raise
        return Block(int(found["number"] or 0), int(found["timestamp"]), bytes(found["hash"] or b""))

    def next_time(self) -> int:
        """Unix time of the block that a call would be mined in, or a little less."""
        return self.block("pending").time

    def events(
        self,
        round_id: int | None = None,
        first_block: int | None = None,
        last_block: int | str = "latest",
        known: Collection[Event] | None = None,
    ) -> list[Event]:
        """Every log, in the order of the chain.

        Args:
            round_id: of one round; None: of all, and those of balances.
            first_block: to read from; None: the deployment's.
            last_block: to read to, inclusive.
            known: what was read up to `first_block`: it is left out, and the blocks before that are looked at again.
        """
        every = self.contract.contract_type.events
        abis = [abi for abi in every if round_id is None or abi.inputs[0].name == "roundId"]
        topics = [] if round_id is None else [None, HexBytes(round_id.to_bytes(32, "big"))]
        first = (
            self.first_block if first_block is None else max(0, first_block - (_OVERLAP if known is not None else 0))
        )
        logs = self._logs(abis, topics, first, last_block)
        has = {(event.transaction, event.log_index) for event in known or ()}
        return self._events(abis, [log for log in logs if (_hash_of(log), int(log.log_index)) not in has])

    def events_about(self, account: str, last_block: int) -> list[Event]:
        """Every log that names an account first, of all rounds and of none, in the order of the chain.

        Args:
            account: its address.
            last_block: to read to, inclusive.
        """
        abis, word = self.contract.contract_type.events, HexBytes(bytes(12) + bytes.fromhex(account[2:]))
        of_rounds = [abi for abi in abis if abi.inputs[0].name == "roundId"]
        of_none = [abi for abi in abis if abi.inputs[0].name == "account"]
        found = [
            *self._events(of_rounds, self._logs(of_rounds, [None, None, word], self.first_block, last_block)),
            *self._events(of_none, self._logs(of_none, [None, word], self.first_block, last_block)),
        ]
        return in_order(found)

    def _events(self, abis: Sequence[EventABI], logs: Sequence[ContractLog]) -> list[Event]:
        inputs = {abi.name: {each.name: each for each in abi.inputs} for abi in abis}
        times = {block: self.block(block).time for block in {int(log.block_number) for log in logs}}
        return [
            Event(
                name=log.event_name,
                values={k: _named(inputs[log.event_name][k], v) for k, v in log.event_arguments.items()},
                block=int(log.block_number),
                time=times[int(log.block_number)],
                transaction=_hash_of(log),
                log_index=int(log.log_index),
            )
            for log in logs
        ]

    def sent(self, digest: str) -> Sent:
        """A mined transaction, by its hash."""
        web3 = self.contract.provider.web3
        with asking("transaction"):
            return self._sent(web3.eth.get_transaction(digest))

    def sent_in(self, block: int, sender: str) -> list[Sent]:
        """The transactions of an account in a block."""
        with asking("block"):
            found = self.contract.provider.web3.eth.get_block(block, full_transactions=True)
            return [self._sent(each) for each in found["transactions"] if to_checksum_address(each["from"]) == sender]

    def sent_count(self, sender: str, block: int) -> int:
        """How many transactions an account had sent by the end of a block.

        Raises:
            MarketError: the node does not keep what is so old.
        """
        with asking("count transactions"):
            return int(self.contract.provider.web3.eth.get_transaction_count(sender, block))

    def request(self, method: str, parameters: Sequence[Any]) -> Any:
        """Any JSON-RPC method of the node, for a reader of its own."""
        with asking(method):
            return self.contract.provider.make_request(method, list(parameters))

    @property
    def first_block(self) -> int:
        """Before which the contract has no logs."""
        if self._first is None:
            self._first = self._deployed_in()
        return self._first

    def _sent(self, found: Any) -> Sent:
        receipt = self.contract.provider.web3.eth.get_transaction_receipt(found["hash"])
        return Sent(
            hash=HexBytes(found["hash"]).to_0x_hex(),
            sender=to_checksum_address(found["from"]),
            nonce=int(found["nonce"]),
            call=(call := self._called(found)),
            round_id=self._round_called(call, bytes(found["input"])),
            done=bool(receipt["status"]),
            block=int(found["blockNumber"]),
            time=self.block(int(found["blockNumber"])).time,
            value=int(found["value"]),
            gas_used=int(receipt["gasUsed"]),
            fee=int(receipt["gasUsed"]) * int(receipt["effectiveGasPrice"]),
        )

    def _called(self, found: Any) -> str | None:
        """The function that a transaction calls; None: another contract's."""
        if found["to"] is None or to_checksum_address(found["to"]) != self.address:
            return None
        names = {keccak(text=call.selector)[:4]: call.name for call in self.contract.contract_type.mutable_methods}
        return names.get(bytes(found["input"])[:4])

    def _round_called(self, call: str | None, data: bytes) -> int | None:
        """The round that a call names, which is its first parameter."""
        if call is None:
            return None
        inputs = self.contract.contract_type.mutable_methods[call].inputs
        return int.from_bytes(data[4:36]) if inputs and inputs[0].name == "roundId" else None

    def transactions(self, events: Sequence[Event]) -> list[Transaction]:
        """The transactions that left these logs, in their order."""
        left: dict[str, list[Event]] = {}
        for event in events:
            left.setdefault(event.transaction, []).append(event)
        return [self._transaction(logs) for logs in left.values()]

    def _transaction(self, logs: Sequence[Event]) -> Transaction:
        web3, event = self.contract.provider.web3, logs[0]
        with asking("transaction"):
            sent = web3.eth.get_transaction(event.transaction)
            receipt = web3.eth.get_transaction_receipt(event.transaction)
        return Transaction(
            call=self._called(sent),
            sender=to_checksum_address(sent["from"]),
            hash=event.transaction,
            block=event.block,
            time=event.time,
            log_index=event.log_index,
            gas_used=int(receipt["gasUsed"]),
            fee=int(receipt["gasUsed"]) * int(receipt["effectiveGasPrice"]),
            logs=tuple(each.trace for each in logs),
        )

    def _logs(
        self, abis: Sequence[EventABI], topics: Sequence[Any], first_block: int, last_block: int | str = "latest"
    ) -> list[ContractLog]:
        provider = self.contract.provider
        query = {
            "address": self.contract.address,
            "fromBlock": first_block,
            "toBlock": last_block,
            "topics": list(topics),
        }
        with asking("logs"):
            logs = provider.web3.eth.get_logs(query)
        return list(provider.network.ecosystem.decode_logs([dict(log) for log in logs], *abis))

    def _deployed_in(self) -> int:
        """The block that the contract came in, 0 where that is older than the states that the node keeps.

        Ape keeps what it finds by the contract's address alone, for all chains whose nodes are named by their address.
        """
        eth = self.contract.provider.web3.eth
        with asking("read the contract"):
            before, since, lost = -1, int(eth.block_number), None
            while since - before > 1:
                middle = (before + since) // 2
                try:
                    is_there = bool(eth.get_code(self.contract.address, middle))
                except Web3RPCError:
                    is_there, lost = False, middle
                before, since = (before, middle) if is_there else (middle, since)
        return 0 if before == lost else since

    def balance_of(self, account: str) -> int:
        """Wei of an account, free and locked, over all rounds; not the lot that it has not claimed."""
        locked = 0
        for round_id in range(1, self.round_count() + 1):
            member = self.member_state(round_id, account)
            if member.stage in (Stage.JOINED, Stage.COMMITTED, Stage.REVEALED):
                points = member.points if member.role is Role.OWNER else 1
                locked += self.lock(round_id, member.role, points)
        return self.free_balance(account) + locked

    def unaccounted(self) -> int:
        """Wei that the contract holds beyond all free balances and escrows: 0, unless ether was forced on it."""
        abis = [self.contract.contract_type.events[name] for name in ("Deposited", "Joined", "MemberSettled")]
        accounts = set()
        for log in self._logs(abis, [], self.first_block):
            accounts.add(str(log.event_arguments.get("account") or log.event_arguments["member"]))
        free = sum(self.free_balance(account) for account in accounts)
        rounds = range(1, self.round_count() + 1)
        return int(self.contract.balance) - free - sum(self.round_state(each).escrow for each in rounds)

    # ── how ──

    def _send(self, call: str, sender: AccountAPI, *args: Any, value: int = 0) -> ReceiptAPI:
        with asking(call):
            if not self.contract.is_contract:
                raise self._gone()
            abi = self.contract.contract_type.mutable_methods[call]
            request = ContractTransaction(abi, self.contract.address)
            transaction = request.serialize_transaction(*args, sender=sender, value=value)
            return self.outbox.send(sender, call, transaction)

    def _gone(self) -> ByHand:
        return ByHand(f"there is no contract at {self.address} any more: this is another chain, or an old one")

    def _read(self, call: str, *args: Any) -> Any:
        with asking(call):
            # `self.contract` would ask the node before each call whether there is a contract.
            abi = self.contract.contract_type.view_methods[call]
            request = ContractCall(abi, self.contract.address)
            answer = request(*args, decode=False, **({} if self._at is None else {"block_id": self._at}))
            if not answer:
                raise self._gone()
            found = self.contract.provider.network.ecosystem.decode_returndata(abi, answer)
            return found[0] if isinstance(found, list | tuple) and len(found) == 1 else found


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turns every way in which the contract or the node refuses into words.

    Raises:
        Never: the contract did, at this step.
        Again: no node answered.
        MarketError: something else went wrong.
    """
    try:
        yield
    except CustomError as error:
        raise Never(f"{what}: {explain(error.name, error.inputs)}", error.name) from error
    except ContractLogicError as error:
        raise Never(f"{what}: {error}") from error
    except ApeException as error:
        # Ape passes on as its own what the connection said.
        if isinstance(error.__cause__ or error.__context__, OSError):
            raise Again(f"{what}: the node does not answer any more") from error
        raise MarketError(f"{what}: {error}") from error
    except (NoNode, Web3RPCError) as error:  # none answers, or one does by an error, as where it lacks a block
        raise Again(f"{what}: {line_of(error)}") from error
    except (OSError, Web3Exception) as error:  # nothing but the connection is opened at such a step
        raise Again(f"{what}: the node does not answer any more") from error


def _hash_of(log: ContractLog) -> str:
    return HexBytes(log.transaction_hash).to_0x_hex()


def _named(abi: Any, value: Any) -> Any:
    """A decoded struct, which ape gives as a sequence where it is one of several values, with its fields by name."""
    if abi.components is None:
        # Ape's integers are a class of their own, which is not what a signed statement holds.
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return SimpleNamespace(**{part.name: _named(part, item) for part, item in zip(abi.components, value, strict=True)})

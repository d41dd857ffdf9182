"""The typed client of the HCFL contract; the only module that talks to it.

One method for each call of `IHCFL`, one frozen value for each of its views. Addresses are checksummed strings, amounts
wei unless a name says gwei, digests 32 bytes.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ape import Contract
from ape.api import AccountAPI, ReceiptAPI
from ape.contracts import ContractInstance
from ape.exceptions import ApeException, CustomError
from ape.types import ContractLog
from ethpm_types import ContractType
from ethpm_types.abi import EventABI
from hexbytes import HexBytes

from fl.market.bids import word_count
from fl.market.history import Event
from fl.market.refusals import MarketError, explain
from fl.market.terms import Phase, Role, RoundTerms, Stage, Status

ABI = Path(__file__).with_name("HCFL.abi.json")
"""The contract's interface, for whoever has no sources; `ape run abi` writes it."""


@dataclass(frozen=True)
class Transaction:
    """A mined call.

    Attributes:
        call: the contract's function.
        sender: address.
        hash: hex.
    """

    call: str
    sender: str
    hash: str
    block: int
    gas_used: int


@dataclass(frozen=True)
class RoundState:
    """A round as `IHCFL.roundOf` shows it; pairs are (owners, base stations)."""

    status: Status
    phase: Phase
    theta_numerator: int
    model_count: int
    live: tuple[bool, ...]
    selected: int
    committed: tuple[int, int]
    points: tuple[int, int]
    revealed: tuple[int, int]
    recorders: int
    guided: bool
    votes_for: int
    votes_cast: int
    settled: int
    escrow: int


@dataclass(frozen=True)
class MemberState:
    """A member of a round as `IHCFL.memberOf` shows it."""

    stage: Stage
    role: Role
    points: int
    proposer: bool
    model: int
    recorded: bool
    listed_zero: bool
    voted: bool
    payload: int


@dataclass(frozen=True)
class ModelState:
    """A proposed model as stored."""

    proposer: str
    training_rounds: int
    owners_digest: bytes
    stations_digest: bytes


class Market:
    """One deployment of HCFL.

    Every call that changes something takes the account that sends it, waits for the receipt and notes it in
    `transactions`.

    Raises:
        MarketError: (every method) the contract or the node refused, with the reason in words.
    """

    def __init__(self, contract: ContractInstance):
        self.contract = contract
        self.transactions: list[Transaction] = []

    @classmethod
    def at(cls, address: str) -> "Market":
        """The deployment at an address of the network that ape is connected to; needs no sources.

        Raises:
            MarketError: nothing is there.
        """
        contract_type = ContractType(contractName="HCFL", abi=json.loads(ABI.read_text(encoding="utf-8")))
        try:
            contract = Contract(address, contract_type, fetch_from_explorer=False, detect_proxy=False)
            code = contract.provider.get_code(contract.address)
        except (ApeException, ValueError) as error:
            raise MarketError(f"{address}: {error}") from error
        if not code:
            raise MarketError(f"{address}: there is no contract on {contract.provider.network_choice}")
        return cls(contract)

    @property
    def address(self) -> str:
        """The contract's address."""
        return str(self.contract.address)

    @property
    def chain_id(self) -> int:
        """The chain it is deployed on."""
        return int(self.contract.provider.chain_id)

    # ── create and join ──

    def create_round(self, sender: AccountAPI, terms: RoundTerms) -> int:
        """Create a round; returns its number."""
        receipt = self._send("createRound", sender, terms.encode())
        return int(next(iter(receipt.decode_logs(self.contract.RoundCreated))).roundId)

    def deposit(self, sender: AccountAPI, amount: int) -> ReceiptAPI:
        """Add to the sender's free balance."""
        return self._send("deposit", sender, value=amount)

    def join(
        self,
        sender: AccountAPI,
        round_id: int,
        role: Role,
        points: int = 1,
        proof: Sequence[bytes] = (),
        rebates: Sequence[int] = (),
        value: int = 0,
    ) -> ReceiptAPI:
        """Join a round and lock funds: the value sent, then the free balance; `rebates` are rounds to credit first."""
        return self._send("join", sender, round_id, int(role), points, list(proof), list(rebates), value=value)

    def propose(
        self, sender: AccountAPI, round_id: int, owners_digest: bytes, stations_digest: bytes, training_rounds: int
    ) -> int:
        """Propose a model; returns its index."""
        proposal = (owners_digest, stations_digest, training_rounds)
        receipt = self._send("propose", sender, round_id, proposal)
        return int(next(iter(receipt.decode_logs(self.contract.ModelProposed))).model)

    # ── commit, reveal, select ──

    def commit_bid(self, sender: AccountAPI, round_id: int, commitment: bytes) -> ReceiptAPI:
        """Seal the sender's bids."""
        return self._send("commitBid", sender, round_id, commitment)

    def join_and_commit(
        self,
        sender: AccountAPI,
        round_id: int,
        role: Role,
        commitment: bytes,
        points: int = 1,
        proof: Sequence[bytes] = (),
        rebates: Sequence[int] = (),
        value: int = 0,
    ) -> ReceiptAPI:
        """Join and seal in one call."""
        return self._send(
            "joinAndCommit", sender, round_id, int(role), points, list(proof), list(rebates), commitment, value=value
        )

    def reveal_bid(self, sender: AccountAPI, round_id: int, words: Sequence[int], salt: bytes) -> ReceiptAPI:
        """Open the sender's commitment."""
        return self._send("revealBid", sender, round_id, list(words), salt)

    def select_model(self, sender: AccountAPI, round_id: int) -> ReceiptAPI:
        """Select, or find that nothing is worth training, or cancel."""
        return self._send("selectModel", sender, round_id)

    # ── train, report, vote ──

    def record_global_round(
        self, sender: AccountAPI, round_id: int, epoch: int, model_digest: bytes, updates_root: bytes
    ) -> ReceiptAPI:
        """Record the winner's global model of an epoch."""
        return self._send("recordGlobalRound", sender, round_id, epoch, model_digest, updates_root)

    def record_update(self, sender: AccountAPI, round_id: int, epoch: int, update_digest: bytes) -> ReceiptAPI:
        """Record a base station's update of an epoch."""
        return self._send("recordUpdate", sender, round_id, epoch, update_digest)

    def report_contributions(
        self,
        sender: AccountAPI,
        round_id: int,
        stations: Sequence[str],
        points: Sequence[int],
        words: Sequence[int] = (),
    ) -> ReceiptAPI:
        """List base stations with their points; `words` are their packed bids in a row (contribution policy)."""
        return self._send("reportContributions", sender, round_id, list(stations), list(points), list(words))

    def report_result(
        self, sender: AccountAPI, round_id: int, model_digest: bytes, opening: tuple[int, bytes, bytes]
    ) -> ReceiptAPI:
        """Report the trained model and open the claim."""
        return self._send("reportResult", sender, round_id, model_digest, opening)

    def abort_training(self, sender: AccountAPI, round_id: int, winner_words: Sequence[int]) -> ReceiptAPI:
        """End a round whose winner never reported."""
        return self._send("abortTraining", sender, round_id, list(winner_words))

    def vote(self, sender: AccountAPI, round_id: int, punish: bool, measured_accuracy_bps: int) -> ReceiptAPI:
        """Vote on the winner's punishment."""
        return self._send("vote", sender, round_id, punish, measured_accuracy_bps)

    # ── settle ──

    def settle(self, sender: AccountAPI, round_id: int, member: str, words: Sequence[int]) -> ReceiptAPI:
        """Settle one member."""
        return self._send("settle", sender, round_id, member, list(words))

    def settle_many(
        self, sender: AccountAPI, round_id: int, members: Sequence[str], words: Sequence[int]
    ) -> ReceiptAPI:
        """Settle many members; `words` are their packed bids one after the other."""
        return self._send("settleMany", sender, round_id, list(members), list(words))

    def claim_rebate(self, sender: AccountAPI, round_id: int) -> ReceiptAPI:
        """Credit what the round recycles to the sender."""
        return self._send("claimRebate", sender, round_id)

    def withdraw(self, sender: AccountAPI, amount: int) -> ReceiptAPI:
        """Send free balance to its owner."""
        return self._send("withdraw", sender, amount)

    # ── views ──

    def round_state(self, round_id: int) -> RoundState:
        """A round's state now."""
        view = self._read("roundOf", round_id)
        return RoundState(
            status=Status(view.status),
            phase=Phase(view.phase),
            theta_numerator=view.thetaNumerator,
            model_count=view.modelCount,
            live=tuple(bool(view.live >> m & 1) for m in range(view.modelCount)),
            selected=view.selected,
            committed=(view.committed[0], view.committed[1]),
            points=(view.points[0], view.points[1]),
            revealed=(view.revealed[0], view.revealed[1]),
            recorders=view.recorders,
            guided=view.guided,
            votes_for=view.votesFor,
            votes_cast=view.votesCast,
            settled=view.settled,
            escrow=view.escrow,
        )

    def member_state(self, round_id: int, account: str) -> MemberState:
        """A member's state now."""
        view = self._read("memberOf", round_id, account)
        return MemberState(
            stage=Stage(view.stage),
            role=Role(view.role),
            points=view.points,
            proposer=view.proposer,
            model=view.model,
            recorded=view.recorded,
            listed_zero=view.listedZero,
            voted=view.voted,
            payload=view.payload,
        )

    def model_state(self, round_id: int, model: int) -> ModelState:
        """A proposed model."""
        view = self._read("modelOf", round_id, model)
        return ModelState(str(view.proposer), view.trainingRounds, bytes(view.ownersDigest), bytes(view.stationsDigest))

    def sums(self, round_id: int) -> tuple[list[int], list[int]]:
        """Values and costs of each model, gwei."""
        values, costs = self._read("sumsOf", round_id)
        return list(values), list(costs)

    def free_balance(self, account: str) -> int:
        """Wei of an account that no round holds."""
        return int(self._read("freeBalance", account))

    def rebate(self, round_id: int, account: str) -> int:
        """Wei that `claim_rebate` would pay."""
        return int(self._read("rebateOf", round_id, account))

    def zero_words(self, models: int) -> list[int]:
        """The packed bids of a member that never revealed."""
        return [0] * word_count(models)

    # ── logs ──

    def events(self, round_id: int) -> list[Event]:
        """Every log of a round, in the order of the chain."""
        abis = [abi for abi in self.contract.contract_type.events if abi.inputs[0].name == "roundId"]
        inputs = {abi.name: {each.name: each for each in abi.inputs} for abi in abis}
        return [
            Event(log.event_name, {k: _named(inputs[log.event_name][k], v) for k, v in log.event_arguments.items()})
            for log in self._logs(abis, [None, HexBytes(round_id.to_bytes(32, "big"))])
        ]

    def _logs(self, abis: Sequence[EventABI], topics: Sequence[Any]) -> list[ContractLog]:
        provider = self.contract.provider
        query = {"address": self.contract.address, "fromBlock": self._first_block(), "topics": list(topics)}
        logs = self._guard("logs", lambda: provider.web3.eth.get_logs(query))
        return list(provider.network.ecosystem.decode_logs([dict(log) for log in logs], *abis))

    def _first_block(self) -> int:
        receipt = self.contract.creation_metadata
        return 0 if receipt is None else int(receipt.block)

    def balance_of(self, account: str) -> int:
        """Wei of an account, free and locked, over all rounds."""
        locked = 0
        for round_id in range(1, int(self._read("roundCount")) + 1):
            member = self.member_state(round_id, account)
            if member.stage in (Stage.JOINED, Stage.COMMITTED, Stage.REVEALED):
                points = member.points if member.role is Role.OWNER else 1
                locked += int(self._read("lockOf", round_id, int(member.role), points))
        return self.free_balance(account) + locked

    def unaccounted(self) -> int:
        """Wei that the contract holds beyond all free balances and escrows: 0, unless ether was forced on it."""
        abis = [self.contract.contract_type.events[name] for name in ("Deposited", "Joined", "MemberSettled")]
        accounts = set()
        for log in self._logs(abis, topics=[]):
            accounts.add(str(log.event_arguments.get("account") or log.event_arguments["member"]))
        free = sum(self.free_balance(account) for account in accounts)
        rounds = range(1, int(self._read("roundCount")) + 1)
        return int(self.contract.balance) - free - sum(self.round_state(each).escrow for each in rounds)

    # ── how ──

    def _send(self, call: str, sender: AccountAPI, *args: Any, value: int = 0) -> ReceiptAPI:
        receipt = self._guard(call, lambda: getattr(self.contract, call)(*args, sender=sender, value=value))
        self.transactions.append(
            Transaction(call, str(sender.address), str(receipt.txn_hash), receipt.block_number, receipt.gas_used)
        )
        return receipt

    def _read(self, call: str, *args: Any) -> Any:
        return self._guard(call, lambda: getattr(self.contract, call)(*args))

    def _guard(self, call: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except CustomError as error:
            raise MarketError(f"{call}: {explain(error.name, error.inputs)}") from error
        except ApeException as error:
            raise MarketError(f"{call}: {error}") from error


def _named(abi: Any, value: Any) -> Any:
    """A decoded struct, which ape gives as a list, as a dictionary by the names of its fields."""
    if abi.components is None:
        return value
    return {part.name: _named(part, item) for part, item in zip(abi.components, value, strict=True)}

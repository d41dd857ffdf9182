"""Transactions that survive: each is written down before it leaves, and looked for before anything is sent again.

The journal is the memory and the chain the judge. What is signed stays open until it is mined; a node that has lost it,
or a chain that was reorganised, is given the same bytes again, so that nothing is ever done twice. Nobody waits here
for a block to be final, for deadlines go on: what must not be undone (`fl.members.rounds`) waits before it is sent. Of
the machine's clock only differences are used, and only for how long to wait between looks.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

from ape.api import AccountAPI, ProviderAPI, ReceiptAPI, TransactionAPI
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils import keccak, to_bytes
from hexbytes import HexBytes
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3Exception, Web3RPCError

from fl.faults import Fault, line_of
from fl.market.refusals import Again, ByHand, MarketError, Never, explain
from fl.market.terms import GWEI
from fl.members.journal import Journal, Recorded, Signed, State

log = logging.getLogger("hcfl")

MOST_GAS = 2**24
"""Gas that one transaction may take (EIP-7825)."""

NEW_SLOT = 17_100
"""Gas that filling an empty storage slot takes beyond changing one."""

FILLING = "fill a gap"
"""The call, in words, of a transaction that only takes a nonce that another left."""

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """How transactions are sent.

    Attributes:
        fee_cap: wei a gas that are never exceeded, tip included.
        patience: seconds that a transaction may be pending, while blocks pass that it could be in, until its fees are
            raised; and that one which is not in the journal may be in the way until that is believed.
        silence: seconds that no node may answer until the member is told.
        longest: seconds until the member is told that a transaction is not mined.
        pause: seconds between two looks, at most.
    """

    fee_cap: int = 500 * GWEI
    patience: float = 60
    silence: float = 60
    longest: float = 1_800
    pause: float = 1


@dataclass(frozen=True)
class Fees:
    """What is paid for gas (EIP-1559), wei a gas.

    Attributes:
        most: tip and base fee together at most.
        tip: for who builds the block.
    """

    most: int
    tip: int


def fees_for(base_fee: int, tip: int, cap: int) -> Fees:
    """Fees that last while the base fee doubles, which takes six full blocks; never above the cap."""
    most = min(2 * base_fee + tip, cap)
    return Fees(most, min(tip, most))


def raised(old: Fees, wanted: Fees, cap: int) -> Fees | None:
    """Fees that replace a pending transaction: both an eighth higher, or what is wanted now if that is more.

    Nodes ask for a tenth more of both, some for an eighth. At the cap a tenth is enough.

    Returns:
        None: that is not possible below the cap.
    """
    most = max(wanted.most, old.most + _part(old.most, 8))
    tip = max(wanted.tip, old.tip + _part(old.tip, 8))
    new = Fees(min(most, cap), min(tip, most, cap))
    if new.most < old.most + _part(old.most, 10) or new.tip < old.tip + _part(old.tip, 10):
        return None
    return new


def _part(amount: int, divisor: int) -> int:
    """A part of an amount, rounded up; at least 1."""
    return max(1, -(-amount // divisor))


def gas_limit(estimate: int, data: bytes, block_limit: int) -> int:
    """The limit for a transaction that was estimated.

    What others do in between can make it dearer: the first reveal of a side fills a new slot for each word of bids,
    which those after it find filled; a first credit fills one. What is not used is not paid.

    Args:
        estimate: gas, in the state of now.
        data: the call; it writes about as many slots as it has words.
        block_limit: gas of a block.
    """
    slots = min(max(len(data) // 32, 4), 20)  # 20: a reveal of 64 models
    return max(estimate, min(estimate + estimate // 4 + slots * NEW_SLOT, block_limit, MOST_GAS))


def key_of(receiver: str, value: int, data: bytes) -> bytes:
    """What a transaction asks for, as 32 bytes."""
    return keccak(to_bytes(hexstr=receiver) + value.to_bytes(32, "big") + data)


class _Busy(Again):
    """The node is there, and has no time."""


class _Poor(ByHand):
    """The account has too little ether."""


class Answer(Enum):
    """What a node means that refuses a transaction."""

    KNOWN = auto()
    LOW_NONCE = auto()
    LOW_FEE = auto()
    NO_FUNDS = auto()
    GAS = auto()
    BUSY = auto()
    OTHER = auto()


_WORDS: Mapping[
    Answer, str
] = {  # without anything but letters, as Geth, Erigon, Nethermind, Besu, anvil, Hardhat say it
    Answer.KNOWN: "alreadyknown|alreadyimported|knowntransaction|samehash|alreadyexists",
    Answer.NO_FUNDS: "insufficientfunds|enoughfunds|upfrontcostexceeds|insufficientbalance",
    Answer.LOW_FEE: "underpriced|feetoolow|replacementnotallowed|lessthanblockbasefee|toolowforthenextblock"
    "|notreplaceexisting|minimumgasprice",
    Answer.LOW_NONCE: "noncetoolow|nonceistoolow|oldnonce",
    Answer.GAS: "intrinsicgas|exceedsblockgaslimit|gaslimitexceeded|gaslimittoohigh|exceedsgaslimit|outofgas"
    "|gasrequiredexceeds|requiresatleast",
    Answer.BUSY: "ratelimit|toomanyrequests|limitexceeded|poolisfull|timeout|timedout|capacity|tryagain|internalerror"
    "|unavailable|headernotfound|missingtrienode|unknownblock",
}


def answer_of(error: Web3RPCError) -> Answer:
    """What a node means with an error."""
    said = re.sub("[^a-z]", "", str(error).lower())
    return next((answer for answer, words in _WORDS.items() if re.search(words, said)), Answer.OTHER)


@dataclass(frozen=True)
class _Head:
    """The chain as a node has it.

    Attributes:
        number: of the newest block.
        base_fee: of that block, wei a gas.
        gas_limit: of that block.
        count: how many transactions of the account are in the chain: the next nonce.
    """

    number: int
    base_fee: int
    gas_limit: int
    count: int


@dataclass
class _Errand:
    """What `send` was asked for; the nonce is None until there is a transaction for it."""

    account: AccountAPI
    call: str
    transaction: TransactionAPI
    key: bytes
    nonce: int | None = None


@dataclass(frozen=True)
class _Pending:
    """Since when, by the machine, and since which block a transaction is pending."""

    since: float
    block: int


class Journaled:
    """An outbox over a journal, for one account.

    Raises:
        Again: (every method) the node is away or busy, or a transaction takes its time; it is found again.
        Never: the contract refuses, with the reason.
        ByHand: somebody must do something, the text says what.
        JournalError: the journal cannot be written to; nothing was sent.
    """

    def __init__(
        self,
        journal: Journal,
        provider: ProviderAPI,
        settings: Settings | None = None,
        say: Callable[[str], None] = log.warning,
    ):
        """Send through a provider.

        Args:
            journal: of the account that sends.
            provider: ape's, connected; its web3 is what is asked.
            settings: how.
            say: told, in one line, what the member's owner should know now.
        """
        self._journal = journal
        self._provider = provider
        self._settings = settings or Settings()
        self._say = say
        self._pending: dict[int, _Pending] = {}  # by nonce
        self._missing: dict[int, float] = {}  # by nonce, since when the chain has it and no receipt of ours
        self._receipts: dict[bytes, Mapping[str, Any]] = {}  # by hash, of what was mined
        self._strange: float | None = None  # since when a transaction is pending that is not in the journal
        self._told: set[str] = set()

    def send(self, account: AccountAPI, call: str, transaction: TransactionAPI) -> ReceiptAPI:
        """Have a transaction mined; one that is on its way already and asks for the same is followed instead.

        Args:
            account: that signs it.
            call: of the contract, for messages.
            transaction: receiver, data and value.

        Returns:
            Its receipt, once it is mined; it succeeded.
        """
        self._check(account)
        key = key_of(str(transaction.receiver), transaction.value, bytes(transaction.data))
        errand = _Errand(account, call, transaction, key)
        return self._until(call, lambda: self._further(errand))

    def tend(self, account: AccountAPI) -> bool:
        """Look after all that is open: what was mined, what a node has lost, what is stuck.

        What this finds mined is not followed by `send` any more: read what to do next from the chain after it.

        Returns:
            Whether all that was ever signed is in the chain.
        """
        self._check(account)
        try:
            return self._tend(self._head(), account)
        except (OSError, Web3Exception) as error:
            raise Again(f"look after transactions: {_why(error)}") from error

    def _check(self, account: AccountAPI) -> None:
        journal = self._journal
        if (str(account.address).lower(), self._provider.chain_id) != (journal.account.lower(), journal.chain_id):
            raise ByHand(
                f"journal {journal.path} is of {journal.account} on chain {journal.chain_id}, not of {account.address} "
                f"on chain {self._provider.chain_id}: each account has one of its own on each chain"
            )

    def _until(self, call: str, look: Callable[[], T | None]) -> T:
        """Look again until there is something."""
        begun = answered = time.monotonic()
        pause = self._settings.pause / 32
        while True:
            try:
                if (found := look()) is not None:
                    return found
                answered = time.monotonic()
            except (OSError, Web3Exception, _Busy) as error:
                if time.monotonic() - answered > self._settings.silence:
                    raise Again(f"{call}: {_why(error)}; what has left is in the journal, try again later") from error
            if time.monotonic() - begun > self._settings.longest:
                raise Again(
                    f"{call}: not mined after {self._settings.longest:g} s; ask for the same again to follow it"
                )
            time.sleep(pause)
            pause = min(2 * pause, self._settings.pause)

    def _further(self, errand: _Errand) -> ReceiptAPI | None:
        """One look, and what follows from it."""
        head = self._head()
        if errand.nonce is None:  # before the next line, which may find that it is mined
            errand.nonce = next((each.nonce for each in self._open() if each.key == errand.key), None)
        in_the_chain = self._tend(head, errand.account)
        if errand.nonce is None:
            # Until then an estimate would be one for another state, and nonces might get a gap.
            if not in_the_chain or not self._alone(head):
                return None
            signed = self._sign(errand, head)
            errand.nonce = signed.nonce
            self._pending[signed.nonce] = _Pending(time.monotonic(), head.number)
            self._post(signed)
            self._tend(self._head(), errand.account)
        return self._outcome(errand)

    def _outcome(self, errand: _Errand) -> ReceiptAPI | None:
        """The receipt of what was mined."""
        rows = [each for each in self._journal.transactions() if (each.nonce, each.key) == (errand.nonce, errand.key)]
        for each in rows:
            if each.state is State.DONE:
                # From what was read: a node that is gone now cannot have it asked for, and done, again.
                return self._decoded(each, errand.transaction)
            if each.state is State.FAILED:
                raise self._failure(each, errand)
        if not any(each.state is State.OPEN for each in rows):  # another transaction took the nonce
            errand.nonce = None
        return None

    def _decoded(self, row: Recorded, transaction: TransactionAPI) -> ReceiptAPI:
        data = {
            "provider": self._provider,
            "required_confirmations": 0,
            **transaction.model_dump(by_alias=True, mode="json"),
            "nonce": row.nonce,
            "gas": row.gas,
            "gasPrice": row.price,
            "type": 2,
            **self._receipts.pop(row.hash),
        }
        return self._provider.network.ecosystem.decode_receipt(data)

    # ── looking ──

    def _head(self) -> _Head:
        """The chain now; what it does not have any more of the journal's is open again."""
        eth = self._provider.web3.eth
        block = eth.get_block("latest")
        count = int(eth.get_transaction_count(self._journal.account, block["number"]))  # not one of another moment
        if self._journal.reopen(count):
            self._say("the chain has dropped transactions that it had: they are sent again")
        return _Head(int(block["number"]), int(block.get("baseFeePerGas", 0)), int(block["gasLimit"]), count)

    def _open(self) -> tuple[Recorded, ...]:
        return self._journal.transactions(State.OPEN)

    def _receipt(self, digest: bytes) -> Mapping[str, Any] | None:
        try:
            receipt: Mapping[str, Any] = self._provider.web3.eth.get_transaction_receipt(HexBytes(digest))
        except TransactionNotFound:
            return None
        return receipt

    def _known(self, digest: bytes) -> bool:
        try:
            self._provider.web3.eth.get_transaction(HexBytes(digest))
        except TransactionNotFound:
            return False
        return True

    def _tend(self, head: _Head, account: AccountAPI) -> bool:
        in_the_chain = True
        rows = self._open()
        nonces = sorted({each.nonce for each in rows})
        if nonces and nonces[0] > head.count:
            self._bridge(head, account)
            in_the_chain = False
        for nonce in nonces:
            versions = [each for each in reversed(rows) if each.nonce == nonce]
            receipts = [(each, receipt) for each in versions if (receipt := self._receipt(each.hash)) is not None]
            if receipts:
                self._missing.pop(nonce, None)
                self._settle(*receipts[0])
            elif nonce < head.count:
                self._look_for(nonce, versions)
                in_the_chain = False
            else:
                self._push(nonce, versions, head, account)
                in_the_chain = False
        return in_the_chain

    def _settle(self, row: Recorded, receipt: Mapping[str, Any]) -> None:
        state = State.DONE if receipt["status"] else State.FAILED
        price = int(receipt.get("effectiveGasPrice", row.max_fee))
        self._journal.finish(row.hash, state, int(receipt["blockNumber"]), int(receipt["gasUsed"]), price)
        self._receipts[row.hash] = receipt
        self._pending.pop(row.nonce, None)

    def _look_for(self, nonce: int, versions: list[Recorded]) -> None:
        """The chain has a transaction of this nonce, and it seems to be none of ours.

        One of several nodes behind an address may know less than another, so this must last until it is believed.
        """
        since = self._missing.setdefault(nonce, time.monotonic())
        if time.monotonic() - since <= self._settings.patience or any(self._known(each.hash) for each in versions):
            return
        del self._missing[nonce]
        self._journal.lose(nonce)
        self._say(
            f"nonce {nonce} of {self._journal.account} was used by a transaction that is not in the journal: "
            "the account must be this member's alone"
        )

    def _push(self, nonce: int, versions: list[Recorded], head: _Head, account: AccountAPI) -> None:
        """A transaction that is not in the chain: see to it that the node has it, at a fee that somebody takes."""
        newest = versions[0]
        pending = self._pending.setdefault(nonce, _Pending(time.monotonic(), head.number))
        waited = time.monotonic() - pending.since > self._settings.patience
        if not self._known(newest.hash):
            try:
                self._post(newest)
            except ByHand as error:  # refused for good, it would be in the way of all others for good
                if not waited or newest.call == FILLING or isinstance(error, _Poor):
                    raise
                self._say(f"{error}; an empty transaction takes its nonce")
                self._fill(nonce, head, account)
                return
        too_dear = newest.max_fee < head.base_fee - head.base_fee // 8  # by which a block is cheaper at most
        if (waited or too_dear) and head.number > pending.block and nonce == head.count:
            self._replace(newest, head, account)

    def _bridge(self, head: _Head, account: AccountAPI) -> None:
        """The chain has dropped a transaction that is not in the journal, and ours cannot be mined without one."""
        if int(self._provider.web3.eth.get_transaction_count(account.address, "pending")) > head.count:
            return
        pending = self._pending.setdefault(head.count, _Pending(time.monotonic(), head.number))
        if time.monotonic() - pending.since > self._settings.patience:
            self._say(f"no transaction has nonce {head.count} of {account.address} any more: an empty one takes it")
            self._fill(head.count, head, account)

    def _fill(self, nonce: int, head: _Head, account: AccountAPI) -> None:
        empty = self._provider.network.ecosystem.create_transaction(receiver=account.address)
        key = keccak(text=f"{FILLING} {nonce}")
        self._post(self._write(account, FILLING, key, empty, nonce, 21_000, self._fees(head.base_fee)))

    def _alone(self, head: _Head) -> bool:
        """Whether no transaction of the account waits that is not in the journal; one behind it would wait as well."""
        account = self._journal.account
        if int(self._provider.web3.eth.get_transaction_count(account, "pending")) <= head.count:
            self._strange = None
            return True
        if self._strange is None:
            self._strange = time.monotonic()
        if time.monotonic() - self._strange > self._settings.patience:
            raise ByHand(
                f"a transaction of {account} with nonce {head.count} is pending that is not in the journal: "
                "have it mined, or cancelled, by the wallet that sent it"
            )
        return False

    # ── sending ──

    def _fees(self, base_fee: int) -> Fees:
        return fees_for(base_fee, int(self._provider.web3.eth.max_priority_fee), self._settings.fee_cap)

    def _sign(self, errand: _Errand, head: _Head) -> Signed:
        """Sign what is asked for, and write it down."""
        gas, fees = self._gas(errand.call, errand.transaction, head), self._fees(head.base_fee)
        needed, account = errand.transaction.value + gas * fees.most, self._journal.account
        if (has := int(self._provider.web3.eth.get_balance(account))) < needed:
            raise ByHand(
                f"{errand.call}: {account} has {has} wei, and this may take {needed} with its gas: send ether to it"
            )
        return self._write(errand.account, errand.call, errand.key, errand.transaction, head.count, gas, fees)

    def _gas(self, call: str, transaction: TransactionAPI, head: _Head) -> int:
        request = {
            "from": self._journal.account,
            "to": transaction.receiver,
            "value": transaction.value,
            "data": HexBytes(transaction.data),
        }
        try:
            # Not of the newest, which of several nodes may be one before this account's last transaction.
            estimate = int(self._provider.web3.eth.estimate_gas(request, head.number))
        except ContractLogicError as error:
            raise self._refusal(call, str(transaction.receiver), error) from error
        except Web3RPCError as error:
            raise self._sorted(call, error) from error
        return gas_limit(estimate, bytes(transaction.data), head.gas_limit)

    def _write(
        self, account: AccountAPI, call: str, key: bytes, transaction: TransactionAPI, nonce: int, gas: int, fees: Fees
    ) -> Signed:
        ready = self._provider.network.ecosystem.create_transaction(
            chain_id=self._provider.chain_id,
            sender=account.address,
            receiver=transaction.receiver,
            value=transaction.value,
            data=transaction.data,
            nonce=nonce,
            gas=gas,
            max_fee=fees.most,
            max_priority_fee=fees.tip,
            required_confirmations=0,
        )
        signed = account.sign_transaction(ready)
        if signed is None or signed.signature is None:
            raise ByHand(f"{call}: {account.address} did not sign; unlock the account")
        raw = bytes(signed.serialize_transaction())
        row = Signed(call, key, nonce, raw, keccak(raw), gas, fees.most, fees.tip)
        self._journal.sign(row)
        return row

    def _post(self, row: Signed) -> None:
        """Give a node a transaction that is in the journal."""
        try:
            self._provider.web3.eth.send_raw_transaction(row.raw)
        except Web3RPCError as error:
            # The next look tells what has become of a nonce or a fee that is too low.
            if answer_of(error) not in (Answer.KNOWN, Answer.LOW_NONCE, Answer.LOW_FEE):
                raise self._sorted(row.call, error) from error

    def _replace(self, row: Recorded, head: _Head, account: AccountAPI) -> None:
        """Send a stuck transaction again for more."""
        new = raised(Fees(row.max_fee, row.tip), self._fees(head.base_fee), self._settings.fee_cap)
        if new is None:
            self._say_once(
                f"{row.call}: stuck at {row.max_fee / GWEI:g} gwei a gas, and the fee cap is "
                f"{self._settings.fee_cap / GWEI:g}: raise the cap, or wait until gas is cheaper"
            )
            return
        fields = TypedTransaction.from_bytes(HexBytes(row.raw)).as_dict()
        if int(self._provider.web3.eth.get_balance(account.address)) < fields["value"] + row.gas * new.most:
            self._say_once(
                f"{row.call}: stuck at {row.max_fee / GWEI:g} gwei a gas, and {account.address} has too little ether "
                "to pay more: send ether to it"
            )
            return
        transaction = self._provider.network.ecosystem.create_transaction(
            receiver=HexBytes(fields["to"]).to_0x_hex(), value=fields["value"], data=HexBytes(fields["data"])
        )
        self._say(f"{row.call}: still pending; its fee is raised to {new.most / GWEI:g} gwei a gas")
        replacement = self._write(account, row.call, row.key, transaction, row.nonce, row.gas, new)
        self._pending[row.nonce] = _Pending(time.monotonic(), head.number)
        self._post(replacement)

    # ── telling ──

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(text)

    def _sorted(self, call: str, error: Web3RPCError) -> MarketError:
        said = f"{call}: the node says: {line_of(error)}"
        match answer_of(error):
            case Answer.BUSY:
                return _Busy(said)
            case Answer.NO_FUNDS:
                return _Poor(f"{said}; send ether to {self._journal.account}")
            case _:
                return ByHand(said)

    def _refusal(self, call: str, contract: str, error: ContractLogicError) -> Never:
        """A revert in words."""
        data = error.data.get("data") if isinstance(error.data, dict) else error.data  # Hardhat wraps it once more
        decode = self._provider.network.ecosystem.decode_custom_error
        found = decode(HexBytes(data), contract) if data else None
        if found is None:
            return Never(f"{call}: the contract refused: {line_of(error)}")
        return Never(f"{call}: {explain(found.name, found.inputs)}", found.name)

    def _failure(self, row: Recorded, errand: _Errand) -> MarketError:
        """Why a transaction failed in the chain: tried again on the state before its block, and on that after it."""
        assert row.block is not None
        if row.gas_used == row.gas:
            return Again(f"{row.call}: the transaction ran out of gas; its limit is worked out anew")
        receiver = str(errand.transaction.receiver)
        request = {
            "from": self._journal.account,
            "to": receiver,
            "value": errand.transaction.value,
            "data": HexBytes(errand.transaction.data),
        }
        for block in (row.block - 1, row.block):
            try:
                self._provider.web3.eth.call(request, block)
            except ContractLogicError as error:
                return self._refusal(row.call, receiver, error)
        return Never(f"{row.call}: transaction {_hex(row.hash)} failed in block {row.block}")


def _why(error: Exception) -> str:
    """Why there was no answer; the words of a library may hold an address that is somebody's secret."""
    return line_of(error) if isinstance(error, Fault) else f"the node does not answer ({type(error).__name__})"


def _hex(digest: bytes) -> str:
    return HexBytes(digest).to_0x_hex()

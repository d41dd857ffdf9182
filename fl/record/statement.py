"""What an account has done with HCFL, and what that cost and brought: from the chain alone, to the wei."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from fl.faults import Fault
from fl.market.client import Market
from fl.market.events import Event, Sent
from fl.market.refusals import MarketError
from fl.market.terms import GWEI, ROLES, Role
from fl.record.document import portable

AMOUNTS = (
    *("fee", "paid_in", "taken_out", "locked"),
    *("share", "tax", "slashed", "reward", "bonus", "lot", "free"),
)
"""Of a line, wei."""

_CALLS = {
    "deposit": "paid in",
    "withdraw": "took out",
    "createRound": "created the round",
    "join": "joined",
    "propose": "proposed a model",
    "commitBid": "sealed its bids",
    "joinAndCommit": "joined and sealed its bids",
    "drawClaimant": "drew the claimant",
    "revealBid": "revealed its bids",
    "selectModel": "had the model selected",
    "recordGlobalRound": "recorded a global model",
    "recordUpdate": "recorded an update",
    "reportContributions": "listed contributions",
    "reportResult": "reported its model",
    "abortTraining": "ended a training that was never reported",
    "vote": "voted",
    "settle": "settled a member",
    "settleMany": "settled members",
    "claimLot": "claimed the lot",
}
_ROLE_WORDS = {role: word for word, role in ROLES.items()}


class StatementError(Fault, RuntimeError):
    """What was found does not add up to what the chain says."""


@dataclass(frozen=True)
class Line:
    """One transaction, as far as it is about the account. Amounts are wei.

        free = paid_in − taken_out − locked − share − tax − slashed + reward + bonus + lot

    Attributes:
        round: number of the round; None: it was about none.
        sender: who sent it, and paid the fee.
        transaction: its hash.
        why: in words.
        fee: of its gas, if the account sent it; else 0.
        paid_in: ether that came into the contract for the account.
        taken_out: ether that left it.
        locked: what a join locked; less, negative, what a settlement released.
        share: what an owner paid for the model.
        tax: Clarke tax.
        slashed: of the bond.
        reward: what a base station was paid.
        bonus: what it got back of the contribution stakes, less its own.
        lot: what it got as claimant.
        free: by how much its free balance grew.
    """

    block: int
    time: int
    round: int | None
    why: str
    sender: str
    transaction: str
    gas_used: int = 0
    fee: int = 0
    paid_in: int = 0
    taken_out: int = 0
    locked: int = 0
    share: int = 0
    tax: int = 0
    slashed: int = 0
    reward: int = 0
    bonus: int = 0
    lot: int = 0

    @property
    def free(self) -> int:
        """See above."""
        return self.paid_in - self.taken_out - self.locked + self.net

    @property
    def net(self) -> int:
        """What the round made it richer by."""
        return self.reward + self.bonus + self.lot - self.share - self.tax - self.slashed

    @property
    def amounts(self) -> dict[str, int]:
        """By name."""
        return {name: getattr(self, name) for name in AMOUNTS}

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it, and CSV."""
        return {**asdict(self), "free": self.free}


@dataclass(frozen=True)
class Part:
    """A round's sum for the account.

    Attributes:
        role: its side; None: it was no member.
        status: of the round.
    """

    round: int
    role: Role | None
    status: str
    lines: tuple[Line, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        role = None if self.role is None else _ROLE_WORDS[self.role]
        head = {"round": self.round, "role": role, "status": self.status}
        return {**head, "transactions": len(self.lines), **sums(self.lines)}


@dataclass(frozen=True)
class Statement:
    """All of an account.

    Attributes:
        account: its address.
        block: number of the block up to which everything is in it.
        lines: in the order of the chain.
        rounds: those that it had to do with.
        unseen: transactions of the account that left no log here and that the node does not have any more.
    """

    account: str
    chain_id: int
    contract: str
    block: int
    lines: tuple[Line, ...]
    rounds: tuple[Part, ...]
    unseen: int

    @property
    def total(self) -> dict[str, int]:
        """The sums of all lines, wei."""
        return sums(self.lines)

    def to_json(self) -> dict[str, Any]:
        """Amounts are wei; beyond 2^53 they are text, for many readers know doubles only."""
        head = {name: getattr(self, name) for name in ("account", "chain_id", "contract", "block", "unseen")}
        rest = {
            "lines": [each.to_json() for each in self.lines],
            "rounds": [each.to_json() for each in self.rounds],
            "total": self.total,
        }
        found: dict[str, Any] = portable({**head, **rest})
        return found

    def to_csv(self) -> str:
        """One line for each transaction; amounts are wei."""
        text = io.StringIO()
        rows = [each.to_json() for each in self.lines]
        names = [*Line.__dataclass_fields__, "free"]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def told(self) -> list[str]:
        """As a table, amounts in gwei."""
        head = ("block", "time", "round", "what", "gas", *(name.replace("_", " ") for name in AMOUNTS))
        rows = [head]
        for line in self.lines:
            time = datetime.fromtimestamp(line.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
            number = "" if line.round is None else str(line.round)
            gas = f"{line.gas_used:,}" if line.gas_used else ""
            rows.append((str(line.block), time, number, line.why, gas, *_cells(line.amounts)))
        for part in self.rounds:
            rows.append(("", "", str(part.round), f"round: {part.status}", "", *_cells(sums(part.lines))))
        rows.append(("", "", "", "all", "", *_cells(self.total)))
        lines = [f"{self.account} at {self.contract} on chain {self.chain_id}, up to block {self.block}; gwei", ""]
        lines += _aligned(rows)
        if self.unseen:
            lines.append(
                f"{self.unseen} further transactions of this account left no log here, and the node does not keep what "
                "would tell them: ask an archive node for the fees of those that were refused"
            )
        return lines


def sums(lines: Iterable[Line]) -> dict[str, int]:
    """Of each amount, and `net`, what the rounds made it richer by, wei."""
    lines = list(lines)
    net = sum(each.net for each in lines)
    return {**{name: sum(getattr(each, name) for each in lines) for name in AMOUNTS}, "net": net}


# ── from the chain ──


def statement_of(market: Market, account: str) -> Statement:
    """Everything up to the newest block.

    Raises:
        MarketError: the node does not answer.
        StatementError: it does not add up to the free balance on chain.
    """
    head = market.block("latest").number
    events = market.events_about(account, head)
    sent, unseen = _sent_by(market, account, events, head)
    joined = {event.values["roundId"]: event for event in events if event.name == "Joined"}
    locks = {
        number: market.terms(number)[0].lock(Role(event.values["role"]), event.values["points"])
        for number, event in joined.items()
    }
    lines = tuple(_lines(market, account, events, sent, locks))
    parts = []
    for number in sorted({line.round for line in lines if line.round is not None}):
        role = Role(joined[number].values["role"]) if number in joined else None
        status = market.round_state(number).status.name.lower().replace("_", " ")
        parts.append(Part(number, role, status, tuple(line for line in lines if line.round == number)))
    free, found = market.at_block(head).free_balance(account), sum(line.free for line in lines)
    if free != found:
        raise StatementError(
            f"{account} has {free} wei free at block {head}, and its transactions make {found}: "
            "the node does not give all logs of the contract; ask another"
        )
    return Statement(account, market.chain_id, market.address, head, lines, tuple(parts), unseen)


def _sent_by(market: Market, account: str, events: Sequence[Event], head: int) -> tuple[dict[str, Sent], int]:
    """The account's own transactions, those that were refused among them, and how many are not to be had."""
    found: dict[int, Sent] = {}

    def add(each: Sent) -> None:
        if each.sender == account:
            found[each.nonce] = each

    for digest in dict.fromkeys(event.transaction for event in events):
        add(market.sent(digest))
    first = max(0, market.first_block - 1)
    try:
        for block in _blocks_with_more(market, account, found, first, head):
            for each in market.sent_in(block, account):
                add(each)
    except MarketError:  # it keeps no states that are so old: what left a log in the account's rounds is still there
        for number in sorted({event.values["roundId"] for event in events if "roundId" in event.values}):
            for digest in dict.fromkeys(event.transaction for event in market.events(number, last_block=head)):
                add(market.sent(digest))
    last = market.sent_count(account, head)
    unseen = last - min(found) - len(found) if found else 0
    ours = {event.transaction for event in events}
    return {each.hash: each for each in found.values() if each.call is not None or each.hash in ours}, unseen


def _blocks_with_more(market: Market, account: str, found: Mapping[int, Sent], low: int, high: int) -> Iterator[int]:
    """Blocks after `low` with transactions of the account that are not found yet."""
    counts = {block: market.sent_count(account, block) for block in (low, high)}
    ranges = [(low, high)]
    while ranges:
        low, high = ranges.pop()
        if all(nonce in found for nonce in range(counts[low], counts[high])):
            continue
        if high - low == 1:
            yield high
            continue
        middle = (low + high) // 2
        counts[middle] = market.sent_count(account, middle)
        ranges += [(middle, high), (low, middle)]


def _lines(
    market: Market, account: str, events: Sequence[Event], sent: Mapping[str, Sent], locks: Mapping[int, int]
) -> Iterator[Line]:
    about: dict[tuple[str, int | None], list[Event]] = {}
    for event in events:
        about.setdefault((event.transaction, event.values.get("roundId")), []).append(event)
    told = {digest for digest, _ in about}
    silent = [(each.hash, each.round_id) for each in sent.values() if each.hash not in told]
    places = {(digest, number): (found[0].block, found[0].log_index) for (digest, number), found in about.items()}
    places |= {(digest, number): (sent[digest].block, -1) for digest, number in silent}
    paid: set[str] = set()
    for digest, number in sorted(places, key=places.__getitem__):
        found, own = about.get((digest, number), []), sent.get(digest)
        moved = [event for event in found if event.name in _MOVES]
        if own is None and not moved:
            continue  # what others did that moved nothing of it
        amounts = _amounts(moved, 0 if number is None else locks.get(number, 0))
        if own is None:
            sender, words = market.sent(digest).sender, ", ".join(_MOVES[event.name] for event in moved)
            yield Line(moved[0].block, moved[0].time, number, f"{words}, by {sender}", sender, digest, **amounts)
            continue
        fee = {} if digest in paid else {"gas_used": own.gas_used, "fee": own.fee}
        paid.add(digest)
        words = _CALLS.get(own.call or "", "through another contract")
        if not own.done:
            words = f"refused: {own.call}"
        yield Line(own.block, own.time, number, _why(words, moved), account, digest, **fee, **amounts)


def _why(words: str, moved: Sequence[Event]) -> str:
    settled = any(event.name == "MemberSettled" for event in moved)
    return f"{words}: itself" if settled else words


_MOVES = {
    "Deposited": "paid in",
    "Withdrawn": "took out",
    "Joined": "joined",
    "MemberSettled": "settled",
    "LotClaimed": "claimed the lot",
}
"""What moves wei of the account that a log names, in words."""


def _amounts(events: Sequence[Event], lock: int) -> dict[str, int]:
    """What the logs of one transaction move for the account they name."""
    found = dict.fromkeys(("paid_in", "taken_out", "locked", "share", "tax", "slashed", "reward", "bonus", "lot"), 0)
    for event in events:
        values = event.values
        match event.name:
            case "Deposited":
                found["paid_in"] += values["amount"]
            case "Withdrawn":
                found["taken_out"] += values["amount"]
            case "Joined":
                found["paid_in"] += values["value"]
                found["locked"] += lock
            case "MemberSettled":
                found["locked"] -= lock
                for name in ("share", "tax", "slashed", "reward", "bonus"):
                    found[name] += values[name]
            case "LotClaimed":
                found["lot"] += values["amount"]
    return {name: wei for name, wei in found.items() if wei}


# ── as text ──


def gwei_text(wei: int) -> str:
    """Wei as gwei, exactly; nothing for 0."""
    if not wei:
        return ""
    whole, rest = divmod(abs(wei), GWEI)
    return ("-" if wei < 0 else "") + f"{whole:,}" + (f".{rest:09}".rstrip("0") if rest else "")


def _cells(amounts: Mapping[str, int]) -> list[str]:
    return [gwei_text(amounts[name]) for name in AMOUNTS]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < 4 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines

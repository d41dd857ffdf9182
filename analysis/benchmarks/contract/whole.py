"""Whole rounds of any size, every transaction real, on HCFL and on the naive contract."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from analysis.benchmarks.contract.figures import BATCH, Case
from analysis.benchmarks.contract.naive import NaiveRound
from analysis.benchmarks.contract.stage import stage, words_of
from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import LiveRound, Seat
from fl.market.terms import DRAW_DELAY

MOST_MODELS = 10
GLOBAL_ROUNDS = 1  # that every proposal names
ALONE = 4  # members a side that are settled alone before the others are in batches


@dataclass
class Tally:
    """Gas of the transactions of one kind."""

    transactions: int = 0
    gas: int = 0
    largest: int = 0

    def add(self, gas: int) -> None:
        self.transactions += 1
        self.gas += gas
        self.largest = max(self.largest, gas)


@dataclass
class RoundGas:
    """What a whole round took.

    Attributes:
        contract: "HCFL" or "naive".
        members: of both sides.
        models: that were proposed.
        tallies: gas by case; cases differ where storage slots are written for the first time.
    """

    contract: str
    members: int
    models: int
    tallies: dict[Case, Tally] = field(default_factory=dict)

    @property
    def gas(self) -> int:
        return sum(tally.gas for tally in self.tallies.values())

    @property
    def transactions(self) -> int:
        return sum(tally.transactions for tally in self.tallies.values())

    @property
    def largest(self) -> int:
        """Of one transaction."""
        return max(tally.largest for tally in self.tallies.values())

    def send(self, call: Call, who: str) -> None:
        self.add(call.function, who, call.send().gas_used)

    def add(self, function: str, who: str, gas: int) -> None:
        self.tallies.setdefault(Case(function, who), Tally()).add(gas)

    def send_each(self, call: Callable[[Seat], Call], seats: Sequence[Seat], who: str, first: str = "") -> None:
        """Send one call for each seat; the first of them goes first, and counts as another case if `first` names it."""
        calls = [call(seat) for seat in seats]
        if first and calls:
            self.send(calls.pop(0), first)
        if calls:
            for sent, receipt in zip(calls, calls[0].market.send_together(calls), strict=True):
                self.add(sent.function, who, receipt.gas_used)


def models_of(members: int) -> int:
    """Ten, or as many as there are owners to propose one each."""
    return min(MOST_MODELS, members // 2)


def play(market: Market, members: int, *, alone: int = 0, batch: int = BATCH) -> RoundGas:
    """Play a round of HCFL to its lot; the chain is left as it was.

    Join, propose, commit, draw, reveal, select, an update by every base station and one by the winner (the proposals
    name one global round), report, every vote, settlement in batches, the lot. About half of the members pay a tax.

    Args:
        market: the contract.
        members: of both sides, a multiple of 4, at least 8.
        alone: members a side that are settled alone before the others: a multiple of 2.
        batch: members a settlement after them.
    """
    spent = RoundGas("HCFL", members, models_of(members))
    with market.chain.snapshot():
        with market.recording() as receipts:
            round_ = stage(market, spent.models, members // 2)
        ((function, receipt),) = receipts
        spent.add(function, "anyone", receipt.gas_used)
        _enter(spent, round_)
        _draw_and_reveal(spent, round_)
        spent.send(round_.select(), "anyone")
        _train(spent, round_)
        _settle(spent, round_, alone, batch)
        spent.send(round_.claim_lot(round_.to_be_drawn), "returning")
        kept = round_.state.escrow
        assert kept <= members, f"{kept} wei are kept, more than shares and rewards are rounded by"
    return spent


def play_naive(market: Market, model: LiveRound) -> RoundGas:
    """Play a round of the naive contract like `model`, settlement included; the chain is left as it was."""
    with market.chain.snapshot():
        spent, round_ = until_settlement(market, model)
        spent.send(round_.settle(), "everybody, and the lot")
    return spent


def until_settlement(market: Market, model: LiveRound) -> tuple[RoundGas, NaiveRound]:
    """Play a round of the naive contract like `model` up to the call that settles it."""
    spent = RoundGas("naive", len(model.members), len(model.proposers))
    with market.recording() as receipts:
        round_ = NaiveRound.like(market, model)
    ((function, receipt),) = receipts
    spent.add(function, "anyone", receipt.gas_used)
    _enter(spent, round_)
    _draw_and_reveal(spent, round_)
    round_.wait_for("reveal")
    spent.send(round_.select(), "anyone")
    round_.wait_for("select")
    _train(spent, round_)
    round_.wait_for("vote")
    return spent, round_


def _sides(round_: LiveRound | NaiveRound) -> tuple[tuple[str, tuple[Seat, ...]], ...]:
    return (("owner", round_.owners), ("base station", round_.stations))


def _enter(spent: RoundGas, round_: LiveRound | NaiveRound) -> None:
    """Join, propose, commit."""
    for side, seats in _sides(round_):
        spent.send_each(round_.join, seats, f"{side}, new, exact value sent", f"{side}, new, exact value sent, first")
    spent.send_each(lambda seat: round_.propose(seat, GLOBAL_ROUNDS), round_.proposers, "later", "first")
    round_.wait_for("join")
    proposing = len(round_.proposers)
    spent.send_each(round_.commit_bid, round_.proposers, "proposer", "proposer, first")
    spent.send_each(round_.commit_bid, [*round_.owners[proposing:], *round_.stations], "not a proposer")


def _draw_and_reveal(spent: RoundGas, round_: LiveRound | NaiveRound) -> None:
    """All but the claimant reveal."""
    round_.wait_for("commit", DRAW_DELAY)
    spent.add("drawClaimant", "anyone", round_.send_draw().gas_used)
    for side, seats in _sides(round_):
        revealing = [seat for seat in seats if seat != round_.to_be_drawn]
        spent.send_each(round_.reveal_bid, revealing, f"{side}, later", f"{side}, first")


def _train(spent: RoundGas, round_: LiveRound | NaiveRound) -> None:
    """Record, report, vote; the first proposer wins. The naive contract takes no report before the train deadline."""
    winner = round_.proposers[0]
    spent.send_each(round_.record_update, round_.stations, "its only global round", "its only global round, first")
    spent.send(round_.record_global_round(winner), "first")
    if isinstance(round_, NaiveRound):
        round_.wait_for("train")
    spent.send(round_.report_result(winner), "winner")
    spent.send_each(round_.vote, round_.owners[1:], "later", "first")


def _settle(spent: RoundGas, round_: LiveRound, alone: int, batch: int) -> None:
    """Members of even number pay a tax: see `contested_bids`."""
    for side, seats in _sides(round_):
        for index, seat in enumerate(seats[:alone]):
            tax = "no tax" if index % 2 else "later tax" if index else "first tax"
            spent.send(round_.settle(seat, bids=words_of(round_, seat)), f"{side}, new, {tax}")
    owners, stations = round_.owners[alone:], round_.stations[alone:]
    half = batch // 2
    for start in range(0, len(owners), half):
        together = [*owners[start : start + half], *stations[start : start + half]]
        words = [word for seat in together for word in words_of(round_, seat)]
        accounts = [seat.account for seat in together]
        call = round_.call("settleMany", accounts, words, sender=round_.owners[0])
        first = ", first" if start == 0 and alone == 0 else ""
        spent.send(call, f"{len(together)} members, new{first}")

"""Builds calls: what an honest member would send next, and any call at any time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils import keccak
from hypothesis import strategies as st

from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import Opening
from fl.market.bids import MAX_BID, SealedBid
from fl.market.membership import Entry
from fl.market.terms import Phase, Role
from tests.analysis.round_strategies import bids, contribution_points
from tests.contracts.stateful.state import Place, Round, World

PHASE_CALLS: Mapping[Phase, tuple[str, ...]] = {
    Phase.JOIN: ("join", "propose"),
    Phase.COMMIT: ("commitBid", "joinAndCommit"),
    Phase.REVEAL: ("revealBid", "selectModel"),
    Phase.SELECT: ("selectModel", "revealBid"),
    Phase.TRAIN: ("recordGlobalRound", "recordUpdate", "reportContributions", "reportResult"),
    Phase.REPORT: ("reportContributions", "reportResult", "abortTraining"),
    Phase.VOTE: ("vote", "settle"),
    Phase.SETTLE: ("settle", "settleMany", "claimRebate"),
}
WINNER_CALLS = ("recordGlobalRound", "reportContributions", "reportResult")
CALLS = tuple(dict.fromkeys(function for functions in PHASE_CALLS.values() for function in functions))
FEW_EPOCHS = 2
DIGEST = keccak(text="some digest")


@dataclass
class Player:
    """Plays all accounts.

    Attributes:
        sealed: what an account has bid in a round and may open; commitments add to it.
        draw: hypothesis'.
    """

    market: Market
    world: World
    accounts: Sequence[str]
    sealed: dict[tuple[int, str], SealedBid]
    draw: Callable[..., Any]

    def call(self, function: str, round_: Round, *arguments: Any, sender: str, value: int = 0) -> Call:
        return self.market.call(function, round_.id, *arguments, sender=sender, value=value)

    def one_of(self, choices: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(choices))

    def seldom(self) -> bool:
        return bool(self.draw(st.integers(0, 7)) == 0)

    # ── what an honest member does in the phase that its round is in ──

    def honest(self, round_: Round, absent: frozenset[str]) -> Iterator[Call]:
        """What those who are there do, one call after the other, each built when it is its turn."""
        phase = round_.phase(self.world.now)
        listed = [entry.account for entry in round_.entries if entry.account not in absent]
        there = [place for place in round_.places.values() if place.account not in absent]
        match phase:
            case Phase.JOIN:
                for account in listed:
                    yield from self._joins(round_, account)
            case Phase.COMMIT:
                joined = [place.account for place in there if not place.committed]
                yield from (self.build("commitBid", round_, account) for account in joined)
                late = [account for account in listed if account not in round_.places]
                yield from (self.build("joinAndCommit", round_, account) for account in late)
            case Phase.REVEAL:
                silent = [place.account for place in there if place.silent]
                yield from (self.build("revealBid", round_, account) for account in silent)
            case Phase.SELECT:
                yield self.build("selectModel", round_, self.one_of(self.accounts))
            case Phase.TRAIN | Phase.REPORT:
                yield from self._trains(round_, phase, there)
            case Phase.VOTE:
                electors = [p.account for p in round_.electors if p in there and p.vote is None]
                yield from (self.build("vote", round_, account) for account in electors)
            case Phase.SETTLE:
                unsettled = [p.account for p in there if not p.settled]
                if unsettled:
                    yield self.settle_many(round_, unsettled, self.one_of(self.accounts))
                claiming = [p.account for p in there if round_.rebate_due(p.account)]
                yield from (self.build("claimRebate", round_, account) for account in claiming)

    def _joins(self, round_: Round, account: str) -> Iterator[Call]:
        if account not in round_.places:
            yield self.build("join", round_, account)
        place = round_.places.get(account)
        room = len(round_.models) < round_.terms.max_models
        if place and place.role is Role.OWNER and place.model is None and room:
            yield self.build("propose", round_, account)

    def _trains(self, round_: Round, phase: Phase, there: list[Place]) -> Iterator[Call]:
        if phase is Phase.TRAIN:
            recording = [p for p in there if p.role is Role.BASE_STATION and p.revealed and not p.epochs]
            yield from (self.build("recordUpdate", round_, place.account) for place in recording)
        if self.world.now >= round_.terms.deadlines.report:
            yield self.build("abortTraining", round_, self.one_of(self.accounts))
            return
        winner = round_.winner
        if winner not in [place.account for place in there]:
            return
        if phase is Phase.TRAIN and not round_.epochs and not self.seldom():
            yield self.build("recordGlobalRound", round_, winner)
        if (round_.by_contribution and round_.recorders) or self.seldom():
            yield self.build("reportContributions", round_, winner)
        early = self.world.now < round_.terms.deadlines.train
        if not early or len(round_.recorders) == len(round_.revealed(Role.BASE_STATION)):
            yield self.build("reportResult", round_, winner)

    # ── any call with arguments that fit the round ──

    def meddling(self, round_: Round) -> Call:
        """A call of the round's phase or the one before by anybody, the winner more often than others."""
        winner = [round_.winner] if round_.winner else []
        phase = round_.phase(self.world.now)
        function = self.one_of(PHASE_CALLS[phase] + PHASE_CALLS[Phase(max(0, phase - 1))])
        return self.build(function, round_, self.one_of([*winner * 3, *self.accounts]))

    def any_call(self) -> Call:
        """A call of a random kind, by one who might make it or by anybody."""
        round_ = self.world.rounds[self.one_of(list(self.world.rounds))]
        function = self.one_of(CALLS)
        sender = round_.winner if function in WINNER_CALLS and round_.winner else self.one_of(self.accounts)
        return self.build(function, round_, sender)

    def build(self, function: str, round_: Round, sender: str) -> Call:
        """The call as an honest member in its right place would make it."""
        match function:
            case "join" | "joinAndCommit":
                return self._join(function, round_, sender)
            case "commitBid":
                return self.call(function, round_, self._seal(round_, sender), sender=sender)
            case "propose":
                digest = Opening().digest(self.market, round_.id, sender)
                epochs = self.draw(st.integers(1, FEW_EPOCHS))
                return self.call(function, round_, (digest, DIGEST, epochs), sender=sender)
            case "revealBid":
                bid = self.sealed.get((round_.id, sender), SealedBid((0,) * len(round_.models), DIGEST))
                return self.call(function, round_, bid.words, bid.salt, sender=sender)
            case "recordGlobalRound":
                return self.call(function, round_, self._epoch(round_.epochs), DIGEST, DIGEST, sender=sender)
            case "recordUpdate":
                place = round_.places.get(sender)
                return self.call(function, round_, self._epoch(place.epochs if place else ()), DIGEST, sender=sender)
            case "reportContributions":
                return self._contributions(round_, sender)
            case "reportResult":
                return self.call(function, round_, DIGEST, Opening().encoded, sender=sender)
            case "abortTraining":
                words = round_.words_of(round_.places[round_.winner]) if round_.winner else [0]
                return self.call(function, round_, words, sender=sender)
            case "vote":
                return self.call(function, round_, self.draw(st.booleans()), 9_000, sender=sender)
            case "settle":
                account = self.one_of(list(round_.places) or list(self.accounts))
                place = round_.places.get(account)
                words = round_.words_of(place) if place else [0] * len(round_.words_of(Place(account, Role.OWNER, 1)))
                return self.call(function, round_, account, words, sender=sender)
            case "settleMany":
                accounts = self.draw(st.lists(st.sampled_from(list(round_.places)))) if round_.places else []
                return self.settle_many(round_, accounts, sender)
        return self.call(function, round_, sender=sender)

    def settle_many(self, round_: Round, accounts: Sequence[str], sender: str) -> Call:
        order = self.draw(st.permutations(accounts)) if accounts else []
        words = [word for account in order for word in round_.words_of(round_.places[account])]
        return self.call("settleMany", round_, list(order), words, sender=sender)

    def _join(self, function: str, round_: Round, sender: str) -> Call:
        found = [entry for entry in round_.entries if entry.account == sender]
        entry = found[0] if found else Entry(sender, self.one_of(list(Role)), 1)
        lock = round_.terms.lock(entry.role, entry.points)
        proof = round_.tree.proof(entry) if round_.tree and found else []
        due = [number for number, earlier in self.world.rounds.items() if earlier.rebate_due(sender)]
        missing = lock - self.world.free[sender] - sum(self.world.rounds[number].rebate(sender) for number in due)
        value = max(0, missing) if self.draw(st.booleans()) else lock + self.one_of((0, 5))
        commitment = [self._seal(round_, sender, entry.role)] if function == "joinAndCommit" else []
        return self.call(
            function, round_, entry.role, entry.points, proof, due, *commitment, sender=sender, value=value
        )

    def _seal(self, round_: Round, sender: str, role: Role | None = None) -> bytes:
        """Draws bids, at times one over the cap; keeps what a first commitment seals."""
        place = round_.places.get(sender)
        cap = round_.cap(place.role if place else role or Role.OWNER)
        over = cap < MAX_BID and self.seldom() and self.seldom()
        row = self.draw(bids(cap, len(round_.models)))
        bid = SealedBid(tuple(cap + 1 for _ in row) if over else row, keccak(text=f"salt {round_.id} {sender}"))
        if place is None or not place.committed:
            self.sealed[round_.id, sender] = bid
        return bid.commitment(self.market.chain_id, self.market.address, round_.id, sender)

    def _epoch(self, recorded: Sequence[int] | set[int]) -> int:
        return next(epoch for epoch in range(FEW_EPOCHS + 1) if epoch not in recorded)

    def _contributions(self, round_: Round, sender: str) -> Call:
        stations = round_.committed(Role.BASE_STATION)
        if not round_.by_contribution and stations:
            stations = [self.one_of(stations)]
        points = (
            self.draw(contribution_points(len(stations))) if len(stations) > 1 else (0,) * len(stations)
        )  # one alone cannot have all
        words = [word for place in stations for word in round_.words_of(place)]
        return self.call(
            "reportContributions", round_, [p.account for p in stations], list(points), words, sender=sender
        )

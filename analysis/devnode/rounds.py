"""A round on chain and its members: every call ready to be sent, and steps that play a phase in one line."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.chain import Receipt
from analysis.devnode.market import TOGETHER, Call, Market
from fl.market.bids import SealedBid, pack_bids
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import DRAW_DELAY, Phase, Role, RoundTerms, Stage

GLOBAL_ROUNDS = 3
CLAIMED_ACCURACY_BPS = 9_100
POINTS = 1_000_000  # what listed contributions add up to
ROUND_SLOTS = 1  # storage slot of the mapping of rounds


class Step(IntEnum):
    """How far a `LiveRound` has been played."""

    CREATED = 0
    JOINED = 1
    COMMITTED = 2
    DRAWN = 3
    REVEALED = 4
    SELECTED = 5
    TRAINED = 6
    REPORTED = 7
    VOTED = 8
    SETTLED = 9


@dataclass(frozen=True)
class Opening:
    """What a proposal claims, sealed until the report."""

    claimed_accuracy_bps: int = CLAIMED_ACCURACY_BPS
    targets_digest: bytes = keccak(text="target labels 3, 5 and 8")
    salt: bytes = keccak(text="salt of the proposal")

    @property
    def encoded(self) -> tuple[int, bytes, bytes]:
        return (self.claimed_accuracy_bps, self.targets_digest, self.salt)

    def digest(self, market: Market, round_id: int, proposer: str) -> bytes:
        """As `IHCFL.ownersDigestOf` says."""
        return keccak(
            encode(
                ["uint256", "address", "uint256", "address", "uint16", "bytes32", "bytes32"],
                [market.chain_id, market.address, round_id, proposer, *self.encoded],
            )
        )


@dataclass(frozen=True)
class Seat:
    """A member of a round: who it is and what it bids (gwei, one a model)."""

    name: str
    account: str
    role: Role
    bids: tuple[int, ...]
    points: int = 1

    @property
    def sealed(self) -> SealedBid:
        return SealedBid(self.bids, keccak(text=f"salt of {self.name}"))

    @property
    def entry(self) -> Entry:
        return Entry(self.account, self.role, self.points)


class LiveRound:
    """One round.

    Calls (`join`, `reveal_bid`, ...) are returned unsent. Steps (`joined`, `revealed`, ...) are played, with
    those before them that have not been, and return the round.
    """

    def __init__(
        self,
        market: Market,
        round_id: int,
        terms: RoundTerms,
        owners: Sequence[Seat],
        stations: Sequence[Seat],
        proposers: Sequence[Seat],
        tree: MembershipTree,
        opening: Opening,
        to_be_drawn: Seat | None = None,
    ) -> None:
        self.market = market
        self.id = round_id
        self.terms = terms
        self.owners = tuple(owners)
        self.stations = tuple(stations)
        self.proposers = tuple(proposers)
        self.tree = tree
        self.opening = opening
        self.to_be_drawn = to_be_drawn
        self._done = Step.CREATED

    # ── state ──

    @property
    def members(self) -> tuple[Seat, ...]:
        return self.owners + self.stations

    @property
    def state(self) -> Any:
        """`roundOf`."""
        return self.market.view("roundOf", self.id)

    def stage(self, seat: Seat) -> Stage:
        return Stage(self.member(seat).stage)

    def member(self, seat: Seat) -> Any:
        """`memberOf`."""
        return self.market.view("memberOf", self.id, seat.account)

    @property
    def winner(self) -> Seat:
        """The proposer of the selected model."""
        selected: int = self.state.selected
        return self.proposers[selected]

    @property
    def claimant(self) -> Seat:
        """The base station that was drawn."""
        views = self._members(self.stations)
        return next(seat for seat, view in zip(self.stations, views, strict=True) if view.claimant)

    @property
    def electors(self) -> tuple[Seat, ...]:
        """The committed owners but the winner."""
        winner = self.winner
        return tuple(s for s in self.owners if s != winner and self.stage(s) >= Stage.COMMITTED)

    @property
    def lot(self) -> int:
        """`lotOf`, wei."""
        amount: int = self.market.view("lotOf", self.id)
        return amount

    def lock(self, seat: Seat) -> int:
        return self.terms.lock(seat.role, seat.points)

    @property
    def zeros(self) -> list[int]:
        """The bids of somebody who never revealed."""
        return pack_bids([0] * len(self.proposers))

    def wait_for(self, deadline: str, seconds: int = 0) -> "LiveRound":
        """Travel to that deadline, or so many seconds beyond it."""
        self.market.chain.travel_to(getattr(self.terms.deadlines, deadline) + seconds)
        return self

    # ── calls ──

    def call(self, function: str, *arguments: Any, sender: Seat | str, value: int = 0) -> Call:
        """Any call, the round's id goes first."""
        account = sender.account if isinstance(sender, Seat) else sender
        return self.market.call(function, self.id, *arguments, sender=account, value=value)

    def proof(self, seat: Seat) -> list[bytes]:
        return self.tree.proof(seat.entry)

    def join(self, seat: Seat, *, value: int | None = None) -> Call:
        arguments = (self.terms.hash, seat.role, seat.points, self.proof(seat))
        return self.call("join", *arguments, sender=seat, value=self.lock(seat) if value is None else value)

    def join_and_commit(self, seat: Seat, *, value: int | None = None) -> Call:
        arguments = (self.terms.hash, seat.role, seat.points, self.proof(seat), self.commitment(seat))
        return self.call("joinAndCommit", *arguments, sender=seat, value=self.lock(seat) if value is None else value)

    def proposal(self, seat: Seat, global_rounds: int = GLOBAL_ROUNDS) -> tuple[bytes, bytes, int]:
        digest = self.opening.digest(self.market, self.id, seat.account)
        return (digest, keccak(text=f"stations read this of {seat.name}"), global_rounds)

    def propose(self, seat: Seat, global_rounds: int = GLOBAL_ROUNDS) -> Call:
        return self.call("propose", self.proposal(seat, global_rounds), sender=seat)

    def commitment(self, seat: Seat) -> bytes:
        return seat.sealed.commitment(self.market.chain_id, self.market.address, self.id, seat.account)

    def commit_bid(self, seat: Seat) -> Call:
        return self.call("commitBid", self.commitment(seat), sender=seat)

    def draw(self, sender: Seat | None = None) -> Call:
        return self.call("drawClaimant", sender=sender or self.owners[0])

    def reveal_bid(self, seat: Seat) -> Call:
        return self.call("revealBid", seat.sealed.words, seat.sealed.salt, sender=seat)

    def select(self, sender: Seat | None = None) -> Call:
        return self.call("selectModel", sender=sender or self.owners[0])

    def record_global_round(self, sender: Seat | None = None, global_round: int = 0) -> Call:
        digests = (keccak(text=f"global model {global_round}"), keccak(text=f"updates {global_round}"))
        return self.call("recordGlobalRound", global_round, *digests, sender=sender or self.winner)

    def record_update(self, seat: Seat, global_round: int = 0) -> Call:
        digest = keccak(text=f"{seat.name}'s update {global_round}")
        return self.call("recordUpdate", global_round, digest, sender=seat)

    def report_contributions(self, points: Mapping[Seat, int], sender: Seat | None = None) -> Call:
        accounts = [seat.account for seat in points]
        return self.call("reportContributions", accounts, list(points.values()), sender=sender or self.winner)

    def equal_contributions(self) -> dict[Seat, int]:
        """A million points divided evenly among the base stations that committed, the rest to the first."""
        listed = [seat for seat in self.stations if self.stage(seat) >= Stage.COMMITTED]
        points = dict.fromkeys(listed, POINTS // len(listed))
        points[listed[0]] += POINTS % len(listed)
        return points

    def report_result(self, sender: Seat | None = None, opening: Opening | None = None) -> Call:
        opened = (opening or self.opening).encoded
        return self.call("reportResult", keccak(text="final model"), opened, sender=sender or self.winner)

    def abort(self, sender: Seat | None = None) -> Call:
        return self.call("abortTraining", sender=sender or self.stations[0])

    def vote(self, seat: Seat, accuracy_bps: int = CLAIMED_ACCURACY_BPS, uphold: bool = True) -> Call:
        """For punishment exactly if the accuracy misses the claim by more than the tolerance."""
        return self.call("vote", accuracy_bps, uphold, sender=seat)

    def words(self, seat: Seat) -> list[int]:
        """The packed bids that settle a member now: zeros unless it has revealed."""
        return seat.sealed.words if self.stage(seat) is Stage.REVEALED else self.zeros

    def settle(self, seat: Seat, *, sender: Seat | None = None, bids: Sequence[int] | None = None) -> Call:
        words = list(self.words(seat) if bids is None else bids)
        return self.call("settle", seat.account, words, sender=sender or self.owners[0])

    def settle_many(self, seats: Sequence[Seat], *, sender: Seat | None = None) -> Call:
        revealed = self._at(Stage.REVEALED)
        bids = [word for seat in seats for word in (seat.sealed.words if seat in revealed else self.zeros)]
        accounts = [seat.account for seat in seats]
        return self.call("settleMany", accounts, bids, sender=sender or self.owners[0])

    def claim_lot(self, seat: Seat | None = None) -> Call:
        return self.call("claimLot", sender=seat or self.claimant)

    # ── steps ──

    def _reach(self, step: Step) -> None:
        """Play the steps before `step` that have not been played, as honest members would."""
        steps = (
            self.joined,
            self.committed,
            self.drawn,
            self.revealed,
            self.selected,
            self.trained,
            self.reported,
            self.voted,
        )
        for play in steps[self._done : step - 1]:
            play()
        self._done = step

    def joined(self, but: Collection[Seat] = (), global_rounds: int = GLOBAL_ROUNDS) -> "LiveRound":
        """Everybody joins with the exact lock, the proposers propose."""
        self._reach(Step.JOINED)
        joining = [seat for seat in self.members if seat not in but]
        proposing = [self.propose(seat, global_rounds) for seat in self.proposers if seat not in but]
        self.market.send_all([*(self.join(seat) for seat in joining), *proposing])
        return self

    def committed(self, but: Collection[Seat] = ()) -> "LiveRound":
        """Join closes; everybody who has joined commits."""
        self._reach(Step.COMMITTED)
        self.wait_for("join")
        seats = self._at(Stage.JOINED, but)
        self.market.send_all([self.commit_bid(seat) for seat in seats])
        return self

    def drawn(self, claimant: Seat | None = None) -> "LiveRound":
        """Theta and the claimant are drawn, in the first second in which they can be: see `send_draw`."""
        self._reach(Step.DRAWN)
        self.wait_for("commit", DRAW_DELAY)
        self.send_draw(claimant)
        return self

    def send_draw(self, claimant: Seat | None = None) -> Receipt:
        """Draw in a block that names this claimant; else the one the round was made for, if it committed; else any."""
        (receipt,) = draw_together({self: claimant or self.to_be_drawn})
        return receipt

    def revealed(self, but: Collection[Seat] = ()) -> "LiveRound":
        """Everybody who has committed reveals, but the claimant."""
        self._reach(Step.REVEALED)
        hidden = {self.claimant, *but}
        self.market.send_all([self.reveal_bid(seat) for seat in self._at(Stage.COMMITTED, hidden)])
        return self

    def selected(self) -> "LiveRound":
        """The selection, at once if everybody has revealed."""
        self._reach(Step.SELECTED)
        if len(self._at(Stage.COMMITTED)) > 1:
            self.wait_for("reveal")
        self.select().send()
        return self

    def trained(
        self, but: Collection[Seat] = (), *, recorded: Mapping[Seat, int] | None = None, guided: bool = True
    ) -> "LiveRound":
        """Base stations that revealed, and the claimant, record every global round; the winner too, if `guided`.

        Args:
            but: base stations that record nothing.
            recorded: how many global rounds a base station records, if not all.
            guided: whether the winner records.
        """
        self._reach(Step.TRAINED)
        able = [seat for seat in (*self._at(Stage.REVEALED, but), self.claimant) if seat.role is Role.BASE_STATION]
        rounds = self.state.globalRounds
        records = dict.fromkeys([seat for seat in able if seat not in but], rounds) | dict(recorded or {})
        for g in range(rounds):
            updates = [self.record_update(seat, g) for seat, count in records.items() if g < count]
            self.market.send_all([*updates, self.record_global_round(global_round=g)] if guided else updates)
        return self

    def reported(self, contributions: Mapping[Seat, int] | None = None) -> "LiveRound":
        """The winner reports, these contributions first; after the train deadline if records are missing."""
        self._reach(Step.REPORTED)
        if contributions:
            self.report_contributions(contributions).send()
        state = self.state
        if state.finished != state.revealed[Role.BASE_STATION] + 1:
            self.wait_for("train")
        self.report_result().send()
        return self

    def voted(self, punish: Collection[Seat] = (), *, reject: Collection[Seat] = ()) -> "LiveRound":
        """Every elector votes: those in `punish` measured nothing, those in `reject` do not uphold contributions."""
        self._reach(Step.VOTED)
        claimed = self.opening.claimed_accuracy_bps
        votes = [self.vote(seat, 0 if seat in punish else claimed, seat not in reject) for seat in self.electors]
        self.market.send_all(votes)
        return self

    def aborted(self) -> "LiveRound":
        """The winner lets the report deadline pass."""
        self._reach(Step.REPORTED)
        self._done = Step.VOTED
        self.wait_for("report")
        self.abort().send()
        return self

    def seen(self, step: Step) -> "LiveRound":
        """Somebody else has played up to this step."""
        self._done = step
        return self

    def over(self) -> "LiveRound":
        """Nothing is left to play before the settlement: cancelled, or nothing is worth training."""
        self._done = Step.VOTED
        return self

    def settled(self) -> dict[Seat, Receipt]:
        """Every member that is not settled yet is settled, each alone. The lot is not claimed."""
        if self.state.phase != Phase.SETTLE:
            self._reach(Step.SETTLED)
        revealed = self._at(Stage.REVEALED)
        seats = [*self._at(Stage.JOINED), *self._at(Stage.COMMITTED), *revealed]
        bids = {seat: seat.sealed.words if seat in revealed else self.zeros for seat in seats}
        return {seat: self.settle(seat, bids=bids[seat]).send() for seat in seats}

    def _at(self, stage: Stage, but: Collection[Seat] = ()) -> list[Seat]:
        views = self._members(self.members)
        return [seat for seat, view in zip(self.members, views, strict=True) if view.stage == stage and seat not in but]

    def _members(self, seats: Sequence[Seat]) -> list[Any]:
        return self.market.views([("memberOf", (self.id, seat.account)) for seat in seats])


# The fixture `create_round`: makes rounds from keyword arguments (see `tests/conftest.py`).
CreateRound = Callable[..., LiveRound]


def create_round(
    market: Market,
    owners: Sequence[Seat],
    stations: Sequence[Seat],
    terms: RoundTerms,
    *,
    proposers: Sequence[int],
    strangers: Sequence[Entry] = (),
    opening: Opening | None = None,
    claimant: Seat | None = None,
) -> LiveRound:
    """Create a round on chain, its membership list the members and the strangers.

    Args:
        market: the contract.
        owners: who will join as owner.
        stations: who will join as base station.
        terms: its terms.
        proposers: indices of the owners that propose, in the order of their models.
        strangers: more lines of the membership list.
        opening: what proposals claim.
        claimant: who will be drawn, if it commits; None: whom the draw names.
    """
    tree = MembershipTree(tuple([seat.entry for seat in (*owners, *stations)] + list(strangers)))
    created = market.call("createRound", terms.encode(), tree.root, sender=owners[0].account).send()
    round_id = created.event("RoundCreated")["roundId"]
    proposing = [owners[index] for index in proposers]
    return LiveRound(market, round_id, terms, owners, stations, proposing, tree, opening or Opening(), claimant)


def draw_together(claimants: Mapping[LiveRound, Seat | None]) -> list[Receipt]:
    """Draw each of these rounds of one market in a block that names its claimant, if that committed.

    A block's randomness cannot be set here, but the same block can be mined twice: draws are mined, read and taken
    back, and blocks pass until they fit. A round without a claimant to wait for is drawn in the first.
    """
    ordinals = {round_: round_.member(seat).ordinal if seat else 0 for round_, seat in claimants.items()}
    receipts: dict[LiveRound, Receipt] = {}
    while waiting := [round_ for round_ in claimants if round_ not in receipts][:TOGETHER]:
        market = waiting[0].market
        with market.chain.snapshot():
            seen = market.send_together([round_.draw() for round_ in waiting])
        fitting = [r for r, receipt in zip(waiting, seen, strict=True) if ordinals[r] in (0, _drawn_in(receipt))]
        if not fitting:
            market.chain.rpc("evm_mine")
        for round_, receipt in zip(fitting, market.send_together([r.draw() for r in fitting]), strict=True):
            assert ordinals[round_] in (0, _drawn_in(receipt)), "the same block drew another claimant"
            receipts[round_] = receipt
    return [receipts[round_] for round_ in claimants]


def _drawn_in(receipt: Receipt) -> int:
    """The ordinal of the claimant that was drawn; -1 where the round was cancelled."""
    return next((event.values["ordinal"] for event in receipt.events if event.name == "ClaimantDrawn"), -1)


def round_slot(round_id: int) -> int:
    """Storage slot at which a round starts."""
    return int.from_bytes(keccak(encode(["uint256", "uint256"], [round_id, ROUND_SLOTS])), "big")

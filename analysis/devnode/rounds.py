"""A round on chain and its members: every call ready to be sent, and steps that play a phase in one line."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.chain import Receipt
from analysis.devnode.market import Call, Market
from fl.market.bids import SealedBid, pack_bids
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import Phase, Policy, Role, RoundTerms, Stage

TRAINING_ROUNDS = 3
CLAIMED_ACCURACY_BPS = 9_100
ROUND_SLOTS = 1  # storage slot of the mapping of rounds
DRAW_SLOT = 3  # slot of theta within a round


class Step(IntEnum):
    """How far a `LiveRound` has been played."""

    CREATED = 0
    JOINED = 1
    COMMITTED = 2
    REVEALED = 3
    SELECTED = 4
    TRAINED = 5
    REPORTED = 6
    VOTED = 7
    SETTLED = 8


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
        tree: MembershipTree | None,
        opening: Opening,
    ) -> None:
        self.market = market
        self.id = round_id
        self.terms = terms
        self.owners = tuple(owners)
        self.stations = tuple(stations)
        self.proposers = tuple(proposers)
        self.tree = tree
        self.opening = opening
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
    def electors(self) -> tuple[Seat, ...]:
        """The committed owners but the winner."""
        winner = self.winner
        return tuple(s for s in self.owners if s != winner and self.stage(s) >= Stage.COMMITTED)

    def lock(self, seat: Seat) -> int:
        return self.terms.lock(seat.role, seat.points)

    def rebate(self, seat: Seat) -> int:
        """`rebateOf`, wei."""
        amount: int = self.market.view("rebateOf", self.id, seat.account)
        return amount

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
        return self.tree.proof(seat.entry) if self.tree else []

    def join(self, seat: Seat, *, value: int | None = None, rebates: Sequence[int] = ()) -> Call:
        arguments = (seat.role, seat.points, self.proof(seat), list(rebates))
        return self.call("join", *arguments, sender=seat, value=self.lock(seat) if value is None else value)

    def join_and_commit(self, seat: Seat, *, value: int | None = None, rebates: Sequence[int] = ()) -> Call:
        arguments = (seat.role, seat.points, self.proof(seat), list(rebates), self.commitment(seat))
        return self.call("joinAndCommit", *arguments, sender=seat, value=self.lock(seat) if value is None else value)

    def proposal(self, seat: Seat, training_rounds: int = TRAINING_ROUNDS) -> tuple[bytes, bytes, int]:
        digest = self.opening.digest(self.market, self.id, seat.account)
        return (digest, keccak(text=f"stations read this of {seat.name}"), training_rounds)

    def propose(self, seat: Seat, training_rounds: int = TRAINING_ROUNDS) -> Call:
        return self.call("propose", self.proposal(seat, training_rounds), sender=seat)

    def commitment(self, seat: Seat) -> bytes:
        return seat.sealed.commitment(self.market.chain_id, self.market.address, self.id, seat.account)

    def commit_bid(self, seat: Seat) -> Call:
        return self.call("commitBid", self.commitment(seat), sender=seat)

    def reveal_bid(self, seat: Seat) -> Call:
        return self.call("revealBid", seat.sealed.words, seat.sealed.salt, sender=seat)

    def select(self, sender: Seat | None = None) -> Call:
        return self.call("selectModel", sender=sender or self.owners[0])

    def record_global_round(self, sender: Seat | None = None, epoch: int = 0) -> Call:
        digests = (keccak(text=f"global model {epoch}"), keccak(text=f"updates {epoch}"))
        return self.call("recordGlobalRound", epoch, *digests, sender=sender or self.winner)

    def record_update(self, seat: Seat, epoch: int = 0) -> Call:
        return self.call("recordUpdate", epoch, keccak(text=f"{seat.name}'s update {epoch}"), sender=seat)

    def report_contributions(self, points: Mapping[Seat, int], sender: Seat | None = None) -> Call:
        bids = [word for seat in points for word in self.words(seat)]
        return self.call(
            "reportContributions",
            [seat.account for seat in points],
            list(points.values()),
            bids,
            sender=sender or self.winner,
        )

    def equal_contributions(self) -> dict[Seat, int]:
        """A million points divided evenly among the base stations that committed, the rest to the first."""
        listed = [seat for seat in self.stations if self.stage(seat) >= Stage.COMMITTED]
        points = dict.fromkeys(listed, 1_000_000 // len(listed))
        points[listed[0]] += 1_000_000 % len(listed)
        return points

    def report_result(self, sender: Seat | None = None, opening: Opening | None = None) -> Call:
        opened = (opening or self.opening).encoded
        return self.call("reportResult", keccak(text="final model"), opened, sender=sender or self.winner)

    def abort(self, sender: Seat | None = None, bids: Sequence[int] | None = None) -> Call:
        winner_bids = list(self.words(self.winner) if bids is None else bids)
        return self.call("abortTraining", winner_bids, sender=sender or self.stations[0])

    def vote(self, seat: Seat, punish: bool = False, accuracy_bps: int = 9_000) -> Call:
        return self.call("vote", punish, accuracy_bps, sender=seat)

    def words(self, seat: Seat) -> list[int]:
        """The packed bids that settle a member now: zeros unless it has revealed."""
        return seat.sealed.words if self.stage(seat) is Stage.REVEALED else self.zeros

    def settle(self, seat: Seat, *, sender: Seat | None = None, bids: Sequence[int] | None = None) -> Call:
        words = list(self.words(seat) if bids is None else bids)
        return self.call("settle", seat.account, words, sender=sender or self.owners[0])

    def settle_many(self, seats: Sequence[Seat], *, sender: Seat | None = None) -> Call:
        bids = [word for seat in seats for word in self.words(seat)]
        accounts = [seat.account for seat in seats]
        return self.call("settleMany", accounts, bids, sender=sender or self.owners[0])

    def claim_rebate(self, seat: Seat) -> Call:
        return self.call("claimRebate", sender=seat)

    # ── steps ──

    def _reach(self, step: Step) -> None:
        """Play the steps before `step` that have not been played, as honest members would."""
        steps = (
            self.joined,
            self.committed,
            self.revealed,
            self.selected,
            self.trained,
            self.reported,
            self.voted,
        )
        for play in steps[self._done : step - 1]:
            play()
        self._done = step

    def joined(self, but: Collection[Seat] = (), training_rounds: int = TRAINING_ROUNDS) -> "LiveRound":
        """Everybody joins with the exact lock, the proposers propose."""
        self._reach(Step.JOINED)
        joining = [seat for seat in self.members if seat not in but]
        proposing = [self.propose(seat, training_rounds) for seat in self.proposers if seat not in but]
        self.market.send_all([*(self.join(seat) for seat in joining), *proposing])
        return self

    def committed(self, but: Collection[Seat] = ()) -> "LiveRound":
        """Join closes; everybody who has joined commits."""
        self._reach(Step.COMMITTED)
        self.wait_for("join")
        seats = self._at(Stage.JOINED, but)
        self.market.send_all([self.commit_bid(seat) for seat in seats])
        return self

    def revealed(self, but: Collection[Seat] = ()) -> "LiveRound":
        """Commit closes; everybody who has committed reveals."""
        self._reach(Step.REVEALED)
        self.wait_for("commit")
        self.market.send_all([self.reveal_bid(seat) for seat in self._at(Stage.COMMITTED, but)])
        return self

    def selected(self) -> "LiveRound":
        """The selection, at once if everybody has revealed."""
        self._reach(Step.SELECTED)
        if self._at(Stage.COMMITTED):
            self.wait_for("reveal")
        self.select().send()
        return self

    def trained(self, but: Collection[Seat] = (), *, guided: bool = True) -> "LiveRound":
        """Base stations that revealed record an update; the winner a global round if `guided`. Epoch 0."""
        self._reach(Step.TRAINED)
        recorders = [s for s in self._at(Stage.REVEALED, but) if s.role is Role.BASE_STATION]
        calls = [self.record_update(seat) for seat in recorders]
        self.market.send_all([*calls, self.record_global_round()] if guided else calls)
        return self

    def reported(self, contributions: Mapping[Seat, int] | None = None) -> "LiveRound":
        """The winner reports; after the train deadline if updates are missing.

        Under contribution without `contributions` every base station that committed is listed with the same.
        """
        self._reach(Step.REPORTED)
        state = self.state
        if contributions is None and self.terms.base_policy is Policy.CONTRIBUTION and state.recorders:
            contributions = self.equal_contributions()
        if contributions:
            self.report_contributions(contributions).send()
        if state.recorders != state.revealed[Role.BASE_STATION]:
            self.wait_for("train")
        self.report_result().send()
        return self

    def voted(self, punish: Collection[Seat] = ()) -> "LiveRound":
        """Every elector votes; those in `punish` for punishment."""
        self._reach(Step.VOTED)
        self.market.send_all([self.vote(seat, punish=seat in punish) for seat in self.electors])
        return self

    def aborted(self) -> "LiveRound":
        """The winner lets the report deadline pass."""
        self._reach(Step.REPORTED)
        self._done = Step.VOTED
        self.wait_for("report")
        self.abort().send()
        return self

    def over(self) -> "LiveRound":
        """Nothing is left to play before the settlement: cancelled, or nothing is worth training."""
        self._done = Step.VOTED
        return self

    def settled(self) -> dict[Seat, Receipt]:
        """Every member that is not settled yet is settled, each alone."""
        if self.state.phase != Phase.SETTLE:
            self._reach(Step.SETTLED)
        revealed = self._at(Stage.REVEALED)
        seats = [*self._at(Stage.JOINED), *self._at(Stage.COMMITTED), *revealed]
        bids = {seat: seat.sealed.words if seat in revealed else self.zeros for seat in seats}
        return {seat: self.settle(seat, bids=bids[seat]).send() for seat in seats}

    def _at(self, stage: Stage, but: Collection[Seat] = ()) -> list[Seat]:
        views = self.market.views([("memberOf", (self.id, seat.account)) for seat in self.members])
        return [seat for seat, view in zip(self.members, views, strict=True) if view.stage == stage and seat not in but]


# The fixture `create_round`: makes rounds from keyword arguments (see `tests/conftest.py`).
CreateRound = Callable[..., LiveRound]


def create_round(
    market: Market,
    owners: Sequence[Seat],
    stations: Sequence[Seat],
    terms: RoundTerms,
    *,
    proposers: Sequence[int],
    theta: int | None,
    strangers: Sequence[Entry] = (),
    rooted: bool,
    opening: Opening | None = None,
) -> LiveRound:
    """Create a round on chain.

    Args:
        market: the contract.
        owners: who will join as owner.
        stations: who will join as base station.
        terms: its terms; a `rooted` round gets the members' root.
        proposers: indices of the owners that propose, in the order of their models.
        theta: numerator of theta, None to keep what the contract has drawn.
        strangers: more lines of the membership list.
        rooted: whether membership is checked.
        opening: what proposals claim.
    """
    tree = None
    if rooted:
        tree = MembershipTree(tuple([seat.entry for seat in (*owners, *stations)] + list(strangers)))
        terms = replace(terms, membership_root=tree.root)
    created = market.call("createRound", terms.encode(), sender=owners[0].account).send()
    round_id = created.event("RoundCreated")["roundId"]
    if theta is not None:
        set_theta(market, round_id, theta)
    proposing = [owners[index] for index in proposers]
    return LiveRound(market, round_id, terms, owners, stations, proposing, tree, opening or Opening())


def round_slot(round_id: int) -> int:
    """Storage slot at which a round starts."""
    return int.from_bytes(keccak(encode(["uint256", "uint256"], [round_id, ROUND_SLOTS])), "big")


def set_theta(market: Market, round_id: int, numerator: int) -> None:
    """Replace the theta that a round has drawn, before anybody commits."""
    slot = round_slot(round_id) + DRAW_SLOT
    others = market.chain.read_slot(market.address, slot) >> 64 << 64
    market.chain.write_slot(market.address, slot, others | numerator)
    assert market.view("roundOf", round_id).thetaNumerator == numerator, "theta is not where it is looked for"

"""What members do next, in any round: legal, in time, and never what loses money that another step would save.

The rules here are those of `contracts/protocol.md`, written down a second time: a small world that refuses what the
contract refuses, and tells the members what happened as the contract's logs do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from fl.market.bids import commitment_of, pack_bids
from fl.market.events import Event
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms, Status
from fl.members import owner, station
from fl.members.facts import Facts
from fl.members.owner import NO_UPDATE, OwnerConduct
from fl.members.rounds import Conduct, bid_name
from fl.members.steps import (
    Abort,
    Accept,
    Aggregate,
    Attend,
    Claim,
    Commit,
    Deliver,
    Done,
    Draw,
    Join,
    List,
    Propose,
    Report,
    Reveal,
    Select,
    Settle,
    Step,
    Stuck,
    Train,
    Vote,
    Wait,
)
from fl.record.history import RoundRecord, rebuild

CHAIN, ROUND = 31_337, 1
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
START = 1_000
TERMS = RoundTerms(100, 50, 200 * GWEI, Deadlines.after(START, 300), max_models=2)
AT = TERMS.deadlines
Clock = Callable[[int, int], int]
"""Picks a time from one to another."""

STEPS: tuple[type, ...] = (
    *(Join, Propose, Commit, Draw, Reveal, Select, Deliver, Accept, Train, Attend, Aggregate, List, Report, Abort),
    *(Vote, Settle, Claim),
)


class RefusedError(AssertionError):
    """The contract would not take this call."""


@dataclass
class Seat:
    """What the contract knows of a member."""

    role: Role
    ordinal: int = 0
    commitment: bytes | None = None
    revealed: bool = False
    recorded: int = 0
    listed: int | None = None
    voted: bool = False
    settled: bool = False


@dataclass
class World:
    """A chain with one round, by the rules of the protocol.

    Attributes:
        rounds: global rounds that each proposal names.
        outcome: of the selection: a model's number if that lives, or nothing is worth training.
    """

    rounds: int
    outcome: int
    claimant_index: int
    now: int = START
    seats: dict[str, Seat] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    claimant: str | None = None
    stored: Status = Status.OPEN
    selected: int | None = None
    recorded: int = 0
    lot: int = 0
    delivered: bool = False
    events: list[Event] = field(default_factory=list)
    _read: tuple[int, RoundRecord] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.events:
            names = {"maxOwnerBid": TERMS.max_owner_bid, "maxStationBid": TERMS.max_station_bid, "bond": TERMS.bond}
            rest = {"contributionStake": 0, "ownerPolicy": 0, "surplusMinBps": 2000, "surplusMaxBps": 6000}
            more = {"thresholdBps": 5000, "toleranceBps": 300, "maxModels": TERMS.max_models, "deadlines": AT}
            terms = SimpleNamespace(**names, **rest, **more)
            self.log("RoundCreated", roundId=ROUND, terms=terms, membershipRoot=bytes(32))

    @property
    def record(self) -> RoundRecord:
        """What the logs say."""
        if self._read is None or self._read[0] != len(self.events):
            self._read = (len(self.events), rebuild(self.events))
        return self._read[1]

    def log(self, name: str, **values: Any) -> None:
        self.events.append(Event(name, values, time=self.now))

    # ── what follows from what happened ──

    def side(self, role: Role) -> list[str]:
        return [each for each, seat in self.seats.items() if seat.role is role and seat.commitment is not None]

    @property
    def status(self) -> Status:
        if self.stored is not Status.OPEN:
            return self.stored
        live = any(self.seats[each].commitment is not None for each in self.models)
        held = len(self.side(Role.OWNER)) >= 2 and len(self.side(Role.BASE_STATION)) >= 3 and live
        never_drawn = self.claimant is None and self.now >= (AT.commit + AT.reveal) // 2
        over = (self.now >= AT.commit and not held) or never_drawn or self.now >= AT.select
        return Status.CANCELLED if over else Status.OPEN

    @property
    def winner(self) -> str | None:
        return None if self.selected is None else self.models[self.selected]

    @property
    def bidders(self) -> list[str]:
        return [*self.side(Role.OWNER), *self.side(Role.BASE_STATION)]

    @property
    def recorders(self) -> list[str]:
        return [each for each in self.side(Role.BASE_STATION) if self.seats[each].revealed or each == self.claimant]

    @property
    def electors(self) -> list[str]:
        return [each for each in self.side(Role.OWNER) if each != self.winner]

    @property
    def all_revealed(self) -> bool:
        return all(self.seats[each].revealed or each == self.claimant for each in self.bidders)

    def settles(self, account: str) -> bool:
        """Whether a settlement of this member is taken."""
        seat = self.seats[account]
        if seat.settled:
            return False
        over = self.status in (Status.CANCELLED, Status.NOTHING_TRAINED, Status.ABORTED)
        voted = all(self.seats[each].voted for each in self.electors)
        if over or (self.status is Status.REPORTED and (voted or self.now >= AT.vote)):
            return True
        if seat.commitment is not None or self.now < AT.commit:
            return False
        return account not in self.models or self.claimant is not None

    # ── the calls: the table of the protocol ──

    def need(self, *conditions: bool) -> None:
        if not all(conditions):
            raise RefusedError

    def join(self, account: str, role: Role) -> None:
        self.need(account not in self.seats, self.now < AT.join)
        self.seats[account] = Seat(role)
        self.log("Joined", member=account, role=int(role), points=1)

    def propose(self, account: str) -> None:
        seat = self.seats[account]
        self.need(seat.role is Role.OWNER, self.now < AT.join, account not in self.models)
        self.need(len(self.models) < TERMS.max_models)
        self.models.append(account)
        proposal = SimpleNamespace(ownersDigest=bytes(32), stationsDigest=bytes(32), globalRounds=self.rounds)
        self.log("ModelProposed", proposer=account, proposal=proposal)

    def commit(self, account: str, role: Role, commitment: bytes) -> None:
        """Joins as well, if it has not."""
        seat = self.seats.get(account) or Seat(role)
        self.need(AT.join <= self.now < AT.commit, seat.commitment is None)
        if account not in self.seats:
            self.seats[account] = seat
            self.log("Joined", member=account, role=int(role), points=1)
        seat.commitment = commitment
        seat.ordinal = len(self.side(Role.BASE_STATION)) if seat.role is Role.BASE_STATION else 0
        self.log("BidCommitted", member=account, commitment=commitment)

    def draw(self) -> None:
        self.need(self.claimant is None, AT.commit + 60 <= self.now < (AT.commit + AT.reveal) // 2)
        if self.status is Status.CANCELLED:
            self.need(self.stored is Status.OPEN)
            return self.cancel()
        stations = self.side(Role.BASE_STATION)
        self.claimant = stations[self.claimant_index % len(stations)]
        return self.log("ClaimantDrawn", thetaNumerator=2**63, ordinal=self.seats[self.claimant].ordinal)

    def reveal(self, account: str, words: list[int], salt: bytes) -> None:
        seat = self.seats[account]
        self.need(self.status is Status.OPEN, self.claimant is not None, self.now < AT.reveal)
        self.need(account != self.claimant, not seat.revealed, seat.commitment is not None)
        self.need(commitment_of(CHAIN, CONTRACT, ROUND, account, words, salt) == seat.commitment)
        seat.revealed = True
        self.log("BidRevealed", member=account, bids=words)

    def select(self) -> None:
        self.need(self.status is Status.OPEN, self.claimant is not None)
        self.need(self.all_revealed or self.now >= AT.reveal)
        if not any(self.seats[each].revealed for each in self.side(Role.BASE_STATION)):
            return self.cancel()
        live = [each for each, proposer in enumerate(self.models) if self.seats[proposer].commitment is not None]
        if self.outcome not in live:
            self.stored = Status.NOTHING_TRAINED
            return self.log("NothingSelected")
        self.stored, self.selected = Status.TRAINING, self.outcome
        return self.log("ModelSelected", model=self.outcome)

    def cancel(self) -> None:
        self.stored = Status.CANCELLED
        self.log("RoundCancelled")

    def record_update(self, account: str, number: int, digest: bytes) -> None:
        seat = self.seats[account]
        self.need(self.status is Status.TRAINING, self.now < AT.train, account in self.recorders)
        self.need(number == seat.recorded < self.rounds)
        seat.recorded += 1
        self.log("UpdateRecorded", station=account, globalRound=number, updateDigest=digest)

    def record_global_round(self, account: str, number: int) -> None:
        self.need(self.status is Status.TRAINING, self.now < AT.train, account == self.winner)
        self.need(number == self.recorded < self.rounds)
        self.recorded += 1
        self.log("GlobalRoundRecorded", globalRound=number, modelDigest=bytes([number + 1] * 32), updatesRoot=bytes(32))

    def report_contributions(self, account: str, points: Mapping[str, int]) -> None:
        self.need(self.status is Status.TRAINING, self.now < AT.report, account == self.winner)
        for each, count in points.items():
            self.need(each in self.side(Role.BASE_STATION))
            self.seats[each].listed = count
            self.log("ContributionReported", station=each, points=count)

    def report_result(self, account: str, digest: bytes) -> None:
        self.need(self.status is Status.TRAINING, self.now < AT.report, account == self.winner)
        done = all(self.seats[each].recorded == self.rounds for each in self.recorders)
        self.need(done or self.now >= AT.train)
        self.stored = Status.REPORTED
        self.log(
            "ResultReported",
            modelDigest=digest,
            opening=SimpleNamespace(claimedAccuracyBps=8_500, targetsDigest=bytes(32)),
        )

    def abort(self) -> None:
        self.need(self.status is Status.TRAINING, self.now >= AT.report)
        self.stored = Status.ABORTED
        self.log("TrainingAborted")

    def vote(self, account: str) -> None:
        self.need(self.status is Status.REPORTED, self.now < AT.vote, account in self.electors)
        self.need(not self.seats[account].voted)
        self.seats[account].voted = True
        self.log("Voted", elector=account, measuredAccuracyBps=8_500, upholdContributions=True)

    def settle(self, accounts: tuple[str, ...]) -> None:
        self.need(len(accounts) > 0, *(self.settles(each) for each in accounts))
        if self.stored is Status.OPEN and self.status is Status.CANCELLED:
            self.cancel()
        for each in accounts:
            self.seats[each].settled = True
            tax = 1 if self.selected is not None and each in self.bidders and each != self.claimant else 0
            self.lot += tax
            zeros = dict.fromkeys(("share", "slashed", "reward", "forfeited", "bonus"), 0)
            self.log("MemberSettled", member=each, tax=tax, **zeros)

    def claim(self, account: str) -> None:
        self.need(account == self.claimant, self.lot > 0)
        self.log("LotClaimed", claimant=account, amount=self.lot)
        self.lot = 0


@dataclass
class Player:
    """A member with its journal, as far as steps look at it.

    Attributes:
        leaves_out: the steps that it never does.
        refuses: no order that it gets can be followed.
        unlucky: global rounds in which its model or its update cannot be had.
    """

    account: str
    role: Role
    conduct: OwnerConduct
    leaves_out: frozenset[type] = frozenset()
    refuses: bool = False
    unlucky: frozenset[int] = frozenset()
    notes: dict[str, Any] = field(default_factory=dict)

    def facts(self, world: World, final: int | None = None) -> Facts:
        lot = world.lot if self.account == world.claimant else 0
        seen = world.now if final is None else final
        return Facts(CHAIN, CONTRACT, self.account, world.now, seen, world.record, lot=lot)

    def next_step(self, facts: Facts, notes: Mapping[str, Any] | None = None) -> Step:
        notes = self.notes if notes is None else notes
        if self.role is Role.OWNER:
            return owner.next_step(facts, notes, self.conduct)
        return station.next_step(facts, notes, Conduct(self.conduct.joins, self.conduct.settles_others))

    def do(self, step: Step, world: World) -> bool:
        """Do a step as `fl.members.acts` does; False: it has to wait for something that is not on chain."""
        account = self.account
        match step:
            case Join():
                world.join(account, self.role)
            case Propose():
                self.notes["claim"] = {"initial": "0x" + "11" * 32}
                world.propose(account)
            case Commit():
                fresh = {"bids": [1] * len(world.models), "salt": account[2:].rjust(64, "0")}
                bid = self.notes.setdefault(bid_name(world.record), fresh)
                salt = bytes.fromhex(bid["salt"])
                words = pack_bids(bid["bids"])
                world.commit(account, self.role, commitment_of(CHAIN, CONTRACT, ROUND, account, words, salt))
            case Draw():
                world.draw()
            case Reveal():
                bid = self.notes[bid_name(world.record)]
                world.reveal(account, pack_bids(bid["bids"]), bytes.fromhex(bid["salt"]))
            case Select():
                world.select()
            case Deliver():
                self.notes.update(order={"order": "00"}, delivered=True)
                world.need(account == world.winner)
                world.delivered = True
            case Accept():
                if not world.delivered or self.refuses:
                    return False
                self.notes["order"] = {"order": "00"}
            case Train(number):
                world.need(number == 0 or number <= world.recorded or f"update-{number}" in self.notes)
                if number in self.unlucky and f"update-{number}" not in self.notes:
                    return False
                digest = self.notes.setdefault(f"update-{number}", "0x" + "22" * 32)
                world.record_update(account, number, bytes.fromhex(digest[2:]))
            case Attend(number):
                world.record_update(account, number, NO_UPDATE)
            case Aggregate(number):
                self.notes[f"aggregate-{number}"] = {}
                world.record_global_round(account, number)
            case List():
                equal = dict.fromkeys(world.recorders, 1_000_000 // len(world.recorders))
                points = self.notes.setdefault("points", equal)
                world.report_contributions(account, points)
            case Report(result):
                world.report_result(account, result)
            case Abort():
                world.abort()
            case Vote():
                world.vote(account)
            case Settle(accounts):
                world.settle(accounts)
            case Claim():
                world.claim(account)
            case _:
                raise AssertionError(f"no act: {step}")
        return True


def address(index: int) -> str:
    return f"0x{index + 1:040x}"


@st.composite
def worlds(draw: Any, faulty: bool = True) -> tuple[World, list[Player]]:
    """A round, and members of which some leave out some steps."""
    owners, stations = draw(st.sampled_from([2, 3, 4] * 4 + [1])), draw(st.sampled_from([3, 4, 5] * 4 + [2]))
    nothing: st.SearchStrategy[frozenset[type]] = st.just(frozenset())
    something = st.frozensets(st.sampled_from(STEPS), min_size=1, max_size=3)
    # Mostly nothing: a round with too many faults ends before there is anything to see.
    left_out = st.one_of(*[nothing] * 6, something) if faulty else nothing
    players = []
    for index in range(owners + stations):
        role = Role.OWNER if index < owners else Role.BASE_STATION
        conduct = OwnerConduct(
            joins=not faulty or draw(st.integers(0, 19)) > 0,
            settles_others=draw(st.booleans()),
            proposes=role is Role.OWNER and (index == 0 or draw(st.booleans())),
        )
        unlucky = draw(st.frozensets(st.integers(0, 2), max_size=2))
        player = Player(address(index), role, conduct, draw(left_out), draw(st.booleans()), unlucky)
        players.append(player)
    outcome = draw(st.sampled_from([0, 0, 1, -1]))
    return World(draw(st.integers(1, 3)), outcome, draw(st.integers(0, 4))), players


def ticking(data: st.DataObject) -> Clock:
    """A clock that hypothesis winds."""
    return lambda least, most: data.draw(st.sampled_from([most, most, (least + most) // 2]), "clock")


def played(world: World, players: list[Player], clock: Clock, lag: int = 0) -> Iterator[tuple[Player, Facts, Step]]:
    """Plays a round as the scheduler does; each step of each member, before it is done.

    Args:
        world: the chain.
        players: in the order in which they are asked.
        clock: says how far to go where all wait.
        lag: seconds until a block is final.
    """
    while True:
        waits, acted = [], False
        for player in players:
            facts = player.facts(world, world.now - lag)
            step = player.next_step(facts)
            yield player, facts, step
            if isinstance(step, Wait):
                waits.append(step.until)
            elif isinstance(step, Stuck):
                raise AssertionError(step.why)
            elif isinstance(step, Done):
                continue
            elif type(step) in player.leaves_out:
                waits.append(None)
            elif player.do(step, world):
                acted = True
            else:
                waits.append(station.last_call(facts, player.conduct))
        if acted:
            continue
        if not waits:
            return
        until = [each for each in waits if each is not None]
        assert all(each > world.now for each in until), "who waits, waits for a time to come"
        if world.now > AT.vote + 100 * len(players) and not until:
            return  # only those are left who leave something out
        latest = min(until, default=world.now + 30)
        world.now = clock(min(world.now + 1, latest), latest) if until else latest


RANDOM = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@RANDOM
@given(worlds(), st.data(), st.sampled_from([0, 0, 24]))
def test_next_step__in_any_round__is_what_the_contract_takes(
    round_: tuple[World, list[Player]], data: st.DataObject, lag: int
) -> None:
    """`World.need` holds each step against the protocol; who leaves nothing out ends settled, with its lot."""
    world, players = round_
    for player, _, step in played(world, players, ticking(data), lag):
        note(f"{world.now} {player.account[-2:]} {step}")
    for player in players:
        seat = world.seats.get(player.account)
        if seat is not None and not player.leaves_out:
            assert seat.settled, player
    honest = {each.account for each in players if not each.leaves_out}
    if world.claimant in honest:
        assert world.lot == 0
        assert all(seat.settled for seat in world.seats.values()), "the taxes of all are the claimant's lot"


@RANDOM
@given(worlds(), st.data())
def test_next_step__of_who_leaves_nothing_out__does_every_duty_in_time(
    round_: tuple[World, list[Player]], data: st.DataObject
) -> None:
    """Whatever others do: it reveals, records every global round, reports, votes."""
    world, players = round_
    players[data.draw(st.integers(0, len(players) - 1))].leaves_out = frozenset()
    for _ in played(world, players, ticking(data)):
        pass
    for player in players:
        seat = world.seats.get(player.account)
        if seat is None or player.leaves_out:
            continue
        if not isinstance(seat.commitment, bytes):
            assert world.seats[player.account].settled
            continue
        if world.claimant is not None and player.account != world.claimant and world.status is not Status.CANCELLED:
            assert seat.revealed
        if world.selected is not None:
            if player.account in world.recorders:
                assert seat.recorded == world.rounds
            if player.account == world.winner:
                assert world.status is Status.REPORTED
            elif player.account in world.electors and world.status is Status.REPORTED:
                assert seat.voted


@RANDOM
@given(worlds(faulty=False), st.data())
def test_next_step__where_nobody_leaves_anything_out__the_round_ends_before_its_last_deadline(
    round_: tuple[World, list[Player]], data: st.DataObject
) -> None:
    world, players = round_
    for _ in played(world, players, ticking(data)):
        pass
    assert all(seat.settled for seat in world.seats.values())
    assert world.lot == 0
    if world.selected is not None:
        assert world.status is Status.REPORTED
        assert world.now < AT.vote, "all have voted"


# ── any facts, any notes ──


NOTES: dict[str, list[Any]] = {
    "bid-1": [{"bids": [1], "salt": "11" * 32}, {"bids": [2, 3], "salt": "22" * 32}],
    "claim": [{"initial": "0x" + "11" * 32}],
    "order": [{"order": "00"}],
    "delivered": [True],
    "points": [{}],
    **{f"update-{number}": ["0x" + "33" * 32] for number in range(3)},
}
any_notes = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in NOTES.items()})


@RANDOM
@given(worlds(), st.data())
def test_next_step__of_any_facts_and_notes__is_one_and_legal_and_never_done_too_early(
    round_: tuple[World, list[Player]], data: st.DataObject
) -> None:
    """A journal may be empty, old, or of another life: nobody signs what conflicts with the chain."""
    world, players = round_
    length = data.draw(st.integers(0, 200), "steps")
    for count, _ in enumerate(played(world, players, ticking(data))):
        if count >= length:
            break
    world.now = data.draw(st.integers(world.now, AT.vote + 100), "now")
    stranger = Player(address(99), data.draw(st.sampled_from(Role)), OwnerConduct(joins=data.draw(st.booleans())))
    for player in (*players, stranger):
        notes = data.draw(st.one_of(st.just(player.notes), any_notes), "notes")
        facts = player.facts(world, data.draw(st.integers(START, world.now), "final"))
        step = player.next_step(facts, notes)
        assert step == player.next_step(player.facts(world, facts.final), dict(notes)), "the same again"
        check(player, world, facts, notes, step)


def check(player: Player, world: World, facts: Facts, notes: Mapping[str, Any], step: Step) -> None:
    """What a step must be, whatever the journal says."""
    account, seat = player.account, world.seats.get(player.account)
    if not isinstance(step, Wait | Stuck | Done):
        copied = replace(player, notes=dict(notes))
        copied.do(step, _copy(world))  # raises where the contract refuses
    if isinstance(step, Wait) and step.until is not None:
        assert step.until > world.now
    if isinstance(step, Commit):
        pressing = world.now >= (AT.join + AT.commit) // 2 and account in world.models
        assert facts.final >= AT.join or pressing, (
            "a bid is for the models in their order, which must not change any more"
        )
    if seat is None:
        assert isinstance(step, Join | Commit | Done | Abort | Settle | Wait | Draw | Select)
        return
    can_reveal = (
        world.status is Status.OPEN
        and world.claimant not in (None, account)
        and world.now < AT.reveal
        and seat.commitment is not None
        and not seat.revealed
    )
    if can_reveal:
        # A draw that is not final yet is waited for, half of the time that is left at most.
        assert isinstance(step, Reveal | Stuck | Wait)
        if isinstance(step, Wait):
            assert step.until is not None and step.until < AT.reveal
        if not any(name.startswith("bid-") for name in notes):
            assert isinstance(step, Stuck)
    if account in world.recorders and world.status is Status.TRAINING and world.now < AT.train:
        left = world.rounds - seat.recorded
        if left and world.now >= AT.train - player.conduct.reserve * left:
            assert isinstance(step, Train | Attend), "what is left is recorded now"
    if account in world.electors and world.status is Status.REPORTED and world.now < AT.vote and not seat.voted:
        assert isinstance(step, Vote)
    if world.settles(account) and world.status is not Status.OPEN:
        assert step == Settle((account,)) or isinstance(step, Vote)
    if isinstance(step, Done):
        assert seat.settled
        assert account != world.claimant or (world.lot == 0 and all(each.settled for each in world.seats.values()))
    if all(each.settled for each in world.seats.values()) and world.lot == 0:
        assert isinstance(step, Done)


def _copy(world: World) -> World:
    seats = {account: replace(seat) for account, seat in world.seats.items()}
    return replace(world, seats=seats, models=list(world.models), events=list(world.events), _read=None)


# ── moments that chance seldom meets ──


def five(**leaving_out: frozenset[type]) -> list[Player]:
    """Two owners and three base stations, who may leave out some steps, by name."""
    names = ("alice", "bob", "north", "south", "east")
    return [
        Player(address(index), Role(index > 1), OwnerConduct(proposes=index == 0), leaving_out.get(name, frozenset()))
        for index, name in enumerate(names)
    ]


def first(world: World, players: list[Player], wanted: type) -> Player:
    """Plays until somebody is about to do a step of this kind; who that is."""
    for player, _, step in played(world, players, lambda least, most: most):
        if isinstance(step, wanted):
            return player
    raise AssertionError(f"nobody is about to {wanted.__name__}")


def test_settle__of_who_does_not_settle_itself__is_the_claimants_for_its_lot() -> None:
    world = World(1, 0, 0)
    for _ in played(world, five(bob=frozenset({Settle})), lambda least, most: most):
        pass
    assert all(seat.settled for seat in world.seats.values()) and world.lot == 0 and world.claimant is not None


def test_aggregate__record_of_an_update_that_was_averaged_is_dropped__its_station_is_waited_for() -> None:
    """It sends it again after a reorganisation; whoever has missed a global round is not waited for in the next."""
    world = World(2, 0, 0)
    for player, _, step in played(world, five(), lambda least, most: most):  # noqa: B007
        if step == Aggregate(1):
            break
    winner, station = player, world.recorders[1]
    updates = [each for each in world.events if each.name == "UpdateRecorded"]
    world.events = [each for each in world.events if each not in updates or each.values["station"] != station]
    assert winner.next_step(winner.facts(world)) == Aggregate(1)
    winner.notes["aggregate-0"] = {"included": {station: "0x" + "22" * 32}}
    step = winner.next_step(winner.facts(world))
    assert isinstance(step, Wait) and "1 base stations" in step.why


def test_vote__at_its_deadline__is_too_late() -> None:
    world = World(1, 0, 0)
    elector = first(world, five(), Vote)
    world.now = AT.vote - 1
    assert elector.next_step(elector.facts(world)) == Vote()
    world.now = AT.vote
    assert elector.next_step(elector.facts(world)) == Settle((elector.account,))


def test_commit__before_the_last_block_of_proposals_is_final__waits() -> None:
    world = World(1, 0, 0)
    player = first(world, five(), Commit)
    assert world.now == AT.join
    assert isinstance(player.next_step(player.facts(world, AT.join - 1)), Wait)
    assert player.next_step(player.facts(world, AT.join)) == Commit()
    stranger = Player(address(99), Role.BASE_STATION, OwnerConduct())
    assert isinstance(stranger.next_step(stranger.facts(world, AT.join - 1)), Wait)
    assert stranger.next_step(stranger.facts(world)) == Commit(), "who comes late joins with its bid"


def test_commit__by_a_proposer__does_not_wait_for_final_blocks_until_its_bond_is_lost() -> None:
    """A creator can choose a commit phase shorter than blocks take to be final; who proposed nothing just stays out."""
    world, players = World(1, 0, 0), five()
    first(world, players, Commit)
    proposer, other = (next(each for each in players if (each.account in world.models) is it) for it in (True, False))
    for now, commits in (((AT.join + AT.commit) // 2 - 1, False), ((AT.join + AT.commit) // 2, True)):
        world.now = now
        assert isinstance(proposer.next_step(proposer.facts(world, AT.join - 1)), Commit if commits else Wait)
        assert isinstance(other.next_step(other.facts(world, AT.join - 1)), Wait)


def test_list__when_the_report_is_pressing__left_out() -> None:
    """Points are worth no bond: measuring or listing them must not cost the winner its report."""
    world = World(1, 0, 0)
    winner = first(world, five(), List)
    world.now = AT.report - winner.conduct.reserve - 1
    assert winner.next_step(winner.facts(world)) == List()
    world.now += 1
    assert isinstance(winner.next_step(winner.facts(world)), Report)


def test_reveal__draw_that_is_not_final__waits_for_half_of_the_time_at_most() -> None:
    world = World(1, 0, 0)
    player = first(world, five(), Reveal)
    drawn = world.now
    halfway = (drawn + AT.reveal) // 2
    waits = player.next_step(player.facts(world, drawn - 1))
    assert isinstance(waits, Wait) and waits.until == halfway
    world.now = halfway
    assert player.next_step(player.facts(world, drawn - 1)) == Reveal()


def test_next_step__journal_of_another_bid__says_so_in_time_and_reveals_nothing() -> None:
    world, players = World(1, 0, 0), five()
    player = first(world, players, Reveal)
    for notes in ({}, {**player.notes, bid_name(world.record): {"bids": [9], "salt": "44" * 32}}):
        stuck = player.next_step(player.facts(world), notes)
        assert isinstance(stuck, Stuck) and "put back" in stuck.why and world.now < AT.reveal

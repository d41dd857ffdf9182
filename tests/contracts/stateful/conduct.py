"""The rules of a round from its selection on; each yields the names of the errors."""

from collections.abc import Sequence

from analysis.devnode.market import Call
from analysis.devnode.rounds import Opening
from analysis.mechanism import CONTRIBUTION_ONE
from fl.market.bids import word_count
from fl.market.terms import Role, Status
from tests.contracts.stateful.guards import Errors, after, before, in_status, is_a, length, supplied
from tests.contracts.stateful.state import Round, World

FULL = 10_000  # basis points


def select(world: World, round_: Round, call: Call) -> Errors:
    deadlines = round_.terms.deadlines
    yield from in_status(round_, Status.OPEN)
    yield from before(world, deadlines.select)
    yield from after(world, deadlines.commit)
    if round_.can_be_held and not round_.all_revealed:
        yield from after(world, deadlines.reveal)


def _epoch(round_: Round, epoch: int, recorded: set[int]) -> Errors:
    if round_.selected is not None and epoch >= round_.models[round_.selected].training_rounds:
        yield "InvalidEpoch"
    if epoch in recorded:
        yield "AlreadyRecorded"


def record_global(world: World, round_: Round, call: Call, epoch: int, *digests: bytes) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, round_.terms.deadlines.train)
    if call.sender != round_.winner:
        yield "NotTheWinner"
    yield from _epoch(round_, epoch, round_.epochs)


def record_update(world: World, round_: Round, call: Call, epoch: int, digest: bytes) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, round_.terms.deadlines.train)
    place = round_.places.get(call.sender)
    yield from is_a(place, Role.BASE_STATION)
    if place and not place.revealed:
        yield "NotRevealed"
    yield from _epoch(round_, epoch, place.epochs if place else set())


def contributions(
    world: World, round_: Round, call: Call, stations: Sequence[str], points: Sequence[int], bids: Sequence[int]
) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, round_.terms.deadlines.report)
    if call.sender != round_.winner:
        yield "NotTheWinner"
    if len(stations) != len(points):
        yield "LengthMismatch"
    if round_.by_contribution:
        yield from length(round_, bids, len(stations))
    words = word_count(len(round_.models))
    for number, (account, given) in enumerate(zip(stations, points, strict=False)):
        place = round_.places.get(account)
        yield from is_a(place, Role.BASE_STATION)
        if given >= CONTRIBUTION_ONE:
            yield "InvalidContribution"
        if place and not place.committed:
            yield "NotCommitted"
        elif place and round_.by_contribution:
            yield from supplied(round_, place, bids[number * words : (number + 1) * words])


def report(world: World, round_: Round, call: Call, digest: bytes, opening: tuple[int, bytes, bytes]) -> Errors:
    deadlines = round_.terms.deadlines
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, deadlines.report)
    if call.sender != round_.winner:
        yield "NotTheWinner"
    recorders = len(round_.recorders)
    if world.now < deadlines.train and recorders != len(round_.revealed(Role.BASE_STATION)):
        yield "UpdatesMissing"
    listed = sum(place.listed or 0 for place in round_.places.values())
    if round_.by_contribution and recorders and listed != CONTRIBUTION_ONE:
        yield "ContributionsDoNotAddUp"
    model = None if round_.selected is None else round_.models[round_.selected]
    if model and model.digest != Opening(*opening).digest(call.market, round_.id, call.sender):
        yield "WrongProposalOpening"


def abort(world: World, round_: Round, call: Call, words: Sequence[int]) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from after(world, round_.terms.deadlines.report)
    yield from length(round_, words)
    if round_.winner:
        yield from supplied(round_, round_.places[round_.winner], words)


# ── vote and settle ──


def vote(world: World, round_: Round, call: Call, punish: bool, accuracy_bps: int) -> Errors:
    yield from in_status(round_, Status.REPORTED)
    yield from before(world, round_.terms.deadlines.vote)
    place = round_.places.get(call.sender)
    yield from is_a(place, Role.OWNER)
    if place and place not in round_.electors:
        yield "NotAnElector"
    if place and place.vote is not None:
        yield "AlreadyVoted"
    if accuracy_bps > FULL:
        yield "InvalidAccuracy"


def settle(world: World, round_: Round, call: Call, account: str, words: Sequence[int]) -> Errors:
    yield from settle_many(world, round_, call, [account], words)
    place = round_.places.get(account)
    if place and place.settled:
        yield "AlreadySettled"


def settle_many(world: World, round_: Round, call: Call, accounts: Sequence[str], bids: Sequence[int]) -> Errors:
    if not round_.settlement_open(world.now):
        yield "SettlementNotOpen"
    yield from length(round_, bids, len(accounts))
    words = word_count(len(round_.models))
    for number, account in enumerate(accounts):
        place = round_.places.get(account)
        if place is None:
            yield "NotAMember"
        elif place.committed and not place.settled and account not in accounts[:number]:
            yield from supplied(round_, place, bids[number * words : (number + 1) * words])


def claim(world: World, round_: Round, call: Call) -> Errors:
    if not round_.rebate_due(call.sender):
        yield "RebateNotDue"

"""The rules of a round from its selection on; each yields the names of the errors."""

from collections.abc import Sequence

from analysis.devnode.market import Call
from analysis.devnode.rounds import Opening
from analysis.mechanism import BASIS_POINTS, most_contribution_points
from fl.market.bids import word_count
from fl.market.terms import Role, Status
from tests.contracts.stateful.guards import Errors, after, before, in_status, is_a, is_drawn, length
from tests.contracts.stateful.state import Place, Round, World


def select(world: World, round_: Round, call: Call) -> Errors:
    deadlines = round_.terms.deadlines
    yield from in_status(round_, Status.OPEN)
    yield from is_drawn(round_)
    yield from before(world, deadlines.select)
    if round_.silent:
        yield from after(world, deadlines.reveal)


def _in_order(round_: Round, place: Place | None, global_round: int) -> Errors:
    recorded = place.recorded if place else 0
    if round_.selected is not None and (global_round != recorded or recorded == round_.global_rounds):
        yield "WrongGlobalRound"


def record_global(world: World, round_: Round, call: Call, global_round: int, *digests: bytes) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, round_.terms.deadlines.train)
    if call.sender != round_.winner:
        yield "NotTheWinner"
    yield from _in_order(round_, round_.place(call.sender), global_round)


def record_update(world: World, round_: Round, call: Call, global_round: int, digest: bytes) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, round_.terms.deadlines.train)
    place = round_.place(call.sender)
    yield from is_a(place, Role.BASE_STATION)
    if place and not round_.trains(place):
        yield "NotRevealed"
    yield from _in_order(round_, place, global_round)


def contributions(world: World, round_: Round, call: Call, stations: Sequence[str], points: Sequence[int]) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, round_.terms.deadlines.report)
    if call.sender != round_.winner:
        yield "NotTheWinner"
    if len(stations) != len(points):
        yield "LengthMismatch"
    most = most_contribution_points(len(round_.committed(Role.BASE_STATION)))
    for account, given in zip(stations, points, strict=False):
        place = round_.place(account)
        yield from is_a(place, Role.BASE_STATION)
        if place and not place.committed:
            yield "NotCommitted"
        if given > most:
            yield "ContributionTooLarge"


def report(world: World, round_: Round, call: Call, digest: bytes, opening: tuple[int, bytes, bytes]) -> Errors:
    deadlines = round_.terms.deadlines
    yield from in_status(round_, Status.TRAINING)
    yield from before(world, deadlines.report)
    if call.sender != round_.winner:
        yield "NotTheWinner"
    able = [place for place in round_.side(Role.BASE_STATION) if round_.trains(place)]
    if world.now < deadlines.train and len(round_.finished) != len(able):
        yield "UpdatesMissing"
    model = None if round_.selected is None else round_.models[round_.selected]
    if model and model.owners_digest != Opening(*opening).digest(call.market, round_.id, call.sender):
        yield "WrongProposalOpening"


def abort(world: World, round_: Round, call: Call) -> Errors:
    yield from in_status(round_, Status.TRAINING)
    yield from after(world, round_.terms.deadlines.report)


# ── vote and settle ──


def vote(world: World, round_: Round, call: Call, accuracy_bps: int, uphold: bool) -> Errors:
    yield from in_status(round_, Status.REPORTED)
    yield from before(world, round_.terms.deadlines.vote)
    place = round_.place(call.sender)
    yield from is_a(place, Role.OWNER)
    if place and place not in round_.electors:
        yield "NotAnElector"
    if place and place.vote is not None:
        yield "AlreadyVoted"
    if accuracy_bps > BASIS_POINTS:
        yield "InvalidAccuracy"


def settle(world: World, round_: Round, call: Call, account: str, words: Sequence[int]) -> Errors:
    place = round_.places.get(account)
    if place is None or place.settled:
        yield "NotAMember"
    yield from settle_many(world, round_, call, [account], words)


def settle_many(world: World, round_: Round, call: Call, accounts: Sequence[str], bids: Sequence[int]) -> Errors:
    yield from length(round_, bids, len(accounts))
    words = word_count(len(round_.models))
    for number, account in enumerate(accounts):
        place = round_.places.get(account)
        if place is None or place.settled or account in accounts[:number]:
            continue  # passed over
        if not round_.can_settle(place, world.now):
            yield "SettlementNotOpen"
        elif round_.bids_matter(place) and list(bids[number * words : (number + 1) * words]) != round_.words_of(place):
            yield "WrongBids"


def claim_lot(world: World, round_: Round, call: Call) -> Errors:
    if call.sender != round_.claimant:
        yield "NotTheClaimant"

"""The rules of accounts, and of a round up to its reveals; each yields the names of the errors."""

from collections.abc import Sequence
from typing import Any

from analysis.devnode.market import Call
from analysis.mechanism import MAX_POINTS, WEI_PER_GWEI
from fl.market.bids import MAX_BID, commitment_of, pack_bids, unpack_bids, word_count
from fl.market.membership import Entry
from fl.market.terms import Policy, Role, Stage, Status
from tests.contracts.stateful.guards import Errors, after, before, is_a, length
from tests.contracts.stateful.state import Round, World, kept

MAX_BOND = 2**89 - 1
YEAR = 365 * 86_400
MAX_EPOCHS = 256
FULL = 10_000  # basis points


def withdraw(world: World, call: Call) -> Errors:
    if call.arguments[0] > world.free[call.sender]:
        yield "InsufficientBalance"
    if call.sender in world.refusing:
        yield "TransferFailed"


def create(world: World, terms: tuple[Any, ...]) -> Errors:
    owner_cap, base_cap, bond, owner_policy, base_policy, threshold, max_models, root, deadlines = terms
    if not (1 <= owner_cap <= MAX_BID and 1 <= base_cap <= MAX_BID):
        yield "InvalidCap"
    times = 2 if base_policy == Policy.CONTRIBUTION else 1
    if not base_cap * WEI_PER_GWEI * times <= bond <= MAX_BOND:
        yield "BondOutOfRange"
    if owner_policy == Policy.CONTRIBUTION:
        yield "InvalidPolicy"
    if not any(root) and (owner_policy, base_policy) != (Policy.EQUAL, Policy.EQUAL):
        yield "MembershipRootRequired"
    if threshold >= FULL:
        yield "InvalidThreshold"
    if not 1 <= max_models <= 64:
        yield "InvalidMaxModels"
    if any(late <= early for early, late in zip((world.now, *deadlines), deadlines, strict=False)):
        yield "InvalidDeadline"
    if deadlines[-1] > world.now + YEAR:
        yield "DeadlineTooFar"


def join(world: World, round_: Round, call: Call, *arguments: Any) -> Errors:
    yield from before(world, round_.terms.deadlines.join)
    yield from _enter(world, round_, call, *arguments)


def join_and_commit(world: World, round_: Round, call: Call, *arguments: Any) -> Errors:
    yield from after(world, round_.terms.deadlines.join)
    yield from before(world, round_.terms.deadlines.commit)
    yield from _enter(world, round_, call, *arguments[:-1])


def _enter(
    world: World, round_: Round, call: Call, role: Role, points: int, proof: Sequence[bytes], rebates: Sequence[int]
) -> Errors:
    if call.sender in round_.places:
        yield "AlreadyJoined"
    if not 1 <= points <= (MAX_POINTS if round_.weighted(Role(role)) else 1):
        yield "InvalidPoints"
    entry = Entry(call.sender, Role(role), points)
    if any(round_.terms.membership_root) and not round_.lists(entry, proof):
        yield "InvalidProof"
    credited = 0
    for place, number in enumerate(rebates):
        earlier = world.rounds.get(number)
        if earlier is None:
            yield "UnknownRound"
        elif not earlier.rebate_due(call.sender) or number in rebates[:place]:
            yield "RebateNotDue"
        else:
            credited += earlier.rebate(call.sender)
    if world.free[call.sender] + credited + call.value < round_.terms.lock(Role(role), points):
        yield "InsufficientBalance"


def propose(world: World, round_: Round, call: Call, proposal: tuple[bytes, bytes, int]) -> Errors:
    yield from before(world, round_.terms.deadlines.join)
    place = round_.places.get(call.sender)
    yield from is_a(place, Role.OWNER)
    if place and place.model is not None:
        yield "AlreadyProposed"
    if not 1 <= proposal[2] <= MAX_EPOCHS:
        yield "InvalidTrainingRounds"
    if len(round_.models) == round_.terms.max_models:
        yield "TooManyModels"


def commit(world: World, round_: Round, call: Call, commitment: bytes) -> Errors:
    yield from after(world, round_.terms.deadlines.join)
    yield from before(world, round_.terms.deadlines.commit)
    place = round_.places.get(call.sender)
    if place is None:
        yield "NotAMember"
    elif place.stage is not Stage.JOINED:
        yield "AlreadyCommitted"


def reveal(world: World, round_: Round, call: Call, words: Sequence[int], salt: bytes) -> Errors:
    if round_.stored is Status.CANCELLED:
        yield "WrongStatus"
    yield from after(world, round_.terms.deadlines.commit)
    yield from before(world, round_.terms.deadlines.reveal)
    place = round_.places.get(call.sender)
    if place is None:
        yield "NotAMember"
        return
    if place.stage is not Stage.COMMITTED:
        yield "AlreadyRevealed" if place.committed or place.settled else "NotCommitted"
        return
    yield from length(round_, words)
    opening = commitment_of(call.market.chain_id, call.market.address, round_.id, call.sender, words, salt)
    if place.commitment and kept(place.commitment) != kept(opening):
        yield "WrongOpening"
    if round_.weighted(place.role) and len(round_.committed(place.role)) < 2:
        yield "WrongStatus"  # a lone member has no weight to speak of
    models = len(round_.models)
    if len(words) == word_count(models):
        bids = unpack_bids(words, models)
        if max(bids, default=0) > round_.cap(place.role):
            yield "BidOverCap"
        if max(bids, default=0) > MAX_BID or pack_bids(bids) != list(words):
            yield "MalformedBids"

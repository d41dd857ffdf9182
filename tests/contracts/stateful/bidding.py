"""The rules of accounts, and of a round up to its reveals; each yields the names of the errors."""

from collections.abc import Sequence
from typing import Any

from analysis.devnode.market import Call
from analysis.mechanism import BASIS_POINTS, MAX_POINTS, WEI_PER_GWEI
from fl.market.bids import MAX_BID, commitment_of, pack_bids, unpack_bids, word_count
from fl.market.membership import Entry
from fl.market.terms import SHORTEST_PHASE, SHORTEST_REVEAL_PHASE, Policy, Role, Stage, Status
from tests.contracts.stateful.guards import Errors, after, before, in_status, is_a, is_drawn, length
from tests.contracts.stateful.state import Round, World, kept

MAX_BOND = (2**54 - 1) * WEI_PER_GWEI
MAX_STAKE = (2**44 - 1) * WEI_PER_GWEI
MAX_ESCROW = 2**96 - 1
YEAR = 365 * 86_400
MAX_GLOBAL_ROUNDS = 256


def withdraw(world: World, call: Call) -> Errors:
    amount, to = call.arguments
    if amount > world.free[call.sender]:
        yield "InsufficientBalance"
    if to in world.refusing:
        yield "TransferFailed"


def create(world: World, terms: tuple[Any, ...], root: bytes) -> Errors:
    owner_cap, station_cap, bond, stake, policy, lowest, largest, threshold, tolerance, max_models, deadlines = terms
    if not (1 <= owner_cap <= MAX_BID and 1 <= station_cap <= MAX_BID):
        yield "InvalidCap"
    if not station_cap * WEI_PER_GWEI <= bond <= MAX_BOND:
        yield "BondOutOfRange"
    if stake > MAX_STAKE:
        yield "StakeOutOfRange"
    if bond % WEI_PER_GWEI or stake % WEI_PER_GWEI:
        yield "NotWholeGwei"
    if not lowest <= largest < BASIS_POINTS or (policy == Policy.CAPABILITY and largest):
        yield "InvalidSurplusRange"
    if not BASIS_POINTS // 2 <= threshold < BASIS_POINTS:
        yield "InvalidThreshold"
    if tolerance >= BASIS_POINTS:
        yield "InvalidTolerance"
    if not 1 <= max_models <= 64:
        yield "InvalidMaxModels"
    shortest = [SHORTEST_PHASE] * len(deadlines)
    shortest[2] = SHORTEST_REVEAL_PHASE
    starts = (world.now, *deadlines[:-1])
    if any(end < start + least for start, end, least in zip(starts, deadlines, shortest, strict=True)):
        yield "InvalidDeadline"
    if deadlines[-1] > world.now + YEAR:
        yield "DeadlineTooFar"
    if not any(root):
        yield "MembershipRootRequired"


def join(world: World, round_: Round, call: Call, *arguments: Any) -> Errors:
    yield from before(world, round_.terms.deadlines.join)
    yield from _enter(world, round_, call, *arguments)


def join_and_commit(world: World, round_: Round, call: Call, *arguments: Any) -> Errors:
    yield from after(world, round_.terms.deadlines.join)
    yield from before(world, round_.terms.deadlines.commit)
    yield from _enter(world, round_, call, *arguments[:-1])


def _enter(
    world: World, round_: Round, call: Call, terms_hash: bytes, role: Role, points: int, proof: Sequence[bytes]
) -> Errors:
    if round_.place(call.sender):
        yield "AlreadyJoined"
    largest = MAX_POINTS if round_.weighted and Role(role) is Role.OWNER else 1
    if not 1 <= points <= largest:
        yield "InvalidPoints"
    if not round_.admits(Entry(call.sender, Role(role), points), proof, terms_hash):
        yield "NotAdmitted"
    lock = round_.terms.lock(Role(role), points)
    if round_.escrow + lock > MAX_ESCROW:
        yield "RoundFull"
    if world.free[call.sender] + call.value < lock:
        yield "InsufficientBalance"


def propose(world: World, round_: Round, call: Call, proposal: tuple[bytes, bytes, int]) -> Errors:
    yield from before(world, round_.terms.deadlines.join)
    place = round_.place(call.sender)
    yield from is_a(place, Role.OWNER)
    if place and place.model is not None:
        yield "AlreadyProposed"
    if not 1 <= proposal[2] <= MAX_GLOBAL_ROUNDS:
        yield "InvalidGlobalRounds"
    if len(round_.models) == round_.terms.max_models:
        yield "TooManyModels"


def commit(world: World, round_: Round, call: Call, commitment: bytes) -> Errors:
    yield from after(world, round_.terms.deadlines.join)
    yield from before(world, round_.terms.deadlines.commit)
    place = round_.place(call.sender)
    if place is None:
        yield "NotAMember"
    elif place.stage is not Stage.JOINED:
        yield "AlreadyCommitted"


def draw(world: World, round_: Round, call: Call) -> Errors:
    deadlines = round_.terms.deadlines
    yield from after(world, deadlines.draw_opens)
    yield from before(world, deadlines.draw)
    if round_.drawn:
        yield "AlreadyDrawn"
    elif not round_.can_be_held:
        yield from in_status(round_, Status.OPEN)  # it is cancelled once


def reveal(world: World, round_: Round, call: Call, words: Sequence[int], salt: bytes) -> Errors:
    yield from is_drawn(round_)
    yield from before(world, round_.terms.deadlines.reveal)
    place = round_.place(call.sender)
    if place is None:
        yield "NotAMember"
        return
    if place.stage is not Stage.COMMITTED:
        yield "NotCommitted" if place.stage is Stage.JOINED else "AlreadyRevealed"
        return
    if place.account == round_.claimant:
        yield "ClaimantStandsAside"
    yield from length(round_, words)
    opening = commitment_of(call.market.chain_id, call.market.address, round_.id, call.sender, words, salt)
    if place.commitment and kept(place.commitment) != kept(opening):
        yield "WrongOpening"
    models = len(round_.models)
    if len(words) == word_count(models):
        bids = unpack_bids(words, models)
        if max(bids, default=0) > round_.cap(place.role):
            yield "BidOverCap"
        if max(bids, default=0) > MAX_BID or pack_bids(bids) != list(words):
            yield "MalformedBids"

"""What a call that breaks no rule changes, as `contracts/protocol.md` tells it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from eth_abi import encode
from eth_utils import keccak

from analysis.devnode.market import Call
from analysis.mechanism import draw
from analysis.settlement import settle_round
from fl.market.bids import unpack_bids, word_count
from fl.market.terms import Role, Status
from tests.contracts.stateful.rules import broken_by
from tests.contracts.stateful.state import Model, Place, Round, Vote, World


def apply(world: World, call: Call) -> None:
    """Change the world by a call that breaks no rule; a round's creation is `World.rounds` with one more."""
    world.ether[call.sender] -= call.value
    match call.function:
        case "deposit":
            world.free[call.sender] += call.value
        case "withdraw":
            _withdraw(world, call, *call.arguments)
        case _:
            number, *arguments = call.arguments
            _EFFECTS[call.function](world, world.rounds[number], call, *arguments)


def _withdraw(world: World, call: Call, amount: int, to: str) -> None:
    """Pays; then the receiver's own code may call again, and finds what is left."""
    world.free[call.sender] -= amount
    world.ether[to] += amount
    reaction = world.reactions.get(to)
    if reaction and not broken_by(world, reaction):
        apply(world, reaction)


def _join(
    world: World,
    round_: Round,
    call: Call,
    terms_hash: bytes,
    role: Role,
    points: int,
    proof: Sequence[bytes],
    commitment: bytes | None = None,
) -> None:
    place = Place(call.sender, Role(role), points)
    round_.places[call.sender] = place
    world.free[call.sender] += call.value - round_.lock(place)
    round_.escrow += round_.lock(place)
    if commitment is not None:
        _commit(world, round_, call, commitment)


def _propose(world: World, round_: Round, call: Call, proposal: tuple[bytes, bytes, int]) -> None:
    round_.places[call.sender].model = len(round_.models)
    round_.models.append(Model(call.sender, *proposal))


def _commit(world: World, round_: Round, call: Call, commitment: bytes) -> None:
    place = round_.places[call.sender]
    place.commitment = commitment
    if place.role is Role.BASE_STATION:
        place.ordinal = len(round_.committed(Role.BASE_STATION))


def _draw(world: World, round_: Round, call: Call) -> None:
    if not round_.can_be_held:
        round_.stored = Status.CANCELLED
        return
    stations = {place.ordinal: place.account for place in round_.committed(Role.BASE_STATION)}
    c = int.from_bytes(keccak(encode(["bytes32", "uint256"], [world.randao, round_.id])), "big")
    drawn = draw(c, len(stations), *round_.terms.surplus_bps, round_.weighted)
    round_.theta, round_.claimant = drawn.theta_numerator, stations[drawn.claimant + 1]


def _reveal(world: World, round_: Round, call: Call, words: Sequence[int], salt: bytes) -> None:
    round_.places[call.sender].bids = tuple(unpack_bids(words, len(round_.models)))


def _select(world: World, round_: Round, call: Call) -> None:
    if not round_.revealed(Role.BASE_STATION):
        round_.stored = Status.CANCELLED
        return
    selected = settle_round(replace(round_.facts, selected_in_time=True, reported=False)).selected
    round_.selected = selected
    round_.stored = Status.NOTHING_TRAINED if selected is None else Status.TRAINING


def _record(world: World, round_: Round, call: Call, global_round: int, *digests: bytes) -> None:
    round_.places[call.sender].recorded += 1


def _contributions(world: World, round_: Round, call: Call, stations: Sequence[str], points: Sequence[int]) -> None:
    for account, given in zip(stations, points, strict=True):
        round_.places[account].listed = given


def _report(world: World, round_: Round, call: Call, digest: bytes, opening: tuple[int, bytes, bytes]) -> None:
    round_.stored = Status.REPORTED
    round_.claimed_bps = opening[0]


def _abort(world: World, round_: Round, call: Call) -> None:
    round_.stored = Status.ABORTED


def _vote(world: World, round_: Round, call: Call, accuracy_bps: int, uphold: bool) -> None:
    round_.places[call.sender].vote = Vote(accuracy_bps, uphold)


def _settle(world: World, round_: Round, call: Call, account: str, words: Sequence[int]) -> None:
    _settle_many(world, round_, call, [account], words)


def _settle_many(world: World, round_: Round, call: Call, accounts: Sequence[str], bids: Sequence[int]) -> None:
    assert len(bids) == len(accounts) * word_count(len(round_.models))
    round_.stored = round_.status(world.now)  # a cancellation that a deadline has brought is stored now
    for account in accounts:
        place = round_.places.get(account)
        if place is None or place.settled:
            continue
        place.settled = True
        released = round_.lock(place) - round_.payment(place)
        round_.escrow -= released
        round_.lot += round_.tax(place)
        world.free[account] += released


def _claim_lot(world: World, round_: Round, call: Call) -> None:
    round_.escrow -= round_.lot
    world.free[call.sender] += round_.lot
    round_.lot = 0


_EFFECTS: dict[str, Callable[..., None]] = {
    "join": _join,
    "propose": _propose,
    "commitBid": _commit,
    "joinAndCommit": _join,
    "drawClaimant": _draw,
    "revealBid": _reveal,
    "selectModel": _select,
    "recordGlobalRound": _record,
    "recordUpdate": _record,
    "reportContributions": _contributions,
    "reportResult": _report,
    "abortTraining": _abort,
    "vote": _vote,
    "settle": _settle,
    "settleMany": _settle_many,
    "claimLot": _claim_lot,
}

"""What a call that breaks no rule changes, as `contracts/protocol.md` tells it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from analysis.devnode.market import Call
from analysis.settlement import settle_round
from fl.market.bids import unpack_bids, word_count
from fl.market.terms import Role, Status
from tests.contracts.stateful.rules import broken_by
from tests.contracts.stateful.state import Model, Place, Round, World


def apply(world: World, call: Call) -> None:
    """Change the world by a call that breaks no rule; a round's creation is `World.rounds` with one more."""
    world.ether[call.sender] -= call.value
    match call.function:
        case "deposit":
            world.free[call.sender] += call.value
        case "withdraw":
            _withdraw(world, call)
        case _:
            number, *arguments = call.arguments
            _EFFECTS[call.function](world, world.rounds[number], call, *arguments)


def _withdraw(world: World, call: Call) -> None:
    """Pays; then the receiver's own code may call again, and finds what is left."""
    world.free[call.sender] -= call.arguments[0]
    world.ether[call.sender] += call.arguments[0]
    reaction = world.reactions.get(call.sender)
    if reaction and not broken_by(world, reaction):
        apply(world, reaction)


def _join(
    world: World,
    round_: Round,
    call: Call,
    role: Role,
    points: int,
    proof: Sequence[bytes],
    rebates: Sequence[int],
    commitment: bytes | None = None,
) -> None:
    for number in rebates:
        _claim(world, world.rounds[number], call)
    place = Place(call.sender, Role(role), points, commitment=commitment)
    round_.places[call.sender] = place
    world.free[call.sender] += call.value - round_.lock(place)
    round_.escrow += round_.lock(place)


def _propose(world: World, round_: Round, call: Call, proposal: tuple[bytes, bytes, int]) -> None:
    round_.places[call.sender].model = len(round_.models)
    round_.models.append(Model(call.sender, proposal[2], proposal[0]))


def _commit(world: World, round_: Round, call: Call, commitment: bytes) -> None:
    round_.places[call.sender].commitment = commitment


def _reveal(world: World, round_: Round, call: Call, words: Sequence[int], salt: bytes) -> None:
    round_.places[call.sender].bids = tuple(unpack_bids(words, len(round_.models)))


def _select(world: World, round_: Round, call: Call) -> None:
    if not round_.can_be_held or not round_.revealed(Role.BASE_STATION):
        round_.stored = Status.CANCELLED
        return
    selected = settle_round(replace(round_.facts, selected_in_time=True, reported=False)).selected
    round_.selected = selected
    round_.stored = Status.NOTHING_TRAINED if selected is None else Status.TRAINING


def _record_global(world: World, round_: Round, call: Call, epoch: int, *digests: bytes) -> None:
    round_.epochs.add(epoch)


def _record_update(world: World, round_: Round, call: Call, epoch: int, digest: bytes) -> None:
    round_.places[call.sender].epochs.add(epoch)


def _contributions(
    world: World, round_: Round, call: Call, stations: Sequence[str], points: Sequence[int], bids: Sequence[int]
) -> None:
    for account, given in zip(stations, points, strict=True):
        round_.places[account].listed = given


def _report(world: World, round_: Round, call: Call, *arguments: Any) -> None:
    round_.stored = Status.REPORTED


def _abort(world: World, round_: Round, call: Call, words: Sequence[int]) -> None:
    round_.stored = Status.ABORTED


def _vote(world: World, round_: Round, call: Call, punish: bool, accuracy_bps: int) -> None:
    round_.places[call.sender].vote = punish


def _settle(world: World, round_: Round, call: Call, account: str, words: Sequence[int]) -> None:
    _settle_many(world, round_, call, [account], words)


def _settle_many(world: World, round_: Round, call: Call, accounts: Sequence[str], bids: Sequence[int]) -> None:
    assert len(bids) == len(accounts) * word_count(len(round_.models))
    round_.stored = round_.status(world.now)  # a cancellation that a deadline has brought is stored now
    for account in accounts:
        place = round_.places[account]
        if place.settled:
            continue
        place.settled = True
        released = round_.lock(place) - round_.statement(place).payment
        round_.escrow -= released
        world.free[account] += released


def _claim(world: World, round_: Round, call: Call) -> None:
    amount = round_.rebate(call.sender)
    round_.places[call.sender].claimed = True
    round_.escrow -= amount
    world.free[call.sender] += amount


_EFFECTS: dict[str, Callable[..., None]] = {
    "join": _join,
    "propose": _propose,
    "commitBid": _commit,
    "joinAndCommit": _join,
    "revealBid": _reveal,
    "selectModel": _select,
    "recordGlobalRound": _record_global,
    "recordUpdate": _record_update,
    "reportContributions": _contributions,
    "reportResult": _report,
    "abortTraining": _abort,
    "vote": _vote,
    "settle": _settle,
    "settleMany": _settle_many,
    "claimRebate": _claim,
}

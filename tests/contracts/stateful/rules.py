"""Which rules of `contracts/protocol.md` a call breaks, by the name of the error that each has.

A call succeeds exactly if it breaks none; if it fails, then with the error of one that it breaks. Which of several is
said first is left to the contract.
"""

from collections.abc import Callable

from analysis.devnode.market import Call
from tests.contracts.stateful import bidding, conduct
from tests.contracts.stateful.guards import Errors
from tests.contracts.stateful.state import World

RULES: dict[str, Callable[..., Errors]] = {
    "join": bidding.join,
    "propose": bidding.propose,
    "commitBid": bidding.commit,
    "joinAndCommit": bidding.join_and_commit,
    "drawClaimant": bidding.draw,
    "revealBid": bidding.reveal,
    "selectModel": conduct.select,
    "recordGlobalRound": conduct.record_global,
    "recordUpdate": conduct.record_update,
    "reportContributions": conduct.contributions,
    "reportResult": conduct.report,
    "abortTraining": conduct.abort,
    "vote": conduct.vote,
    "settle": conduct.settle,
    "settleMany": conduct.settle_many,
    "claimLot": conduct.claim_lot,
}


def broken_by(world: World, call: Call) -> frozenset[str]:
    """The errors that the call may fail with; empty if it must succeed."""
    match call.function:
        case "createRound":
            return frozenset(bidding.create(world, *call.arguments))
        case "deposit":
            return frozenset()
        case "withdraw":
            return frozenset(bidding.withdraw(world, call))
    number, *arguments = call.arguments
    if number not in world.rounds:
        return frozenset({"NotTheClaimant" if call.function == "claimLot" else "UnknownRound"})
    return frozenset(RULES[call.function](world, world.rounds[number], call, *arguments))

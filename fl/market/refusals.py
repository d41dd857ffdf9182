"""What the contract's custom errors mean, in words, and what to do about them."""

from collections.abc import Mapping
from typing import Any

from fl.faults import Fault
from fl.market.terms import Role, Status


class MarketError(Fault, RuntimeError):
    """A call that the contract, or the node, refused; nothing was changed by it.

    Attributes:
        name: of the contract's error; "" where it was another.
    """

    def __init__(self, text: str, name: str = ""):
        super().__init__(text)
        self.name = name


class NoNode(Fault, ConnectionError):
    """No node can be used; the text says of each why not."""


class Again(MarketError):
    """It may work later as it is: the node is away or busy, or a transaction is still on its way."""


class Never(MarketError):
    """The contract refuses this call as things stand on the chain; the same call again would be refused again."""


class ByHand(MarketError):
    """Somebody has to do something first; the text says what."""


_WORDS: dict[str, str] = {
    "InsufficientBalance": "{available} wei are free and {required} are needed; deposit the difference",
    "TransferFailed": "{to} did not accept {amount} wei, or is nobody's address",
    "UnknownRound": "there is no round {roundId}; check the number and the contract's address",
    "InvalidCap": "a cap on bids must be 1 … 2^44 − 1 gwei, not {cap}",
    "BondOutOfRange": "the bond must be {minimum} … {maximum} wei, not {bond}",
    "StakeOutOfRange": "the contribution stake must be 0 … {maximum} wei, not {stake}",
    "NotWholeGwei": "bond and contribution stake are whole gwei, and {amount} wei is not",
    "InvalidSurplusRange": "θ is drawn from a range below 10,000 (1/10,000), its ends in order, and is 0 under "
    "capability; {minBps} … {maxBps} is no such range",
    "InvalidThreshold": "the threshold of a verdict must be 5,000 … 9,999 (1/10,000), not {bps}",
    "InvalidTolerance": "the tolerance of a measured accuracy must be below 10,000 (1/10,000), not {bps}",
    "InvalidMaxModels": "a round takes 1 … 64 models, not {maxModels}",
    "MembershipRootRequired": "a round needs a membership list, and its root is not 0",
    "InvalidDeadline": "deadline {index} ({deadline}) leaves its phase too short: {earliest} is the earliest possible",
    "DeadlineTooFar": "the last deadline ({deadline}) is over a year away; the latest possible is {latest}",
    "PhaseNotOpen": "this phase of round {roundId} opens at {opensAt}; call again then",
    "DeadlinePassed": "the deadline for this call in round {roundId} was {deadline}",
    "WrongStatus": "round {roundId} is {actual}, and this call needs it to be {required}",
    "NotDrawn": "the claimant of round {roundId} is not drawn: call drawClaimant while its window is open",
    "AlreadyDrawn": "the claimant of round {roundId} is drawn already",
    "SettlementNotOpen": "round {roundId} cannot be settled yet, it is {status}; "
    "a training whose report is overdue must be aborted first",
    "NotAMember": "{account} has not joined round {roundId}, or is settled",
    "AlreadyJoined": "{account} has joined round {roundId} already; one account has one role in a round",
    "WrongRole": "{account} is a member as {actual}, and this call is for {required}",
    "InvalidPoints": "points must be 1 unless owners share by capability, and never 0; these are {points}",
    "NotAdmitted": "the membership list of this round has no entry for {account} as {role} with {points} points, or "
    "its terms are not those that were read ({termsHash}); read them again",
    "RoundFull": "round {roundId} can take no more members or funds",
    "AlreadyProposed": "{owner} has proposed model {model} already; an owner proposes once",
    "TooManyModels": "this round takes {maxModels} models, and has them",
    "InvalidGlobalRounds": "a proposal trains 1 … 256 global rounds, not {globalRounds}",
    "AlreadyCommitted": "{account} has committed its bids in round {roundId} already",
    "NotCommitted": "{account} has committed no bids in round {roundId}",
    "AlreadyRevealed": "{account} has revealed its bids in round {roundId} already",
    "ClaimantStandsAside": "{claimant} is the claimant of round {roundId}: its bids stay sealed, without a loss",
    "WrongBidLength": "{length} packed words, but {required} are needed; pack one bid for each proposed model",
    "BidOverCap": "the bid of {bid} gwei for model {model} is over the round's cap of {cap} gwei",
    "MalformedBids": "word {wordIndex} of the packed bids ({word}) has something in a lane that holds no bid",
    "WrongOpening": "these bids and this salt make {commitment}, which is not what {member} sealed",
    "WrongBids": "these are not the bids that {member} revealed (zeros if it revealed none)",
    "NotTheWinner": "only the winner can do this, and {caller} is not",
    "NotRevealed": "{station} revealed no bids in round {roundId}, so it takes no part in training",
    "WrongGlobalRound": "global rounds are recorded in order: {next} of {globalRounds} is due, not {globalRound}",
    "LengthMismatch": "two lists of different length were given: {first} and {second}",
    "ContributionTooLarge": "the points of {station} must be at most {maximum}, not {points}",
    "UpdatesMissing": "{finished} of {required} base stations have recorded every global round; "
    "report after the train deadline, or when all have",
    "InvalidAccuracy": "an accuracy is at most 10,000 (1/10,000), not {bps}",
    "WrongProposalOpening": "this accuracy, these targets or this salt make {digest}, and {proposed} was proposed",
    "NotAnElector": "{account} has no vote: electors are the committed owners but the winner",
    "AlreadyVoted": "{account} has voted already",
    "NotTheClaimant": "{account} is not the claimant of round {roundId}, and only that has a lot",
}

_ROLES = {Role.OWNER: "an owner", Role.BASE_STATION: "a base station"}


def vocabulary() -> dict[str, dict[Any, str]]:
    """All words of `explain`, for a client in another language: of errors by name, their parameters in braces."""
    return {"errors": _WORDS, "roles": dict(_ROLES), "statuses": {each: _status(each) for each in Status}}


def _status(value: int) -> str:
    return Status(value).name.lower().replace("_", " ")


def explain(name: str, values: Mapping[str, Any]) -> str:
    """A custom error in words.

    Args:
        name: the error's name in the contract's interface.
        values: its parameters.
    """
    words = _WORDS.get(name)
    if words is None:
        return f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})"
    shown: dict[str, Any] = {
        key: "0x" + bytes(value).hex() if isinstance(value, bytes) else value for key, value in values.items()
    }
    for key in ("actual", "required", "status"):
        if name in ("WrongStatus", "SettlementNotOpen") and key in shown:
            shown[key] = _status(shown[key])
        elif name == "WrongRole" and key in shown:
            shown[key] = _ROLES[Role(shown[key])]
    if "role" in shown:
        shown["role"] = _ROLES[Role(shown["role"])]
    return words.format(**shown)

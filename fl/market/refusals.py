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


_WORDS: dict[str, str] = {
    "UnknownRound": "there is no round {roundId}; check the number and the contract's address",
    "InvalidCap": "a cap on bids must be 1 … 2^44 − 1 gwei, not {cap}",
    "BondOutOfRange": "the bond must be {minimum} … {maximum} wei, not {bond}",
    "InvalidPolicy": "{role} cannot be shared by that policy; contribution is for base stations",
    "MembershipRootRequired": "a policy other than equal needs a membership root that proves the points",
    "InvalidThreshold": "the punishment threshold must be below 10,000, not {bps}",
    "InvalidMaxModels": "a round takes 1 … 64 models, not {maxModels}",
    "InvalidDeadline": "deadline {index} ({deadline}) is not later than {after_}",
    "DeadlineTooFar": "the last deadline ({deadline}) is over a year away; the latest possible is {latest}",
    "PhaseNotOpen": "this phase of round {roundId} opens at {opensAt}; call again then",
    "DeadlinePassed": "the deadline for this call in round {roundId} was {deadline}",
    "WrongStatus": "round {roundId} is {actual}, and this call needs it to be {required}",
    "SettlementNotOpen": "round {roundId} cannot be settled yet, it is {status}; "
    "a training whose report is overdue must be aborted first",
    "NotAMember": "{account} has not joined round {roundId}",
    "AlreadyJoined": "{account} has joined round {roundId} already; one account has one role in a round",
    "WrongRole": "{account} is a member as {actual}, and this call is for {required}",
    "InvalidPoints": "points must be 1 unless the side's policy is capability, and never 0; these are {points}",
    "InvalidProof": "the membership list of this round has no entry for {account} as {role} with {points} points",
    "RoundFull": "round {roundId} can take no more members or funds",
    "AlreadyProposed": "{owner} has proposed model {model} already; an owner proposes once",
    "TooManyModels": "this round takes {maxModels} models, and has them",
    "InvalidTrainingRounds": "a proposal trains 1 … 256 rounds, not {trainingRounds}",
    "AlreadyCommitted": "{account} has committed its bids in round {roundId} already",
    "NotCommitted": "{account} has committed no bids in round {roundId}",
    "AlreadyRevealed": "{account} has revealed its bids in round {roundId} already",
    "WrongBidLength": "{length} packed words, but {required} are needed; pack one bid for each proposed model",
    "BidOverCap": "the bid of {bid} gwei for model {model} is over the round's cap of {cap} gwei",
    "MalformedBids": "word {wordIndex} of the packed bids has something in a lane that holds no bid",
    "WrongOpening": "these bids and this salt are not what {member} committed to; reveal what was sealed",
    "WrongBids": "these are not the bids that {member} revealed (zeros if it revealed none)",
    "NotTheWinner": "only the winner, {winner}, can do this",
    "NotRevealed": "{station} revealed no bids in round {roundId}, so it takes no part in training",
    "InvalidEpoch": "the model trains epochs 0 … {trainingRounds} − 1, and {epoch} is none of them",
    "AlreadyRecorded": "{account} has recorded epoch {epoch} already",
    "LengthMismatch": "two lists of different length were given: {first} and {second}",
    "InvalidContribution": "the points of {station} must be below 1,000,000, not {points}",
    "ContributionsDoNotAddUp": "the reported contributions add up to {sum}, not {required}; list them again",
    "UpdatesMissing": "{recorders} of {revealed} base stations have recorded an update; "
    "report after the train deadline, or when all have",
    "InvalidAccuracy": "an accuracy is at most 10,000 (1/10,000), not {bps}",
    "WrongProposalOpening": "this accuracy, these targets or this salt are not what was proposed",
    "NotAnElector": "{account} has no vote: electors are the committed owners but the winner",
    "AlreadyVoted": "{account} has voted already",
    "AlreadySettled": "{account} is settled in round {roundId} already",
    "RebateNotDue": "no rebate of round {roundId} is due to {account}: not all members are settled yet, "
    "it has been paid, or the account did not commit",
    "InsufficientBalance": "{available} wei are free and {required} are needed; deposit the difference",
    "TransferFailed": "{account} did not accept {amount} wei",
}

_ROLES = {Role.OWNER: "an owner", Role.BASE_STATION: "a base station"}


def explain(name: str, values: Mapping[str, Any]) -> str:
    """A custom error in words.

    Args:
        name: the error's name in the contract's interface.
        values: its parameters.
    """
    words = _WORDS.get(name)
    if words is None:
        return f"{name}({', '.join(f'{key}={value}' for key, value in values.items())})"
    shown = dict(values)
    for key in ("actual", "required", "status"):
        if name in ("WrongStatus", "SettlementNotOpen") and key in shown:
            shown[key] = Status(shown[key]).name.lower().replace("_", " ")
        elif name == "WrongRole" and key in shown:
            shown[key] = _ROLES[Role(shown[key])]
    if "role" in shown:
        shown["role"] = _ROLES[Role(shown["role"])]
    return words.format(**shown)

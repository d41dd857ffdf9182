"""What a member can do next. A step says what, `fl.members.acts` does it."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Join:
    """Lock what the terms ask for."""


@dataclass(frozen=True)
class Propose:
    """Send the texts of a model to both sides, then propose it."""


@dataclass(frozen=True)
class Commit:
    """Seal a bid for each model; who has not joined joins by it."""


@dataclass(frozen=True)
class Draw:
    """Draw θ and the claimant."""


@dataclass(frozen=True)
class Reveal:
    """Open the sealed bids."""


@dataclass(frozen=True)
class Select:
    """Let the contract select the model."""


@dataclass(frozen=True)
class Deliver:
    """Give the base stations that train the winner's order, and the model to start from."""


@dataclass(frozen=True)
class Accept:
    """Read the winner's order, and declare the number of training samples."""


@dataclass(frozen=True)
class Train:
    """Train from the global model, deliver the update and record it."""

    global_round: int


@dataclass(frozen=True)
class Attend:
    """Record that one was there, without an update: no global model came in time."""

    global_round: int


@dataclass(frozen=True)
class Aggregate:
    """Make the next global model of the updates that are recorded, deliver and record it."""

    global_round: int


@dataclass(frozen=True)
class List:
    """List the base stations with their contribution points."""


@dataclass(frozen=True)
class Report:
    """Report a model as the trained one, and open the claim.

    Attributes:
        result: digest of the model, 32 bytes.
    """

    result: bytes


@dataclass(frozen=True)
class Abort:
    """End a round whose winner has not reported."""


@dataclass(frozen=True)
class Vote:
    """Measure the reported model and the listed contributions, and vote."""


@dataclass(frozen=True)
class Settle:
    """Settle members for good.

    Attributes:
        accounts: addresses, the own one among them or not.
    """

    accounts: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """Take what has come in of the claimant's lot."""


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done yet.

    Attributes:
        until: Unix time of the chain at which there may be something; None: when others have acted.
        why: for people.
    """

    until: int | None
    why: str


@dataclass(frozen=True)
class Stuck:
    """Something should be done and cannot be, whatever the member does: people have to know.

    Attributes:
        why: what happened, and what it costs.
    """

    why: str


@dataclass(frozen=True)
class Done:
    """Nothing is left to do in this round.

    Attributes:
        why: for people.
    """

    why: str


Step: TypeAlias = (
    Join
    | Propose
    | Commit
    | Draw
    | Reveal
    | Select
    | Deliver
    | Accept
    | Train
    | Attend
    | Aggregate
    | List
    | Report
    | Abort
    | Vote
    | Settle
    | Claim
    | Wait
    | Stuck
    | Done
)

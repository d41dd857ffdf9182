"""What owners and base stations do alike: all up to the selection of a model, and from the settlement on.

Pure: no clock, no network, no disk. Whoever asks again with the same facts and notes gets the same step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from eth_utils import keccak

from fl.market.bids import SealedBid
from fl.market.terms import Role, Status
from fl.members.facts import Facts
from fl.members.steps import (
    Abort,
    Claim,
    Commit,
    Done,
    Draw,
    Join,
    Reveal,
    Select,
    Settle,
    Step,
    Stuck,
    Wait,
)
from fl.record.history import RoundRecord

Notes: TypeAlias = Mapping[str, Any]
"""What the member's journal says of this round, by name (`fl.members.journal`)."""

BATCH = 50
"""Members settled in one call."""


@dataclass(frozen=True)
class Conduct:
    """How a member goes about a round.

    Attributes:
        joins: whether it takes part; False: it looks on.
        settles_others: whether it pays the gas of settling whoever does not settle for itself. The claimant does in
            any case, for the taxes that come in are its lot.
        reserve: seconds before a deadline that are kept for what must be recorded by then.
        most_lock: wei that it locks in the round at most; None: whatever its terms ask for.
    """

    joins: bool = True
    settles_others: bool = False
    reserve: int = 30
    most_lock: int | None = None


def until_selected(facts: Facts, notes: Notes, conduct: Conduct) -> Step:
    """The next step in a round that is open."""
    deadlines, now, me = facts.deadlines, facts.now, facts.me
    if me is None:
        if not conduct.joins or now >= deadlines.commit:
            return Done("it did not join")
        if now < deadlines.join:
            return Join()
    elif now < deadlines.join:
        return Wait(deadlines.join, "models are proposed until then")
    if now < deadlines.commit:
        if me is not None and me.committed:
            return Wait(deadlines.draw_opens, "bids are sealed until then")
        # A bid is for the models in their order, so that must not change any more.
        if facts.final < deadlines.join and not _must_commit(facts):
            return Wait(None, "the last block of proposals is not final yet")
        return Commit()
    if facts.record.claimant is None:
        if now < deadlines.draw_opens:
            return Wait(deadlines.draw_opens, "the claimant is drawn then")
        return Draw()
    if now < deadlines.reveal and not facts.all_revealed:
        return _reveal(facts, notes)
    return Select()


def _must_commit(facts: Facts) -> bool:
    """Whether it would lose its bond for certain, as a proposer, by waiting longer for blocks to be final.

    A creator may have chosen a commit phase that is shorter than that takes, or the chain be behind.
    """
    halfway = (facts.deadlines.join + facts.deadlines.commit) // 2
    return facts.now >= halfway and any(model.proposer == facts.account for model in facts.record.models)


def _reveal(facts: Facts, notes: Notes) -> Step:
    deadlines, me = facts.deadlines, facts.me
    waiting = Wait(deadlines.reveal, "the others have not revealed yet")
    if me is None or not me.committed or me.words is not None or facts.is_claimant:
        return waiting
    if sealed_bid(facts, notes) is None:
        return Stuck("the journal does not have the bid sealed on chain: put back the right one, or lose the bond")
    # A draw that is undone may name another claimant; whoever has revealed by then has shown its bids for nothing.
    halfway = (facts.record.drawn_at + deadlines.reveal) // 2
    if facts.final < facts.record.drawn_at and facts.now < halfway:
        return Wait(halfway, "the draw is not final yet")
    return Reveal()


def models_digest(record: RoundRecord) -> bytes:
    """Of these models in this order, 32 bytes: bids are for them and no others."""
    return keccak(b"".join(model.owners_digest + model.stations_digest for model in record.models))


def bid_name(record: RoundRecord) -> str:
    """What the journal calls the bids for these models in this order; for other models there are others."""
    return f"bid-{models_digest(record).hex()[:16]}"


def noted_bid(sealed: SealedBid) -> dict[str, Any]:
    """Bids as the journal notes them."""
    return {"bids": list(sealed.bids), "salt": sealed.salt.hex()}


def bid_noted(noted: Mapping[str, Any]) -> SealedBid:
    """Bids that the journal has noted."""
    return SealedBid(tuple(noted["bids"]), bytes.fromhex(noted["salt"]))


def sealed_bid(facts: Facts, notes: Notes) -> SealedBid | None:
    """The bids that the member has sealed on chain; None: they are not in its journal, or it has sealed none."""
    for name, bid in notes.items():
        if name.startswith("bid-"):
            sealed = bid_noted(bid)
            commitment = sealed.commitment(facts.chain_id, facts.contract, facts.round_id, facts.account)
            if facts.me is not None and commitment == facts.me.commitment:
                return sealed
    return None


def after_training(facts: Facts, conduct: Conduct) -> Step:
    """The next step in a round that is over, or nearly."""
    if not facts.settlement_open:
        return Wait(facts.deadlines.vote, "the electors have not all voted")
    return settled(facts, conduct)


def settled(facts: Facts, conduct: Conduct) -> Step:
    """Settlement: for oneself, for others if that pays or is wanted, then the claimant's lot."""
    me = facts.me
    open_accounts = [each.account for each in facts.unsettled]
    if me is not None and me.account in open_accounts:
        return Settle((me.account,))
    if open_accounts and (conduct.settles_others or facts.is_claimant):
        return Settle(tuple(open_accounts[:BATCH]))
    if facts.is_claimant and facts.lot:
        return Claim()
    return Done(_outcome(facts))


def overdue(facts: Facts) -> Step | None:
    """What anyone does once the winner has let its deadline pass."""
    return Abort() if facts.now >= facts.deadlines.report else None


def look_on(facts: Facts, conduct: Conduct) -> Step:
    """The next step of who has nothing to do in the training."""
    if facts.me in facts.unsettled:
        return settled(facts, conduct)  # who never committed waits for nobody
    return overdue(facts) or Wait(facts.deadlines.report, "the winner trains")


def _outcome(facts: Facts) -> str:
    match facts.status:
        case Status.CANCELLED:
            return "the round was cancelled"
        case Status.NOTHING_TRAINED:
            return "no model was worth training"
        case Status.ABORTED:
            return "the winner never reported, the round was aborted"
        case _:
            return "the round is settled" if facts.me is not None else "it did not join"


def stations_of(facts: Facts) -> dict[str, int]:
    """Each committed base station's index in training, from 0: the order of their commits."""
    return {each.account: each.ordinal - 1 for each in facts.record.committed(Role.BASE_STATION)}

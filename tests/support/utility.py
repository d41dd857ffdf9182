"""What a round comes to for each of its members, with every flow counted."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound, Seat
from fl.market.terms import GWEI, Role, Stage, Status


def utilities(round_: LiveRound, truth: Mapping[str, Sequence[int]] | None = None) -> dict[str, int | Fraction]:
    """Every member's true value of the model that was trained, or less its true cost of its work, and its money.

    Args:
        round_: a round of which nobody is settled yet.
        truth: true bids of who has bid something else, gwei.

    Returns:
        Wei by name. A model that nobody has trained is worth nothing; a base station's work is the part of the global
        rounds that it recorded.
    """
    state = round_.state
    totals: dict[str, int | Fraction] = dict(gains(round_))
    if state.status == Status.REPORTED and state.recorders:
        for seat in round_.members:
            worth = (truth or {}).get(seat.name, seat.bids)[state.selected] * GWEI
            if seat.role is Role.OWNER:
                totals[seat.name] += worth
            else:
                totals[seat.name] -= worth * Fraction(round_.member(seat).recorded, state.globalRounds)
    return totals


def gains(round_: LiveRound) -> dict[str, int]:
    """What every member takes out of the round beyond what it put in, wei by name.

    Everybody is settled, and the claimant takes the lot; taken back.
    """
    market = round_.market
    with market.chain.snapshot():
        before = {seat: _wealth(market, seat) + _locked(round_, seat) for seat in round_.members}
        round_.settled()
        for seat in round_.stations:
            if round_.stage(seat) is Stage.SETTLED:
                round_.claim_lot(seat).send()
        return {seat.name: _wealth(market, seat) - before[seat] for seat in round_.members}


def _wealth(market: Market, seat: Seat) -> int:
    """What an account can spend, in its wallet and in the contract, wei. Gas is free here."""
    return market.chain.balance_of(seat.account) + market.free(seat.account)


def _locked(round_: LiveRound, seat: Seat) -> int:
    return round_.lock(seat) if round_.stage(seat) in (Stage.JOINED, Stage.COMMITTED, Stage.REVEALED) else 0

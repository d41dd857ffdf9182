"""The accounting of a whole round: what every member pays and gets, and where every wei goes.

`settle_round` is a pure function of what happened (`Round`). It follows `mechanism.md` from "Where money goes" to
"Punishment"; shares and taxes come from `analysis.mechanism`. Amounts are wei.

Readings fixed here where `mechanism.md` can be read in more than one way:

- A silent base station owes its tax like everybody, from what its lock holds after the bond.
- The stake is apart from the rest of the lock: no bond or tax is collected from it, and upheld points move it even if
  nobody recorded anything.
- A base station that misses records and is listed with an upheld 0 loses its bond once, all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.mechanism import BASIS_POINTS, CONTRIBUTION_ONE, Settlement, contribution_bonus, settle
from analysis.round_facts import Dues, Member, Round, RoundResult, Slash, Status


@dataclass(frozen=True)
class _Owed:
    """What a member is to pay and to get, before what its lock holds is looked at; `bond` is the part that is owed."""

    share: int
    tax: int
    reward: int
    bond: int
    slash: Slash | None


def settle_round(round_: Round) -> RoundResult:
    """Account for one finished round."""
    settlement = _mechanism(round_) if _was_selected_from(round_) else None
    status = _status(round_, settlement)
    upheld = status == "settled" and _is_upheld(round_)
    owed = _owed(round_, status, settlement, upheld)
    owners = [_collect(round_.owner_lock(owner), 0, owes) for owner, owes in zip(round_.owners, owed, strict=False)]
    stations = [
        _collect(round_.station_lock, round_.stake, owes, bonus)
        for owes, bonus in zip(owed[len(owners) :], _bonuses(round_, upheld), strict=True)
    ]
    lot = sum(dues.tax for dues in owners + stations)
    return RoundResult(
        status=status,
        selected=None if settlement is None else settlement.selected,
        settlement=settlement,
        owners=tuple(owners),
        stations=tuple(stations),
        upheld=upheld,
        lot=lot,
        kept=sum(dues.payment for dues in owners + stations) - lot,
    )


def exceeds_threshold(votes_for: int, electors: int, threshold_bps: int) -> bool:
    """Whether `votes for * 10,000 > threshold * electors` (mechanism.md, "Punishment" and "Contribution stake")."""
    return votes_for * BASIS_POINTS > threshold_bps * electors


def _was_selected_from(round_: Round) -> bool:
    """Whether it came to a selection: drawn, a bid of a base station opened, and called in time."""
    opened = any(station.committed and station.revealed for station in round_.stations)
    return round_.claimant is not None and opened and round_.selected_in_time


def _mechanism(round_: Round) -> Settlement:
    """Shares and taxes of the committed members; zeros for who is silent."""
    assert round_.claimant is not None
    zeros = (0,) * len(round_.proposers)
    owners, stations = (
        [(member.bids if member.revealed else zeros) for member in side if member.committed]
        for side in (round_.owners, round_.stations)
    )
    weighted = round_.owner_policy == "capability"
    return settle(
        owners,
        stations,
        round_.theta_numerator,
        claimant=sum(station.committed for station in round_.stations[: round_.claimant]),
        owner_points=[owner.points for owner in round_.owners if owner.committed] if weighted else None,
        max_owner_bid=round_.max_owner_bid,
        live=round_.live,
    )


def _status(round_: Round, settlement: Settlement | None) -> Status:
    if settlement is None:
        return "cancelled"
    if settlement.selected is None:
        return "nothing trained"
    return "settled" if round_.reported else "aborted"


def _is_upheld(round_: Round) -> bool:
    total = sum(points or 0 for points in round_.contributions)
    return round_.upheld and total == CONTRIBUTION_ONE


def _owed(round_: Round, status: Status, settlement: Settlement | None, upheld: bool) -> list[_Owed]:
    """What all members owe and are owed, owners first."""
    selected = None if settlement is None else settlement.selected
    owners = [_owner_slash(round_, status, number, selected) for number in range(len(round_.owners))]
    slashes = [(round_.bond if slash else 0, slash) for slash in owners]
    slashes += [_station_slash(round_, status, number, upheld) for number in range(len(round_.stations))]
    # Where a model was selected that nobody trained, no share, tax or reward is due.
    due = settlement if selected is None or any(station.recorded for station in round_.stations) else None
    members = (*round_.owners, *round_.stations)
    shares, taxes = _spread(members, due.shares if due else None), _spread(members, due.taxes if due else None)
    return [
        _Owed(share=share, tax=tax, reward=-share * member.recorded // round_.global_rounds, bond=bond, slash=slash)
        for member, share, tax, (bond, slash) in zip(members, shares, taxes, slashes, strict=True)
    ]


def _owner_slash(round_: Round, status: Status, number: int, selected: int | None) -> Slash | None:
    """Why an owner's bond is taken: abort first, then silence, then vote."""
    owner, won = round_.owners[number], selected is not None and round_.proposers[selected] == number
    if round_.claimant is None:
        return None
    if not owner.committed:
        return "proposal" if number in round_.proposers else None
    if won and status == "aborted":
        return "abort"
    if not owner.revealed:
        return "silence"
    return "vote" if won and round_.punished else None


def _station_slash(round_: Round, status: Status, number: int, upheld: bool) -> tuple[int, Slash | None]:
    """How much of a base station's bond is taken, and why: for silence, an upheld 0, missing records."""
    station, bond = round_.stations[number], round_.bond
    if round_.claimant is None or not station.committed:
        return 0, None
    if not station.revealed and number != round_.claimant:
        return bond, "silence"
    if status in ("cancelled", "nothing trained"):
        return 0, None
    if upheld and round_.contributions[number] == 0:
        return bond, "zero"
    missed = round_.global_rounds - station.recorded
    return (-(-bond * missed // round_.global_rounds), "absence") if missed else (0, None)


def _bonuses(round_: Round, upheld: bool) -> list[int]:
    """What upheld contributions move of the stakes."""
    if not upheld:
        return [0] * len(round_.stations)
    points = [
        listed for station, listed in zip(round_.stations, round_.contributions, strict=True) if station.committed
    ]
    return _spread(round_.stations, contribution_bonus(round_.stake, points))


def _spread(side: Sequence[Member], amounts: Sequence[int] | None) -> list[int]:
    """Amounts of the committed members, in their order, with a 0 for each other member; all 0 if there are none."""
    if amounts is None:
        return [0] * len(side)
    remaining = iter(amounts)
    return [next(remaining) if member.committed else 0 for member in side]


def _collect(lock: int, stake: int, owed: _Owed, bonus: int = 0) -> Dues:
    """Take what is owed from lock and reward, share before bond before tax; never more than there is, nor the stake."""
    left = lock - stake + owed.reward
    share = min(max(owed.share, 0), left)
    slashed = min(owed.bond, left - share)
    tax = min(owed.tax, left - share - slashed)
    return Dues(
        lock=lock,
        share=share if owed.share > 0 else owed.share,
        tax=tax,
        reward=owed.reward,
        slashed=slashed,
        slash=owed.slash,
        bonus=bonus,
        payment=share + slashed + tax - owed.reward - bonus,
    )

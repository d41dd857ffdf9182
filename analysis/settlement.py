"""The accounting of a whole round: what every member pays and gets, and where every wei goes.

`settle_round` is a pure function of what happened (`Round`). It follows `mechanism.md` from "Locks and what
can be collected" to "Punishment"; shares and taxes come from `analysis.mechanism`. Amounts are wei.

Readings fixed here where `mechanism.md` can be read in more than one way:

- A reward that is not paid though the owners' shares were collected is always forfeited, put in by whoever
  misses it, also where nobody is slashed for absence: else it would stay in the escrow for good.
- A silent base station owes its tax like everybody, from what its lock holds after the bond.
- "Nobody recorded an update" comes first: then an explicit 0 forfeits nothing, and contribution points need
  not add up.
- Fewer than two committed on a side, or no live model: nobody is slashed for silence, however late the round
  is cancelled.
- The bond of a proposer that never committed is `outside` from the start, not only once that proposer is
  settled.
- A bond slashed by vote, by abort or for a proposal is not part of what its owner put in: a winner keeps its
  own full rebate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.mechanism import Settlement, contribution_rewards, settle
from analysis.round_facts import Dues, Member, Round, RoundResult, Side, Slash, Statement, Status

BASIS_POINTS = 10_000


def settle_round(round_: Round) -> RoundResult:
    """Account for one finished round.

    Raises:
        ValueError: Contribution points that decide rewards do not add up.
    """
    settlement = None if _cancelled(round_) else _mechanism(round_)
    status = _status(round_, settlement)
    winner = _winner(round_, settlement)
    owner_dues = _owner_dues(round_, status, settlement, winner)
    owners = [
        _collect(round_.owner_liability(owner) + round_.bond, round_.bond, dues)
        for owner, dues in zip(round_.owners, owner_dues, strict=True)
    ]
    base_dues = _base_dues(round_, status, settlement)
    to_divide, recorders = 0, _recorders(round_)
    if status == "aborted" and winner is not None and recorders:
        to_divide = _left_by_winner(owners[winner])
        base_dues = _with_parts(round_, base_dues, to_divide // recorders)
    base_stations = [_collect(round_.base_liability + round_.bond, round_.bond, dues) for dues in base_dues]

    owner_side = Side(inside=_total_put_in(owners), outside=_total_slashed(owners, "proposal"))
    to_base_stations = _total_slashed(owners, "vote") + (0 if recorders else _total_slashed(owners, "abort"))
    base_side = Side(inside=_total_put_in(base_stations), outside=to_base_stations)
    owners = _with_rebates(round_.owners, owners, owner_side)
    base_stations = _with_rebates(round_.base_stations, base_stations, base_side)
    return RoundResult(
        status=status,
        selected=None if settlement is None else settlement.selected,
        settlement=settlement,
        owners=tuple(owners),
        base_stations=tuple(base_stations),
        owner_side=owner_side,
        base_side=base_side,
        abort_remainder=to_divide % recorders if recorders else 0,
        escrow_left=sum(statement.payment - statement.rebate for statement in owners + base_stations),
    )


def is_punished(votes_for: int, electors: int, threshold_bps: int) -> bool:
    """Whether `votes for * 10,000 > threshold * electors` (mechanism.md, "Punishment")."""
    return votes_for * BASIS_POINTS > threshold_bps * electors


def rebate(side: Side, put_in: int, members: int) -> int:
    """What one of a side's `members` committed members gets back (mechanism.md, "Recycling").

    `floor((inside - what it put in) / (n - 1)) + floor(outside / n)`. With one member `inside` is what it put
    in itself, which it does not get back.
    """
    from_inside = (side.inside - put_in) // (members - 1) if members > 1 else 0
    return from_inside + side.outside // members


def _never_could_settle(round_: Round) -> bool:
    """Fewer than two committed on a side, or no live model: known when commits close."""
    sides = (round_.owners, round_.base_stations)
    return any(_committed(side) < 2 for side in sides) or not any(round_.live)


def _cancelled(round_: Round) -> bool:
    nobody_revealed = not any(station.committed and station.revealed for station in round_.base_stations)
    return _never_could_settle(round_) or nobody_revealed or not round_.selected_in_time


def _status(round_: Round, settlement: Settlement | None) -> Status:
    if settlement is None:
        return "cancelled"
    if settlement.selected is None:
        return "nothing trained"
    return "settled" if round_.reported else "aborted"


def _bids(round_: Round, side: Sequence[Member]) -> list[list[int]]:
    """Bids of the committed members; zeros for the silent."""
    zeros = [0] * len(round_.proposers)
    return [list(member.bids) if member.revealed else zeros for member in side if member.committed]


def _mechanism(round_: Round) -> Settlement:
    """Shares and taxes of the committed members; equal weights under the contribution policy."""
    return settle(
        _bids(round_, round_.owners),
        _bids(round_, round_.base_stations),
        round_.theta_numerator,
        owner_points=_points(round_.owners) if round_.owner_policy == "capability" else None,
        base_points=_points(round_.base_stations) if round_.base_policy == "capability" else None,
        max_owner_bid=round_.max_owner_bid,
        live=round_.live,
    )


def _points(side: Sequence[Member]) -> list[int]:
    return [member.points for member in side if member.committed]


def _winner(round_: Round, settlement: Settlement | None) -> int | None:
    """The owner that proposed the selected model."""
    if settlement is None or settlement.selected is None:
        return None
    return round_.proposers[settlement.selected]


def _owner_dues(round_: Round, status: Status, settlement: Settlement | None, winner: int | None) -> list[Dues]:
    slashes = [_owner_slash(round_, status, number, winner) for number in range(len(round_.owners))]
    if settlement is None:
        return [Dues(slash=slash) for slash in slashes]
    committed = _committed(round_.owners)
    shares, taxes = (_spread(round_.owners, amounts[:committed]) for amounts in (settlement.shares, settlement.taxes))
    dues = []
    for number, slash in enumerate(slashes):
        excused = status == "aborted" and number != winner
        share = 0 if excused or not _recorders(round_) else shares[number]
        dues.append(Dues(share=share, tax=0 if excused else taxes[number], slash=slash))
    return dues


def _owner_slash(round_: Round, status: Status, number: int, winner: int | None) -> Slash | None:
    """Why an owner's bond is slashed: silence first, then abort, then vote."""
    owner = round_.owners[number]
    if not owner.committed:
        return "proposal" if number in round_.proposers and _committed(round_.owners) else None
    if _is_slashed_for_silence(round_, owner):
        return "silence"
    if number == winner and status == "aborted":
        return "abort"
    return "vote" if number == winner and status == "settled" and round_.punished else None


def _base_dues(round_: Round, status: Status, settlement: Settlement | None) -> list[Dues]:
    """What base stations owe and are due; an abort's parts are added by `_with_parts`."""
    silent = [_is_slashed_for_silence(round_, station) for station in round_.base_stations]
    if settlement is None or status == "aborted":
        return [Dues(slash="silence" if flag else None) for flag in silent]

    trained = status == "settled" and _recorders(round_) > 0
    due = _rewards(round_, settlement) if trained else [0] * len(silent)
    taxes = _spread(round_.base_stations, settlement.taxes[_committed(round_.owners) :])
    absent = [trained and flag for flag in _absent(round_)]
    dues = []
    for number, station in enumerate(round_.base_stations):
        paid = due[number] if station.recorded and not absent[number] else 0
        slash: Slash | None = "silence" if silent[number] else "absence" if absent[number] else None
        dues.append(Dues(share=-due[number], tax=taxes[number], reward=paid, forfeited=due[number] - paid, slash=slash))
    return dues


def _is_slashed_for_silence(round_: Round, member: Member) -> bool:
    return member.committed and not member.revealed and not _never_could_settle(round_)


def _absent(round_: Round) -> list[bool]:
    """Who recorded nothing or is listed with an explicit 0; nobody if the winner was at fault itself."""
    if round_.punished or not round_.global_round_recorded:
        return [False] * len(round_.base_stations)
    return [
        station.committed and (not station.recorded or points == 0)
        for station, points in zip(round_.base_stations, _listed(round_), strict=True)
    ]


def _rewards(round_: Round, settlement: Settlement) -> list[int]:
    """What each base station is due at the selected model (mechanism.md, "Base stations' rewards")."""
    if round_.base_policy != "contribution" or round_.punished or settlement.selected is None:
        rewards = [-share for share in settlement.shares[_committed(round_.owners) :]]
    else:
        rewards = contribution_rewards(
            _bids(round_, round_.owners),
            _bids(round_, round_.base_stations),
            round_.theta_numerator,
            settlement.selected,
            [
                points or 0
                for station, points in zip(round_.base_stations, _listed(round_), strict=True)
                if station.committed
            ],
        )
    return _spread(round_.base_stations, rewards)


def _listed(round_: Round) -> tuple[int | None, ...]:
    return round_.contributions or (None,) * len(round_.base_stations)


def _recorders(round_: Round) -> int:
    return sum(station.recorded for station in round_.base_stations)


def _committed(side: Sequence[Member]) -> int:
    return sum(member.committed for member in side)


def _spread(side: Sequence[Member], amounts: Iterable[int]) -> list[int]:
    """Amounts of the committed members, in their order, with a 0 for each other member."""
    remaining = iter(amounts)
    return [next(remaining) if member.committed else 0 for member in side]


def _left_by_winner(winner: Statement) -> int:
    """What an abort divides: the winner's share and bond, only the share if silence took the bond."""
    return winner.share + (winner.slashed if winner.slash == "abort" else 0)


def _with_parts(round_: Round, base_dues: Iterable[Dues], part: int) -> list[Dues]:
    return [
        replace(dues, share=-part, reward=part) if station.recorded else dues
        for station, dues in zip(round_.base_stations, base_dues, strict=True)
    ]


def _collect(lock: int, bond: int, dues: Dues) -> Statement:
    """Take what is due from lock and reward, in the order share, bond, tax, never more than there is."""
    left = lock + dues.reward
    share = min(max(dues.share, 0), left)
    slashed = min(bond if dues.slash else 0, left - share)
    tax = min(dues.tax, left - share - slashed)
    return Statement(
        lock=lock,
        share=share if dues.share > 0 else dues.share,
        tax=tax,
        reward=dues.reward,
        forfeited=dues.forfeited,
        slashed=slashed,
        slash=dues.slash,
        payment=share + slashed + tax - dues.reward,
        put_in=tax + dues.forfeited + (slashed if dues.slash in ("silence", "absence") else 0),
    )


def _with_rebates(members: Sequence[Member], statements: Sequence[Statement], side: Side) -> list[Statement]:
    committed = _committed(members)
    return [
        replace(statement, rebate=rebate(side, statement.put_in, committed)) if member.committed else statement
        for member, statement in zip(members, statements, strict=True)
    ]


def _total_put_in(statements: Iterable[Statement]) -> int:
    return sum(statement.put_in for statement in statements)


def _total_slashed(statements: Iterable[Statement], slash: Slash) -> int:
    return sum(statement.slashed for statement in statements if statement.slash == slash)

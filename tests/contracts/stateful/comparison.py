"""The contract against the model: all that can be read of it, and what must hold of it whatever the model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address

from analysis.devnode.market import Market
from fl.market.bids import pack_bids
from fl.market.terms import Role, Stage, Status
from tests.contracts.stateful.state import Place, Round, World, hash_of, kept

# What a round's status may turn into.
NEXT = {
    Status.OPEN: {Status.CANCELLED, Status.NOTHING_TRAINED, Status.TRAINING},
    Status.TRAINING: {Status.REPORTED, Status.ABORTED},
}
COUNTERS = ("modelCount", "live", "recorders", "guided", "votesFor", "votesCast", "settled")


@dataclass(frozen=True)
class Seen:
    """What the contract says at one moment; ether and free balances in wei, by account."""

    held: int
    ether: Mapping[str, int]
    free: Mapping[str, int]
    rounds: Mapping[int, Any]
    members: Mapping[tuple[int, str], Any]
    rebates: Mapping[tuple[int, str], int]


def look(market: Market, rounds: Sequence[int], accounts: Sequence[str]) -> Seen:
    """Read all of it."""
    places = [(number, account) for number in rounds for account in accounts]
    views: list[tuple[str, tuple[Any, ...]]] = [("freeBalance", (account,)) for account in accounts]
    views += [("roundOf", (number,)) for number in rounds]
    views += [("memberOf", place) for place in places] + [("rebateOf", place) for place in places]
    results = iter(market.views(views))
    answers = market.chain.raw_batch([("eth_getBalance", (a, "latest")) for a in (*accounts, market.address)])
    ether = dict(zip((*accounts, market.address), (int(answer["result"], 16) for answer in answers), strict=True))
    return Seen(
        held=ether.pop(to_checksum_address(market.address)),
        ether=ether,
        free={account: next(results) for account in accounts},
        rounds={number: next(results) for number in rounds},
        members={place: next(results) for place in places},
        rebates={place: next(results) for place in places},
    )


def assert_agrees(market: Market, world: World, seen: Seen) -> None:
    """Every balance, every field of every view is the model's."""

    def same(what: str, actual: Any, expected: Any) -> None:
        assert actual == expected, f"{what} is {actual}, the model says {expected}"

    for account, wei in world.free.items():
        same(f"free balance of {market.name_of(account)}", seen.free[account], wei)
        same(f"ether of {market.name_of(account)}", seen.ether[account], world.ether[account])
    for number, round_ in world.rounds.items():
        for name, value in round_view(round_, world.now).items():
            same(f"round {number}: {name}", getattr(seen.rounds[number], name), value)
        for account in world.free:
            place = round_.places.get(account)
            who = f"round {number}: {market.name_of(account)}"
            member = seen.members[number, account]
            for name, value in (member_view(round_, place) if place else {"stage": Stage.NONE}).items():
                same(f"{who}: {name}", getattr(member, name), value)
            same(f"{who}: rebate", seen.rebates[number, account], round_.rebate(account))


def round_view(round_: Round, now: int) -> dict[str, Any]:
    """`roundOf` as the model has it."""
    weights = [
        sum(place.points for place in round_.committed(role)) if round_.weighted(role) else len(round_.committed(role))
        for role in Role
    ]
    return {
        "thetaNumerator": round_.theta,
        "modelCount": len(round_.models),
        "live": sum(1 << number for number, live in enumerate(round_.live) if live),
        "selected": round_.selected or 0,
        "committed": [len(round_.committed(role)) for role in Role],
        "points": weights,
        "revealed": [len(round_.revealed(role)) for role in Role],
        "recorders": len(round_.recorders),
        "guided": bool(round_.epochs),
        "votesFor": sum(round_.votes),
        "votesCast": len(round_.votes),
        "settled": sum(place.settled and place.committed for place in round_.places.values()),
        "escrow": round_.escrow,
        "status": round_.status(now),
        "phase": round_.phase(now),
    }


def member_view(round_: Round, place: Place) -> dict[str, Any]:
    """`memberOf` as the model has it."""
    reported = place.role is Role.BASE_STATION and round_.by_contribution
    return {
        "stage": place.stage,
        "role": place.role,
        "points": (place.listed or 0) if reported else place.points,
        "proposer": place.model is not None,
        "model": place.model or 0,
        "recorded": bool(place.epochs),
        "listedZero": place.listed == 0,
        "voted": place.vote is not None,
        "payload": _payload(round_, place),
    }


def _payload(round_: Round, place: Place) -> int:
    if place.settled:
        return round_.statement(place).put_in if place.committed else 0
    if place.bids is not None:
        return kept(hash_of(pack_bids(place.bids)))
    return kept(place.commitment) if place.commitment else 0


def assert_sound(seen: Seen) -> None:
    """What holds at any moment, without the model: conservation, and counters that count."""
    escrows = sum(view.escrow for view in seen.rounds.values())
    owed = sum(seen.free.values()) + escrows
    assert seen.held == owed, f"holds {seen.held} wei, owes {owed}"
    for number, view in seen.rounds.items():
        members = [member for (round_id, _), member in seen.members.items() if round_id == number]
        assert view.recorders == sum(member.recorded for member in members)
        assert view.votesCast == sum(member.voted for member in members) >= view.votesFor
        assert view.modelCount == sum(member.proposer for member in members)
        assert view.live < 2**view.modelCount
        assert view.settled <= sum(view.committed)
        due = sum(rebate for (round_id, _), rebate in seen.rebates.items() if round_id == number)
        assert view.escrow >= due, f"round {number} owes rebates of {due} wei and holds {view.escrow}"


def assert_moved_on(before: Seen, now: Seen, spenders: frozenset[str]) -> None:
    """What time and calls may never undo.

    Args:
        before: seen earlier.
        now: seen after it.
        spenders: who has withdrawn or joined a round in between.
    """
    for account, wei in before.free.items():
        assert now.free[account] >= wei or account in spenders, f"{account} lost {wei - now.free[account]} wei"
    for number, old in before.rounds.items():
        new = now.rounds[number]
        status, became = Status(old.status), Status(new.status)
        steps = NEXT.get(status, set()) | {later for step in NEXT.get(status, set()) for later in NEXT.get(step, set())}
        assert became == status or became in steps, f"round {number} was {status!r} and is {became!r}"
        assert new.phase >= old.phase, f"round {number} was in phase {old.phase} and is in {new.phase}"
        for counter in COUNTERS:
            assert getattr(new, counter) >= getattr(old, counter), f"round {number}: {counter} fell"
        assert all(new.committed[role] >= old.committed[role] for role in Role)
        assert all(new.revealed[role] >= old.revealed[role] for role in Role)
        assert new.thetaNumerator == old.thetaNumerator
    for place, member in before.members.items():
        later = now.members[place]
        assert later.stage >= member.stage, f"{place} went back to stage {later.stage}"
        assert member.stage == Stage.NONE or later.role == member.role, f"{place} changed its side"
        flags = ("proposer", "recorded", "voted")
        assert all(getattr(later, flag) >= getattr(member, flag) for flag in flags), f"{place} lost a flag"

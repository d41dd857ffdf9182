"""The contract against the model: all that can be read of it, and what must hold of it whatever the model says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address

from analysis.devnode.market import Market
from fl.market.bids import pack_bids
from fl.market.terms import Phase, Role, RoundTerms, Stage, Status
from tests.contracts.stateful.state import Place, Round, World, hash_of, kept

# What a round's status may turn into.
NEXT = {
    Status.OPEN: {Status.CANCELLED, Status.NOTHING_TRAINED, Status.TRAINING},
    Status.TRAINING: {Status.REPORTED, Status.ABORTED},
}
COUNTERS = ("modelCount", "live", "recorders", "finished", "votesPunish", "votesUphold", "votesCast")
OF_A_ROUND = ("roundOf", "termsOf", "sumsOf", "lotOf")


@dataclass(frozen=True)
class Seen:
    """What the contract says at one moment; ether and free balances in wei, by account."""

    held: int
    round_count: int
    ether: Mapping[str, int]
    free: Mapping[str, int]
    views: Mapping[tuple[str, int], Any]
    members: Mapping[tuple[int, str], Any]

    @property
    def rounds(self) -> dict[int, Any]:
        """`roundOf` by number."""
        return {number: view for (name, number), view in self.views.items() if name == "roundOf"}


def look(market: Market, rounds: Sequence[int], accounts: Sequence[str]) -> Seen:
    """Read all of it, but what a round's terms and models say for good: see `assert_lasting`."""
    places = [(number, account) for number in rounds for account in accounts]
    named = [(name, number) for name in OF_A_ROUND for number in rounds]
    views: list[tuple[str, tuple[Any, ...]]] = [("roundCount", ())]
    views += [("freeBalance", (account,)) for account in accounts]
    views += [(name, (number,)) for name, number in named] + [("memberOf", place) for place in places]
    results = iter(market.views(views))
    answers = market.chain.raw_batch([("eth_getBalance", (a, "latest")) for a in (*accounts, market.address)])
    ether = dict(zip((*accounts, market.address), (int(answer["result"], 16) for answer in answers), strict=True))
    return Seen(
        held=ether.pop(to_checksum_address(market.address)),
        round_count=next(results),
        ether=ether,
        free={account: next(results) for account in accounts},
        views={view: next(results) for view in named},
        members={place: next(results) for place in places},
    )


def same(what: str, actual: Any, expected: Any) -> None:
    assert actual == expected, f"{what} is {actual}, the model says {expected}"


def assert_agrees(market: Market, world: World, seen: Seen) -> None:
    """Every balance, every field of every view is the model's."""
    same("number of rounds", seen.round_count, len(world.rounds))
    for account, wei in world.free.items():
        same(f"free balance of {market.name_of(account)}", seen.free[account], wei)
        same(f"ether of {market.name_of(account)}", seen.ether[account], world.ether[account])
    for number, round_ in world.rounds.items():
        for name, value in round_view(round_, world.now).items():
            same(f"round {number}: {name}", getattr(seen.rounds[number], name), value)
        terms = seen.views["termsOf", number]
        same(f"round {number}: terms", RoundTerms.decode(terms.terms), round_.terms)
        same(f"round {number}: door", terms.door, round_.terms.door(round_.root))
        sums = seen.views["sumsOf", number]
        same(f"round {number}: sums", [sums.values, sums.costs], [sums_of(round_, role) for role in Role])
        same(f"round {number}: lot", seen.views["lotOf", number], round_.lot)
        for account in world.free:
            who = f"round {number}: {market.name_of(account)}"
            for name, value in member_view(round_, round_.place(account)).items():
                same(f"{who}: {name}", getattr(seen.members[number, account], name), value)


def assert_lasting(market: Market, round_: Round) -> None:
    """What follows from a round's terms, and its models."""
    for role, points in ((Role.OWNER, 1), (Role.OWNER, 7), (Role.BASE_STATION, 1)):
        arguments = (round_.id, role, points)
        same(f"round {round_.id}: lock", market.view("lockOf", *arguments), round_.terms.lock(role, points))
        worst = round_.terms.worst_loss(role, points)
        same(f"round {round_.id}: worst loss", market.view("worstLossOf", *arguments), worst)
    for number, model in enumerate(round_.models):
        told = market.view("modelOf", round_.id, number)
        stored = (told.proposer, told.ownersDigest, told.stationsDigest, told.globalRounds)
        expected = (model.proposer, model.owners_digest, model.stations_digest, model.global_rounds)
        same(f"round {round_.id}: model {number}", stored, expected)


def round_view(round_: Round, now: int) -> dict[str, Any]:
    """`roundOf` as the model has it."""
    claimant = round_.places[round_.claimant].ordinal if round_.claimant else 0
    return {
        "status": round_.status(now),
        "phase": round_.phase(now),
        "thetaNumerator": round_.theta,
        "claimant": claimant,
        "modelCount": len(round_.models),
        "live": sum(1 << number for number, live in enumerate(round_.live) if live),
        "selected": round_.selected or 0,
        "globalRounds": round_.global_rounds,
        "committed": [len(round_.committed(role)) for role in Role],
        "points": sum(owner.points for owner in round_.committed(Role.OWNER)),
        "revealed": [len(round_.revealed(role)) for role in Role],
        "recorders": len(round_.recorders),
        "finished": len(round_.finished),
        "listedPoints": sum(place.listed or 0 for place in round_.places.values()),
        "votesPunish": round_.votes_to_punish,
        "votesUphold": round_.votes_to_uphold,
        "votesCast": len(round_.votes),
        "escrow": round_.escrow,
        "lot": round_.lot,
    }


def sums_of(round_: Round, role: Role) -> list[int]:
    """Of the bids that a side has revealed, gwei, by model."""
    rows = [place.bids or () for place in round_.revealed(role)]
    return [sum(row[model] for row in rows) for model in range(len(round_.models))]


def member_view(round_: Round, place: Place | None) -> dict[str, Any]:
    """`memberOf` as the model has it; all zeros for who is no member, or none any more."""
    if place is None:
        zeros = ("points", "model", "ordinal", "recorded", "sealedBid")
        flags = ("proposer", "claimant", "listed", "voted")
        return {"stage": Stage.NONE, "role": Role.OWNER} | dict.fromkeys(zeros, 0) | dict.fromkeys(flags, False)
    return {
        "stage": place.stage,
        "role": place.role,
        "points": place.points if place.role is Role.OWNER else place.listed or 0,
        "proposer": place.model is not None,
        "model": place.model or 0,
        "ordinal": place.ordinal,
        "claimant": place.account == round_.claimant,
        "recorded": place.recorded,
        "listed": place.listed is not None,
        "voted": place.vote is not None,
        "sealedBid": _sealed(place),
    }


def _sealed(place: Place) -> int:
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
        stations = [member for member in members if member.role == Role.BASE_STATION]
        # Who is settled is forgotten, and stays counted.
        assert sum(member.recorded > 0 for member in stations) <= view.recorders
        assert view.finished <= view.recorders <= view.revealed[Role.BASE_STATION] + 1
        assert sum(member.voted for member in members) <= view.votesCast < max(1, view.committed[Role.OWNER])
        assert max(view.votesPunish, view.votesUphold) <= view.votesCast
        assert sum(member.proposer for member in members) <= view.modelCount
        assert view.live < 2**view.modelCount
        assert all(view.revealed[role] <= view.committed[role] for role in Role)
        assert view.claimant <= view.committed[Role.BASE_STATION]
        assert sum(member.claimant for member in members) == (view.claimant > 0), "the claimant is never forgotten"
        ordinals = sorted(member.ordinal for member in members if member.ordinal)
        assert len(set(ordinals)) == len(ordinals) and all(n <= view.committed[Role.BASE_STATION] for n in ordinals)
        assert view.escrow >= view.lot, f"round {number} owes a lot of {view.lot} wei and holds {view.escrow}"


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
        drawn = (old.thetaNumerator, old.claimant)
        assert old.claimant == 0 or (new.thetaNumerator, new.claimant) == drawn, "there is one draw"
    for (number, account), member in before.members.items():
        later, phase = now.members[number, account], before.rounds[number].phase
        _assert_member_moved_on(f"{account} of round {number}", member, later, phase)


def _assert_member_moved_on(who: str, member: Any, later: Any, phase: Phase) -> None:
    if member.stage == Stage.NONE:
        assert later.stage == Stage.NONE or phase <= Phase.COMMIT, f"{who} is a member again"
        return
    if later.stage == Stage.NONE:
        assert not member.claimant and member.stage != Stage.SETTLED, f"{who} is forgotten"
        return
    assert later.stage >= member.stage, f"{who} went back to stage {later.stage}"
    assert later.role == member.role, f"{who} changed its side"
    assert member.ordinal in (0, later.ordinal), f"{who} changed its ordinal"
    for name in ("proposer", "recorded", "voted", "listed", "claimant"):
        assert getattr(later, name) >= getattr(member, name), f"{who}: {name} fell"
